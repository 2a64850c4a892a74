import os
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from pathlib import Path

import numpy as np
import pytest

from demo.detector import (
    NOWHERE,
    STALE_NS,
    BackgroundDetector,
    Guess,
    LandmarkDetector,
    LateDetector,
    PromptDetector,
    Sighting,
    Whereabouts,
    open_detector,
    quiet_stderr,
)
from demo.records import Detection, Frame, Side
from digit.errors import UserError
from digit.landmarker import HandLandmarks, model_file
from tests.demo.scripted import SHAPE, ColourDetector, draw_hands

IMAGE = draw_hands(90, 160, right=(50, 45))


def asked_until_answered(detector: BackgroundDetector, frame: Frame) -> Sighting:
    """Ask like the loop does; fails if no answer comes for a long time."""
    for _ in range(1000):
        sighting = detector(frame)
        if sighting is not None:
            return sighting
        time.sleep(0.01)
    raise AssertionError("no sighting came")


def test_background_answers_with_fresh_sightings_only() -> None:
    colour = ColourDetector()
    detector = BackgroundDetector(lambda: colour, stale_ns=100)
    assert asked_until_answered(detector, Frame(0, 1000, IMAGE)).detections[0].side == "right"
    detector.close()
    assert detector(Frame(1, 1100, IMAGE)) is not None
    assert detector(Frame(2, 1101, IMAGE)) is None
    assert colour.closed


def test_background_never_waits_for_a_slow_look() -> None:
    let_go = threading.Event()

    class Slow(ColourDetector):
        def __call__(self, frame: Frame, look: bool = True, near: Whereabouts = NOWHERE) -> Sighting | None:
            let_go.wait(30)
            return super().__call__(frame, look, near)

    detector = BackgroundDetector(Slow)
    assert [detector(Frame(i, i, IMAGE)) for i in range(5)] == [None] * 5
    let_go.set()
    detector.close()


def test_an_error_in_the_background_is_raised_by_the_next_call() -> None:
    def fail() -> ColourDetector:
        raise UserError("no model")

    detector = BackgroundDetector(fail)
    with pytest.raises(UserError, match="no model"):
        asked_until_answered(detector, Frame(0, 0, IMAGE))
    detector.close()


def test_mediapipe_takes_times_that_share_a_millisecond(capfd: pytest.CaptureFixture[str]) -> None:
    told: list[str] = []
    detector = open_detector(None, told.append)
    try:
        sightings = [detector(Frame(i, 5_000_000 + i, np.full((120, 160, 3), 90, np.uint8))) for i in range(3)]
    finally:
        detector.close()
    assert isinstance(detector, LandmarkDetector)
    assert [sighting and sighting.time_ns for sighting in sightings] == [5_000_000, 5_000_001, 5_000_002]
    assert all(sighting and sighting.detections == () for sighting in sightings)
    assert told[-1] == ""
    assert capfd.readouterr().err == ""


class ComplainsLate:
    """In MediaPipe's place: complains in its third look, as it does where the first two inputs lie aligned."""

    def __init__(self, *_: object) -> None:
        self.looks = 0

    def __call__(self, image: np.ndarray) -> tuple[HandLandmarks, ...]:
        self.looks += 1
        if self.looks == 3:
            os.write(2, b"W0000 Input tensor memory is not aligned\n")
        return ()

    def close(self) -> None: ...


