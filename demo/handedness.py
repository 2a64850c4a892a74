"""Which hands are there, and which is which, told over many frames, so that one bad frame flips nothing.

A network that lost one of two hands likes to put it on the other one. Such a double is not shown. Where there is no
hand it may see one in a face, but its joints then lie in a knot or anywhere, and their confidences
(`digit.calibration`) say so. Shares in the comments were counted on rendered crops, half of them with a landmark prior.
"""

from dataclasses import dataclass
from math import atanh, exp, tanh

import numpy as np

from digit.skeleton import FINGERS, JOINTS_PER_HAND, WRIST

#: A hand enters above the first and leaves below the second probability, after so many frames in a row. 97 % of the
#: hands that are there lie above the first, 1.5 % below the second.
ENTER_AT, LEAVE_AT = 0.6, 0.3
ENTER_FRAMES, LEAVE_FRAMES = 2, 4
#: Above this a hand enters at once: 91 % of the hands that are there lie above it, and 2.8 % of those that are not;
#: 9 % of these lie above `ENTER_AT`, for which the second frame is asked.
SURE_AT = 0.9
#: A hand that appears on top of another, their middles so near in hand sizes, and was not known `KNOWN_FRAMES` ago, may
#: be the other one under the wrong name: it must be there for so many frames in a row. On clips of moving hands the
#: sides are right in 92.5 % of the hands with this and `PLACED_AT`, in 89.0 % without.
ONTO_AT, ONTO_FRAMES, KNOWN_FRAMES = 0.35, 3, 45
#: A hand whose joints are less certain than this on average is none, whatever its probability: 0.3 % of those that are
#: there lie below.
IMPROBABLE_AT = 0.005
#: No hand enters while its joints are less certain than this on average. Of the hands that are there 4 % lie below with
#: MediaPipe's prior or without one, so that a hand may wait for its next frame. Of 12 that the network saw in 400 empty
#: crops (above `ENTER_AT`) 8 lie below.
NOTHING_AT = 0.05
#: A hand whose joints are less certain than this on average was not seen well enough to say where it is.
PLACED_AT = 0.06
#: Log-odds that hands one hand size apart kept their places (`kept`), and the most that a frame can say.
KEPT, SUREST = 15.0, 4.0
#: Log-odds that the network names the hands rightly: in the first frame that has any, and in each later one anew, which
#: says less, as it errs in many in a row. Chosen with `KEPT` on rendered clips (seeds 21, 22 and 32, the table in
#: `assets/digit-lite.history.md`).
FIRST_NAMED, NAMED = 1.5, 0.45
#: Log-odds beyond which other names are believed to be the right ones: the higher, the more seldom hands change them,
#: and the later wrong ones are put right ("A witness that was not told" in `assets/digit-lite.history.md`).
RENAMED_AT = 2.8
#: Log-odds for or against the names, at most, of an answer that no landmarks were told to. Landmarks of hands that rub
#: often have the wrong names, and the network mostly repeats them: of the wash clips' frames it names 79 % rightly when
#: told and 87 % when not, of rendered clips as many.
UNPROMPTED = 2.0
#: Names of such log-odds are sure: they need a witness more seldom.
SURE_NAMES = 3.0
#: Log-odds by which names are likelier to be right than this filter says: confidences times that probability then have
#: the least Brier score on rendered clips (seeds 22, 32, 52; the table in `assets/digit-lite.history.md`).
CAREFUL = 0.5
#: A single hand is the one before it if it went no farther than so many hand sizes: a quick one leaves its place in a
#: frame.
SAME_AT = 1.5
#: Two hands may be one hand twice when each finger lies so near to the other hand's of the same name, in hand sizes. Of
#: a palm on the other hand's back, fingers along fingers, the thumbs point to opposite sides.
DOUBLE_AT = 0.25
#: A double is one until some finger lies so far from the other hand's.
PARTED_AT = 0.3
#: Hands that are both likelier than this are no double, wherever they lie: of 41 hidden as doubles on rendered clips of
#: two hands 32 lay within a quarter of a hand's size of their true place, and of 31 doubles on rendered crops of one
#: hand none was so likely.
TWO_AT = 0.85
#: It came there from so far in one step, in hand sizes; hands that really meet come gradually.
JUMP = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class Decision:
    """What to make of one prediction."""

    swapped: bool  # its right hand is the left one and the other way round
    present: np.ndarray  # (2,) bool: the right, the left hand is there
    named: float  # probability that the hands then have their right names


