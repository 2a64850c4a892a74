"""Draw at random who and what else is in the picture: a person behind the hands, a thing held or in front."""

import numpy as np

from digit.synth.appearance import Look, cloth_colour, linear, sample_look
from digit.synth.hand_model import PosedHand, rotation
from digit.synth.meetings import WEBCAM_FROM_PERSON
from digit.synth.props import Prop, bodies

_X, _Y, _Z = np.eye(3)
PERSON_SHARE, THING_SHARE = 0.32, 0.09
#: Of the people, those who have their hands right before what shows of them.
_BEFORE_SHARE = 0.15
#: sRGB hair, black to blond, red, grey, white, and now and then dyed.
_HAIR = np.array(
    [(18, 15, 14), (38, 26, 20), (70, 46, 30), (112, 78, 48), (172, 136, 88), (126, 58, 28), (128, 126, 124),
     (214, 212, 208)]
) / 255.0  # fmt: skip
_IRIS = np.array([(52, 32, 20), (84, 60, 34), (88, 104, 120), (84, 100, 70)]) / 255.0
#: The face's nearest point (the nose) lies so far in front of the eyes, mm.
_NOSE_MM = 62.0
#: A person's hands are in front of them by at least so much.
_CLEAR_MM = 12.0


def sample_props(
    rng: np.random.Generator, hands: dict[str, PosedHand], K: np.ndarray, size: int, look: Look, facing: bool
) -> tuple[Prop, ...]:
    """A person (in views of people who face the camera) and things, for hands placed in front of a camera."""
    props: list[Prop] = []
    if facing and rng.random() < PERSON_SHARE:
        props.append(_person_behind(rng, hands, K, size, look))
    if rng.random() < THING_SHARE:
        props.extend(_things(rng, hands, look))
    return tuple(props)


def sample_person(rng: np.random.Generator, look: Look, camera_from_person: np.ndarray, eyes_mm: np.ndarray) -> Prop:
    """Somebody whose skin is that of ``look``'s hands or another one, with eyes at a place in camera space."""
    body = int(rng.integers(len(bodies().meshes)))
    own = look if rng.random() < 0.75 else sample_look(rng)
    k = int(rng.integers(len(_HAIR)))
    hair = _HAIR[k] * rng.uniform(0.7, 1.3)
    if rng.random() < 0.04:
        hair = rng.uniform(0.1, 0.8, 3)
    bald = rng.random() < 0.1
    length = rng.choice([40.0, 90.0, 150.0, 260.0], p=[0.35, 0.25, 0.2, 0.2]) + rng.uniform(-20, 20)
    grown = rng.random()
    shape = np.array(
        [90.0 if bald else rng.uniform(-10, 14), rng.uniform(3, 22), -130.0 if bald else length,
         grown if rng.random() < 0.3 else 0.0]
    )  # fmt: skip
    collar = rng.uniform(-35, 25) if rng.random() < 0.85 else rng.uniform(25, 80)
    cloth = linear(cloth_colour(rng))
    cloth2 = cloth if rng.random() < 0.6 else linear(cloth_colour(rng))
    place = np.eye(4)
    place[:3, :3] = camera_from_person
    place[:3, 3] = eyes_mm
    lips = own.skin * np.array([0.95, rng.uniform(0.5, 0.8), rng.uniform(0.5, 0.85)])
    if rng.random() < 0.1:
        lips = linear(np.array([rng.uniform(0.5, 0.8), rng.uniform(0.05, 0.25), rng.uniform(0.1, 0.3)]))
    return Prop(
        body, place, np.full(3, 1.0), own.skin * rng.uniform(0.85, 1.1), own.blush, lips, linear(hair),
        linear(_IRIS[int(rng.integers(len(_IRIS)))]), cloth, cloth2, float(np.exp(rng.uniform(-4.5, -1.5))),
        min(own.gloss, 1.2), shape, collar, rng.uniform(-500, 500, 3),
    )  # fmt: skip


def person_view(rng: np.random.Generator) -> np.ndarray:
    """(3, 3) camera_from_person of somebody who looks about in front of a webcam."""
    yaw, pitch, roll = rng.normal(0, 24), rng.normal(3, 11), rng.normal(0, 9)
    return rotation(_Z, roll) @ rotation(_X, pitch) @ WEBCAM_FROM_PERSON @ rotation(_Y, yaw)


