"""Where to look next: one square crop around all hands, which follows the network's own last joints."""

from collections.abc import Sequence

import numpy as np

from demo.crop import bbox_around, holds
from demo.handedness import NOTHING_AT, mean_confidence
from digit.geometry import CROP_MARGIN, square_bbox
from digit.skeleton import JOINTS_PER_HAND

#: Joints below this confidence do not move the crop: on rendered crops 4 % of them are right (`digit.calibration`), and
#: 0.7 % of the right ones are among them. Hands are lost when none is surer on average than `NOTHING_AT`.
LOW_CONFIDENCE = 0.06
#: So many such frames in a row lose the track.
LOST_FRAMES = 4
#: A hand that the detector saw holds its place in the crop for so many frames.
SIGHTED_FRAMES = 5
#: A hand that went out of sight beside a tracked one keeps its last place in the crop for so many frames, because that
#: is where it comes back: behind the other hand, or blurred for a moment.
REMEMBERED_FRAMES = 45
#: A hand that is tracked alone from the start gets a wider crop for so many frames, so that one beside it, which the
#: detector has not seen, comes into sight. Not at once: what the one hand is called is best told from its own crop.
ALONE_FRAMES, ALONE_MARGIN = 6, 1.5 * CROP_MARGIN
#: A box that moves or grows by this share of its side is followed at once; less is smoothed, down to `_SLOWEST`.
FOLLOWED_AT_ONCE = 0.15
_SLOWEST = 0.15
#: Two hands get crops of their own when so much of the larger one's size lies between them, and one again when less
#: does. These are wide: a hand that moves leaves a crop that is only as large as itself sooner than one around two.
APART_AT, MET_AT = 0.3, 0.15
OWN_MARGIN = 1.6
#: Mean confidence of a hand that is tracked well: on rendered crops 99 % of the hands with half their joints right, or
#: more, lie above it, and half of the others.
WELL_TRACKED = 0.3
#: Smallest side of a crop in pixels, and largest over the picture's longer side.
MIN_SIDE_PX = 32.0
MAX_SIDE = 1.5


