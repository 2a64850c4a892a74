"""Which hands are there, and which is which: hysteresis over several frames, so that one bad frame flips nothing.

A network that lost one of two hands likes to put it on the other one. Such a double is not shown. Where there is no
hand it may see one in a face, but its joints then lie in a knot or anywhere, and their confidences
(`digit.calibration`) say so. Shares in the comments were counted on rendered crops, half of them with a landmark prior.
"""

from dataclasses import dataclass

import numpy as np

from digit.skeleton import FINGERS, JOINTS_PER_HAND, WRIST

#: A hand enters above the first and leaves below the second probability, after so many frames in a row. 94 % of the
#: hands that are there lie above the first, 2.4 % below the second.
ENTER_AT, LEAVE_AT = 0.6, 0.3
ENTER_FRAMES, LEAVE_FRAMES = 2, 4
#: Above this a hand enters at once: 86 % of the hands that are there lie above it, and 2.7 % of those that are not;
#: 10 % of these lie above `ENTER_AT`, for which the second frame is asked.
SURE_AT = 0.9
#: A hand that appears on top of another, their middles so near in hand sizes, and was not known `KNOWN_FRAMES` ago, may
#: be the other one under the wrong name: it must be there for so many frames in a row. On clips of moving hands the
#: sides are right in 92.5 % of the hands with this and `PLACED_AT`, in 89.0 % without.
ONTO_AT, ONTO_FRAMES, KNOWN_FRAMES = 0.35, 3, 45
#: A hand whose joints are less certain than this on average is none, whatever its probability: 1 % of those that are
#: there lie below.
IMPROBABLE_AT = 0.005
#: No hand enters while its joints are less certain than this on average. Of the hands that are there 5 % lie below with
#: MediaPipe's prior and 8 % without one, so that a hand may wait for its next frame. Of 300 empty crops the network saw
#: a hand in 14; all lie below.
NOTHING_AT = 0.07
#: Exchanged sides are believed after so many frames; each frame that confirmed the sides before asks for one more, up
#: to the second number. On clips of moving hands (`digit.synth.moving`) 5 to 30 had the sides right in 91.1 % of the
#: hands and 17 swaps in 1000 frames, 5 to 15 in 89.1 % and 19, 5 in a row in 89.2 % and 23.
SWAP_FRAMES, CONFIRMED_FRAMES = 5, 30
#: A hand whose joints are less certain than this on average was not seen well enough to say where it is.
PLACED_AT = 0.1
#: The sides count as exchanged when that puts the hands this many times nearer to where they were.
_CLEARLY = 2.0
#: Two hands may be one hand twice when each finger lies so near to the other hand's of the same name, in hand sizes. Of
#: a palm on the other hand's back, fingers along fingers, the thumbs point to opposite sides.
DOUBLE_AT = 0.25
#: A double is one until some finger lies so far from the other hand's.
PARTED_AT = 0.3
#: It came there from so far in one step, in hand sizes; hands that really meet come gradually.
JUMP = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class Decision:
    """What to make of one prediction."""

    swapped: bool  # its right hand is the left one and the other way round
    present: np.ndarray  # (2,) bool: the right, the left hand is there


