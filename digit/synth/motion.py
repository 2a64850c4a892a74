"""Two hands that move on and on: they meet, rub, part and meet in another way, as hands do that are washed or talk.

The keys are meetings (`digit.synth.meetings`) before skinning. Between two keys angles and wrists go by least jerk
(Flash and Hogan 1985) and turns along the shortest way. A meeting drawn several times in a row is a rub. On the way to
another meeting the hands first leave each other.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from digit.synth.contact import Pair
from digit.synth.hand_model import HandModel, PosedHand
from digit.synth.meetings import MEETINGS, Meeting, Way, both, mirrored, sample_pair, skin

#: Share of the time that hands are apart, and how many strokes a rub has at most.
_APART_SHARE, _STROKES = 0.25, 5
_STROKE_S, _CHANGE_S = (0.18, 0.5), (0.4, 1.0)
#: How far hands leave each other on the way to another meeting.
_LEAVE_MM = 90.0
_APART = Meeting(
    0.0, *both((0.1, 1.0, 0.1), (0.0, 0.0, 1.0), ("open", "relaxed", "fist", "point", "victory", "pinch", "grasp")),
    offset_mm=(230.0, 0.0, 0.0), approach=None, looseness_deg=28.0, slide_mm=40.0,
)  # fmt: skip
_NAMES = tuple(MEETINGS)
_SHARES = np.array([meeting.share for meeting in MEETINGS.values()])


@dataclass(frozen=True, slots=True)
class Motion:
    """Keys in the person's frame (mm) and when each is reached; from 0 on, and beyond the asked end."""

    shape: int  # of the hand model, both hands
    keys: tuple[Pair, ...]
    seconds: tuple[float, ...]
    names: tuple[str, ...]  # of the meetings, "apart" for none


def sample_motion(rng: np.random.Generator, model: HandModel, seconds: float, arm: Way) -> Motion:
    """A motion of at least so many seconds; ``arm`` as in `digit.synth.meetings.sample_meeting`."""
    shape = int(rng.integers(len(model.vertices_mm)))
    keys: list[Pair] = []
    times: list[float] = []
    names: list[str] = []
    at = 0.0
    while not times or times[-1] < seconds:
        apart = rng.random() < _APART_SHARE
        name = "apart" if apart else str(rng.choice(_NAMES, p=_SHARES / _SHARES.sum()))
        turned = rng.random() < 0.5
        for _ in range(1 if apart else int(rng.integers(1, _STROKES + 1))):
            pair = sample_pair(rng, model, shape, _APART if apart else MEETINGS[name], arm)
            keys.append(mirrored(pair) if turned else pair)
            times.append(at)
            names.append(name)
            at += rng.uniform(*_STROKE_S)
        at += rng.uniform(*_CHANGE_S)
    return Motion(shape, tuple(keys), tuple(times), tuple(names))


def hands_at(motion: Motion, model: HandModel, second: float) -> dict[str, PosedHand]:
    """Both hands at a time, in the person's frame (mm)."""
    after = int(np.searchsorted(motion.seconds, second, side="right").clip(1, len(motion.keys) - 1))
    start, end = motion.seconds[after - 1 : after + 1]
    way = float(np.clip((second - start) / (end - start), 0, 1))
    pair = _between(motion.keys[after - 1], motion.keys[after], way**3 * (10 - 15 * way + 6 * way**2))
    hands = skin(model, motion.shape, pair)
    if motion.names[after - 1] == motion.names[after]:
        return hands
    apart_mm = hands["left"].joints_mm.mean(axis=0) - hands["right"].joints_mm.mean(axis=0)
    leave_mm = 0.5 * _LEAVE_MM * np.sin(np.pi * way) ** 2 * apart_mm / max(float(np.linalg.norm(apart_mm)), 1.0)
    shifts = {"right": pair.shift_mm["right"] - leave_mm, "left": pair.shift_mm["left"] + leave_mm}
    return skin(model, motion.shape, Pair(pair.angles_deg, pair.camera_from_hand, shifts))


def _between(a: Pair, b: Pair, share: float) -> Pair:
    return Pair(
        {side: (1 - share) * a.angles_deg[side] + share * b.angles_deg[side] for side in a.angles_deg},
        {side: _turned(a.camera_from_hand[side], b.camera_from_hand[side], share) for side in a.angles_deg},
        {side: (1 - share) * a.shift_mm[side] + share * b.shift_mm[side] for side in a.angles_deg},
    )


def _turned(a: np.ndarray, b: np.ndarray, share: float) -> np.ndarray:
    """(3, 3) that share of the shortest turn from a to b."""
    axis, _ = cv2.Rodrigues(a.T @ b)
    return a @ cv2.Rodrigues(share * axis)[0]
