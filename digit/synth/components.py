"""What the engine can leave out of its pictures, to measure what each part of it is worth to a network that learns.

A part that is left out is mostly drawn all the same and then replaced, so that the rest of the picture stays as it was.
"""

from dataclasses import replace

import numpy as np

from digit.synth.appearance import Look, linear

#: Each part by its name, with what takes its place.
COMPONENTS: dict[str, str] = {
    "photographs": "no photograph behind the hands, painted rooms and patterns only",
    "people and things": "nobody and nothing behind, beside, in or before the hands",
    "clothes": "no sleeves, watches and rings",
    "skin": "one light skin without creases, veins, freckles and sheen, no gloves",
    "light": "even light, no shadows",
    "camera": "a straight lens, good exposure, no noise and no blur",
    "bodies": "one hand shape for all",
    "poses": "open and relaxed hands only, where they do not touch",
    "views": "seen by a webcam: palms and backs, fingers mostly up, no hand hides the other",
    "touching": "hands that meet are held apart",
}
#: What else can be left out: no part of the engine but a kind of picture, for sets that teach the others.
KINDS: dict[str, str] = {
    "alone": "two hands meet in every picture, mostly as their owner or a camera above sees them",
    "pairs": "one hand in every picture, beside the place of another that is not there",
}
NONE: frozenset[str] = frozenset()

_SKIN = linear(np.array([222, 172, 138]) / 255)
_EVEN = np.full(3, 0.8)
_AWAY = 1e4


def simplified(look: Look, without: frozenset[str]) -> Look:
    """A look without these parts of it."""
    if "clothes" in without:
        look = replace(
            look, sleeve_edge_mm=-_AWAY, band=np.array([_AWAY, _AWAY + 1]), ring=np.array([_AWAY, _AWAY, 1.0, 1.0])
        )
    if "skin" in without:
        look = replace(
            look, skin=_SKIN, palm=_SKIN, blush=np.ones(3), nail=_SKIN, gloss=0.0, bump_mm=0.0, spots=0.0, creases=0.0,
            veins=0.0,
        )  # fmt: skip
    if "light" in without:
        look = replace(look, ambient_up=_EVEN, ambient_down=_EVEN, light_colours=np.zeros((3, 3)), shadow_strength=0.0)
    return look


def good_photograph(light: np.ndarray) -> np.ndarray:
    """uint8 RGB of linear light (H, W, 3) from a camera without faults: exposed for the mean, no noise, no blur."""
    mean = float(light.mean()) + 1e-4
    return np.clip(255 * np.power(np.clip(light * np.float32(0.2 / mean), 0, None), 1 / 2.2) + 0.5, 0, 255).astype(
        np.uint8
    )