class Handedness:
    """Follows the two hands by place and by probability."""

    def __init__(self) -> None:
        self._present = np.zeros(2, bool)
        self._frames = np.zeros(2, int)  # in a row that spoke against what is believed
        self._away = np.full(2, KNOWN_FRAMES)  # frames since it was believed
        self._joints_px = np.full((2, JOINTS_PER_HAND, 2), np.nan)
        self._confirmed = SWAP_FRAMES  # frames that it takes to believe that the sides are exchanged
        self._crossed = False  # the network's names are the other way round
        self._double: int | None = None

    def __call__(self, joints_px: np.ndarray, handedness: np.ndarray, confidence: np.ndarray) -> Decision:
        """Decide on joints (42, 2) in image pixels, probabilities (2,) of right and left and confidence (42,)."""
        joints_px, certain = joints_px.reshape(2, JOINTS_PER_HAND, 2), mean_confidence(confidence)
        handedness = np.where(certain < IMPROBABLE_AT, 0.0, handedness)
        seen = handedness >= 0.5
        exchanged = self._exchanged(joints_px, seen)
        if exchanged is not None:
            self._confirmed = min(self._confirmed + (-1 if exchanged else 1), CONFIRMED_FRAMES)
            self._crossed = exchanged
        if self._confirmed == 0:
            self._confirmed, self._crossed = SWAP_FRAMES, False
            self._present, self._frames = self._present[::-1].copy(), self._frames[::-1].copy()
            self._away = self._away[::-1].copy()
            self._joints_px = self._joints_px[::-1].copy()
            self._double = None if self._double is None else 1 - self._double
        if self._crossed:  # also while the hands lie so near to each other that their places say nothing
            joints_px, handedness, certain = joints_px[::-1], handedness[::-1], certain[::-1]
        self._believe(np.where(~self._present & (certain < NOTHING_AT), 0.0, handedness), joints_px)
        self._double = doubled(joints_px, self._joints_px, handedness, self._double) if self._present.all() else None
        shown = self._present.copy()
        if self._double is not None:
            shown[self._double] = False
        kept_px = np.where(self._present[:, None, None], self._joints_px, np.nan)
        placed = shown & ((certain >= PLACED_AT) | np.isnan(self._joints_px).any(axis=(1, 2)))
        self._joints_px = np.where(placed[:, None, None], joints_px, kept_px)
        return Decision(self._crossed, shown)

    def _exchanged(self, joints_px: np.ndarray, seen: np.ndarray) -> bool | None:
        """Whether the hands seen are clearly nearer to where the other side was, or to where their own was, or None.

        A hand without a past is as far as one hand size.
        """
        if not seen.any() or not self._present.any():
            return None
        size_px = np.nanmax(np.ptp(self._joints_px[self._present], axis=1))
        far = max(float(size_px), 1.0)

        def distance_px(last: np.ndarray) -> float:
            each = np.linalg.norm(joints_px - last, axis=-1).mean(axis=-1)
            return float(np.where(np.isnan(each), far, each)[seen].sum())

        own_px, other_px = distance_px(self._joints_px), distance_px(self._joints_px[::-1])
        if other_px * _CLEARLY < own_px:
            return True
        return False if own_px * _CLEARLY < other_px else None

    def _believe(self, handedness: np.ndarray, joints_px: np.ndarray) -> None:
        against = np.where(self._present, handedness < LEAVE_AT, handedness > ENTER_AT)
        self._frames = np.where(against, self._frames + 1, 0)
        # With no hand yet there is nothing to protect: the first one counts at once.
        enter_frames = np.where(handedness > SURE_AT, 1, ENTER_FRAMES) if self._present.any() else 1
        stranger = self._away >= KNOWN_FRAMES
        other = self._present[::-1] | (handedness[::-1] > handedness)
        doubtful = stranger & other & (self._present.any() | (handedness <= SURE_AT)) & onto(joints_px)
        enter_frames = np.where(doubtful, ONTO_FRAMES, enter_frames)
        changed = self._frames >= np.where(self._present, LEAVE_FRAMES, enter_frames)
        self._present = self._present ^ changed
        self._frames[changed] = 0
        self._away = np.where(self._present, 0, self._away + 1)


def mean_confidence(confidence: np.ndarray) -> np.ndarray:
    """(2,) how certain the right and the left hand's joints are on average, of confidence (42,)."""
    return confidence.reshape(2, JOINTS_PER_HAND).mean(axis=1)


def onto(joints_px: np.ndarray) -> bool:
    """Whether the middles of two hands (2, 21, 2) lie so near to each other that they may be one."""
    size_px = max(float(np.ptp(joints_px, axis=1).max()), 1.0)
    return float(np.linalg.norm(np.subtract(*joints_px.mean(axis=1)))) < ONTO_AT * size_px


def doubled(joints_px: np.ndarray, last_px: np.ndarray, handedness: np.ndarray, before: int | None) -> int | None:
    """The side (0 right, 1 left) whose hand is only the other one drawn again, or None.

    Args:
        joints_px: (2, 21, 2) both hands.
        last_px: (2, 21, 2) where they were before; nan for a hand without a past, which any place is a jump for.
        handedness: (2,) probabilities; without any past, the less likely hand is the double.
        before: the last answer; a double stays one until the hands part.
    """
    size_px = max(float(np.ptp(joints_px, axis=1).max()), 1.0)
    apart_px = np.linalg.norm(joints_px[0] - joints_px[1], axis=-1)[:WRIST].reshape(len(FINGERS), -1).mean(axis=1)
    apart = float(apart_px.max()) / size_px
    if apart > (DOUBLE_AT if before is None else PARTED_AT):
        return None
    if before is not None:
        return before
    moved = np.linalg.norm(joints_px - last_px, axis=-1).mean(axis=-1) / size_px
    if np.isnan(moved).all():
        return int(np.argmin(handedness))
    moved = np.where(np.isnan(moved), np.inf, moved)
    return int(np.argmax(moved)) if moved.max() > JUMP else None
