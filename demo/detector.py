"""MediaPipe's hands as `Detection` records, either at once or from a thread of its own.

A look first asks after the hands that are known, and after those that the network alone sees (`digit.follower`); only
when fewer than two are there does the slower MediaPipe look through the whole picture. It finds separate palms well,
touching ones seldom: there the network says where to look.

All detectors answer a frame with a `Sighting`, the hands and the time at which they stood there. mediapipe is imported
in the thread that looks.
"""

import os
import sys
import threading
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from demo.latest import Latest
from demo.records import Detection, Frame, Side
from demo.sides import believed
from digit.errors import UserError
from digit.follower import MAX_HANDS, HandFollower, is_new
from digit.landmarker import HandLandmarks, Landmarker, model_file

Tell = Callable[[str], None]

#: A sighting that is older than this says nothing about where the hands are now.
STALE_NS = 400_000_000
#: A palm is taken up from this probability on, as the landmark network still has to see a hand there. Of 508 hands on
#: 300 rendered crops MediaPipe finds 278 at its own 0.5 (and 14 where none is), 295 at 0.3 (17), 297 at 0.15 (26).
FOUND_AT = 0.3
#: Looks at nothing before the first at a picture, 11 ms each.
FIRST_LOOKS = 3


@dataclass(frozen=True, slots=True, eq=False)
class Sighting:
    """The hands that a landmarker saw in one frame."""

    time_ns: int  # capture time of that frame
    detections: tuple[Detection, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Guess:
    """A hand where the network put it, in this frame or a moment before."""

    side: Side
    joints_px: np.ndarray  # (21, 2) float32, image pixels


@dataclass(frozen=True, slots=True, eq=False)
class Whereabouts:
    """Where hands may be in a frame: a look begins there."""

    known: tuple[Detection, ...] = ()  # hands of earlier sightings, where they stand in this frame
    guesses: tuple[Guess, ...] = ()


NOWHERE = Whereabouts()


class Looker(Protocol):
    """Looks for hands in one frame."""

    def __call__(self, frame: Frame, *, near: Whereabouts) -> Sighting | None: ...

    def close(self) -> None: ...


class Detector(Protocol):
    """Knows about hands, and looks when it is asked to."""

    def __call__(self, frame: Frame, look: bool = True, near: Whereabouts = NOWHERE) -> Sighting | None:
        """What is known about the hands of this frame, perhaps from an earlier one; None when nothing is."""
        ...

    def close(self) -> None: ...


class LandmarkDetector:
    """Looks at once, and answers for that very frame.

    Open, call and close it in one thread.
    """

    def __init__(self, hand_model: Path | None = None, tell: Tell | None = None) -> None:
        """Raises UserError when the model file cannot be had or read."""
        path = hand_model or model_file(tell)
        self._opening = ThreadPoolExecutor(1, "follower")
        self._follower = self._opening.submit(HandFollower, path)  # the first look does without it
        with quiet_stderr():
            self._landmarker = Landmarker("image", path, MAX_HANDS, FOUND_AT)
            # They start MediaPipe's threads and its chatter. One complaint comes with the first input that lies
            # unaligned in memory; the very first input lay aligned in 6 of 144 processes, the second in none of these.
            for _ in range(FIRST_LOOKS):
                self._landmarker(np.zeros((64, 64, 3), np.uint8))

    def __call__(self, frame: Frame, *, near: Whereabouts = NOWHERE) -> Sighting:
        hands = self._followed(frame.image, near)
        if len(hands) < MAX_HANDS:
            others = (hand for hand in self._landmarker(frame.image) if is_new(hand, hands))
            hands = (*hands, *others)[:MAX_HANDS]
        found = tuple(Detection(hand.side, hand.score, hand.joints_px, hand.joints_rel_mm) for hand in hands)
        return Sighting(frame.time_ns, found)

    def _followed(self, image: np.ndarray, near: Whereabouts) -> tuple[HandLandmarks, ...]:
        """The hands that are still known, and those where the network sees one of the same side."""
        guesses = [guess for guess in near.guesses if is_new(guess, near.known)]
        asked = (*near.known, *guesses)[:MAX_HANDS]
        if not asked:
            return ()
        answers = self._follower.result()(image, [each.joints_px for each in asked])
        pairs = zip(asked, answers, strict=True)
        return tuple(
            believed(hand, place, _overruled(place, near.guesses)) if isinstance(place, Detection) else hand
            for place, hand in pairs
            if hand and (isinstance(place, Detection) or hand.side == place.side)
        )

    def close(self) -> None:
        """Free the networks."""
        self._opening.shutdown()
        with quiet_stderr():
            self._landmarker.close()


def _overruled(known: Detection, guesses: Sequence[Guess]) -> bool:
    """Whether the network has a hand of the other side where this one is."""
    return any(guess.side != known.side and not is_new(guess, (known,)) for guess in guesses)


class PromptDetector:
    """Looks when it is asked to, in the thread that asks, and answers with its last sighting when it is not."""

    def __init__(self, looker: Looker) -> None:
        self._looker = looker
        self._newest: Sighting | None = None

    def __call__(self, frame: Frame, look: bool = True, near: Whereabouts = NOWHERE) -> Sighting | None:
        if look:
            self._newest = self._looker(frame, near=near)
        return self._newest

    def close(self) -> None:
        """Free the networks."""
        self._looker.close()


class LateDetector(PromptDetector):
    """Answers as `BackgroundDetector` does when each look takes a frame's time, in every run alike: for measuring."""

    def __init__(self, looker: Looker) -> None:
        super().__init__(looker)
        self._coming: Sighting | None = None

    def __call__(self, frame: Frame, look: bool = True, near: Whereabouts = NOWHERE) -> Sighting | None:
        come, self._coming = self._coming, self._looker(frame, near=near) if look else None
        self._newest = come or self._newest
        return None if self._newest is None or frame.time_ns - self._newest.time_ns > STALE_NS else self._newest


class BackgroundDetector:
    """Looks at the newest frame in a thread of its own, so that calling it never waits.

    It answers with its last sighting as long as that is fresh. An error in the thread is raised by the next call.
    """

    def __init__(self, open_detector: Callable[[], Looker], stale_ns: int = STALE_NS) -> None:
        """``open_detector`` is called in the thread, which also closes what it gave."""
        self._open_detector, self._stale_ns = open_detector, stale_ns
        self._frames: Latest[tuple[Frame, Whereabouts]] = Latest()
        self._sightings: Latest[Sighting] = Latest()
        self._newest: Sighting | None = None
        self._thread = threading.Thread(target=self._look, name="landmarks", daemon=True)
        self._thread.start()

    def __call__(self, frame: Frame, look: bool = True, near: Whereabouts = NOWHERE) -> Sighting | None:
        if look:
            self._frames.put((frame, near))
        self._newest = self._sightings.take() or self._newest
        if self._newest is None or frame.time_ns - self._newest.time_ns > self._stale_ns:
            return None
        return self._newest

    def close(self) -> None:
        """End the thread; a model that is still being downloaded is waited for a moment only."""
        self._frames.close()
        self._thread.join(timeout=2.0)

    def _look(self) -> None:
        try:
            detector = self._open_detector()
            try:
                while not self._frames.ended:
                    asked = self._frames.wait(timeout_s=0.5)
                    sighting = None if asked is None else detector(asked[0], near=asked[1])
                    if sighting is not None:
                        self._sightings.put(sighting)
            finally:
                detector.close()
        except Exception as error:
            self._sightings.close(error)


def open_detector(hand_model: Path | None, tell: Tell) -> LandmarkDetector:
    """A landmark detector that tells how its model comes, and an empty text once it is there."""
    if hand_model is not None and not hand_model.is_file():
        raise UserError(f"There is no hand model {hand_model}; check the path given with --hand-model.")
    detector = LandmarkDetector(hand_model, tell)
    tell("")
    return detector


@contextmanager
def quiet_stderr() -> Generator[None]:
    """Keep what native code writes to stderr to itself: MediaPipe's C++ logs there and cannot be told not to.

    It is the whole process's stderr, so this is for moments only.
    """
    sys.stderr.flush()
    with open(os.devnull, "wb") as nowhere:
        kept = os.dup(2)
        os.dup2(nowhere.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