class Handedness:
    """Follows the two hands by place and by probability."""

    def __init__(self) -> None:
        self._present = np.zeros(2, bool)
        self._frames = np.zeros(2, int)  # in a row that spoke against what is believed
        self._away = np.full(2, KNOWN_FRAMES)  # frames since it was believed
        self._joints_px = np.full((2, JOINTS_PER_HAND, 2), np.nan)
        self._odds = 0.0  # log-odds that the hands have their right names
        self._crossed = False  # the network's names are the other way round
        self._double: int | None = None

    @property
    def sure(self) -> bool:
        """Whether the names are known well."""
        return self._odds >= SURE_NAMES

    def hear(self, witness_px: np.ndarray) -> None:
        """Let joints (42, 2) speak for or against the names of the last frame: both hands as a witness names them."""
        if not np.isnan(self._joints_px).any():
            same = kept(witness_px.reshape(self._joints_px.shape), self._joints_px, np.ones(2, bool))
            self._odds += UNPROMPTED * tanh(KEPT * same / 2)
            self._crossed ^= self._rename()

    def __call__(self, joints_px: np.ndarray, handedness: np.ndarray, confidence: np.ndarray) -> Decision:
        """Decide on joints (42, 2) in image pixels, probabilities (2,) of right and left and confidence (42,)."""
        joints_px, certain = joints_px.reshape(2, JOINTS_PER_HAND, 2), mean_confidence(confidence)
        handedness = np.where(certain < IMPROBABLE_AT, 0.0, handedness)
        seen = handedness >= 0.5
        self._name(self._kept(joints_px, seen))
        if self._crossed:
            joints_px, handedness, certain = joints_px[::-1], handedness[::-1], certain[::-1]
        self._believe(np.where(~self._present & (certain < NOTHING_AT), 0.0, handedness), joints_px)
        self._double = doubled(joints_px, self._joints_px, handedness, self._double) if self._present.all() else None
        shown = self._present.copy()
        if self._double is not None:
            shown[self._double] = False
        kept_px = np.where(self._present[:, None, None], self._joints_px, np.nan)
        placed = shown & ((certain >= PLACED_AT) | np.isnan(self._joints_px).any(axis=(1, 2)))
        self._joints_px = np.where(placed[:, None, None], joints_px, kept_px)
        return Decision(self._crossed, shown, 1 / (1 + exp(-self._odds - CAREFUL)))

    def _name(self, link: float | None) -> None:
        """Decide on the names: the forward algorithm (Rabiner 1989, III A) for two states.

        The network has the names right, or the other way round. ``link`` is the log-odds that its hands lie where those
        of the same name were, and so carries what was known of the names over to its own; that it is mostly right
        (`NAMED`) comes to it. A frame whose hands cannot be told (None) changes nothing.
        """
        if not self._present.any():
            self._odds, self._crossed = FIRST_NAMED, False
        if link is None:
            return
        crossed = link < 0
        right = 2 * atanh(tanh(self._odds / 2) * tanh(link / 2)) + NAMED
        self._odds = -right if crossed else right
        self._crossed = crossed ^ self._rename()

    def _rename(self) -> bool:
        """Exchange the names if they are believed to be the wrong ones; answers whether they were."""
        if self._odds >= -RENAMED_AT:
            return False
        self._odds = -self._odds
        self._present, self._frames = self._present[::-1].copy(), self._frames[::-1].copy()
        self._away, self._joints_px = self._away[::-1].copy(), self._joints_px[::-1].copy()
        self._double = None if self._double is None else 1 - self._double
        return True

    def _kept(self, joints_px: np.ndarray, seen: np.ndarray) -> float | None:
        """Log-odds that the hands seen lie where their own side was, not the other; None if that cannot be told."""
        if not np.isnan(self._joints_px).any() and seen.any():
            return float(np.clip(KEPT * kept(joints_px, self._joints_px, seen), -SUREST, SUREST))
        if self._present.sum() != 1 or seen.sum() != 1:
            return None
        now, before = int(seen.argmax()), int(self._present.argmax())
        last_px = self._joints_px[before]
        step_px = float(np.linalg.norm(joints_px[now] - last_px, axis=-1).mean())
        if step_px > SAME_AT * max(float(np.ptp(last_px, axis=0).max()), 1.0):
            return None
        return SUREST if now == before else -SUREST

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


def kept(joints_px: np.ndarray, last_px: np.ndarray, seen: np.ndarray) -> float:
    """How far two hands lie as they last did, above zero, or the other way round, below.

    The ways from the left hand's joints to the right one's, as they are, times those ways as they were: the logarithm
    of how much likelier the one is, for joints that move at random. What both hands do together falls out of it, and
    joints in which they do not differ, fingers that lie on each other, say nothing; palm on palm the wrists decide.

    Args:
        joints_px: (2, 21, 2) both hands.
        last_px: (2, 21, 2) where they were before.
        seen: (2,) bool, at least one; of a single hand the way from the last middle of both counts twice.

    Returns:
        The mean over the joints, in squared hand sizes.
    """
    size_px = max(float(np.ptp(last_px, axis=1).max()), 1.0)
    from_middle_px = joints_px - last_px.mean(axis=0)
    now_px = np.subtract(*joints_px) if seen.all() else 2 * (from_middle_px[0] if seen[0] else -from_middle_px[1])
    return float((now_px * np.subtract(*last_px)).sum(axis=-1).mean()) / size_px**2


def onto(joints_px: np.ndarray) -> bool:
    """Whether the middles of two hands (2, 21, 2) lie so near to each other that they may be one."""
    size_px = max(float(np.ptp(joints_px, axis=1).max()), 1.0)
    return float(np.linalg.norm(np.subtract(*joints_px.mean(axis=1)))) < ONTO_AT * size_px


def doubled(joints_px: np.ndarray, last_px: np.ndarray, handedness: np.ndarray, before: int | None) -> int | None:
    """The side (0 right, 1 left) whose hand is only the other one drawn again, or None.

    Args:
        joints_px: (2, 21, 2) both hands.
        last_px: (2, 21, 2) where they were before; nan for a hand without a past, which any place is a jump for.
        handedness: (2,) probabilities; two likely hands are two, and without any past the less likely is the double.
        before: the last answer; a double stays one until the hands part.
    """
    size_px = max(float(np.ptp(joints_px, axis=1).max()), 1.0)
    apart_px = np.linalg.norm(joints_px[0] - joints_px[1], axis=-1)[:WRIST].reshape(len(FINGERS), -1).mean(axis=1)
    apart = float(apart_px.max()) / size_px
    if apart > (DOUBLE_AT if before is None else PARTED_AT) or handedness.min() > TWO_AT:
        return None
    if before is not None:
        return before
    moved = np.linalg.norm(joints_px - last_px, axis=-1).mean(axis=-1) / size_px
    if np.isnan(moved).all():
        return int(np.argmin(handedness))
    moved = np.where(np.isnan(moved), np.inf, moved)
    return int(np.argmax(moved)) if moved.max() > JUMP else None
