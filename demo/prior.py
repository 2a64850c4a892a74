"""The landmarker's hands as they stand now: it looks seldom and late, so they move along with the picture under them.

They follow the optical flow (Lucas and Kanade 1981, in pyramids) and not the network's own joints: those lean on the
prior, and a prior that leans on them answers itself. On rendered clips that ran away within a second.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import cv2
import numpy as np

from demo.detector import Sighting
from demo.records import Detection, Frame

#: Frames that are remembered: more than lie between a look and its answer.
REMEMBERED = 8
#: Pictures are halved until they are no wider before they are compared; on rendered clips finer ones did no better.
WIDTH_PX = 480
#: Side of the window around a joint, in pixels of the small picture.
_WINDOW = (15, 15)
_LEVELS = 2
_STOP = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 8, 0.03)
#: A joint counts as found when following it there and back ends so near to where it began, in pixels.
_THERE_AND_BACK_PX = 1.0
#: With fewer found joints a hand's movement is unknown.
_FEWEST = 3
#: A hand of which fewer joints could be followed, in any frame since it was seen, is lost: where it is carried to the
#: picture moved under it, or something else. Chosen on rendered clips played as they are live, where looks come a frame
#: late (seeds 22, 32, 52; the table in `assets/digit-lite.history.md`).
FOLLOWED_AT = 0.3


@dataclass(frozen=True, slots=True, eq=False)
class _Picture:
    time_ns: int
    grey: np.ndarray  # (H, W) uint8
    shrunk: int  # pixels of the frame for one of its own

    def like(self, other: "_Picture") -> bool:
        """Whether both are of the same size."""
        return (self.grey.shape, self.shrunk) == (other.grey.shape, other.shrunk)


class Carrier:
    """Carries what was seen from frame to frame."""

    def __init__(self) -> None:
        self._pictures: deque[_Picture] = deque(maxlen=REMEMBERED)
        self._seen_ns = -1
        self._hands: tuple[Detection, ...] = ()
        #: How far the quickest hand moved between the last two frames, in hand sizes.
        self.step = 0.0
        #: Smallest share of a hand's joints that could be followed between them.
        self.found = 1.0
        self._shares: tuple[float, ...] = ()  # each hand's smallest since it was seen

    @property
    def followed(self) -> tuple[Detection, ...]:
        """Of the hands last given, those that are not lost (`FOLLOWED_AT`)."""
        return tuple(hand for hand, share in zip(self._hands, self._shares, strict=True) if share >= FOLLOWED_AT)

    def __call__(self, frame: Frame, sighting: Sighting) -> tuple[Detection, ...]:
        """The hands of a sighting, of this frame or of an earlier one, where they stand in this frame.

        They stay where they were seen if that frame is not remembered. Call it with every frame, and with the same
        frame again only for another sighting.
        """
        self.step, self.found = 0.0, 1.0
        if not self._pictures or self._pictures[-1].time_ns != frame.time_ns:
            picture = _small(frame)
            if self._pictures and not picture.like(self._pictures[-1]):  # nothing can be followed into another size
                self._pictures.clear()
                self._hands, self._shares, self.found = (), (), 0.0
            self._pictures.append(picture)
        pictures = list(self._pictures)[-2:]
        if sighting.time_ns != self._seen_ns:
            self._seen_ns, self._hands = sighting.time_ns, sighting.detections
            pictures = [picture for picture in self._pictures if picture.time_ns >= sighting.time_ns]
            remembered = bool(pictures) and pictures[0].time_ns == sighting.time_ns
            pictures = pictures if remembered else []
            self._shares = (float(remembered),) * len(self._hands)
        for before, after in pairwise(pictures) if self._hands else ():
            followed = _followed(self._hands, before, after)
            hands, shares = zip(*followed, strict=True)
            self.found, self._shares = min(shares), tuple(map(min, self._shares, shares))
            self.step = max(_step(hand, moved) for hand, moved in zip(self._hands, hands, strict=True))
            self._hands = hands
        return self._hands


def _small(frame: Frame) -> _Picture:
    grey, shrunk = cv2.cvtColor(frame.image, cv2.COLOR_RGB2GRAY), 1
    while grey.shape[1] > WIDTH_PX and grey.shape[0] > 1:  # halving is many times as fast as any other ratio
        grey, shrunk = cv2.resize(grey, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA), 2 * shrunk
    return _Picture(frame.time_ns, grey, shrunk)


def _followed(hands: Sequence[Detection], before: _Picture, after: _Picture) -> list[tuple[Detection, float]]:
    """The hands one frame later, each with the share of its joints that could be followed."""
    joints = np.concatenate([hand.joints_px for hand in hands])
    joints = np.ascontiguousarray((joints + 0.5) / before.shrunk - 0.5, np.float32)
    # All hands at once: the pictures' pyramids, most of the work, are then made once.
    there, found = _flow(before.grey, after.grey, joints)
    back, found_back = _flow(after.grey, before.grey, there)
    found &= found_back & (np.abs(back - joints).max(axis=1) < _THERE_AND_BACK_PX)
    of_hands = zip(hands, *(np.split(rows, len(hands)) for rows in (joints, there, found)), strict=True)
    return [_moved(hand, was, now, seen, before.shrunk) for hand, was, now, seen in of_hands]


def _moved(
    hand: Detection, joints: np.ndarray, there: np.ndarray, found: np.ndarray, shrunk: int
) -> tuple[Detection, float]:
    """A hand whose joints went from one place to another; those that were not found go with the others."""
    if found.sum() < _FEWEST:
        return hand, 0.0
    if not found.all():
        after_from_before, _ = cv2.estimateAffinePartial2D(joints[found], there[found], method=cv2.LMEDS)
        # OpenCV's types do not say so, but points in one place give None.
        if after_from_before is None:  # pyright: ignore[reportUnnecessaryComparison]
            return hand, 0.0
        there[~found] = joints[~found] @ after_from_before[:, :2].T + after_from_before[:, 2]
    joints_px = (hand.joints_px + (there - joints) * shrunk).astype(np.float32)
    joints_px.flags.writeable = False
    return replace(hand, joints_px=joints_px), float(found.mean())


def _flow(before: np.ndarray, after: np.ndarray, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(N, 2) where the points of one picture are in the other, and (N,) whether they were found."""
    moved, found, _ = cv2.calcOpticalFlowPyrLK(
        before, after, points[:, None], np.empty(0), winSize=_WINDOW, maxLevel=_LEVELS, criteria=_STOP
    )
    return moved[:, 0], found[:, 0] > 0


def _step(hand: Detection, moved: Detection) -> float:
    """How far a hand went, in hand sizes."""
    size_px = max(float(np.ptp(hand.joints_px, axis=0).max()), 1.0)
    return float(np.linalg.norm(moved.joints_px - hand.joints_px, axis=1).mean()) / size_px