def test_mediapipes_chatter_is_over_before_the_first_picture(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("demo.detector.Landmarker", ComplainsLate)
    detector = LandmarkDetector(model_file())
    try:
        detector(Frame(0, 0, np.full((120, 160, 3), 90, np.uint8)))
    finally:
        detector.close()
    assert capfd.readouterr().err == ""


class OtherHands:
    """In a follower's place: sees a hand of the given sides at the places that it is asked about."""

    def __init__(self, *sides: Side) -> None:
        self.sides, self.asked = sides, 0

    def __call__(self, image: np.ndarray, places: Sequence[np.ndarray]) -> tuple[HandLandmarks | None, ...]:
        self.asked = len(places)
        relative = np.zeros((21, 3), np.float32)
        return tuple(HandLandmarks(side, 1.0, at, relative) for side, at in zip(self.sides, places, strict=False))


def hand_at(x: float) -> np.ndarray:
    return (SHAPE * 40 + [x, 60]).astype(np.float32)


@pytest.fixture(scope="module")
def landmark_detector() -> Iterator[LandmarkDetector]:
    detector = open_detector(None, lambda text: None)
    yield detector
    detector.close()


@pytest.mark.parametrize(
    ("guessed", "sees", "found"),
    [
        ([("left", 120)], ["right", "left"], ["right", "left"]),
        ([("left", 120)], ["right", "right"], ["right"]),  # under another name it is not believed
        ([("left", 42)], ["right", "left"], ["right"]),  # the known hand once more
        ([("right", 41), ("left", 120)], ["right", "left"], ["right", "left"]),
    ],
)
def test_where_the_network_sees_a_hand_that_mediapipe_does_not_know_it_is_looked_for(
    landmark_detector: LandmarkDetector,
    monkeypatch: pytest.MonkeyPatch,
    guessed: list[tuple[Side, float]],
    sees: list[Side],
    found: list[Side],
) -> None:
    follower: Future[object] = Future()
    follower.set_result(OtherHands(*sees))
    monkeypatch.setattr(landmark_detector, "_follower", follower)
    known = Detection("right", 1.0, hand_at(40), np.zeros((21, 3), np.float32))
    guesses = tuple(Guess(side, hand_at(x)) for side, x in guessed)
    nothing = Frame(0, 0, np.full((120, 160, 3), 90, np.uint8))
    sighting = landmark_detector(nothing, near=Whereabouts((known,), guesses))
    assert [hand.side for hand in sighting.detections] == found
    if len(found) == 2:
        assert sighting.detections[1].joints_px == pytest.approx(hand_at(120))


@pytest.mark.parametrize(("guessed", "less_sure"), [("left", True), ("right", False)])
def test_a_network_that_says_otherwise_makes_a_known_hand_less_sure(
    landmark_detector: LandmarkDetector, monkeypatch: pytest.MonkeyPatch, guessed: Side, less_sure: bool
) -> None:
    follower: Future[object] = Future()
    follower.set_result(OtherHands("right", "left"))
    monkeypatch.setattr(landmark_detector, "_follower", follower)
    known = tuple(
        Detection(side, 0.9, hand_at(x), np.zeros((21, 3), np.float32)) for side, x in (("right", 40), ("left", 120))
    )
    frame = Frame(0, 0, np.full((120, 160, 3), 90, np.uint8))
    without, asked = (
        landmark_detector(frame, near=Whereabouts(known, guesses)).detections[0].score
        for guesses in ((), (Guess(guessed, hand_at(41)),))
    )
    assert (asked < without) is less_sure


def test_no_such_hand_model(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="--hand-model"):
        open_detector(tmp_path / "none.task", lambda text: None)


def test_stderr_comes_back(capfd: pytest.CaptureFixture[str]) -> None:
    with quiet_stderr():
        os.write(2, b"chatter")
    os.write(2, b"a message")
    assert capfd.readouterr().err == "a message"


def test_a_late_detector_answers_a_frame_after_each_look_and_forgets_as_the_live_one() -> None:
    colour = ColourDetector()
    detector = LateDetector(colour)
    times_ns = [0, 1, 2, 3, STALE_NS + 1, STALE_NS + 2, STALE_NS + 3]
    looks = [True, True, False, False, False, True, False]
    sightings = [detector(Frame(i, at, IMAGE), look) for i, (at, look) in enumerate(zip(times_ns, looks, strict=True))]
    seen_ns = [sighting and sighting.time_ns for sighting in sightings]
    assert seen_ns == [None, 0, 1, 1, 1, None, STALE_NS + 2]
    assert colour.looks == 3
    detector.close()
    assert colour.closed


def test_a_prompt_detector_looks_when_it_is_asked_to() -> None:
    colour = ColourDetector()
    detector = PromptDetector(colour)
    assert detector(Frame(0, 0, IMAGE), look=False) is None
    sightings = [detector(Frame(i, i, IMAGE), look) for i, look in enumerate([True, False, True, False])]
    assert [sighting and sighting.time_ns for sighting in sightings] == [0, 0, 2, 2]
    assert colour.looks == 2
    detector.close()
    assert colour.closed