class Tracker:
    """Follows all hands with one box. Empty (`tracking` false) until `update` is told of hands."""

    def __init__(self) -> None:
        self.tracking = False
        self._hands_px = np.full((2, JOINTS_PER_HAND, 2), np.nan)  # where each side was seen last
        self._unseen = np.full(2, REMEMBERED_FRAMES)  # frames since then
        self._steps_px = np.zeros((2, 2))  # how far each hand moved from one frame to the next
        self._sighted_px = np.empty((0, 2))
        self._sighted_left = 0
        self._bbox: np.ndarray | None = None
        self._own: tuple[np.ndarray, ...] = ()  # the last boxes of two hands apart
        self._both = self._sure = False  # both hands are there; they are tracked well
        self._unsure = 0
        self._alone: int | None = 0  # frames with one hand since the track began; None once there were two

    def sight(self, joints_px: np.ndarray) -> None:
        """Take note of hands (N, 2) that the detector saw, so that one which is not tracked yet gets into the crop."""
        self._sighted_px, self._sighted_left = joints_px, SIGHTED_FRAMES

    def place(self, shape: tuple[int, ...]) -> np.ndarray | None:
        """(4,) the square box to look at in a picture of (height, width, ...); None when no hand is known."""
        known = self._expected() if self.tracking else []
        if self._sighted_left > 0:
            self._sighted_left -= 1
            known.append(self._sighted_px)
        if not known:
            return None
        points_px = np.concatenate(known)
        points_px = points_px[np.isfinite(points_px).all(axis=1)]
        if not len(points_px):
            return None
        margin = ALONE_MARGIN if self._alone and self._alone <= ALONE_FRAMES else CROP_MARGIN
        square = clamped_square(bbox_around(points_px), shape, margin)
        self._bbox = _followed(self._bbox if self.tracking else None, square)
        return self._bbox

    def own_places(self, shape: tuple[int, ...], seen_px: Sequence[np.ndarray] = ()) -> tuple[np.ndarray, ...]:
        """(4,) each: a square box around the right and one around the left hand, while they are apart; else none.

        They begin with hands that are both tracked well, and end when one has left: an own crop tells that best. The
        detector's hands, of which ``seen_px`` (2,) are the middles, must be these two: one crop looks at others too.
        """
        own = self._own_squares(shape)
        own = own if all(any(holds(square, at) for square in own) for at in seen_px) else []
        self._own = tuple(_followed(*boxes) for boxes in zip(self._own or (None, None), own, strict=False))
        return self._own

    def _own_squares(self, shape: tuple[int, ...]) -> list[np.ndarray]:
        hands = [hand_px[np.isfinite(hand_px).all(axis=1)] for hand_px in self._hands_px]
        told, far = (self._both, MET_AT) if self._own else (self._sure, APART_AT)
        if not told or not all(map(len, hands)) or gap(*hands) < far:
            return []
        steps = np.where(self._unseen[:, None] == 0, self._steps_px, 0.0)
        ways = [np.concatenate([hand, hand + step]) for hand, step in zip(hands, steps, strict=True)]
        return [clamped_square(bbox_around(way), shape, OWN_MARGIN) for way in ways]

    def update(self, joints_px: np.ndarray, confidence: np.ndarray, present: np.ndarray) -> None:
        """Take the network's answer: joints (42, 2) in image pixels, confidence (42,) and presence (2,)."""
        counted = np.repeat(present, JOINTS_PER_HAND)
        if not counted.any():
            self.lose()
            return
        surest = mean_confidence(confidence)[present].max()
        self._unsure = self._unsure + 1 if surest < NOTHING_AT else 0
        if self._unsure >= LOST_FRAMES:
            self.lose()
            return
        self._alone = None if self._alone is None or present.all() else self._alone + 1
        self._unseen += 1
        for side in map(int, np.flatnonzero(present)):
            slots = slice(side * JOINTS_PER_HAND, (side + 1) * JOINTS_PER_HAND)
            sure = confidence[slots, None] >= LOW_CONFIDENCE
            clear = sure.sum() >= JOINTS_PER_HAND // 2
            if clear or not self.tracking:
                hand_px = np.where(sure | (not clear), joints_px[slots], np.nan)
                self._steps_px[side] = self._step(hand_px, side)
                self._hands_px[side] = hand_px
                self._unseen[side] = 0
        self._both = bool(present.all())
        self._sure = self._both and bool(mean_confidence(confidence).min() >= WELL_TRACKED)
        self.tracking = True

    def _step(self, hand_px: np.ndarray, side: int) -> np.ndarray:
        """(2,) how far a hand moved since the last frame; nothing for one that was not seen in it."""
        moved = (hand_px - self._hands_px[side])[np.isfinite(hand_px - self._hands_px[side]).all(axis=1)]
        return moved.mean(axis=0) if self._unseen[side] == 1 and len(moved) else np.zeros(2)

    def _expected(self) -> list[np.ndarray]:
        """Where each hand was last, and where it gets to if it goes on as it did: a quick hand is met, not followed."""
        known = self._hands_px[self._unseen < REMEMBERED_FRAMES]
        moving = self._unseen == 0
        return [known.reshape(-1, 2), (self._hands_px + self._steps_px[:, None])[moving].reshape(-1, 2)]

    def lose(self) -> None:
        """Forget the hands; the detector has to find them again."""
        self.tracking = self._both = self._sure = False
        self._unsure, self._bbox, self._own, self._alone = 0, None, (), 0
        self._unseen[:] = REMEMBERED_FRAMES


def gap(one_px: np.ndarray, other_px: np.ndarray) -> float:
    """How far two hands (N, 2) are apart, box from box, in sizes of the larger one; below zero they meet."""
    low, high = np.stack([(hand.min(axis=0), hand.max(axis=0)) for hand in (one_px, other_px)], axis=1)
    return float((low - high[::-1]).max() / max((high - low).max(), 1.0))


def clamped_square(bbox: np.ndarray, shape: tuple[int, ...], margin: float = CROP_MARGIN) -> np.ndarray:
    """The square of a box with a margin, of a sensible side and with its centre in the picture."""
    height, width = shape[:2]
    centre = np.clip(bbox[:2] + bbox[2:] / 2, 0, [width - 1, height - 1])
    longer = float(max(bbox[2], bbox[3])) * margin
    side = min(max(longer, MIN_SIDE_PX), MAX_SIDE * max(height, width))
    return square_bbox(np.r_[centre - side / 2, side, side], scale=1.0)


def _followed(last: np.ndarray | None, bbox: np.ndarray) -> np.ndarray:
    """Between the last box and the new one: the nearer they are, the slower, so that a still hand has a still crop."""
    if last is None:
        return bbox
    moved = np.abs(bbox[:2] + bbox[2:] / 2 - last[:2] - last[2:] / 2).max() / last[2]
    grown = abs(np.log(bbox[2] / last[2]))
    step = np.clip(max(moved, grown) / FOLLOWED_AT_ONCE, _SLOWEST, 1.0)
    return last + step * (bbox - last)
