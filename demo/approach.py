"""Where the landmarker's hands stand in a frame, before the network sees it: they are carried along, and looked for.

The landmarker looks seldom: now and then while all is well, and at once where there is doubt. What asks for a look is
what the frames show (how well and how far the hands could be followed) and how the network stood when the frame was
asked for.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import numpy as np

from demo.detector import Detector, Guess, Sighting, Whereabouts
from demo.prior import Carrier
from demo.records import Detection, Frame

#: The detector looks every so many frames: while two hands are tracked well, while one is and another may come, and
#: while hands are tracked without the prior. Whenever there is doubt it looks at once.
LOOK_EVERY_CALM, LOOK_EVERY_ALONE, LOOK_EVERY_NO_PRIOR = 4, 2, 15
#: Doubt: fewer of a hand's joints could be followed in the picture, or it went so far since the last look, in sizes of
#: a hand. On rendered clips of moving hands 0.9 of the joints asked for more looks and did no better.
FOLLOWED_WELL, LOOK_AFTER_WAY = 0.6, 0.1
#: A hand that is tracked well lies so near to the landmarker's on average, in hand sizes. Most do within 0.05.
AGREED_AT = 0.15
_NOTHING_SEEN = Sighting(-1, ())


@dataclass(frozen=True, slots=True)
class Standing:
    """How the loop stood when it asked for a frame."""

    tracking: bool = False  # there are hands
    calm: bool = False  # the network is sure of them, and the landmarker saw the same ones
    prior: bool = True  # the network takes the landmarker's hands as its prior
    guesses: tuple[Guess, ...] = ()  # the hands that it shows


@dataclass(frozen=True, slots=True, eq=False)
class Approached:
    """A frame and the landmarker's hands in it."""

    frame: Frame
    detections: tuple[Detection, ...]
    followed: tuple[Detection, ...]  # those of them that were not lost since they were seen (`Carrier.followed`)
    fresh: bool  # news came of them: they were not only carried


class Approach:
    """Remembers the hands from frame to frame. Frames come in the order of their time, all in one thread."""

    def __init__(self, detector: Detector) -> None:
        self._detector = detector
        self._carrier = Carrier()
        self._sighting: Sighting | None = None
        self._since_look, self._way = 0, 0.0

    def __call__(self, frame: Frame, standing: Standing) -> Approached:
        """Follow the hands into a frame. Raises what the detector raises."""
        before = self._sighting or _NOTHING_SEEN
        carried = self._carrier(frame, before)  # which remembers the frame: its look may answer later
        self._since_look += 1
        self._way += self._carrier.step
        look = self._wanted(standing, len(carried))
        if look:
            self._since_look, self._way = 0, 0.0
        self._sighting = self._detector(frame, look, Whereabouts(carried, standing.guesses))
        if self._sighting is None:
            return Approached(frame, (), (), False)
        fresh = self._sighting.time_ns != before.time_ns
        hands = self._carrier(frame, self._sighting) if fresh else carried
        return Approached(frame, hands, self._carrier.followed, fresh)

    def close(self) -> None:
        """Free the detector."""
        self._detector.close()

    def _wanted(self, standing: Standing, hands: int) -> bool:
        if not standing.tracking:
            return True
        if not standing.prior:
            return self._since_look >= LOOK_EVERY_NO_PRIOR
        if not standing.calm or self._carrier.found < FOLLOWED_WELL or self._way > LOOK_AFTER_WAY:
            return True
        return self._since_look >= (LOOK_EVERY_CALM if hands == 2 else LOOK_EVERY_ALONE)


class Approaching(Protocol):
    """Takes frames in the order of their time and answers in it."""

    def start(self, frame: Frame, standing: Standing) -> Callable[[], Approached]:
        """Begin with a frame; what this returns waits for the answer, once."""
        ...

    def close(self) -> None: ...


class InTurn:
    """Approaches a frame when its answer is taken, in that thread: for a detector that never waits."""

    def __init__(self, detector: Detector) -> None:
        self._approach = Approach(detector)

    def start(self, frame: Frame, standing: Standing) -> Callable[[], Approached]:
        return partial(self._approach, frame, standing)

    def close(self) -> None:
        self._approach.close()


class Ahead:
    """Approaches frames in a thread of its own, as soon as they are asked for."""

    def __init__(self, open_detector: Callable[[], Detector]) -> None:
        """``open_detector`` is called in the thread, which also closes what it gave."""
        self._thread = ThreadPoolExecutor(1, "approach")
        self._approach = self._thread.submit(lambda: Approach(open_detector()))

    def start(self, frame: Frame, standing: Standing) -> Callable[[], Approached]:
        """The answer raises what the detector raises, also while it was opened."""
        return self._thread.submit(lambda: self._approach.result()(frame, standing)).result

    def close(self) -> None:
        """End the thread, after the frames that were asked for."""
        self._thread.submit(self._close)
        self._thread.shutdown(wait=True)

    def _close(self) -> None:
        if self._approach.exception() is None:
            self._approach.result().close()


def agreed(detections: Sequence[Detection], hands_px: np.ndarray) -> bool:
    """Whether the landmarker has these hands (N, 21, 2) and no others, whatever their sides."""
    if len(detections) != len(hands_px) or not len(hands_px):
        return False
    apart = np.empty((len(hands_px), len(hands_px)))
    for i, hand in enumerate(detections):
        size_px = max(float(np.ptp(hand.joints_px, axis=0).max()), 1.0)
        apart[i] = np.linalg.norm(hands_px - hand.joints_px, axis=-1).mean(axis=-1) / size_px
    return bool((apart.diagonal() < AGREED_AT).all() or (apart[::-1].diagonal() < AGREED_AT).all())