def _person_behind(rng: np.random.Generator, hands: dict[str, PosedHand], K: np.ndarray, size: int, look: Look) -> Prop:
    """Somebody whose face, neck or chest shows behind or beside the hands, close behind as in signing, or far."""
    view = person_view(rng)
    close = rng.random() < 0.5
    gap = _CLEAR_MM + (rng.uniform(0, 70) if close else rng.uniform(70, 500))
    rear = max(float(h.joints_mm[:, 2].max()) for h in hands.values()) + 15.0
    # What of the person is where in the picture: the face mostly, or the neck and the chest.
    at = rng.choice([-10.0, -90.0, -230.0], p=[0.5, 0.2, 0.3])
    pixel = size * (rng.normal(0.5, 0.12, 2) if rng.random() < _BEFORE_SHARE else _beside_the_middle(rng))
    depth = rear + gap + _NOSE_MM
    seen = depth * np.linalg.solve(K, np.array([*pixel, 1.0]))
    return sample_person(rng, look, view, seen - view @ np.array([0.0, at, 0.0]))


def _beside_the_middle(rng: np.random.Generator) -> np.ndarray:
    """(2,) a place in or near the picture of side 1, where the hands mostly are not."""
    way = rng.uniform(0, 2 * np.pi)
    return 0.5 + rng.uniform(0.3, 0.75) * np.array([np.cos(way), np.sin(way)])


def _things(rng: np.random.Generator, hands: dict[str, PosedHand], look: Look) -> list[Prop]:
    """Something in a hand's palm, or between the camera and the hands."""
    joints = hands["right" if "right" in hands and rng.random() < 0.5 else next(iter(hands))].joints_mm
    wrist, index, middle, pinky = joints[20], joints[7], joints[11], joints[19]
    along, across = middle - wrist, index - pinky
    along, across = along / np.linalg.norm(along), across / np.linalg.norm(across)
    out = np.cross(along, across)
    out /= np.linalg.norm(out)
    tips = joints[[4, 8, 12, 16]].mean(0)
    if (tips - middle) @ out < 0:  # fingers bend towards the palm
        out = -out
    kind = str(rng.choice(["mug", "bottle", "pen", "phone", "card", "bar"]))
    half = {
        "mug": rng.uniform((34, 40, 34), (44, 55, 44)), "bottle": rng.uniform((14, 70, 14), (36, 120, 36)),
        "pen": rng.uniform((3, 60, 3), (7, 90, 7)), "phone": rng.uniform((32, 66, 3), (40, 82, 6)),
        "card": rng.uniform((20, 25, 1), (110, 150, 15)), "bar": rng.uniform((4, 150, 4), (16, 300, 16)),
    }[kind]  # fmt: skip
    if kind in ("mug", "bottle", "pen", "bar"):
        half[2] = half[0]
    if rng.random() < 0.6:  # held: across the palm
        y = across
        z = out
        centre = 0.35 * wrist + 0.65 * middle + (9.0 + half[2]) * out + rng.normal(0, 8, 3)
    else:
        y, z = rng.normal(size=3), rng.normal(size=3)
        shown = joints[int(rng.integers(len(joints)))]
        centre = shown * rng.uniform(0.6, 0.92) + rng.normal(0, 25, 3)
    y = y / np.linalg.norm(y)
    z = z - y * (y @ z)
    z = z / np.linalg.norm(z)
    place = np.eye(4)
    place[:3, :3] = np.stack([np.cross(y, z), y, z], 1) @ rotation(_Y, rng.uniform(-40, 40))
    place[:3, 3] = centre
    mesh = "box" if kind in ("phone", "card") or (kind == "bar" and rng.random() < 0.4) else "cylinder"
    colour = linear(cloth_colour(rng))
    other = colour if rng.random() < 0.6 else linear(cloth_colour(rng))
    gloss, seed = float(rng.uniform(0, 3)), rng.uniform(-500, 500, 3)
    scale = float(np.exp(rng.uniform(-4, -1.5)))
    things = [_thing(mesh, place, half, colour, other, scale, gloss, seed)]
    if kind == "mug":
        beside = place.copy()
        beside[:3, 3] += 1.0 * half[0] * place[:3, 0]
        things.append(_thing("handle", beside, half * (0.75, 0.7, 0.75), colour, other, scale, gloss, seed))
    return things


def _thing(
    mesh: str, place: np.ndarray, half: np.ndarray, colour: np.ndarray, other: np.ndarray, scale: float, gloss: float,
    seed: np.ndarray,
) -> Prop:  # fmt: skip
    none = np.zeros(3)
    return Prop(mesh, place, half, none, none, none, none, none, colour, other, scale, gloss, np.zeros(4), 0.0, seed)
