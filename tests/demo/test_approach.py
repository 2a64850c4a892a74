"""What asks the landmarker for a look, and in which thread."""

import threading
from collections.abc import Sequence

import numpy as np
import pytest

from demo.approach import LOOK_AFTER_WAY, LOOK_EVERY_ALONE, LOOK_EVERY_CALM, Ahead, Approach, InTurn, Standing
from demo.detector import NOWHERE, LateDetector, Sighting, Whereabouts
from demo.prior import Carrier
from demo.records import Frame
from digit.errors import UserError
from tests.demo.scripted import ColourDetector, draw_hands

CALM = Standing(tracking=True, calm=True)


def frame(index: int, **centres: tuple[float, float]) -> Frame:
    grain = np.random.default_rng(0).integers(0, 25, (90, 160, 3), np.uint8)  # flat discs cannot be followed
    return Frame(index, index * 33_000_000, draw_hands(90, 160, **centres) + grain)


def both(index: int) -> Frame:
    return frame(index, right=(50, 45), left=(110, 45))


def looks_at(standings: Sequence[Standing], make: object = both) -> list[int]:
    """The frames at which the detector was asked."""
    detector, found = ColourDetector(), []
    approach = Approach(detector)
    for i, standing in enumerate(standings):
        before = detector.looks
        approached = approach(make(i), standing)  # type: ignore[operator]
        assert approached.fresh == (detector.looks > before)
        found += [i] if detector.looks > before else []
    return found


def test_doubt_asks_at_once_and_calm_now_and_then() -> None:
    assert looks_at([Standing()] * 4) == [0, 1, 2, 3]
    assert looks_at([Standing(tracking=True)] * 4) == [0, 1, 2, 3]
    calm = looks_at([Standing(), *[CALM] * (2 * LOOK_EVERY_CALM)])
    assert calm == [0, LOOK_EVERY_CALM, 2 * LOOK_EVERY_CALM]
    alone = looks_at([Standing(), *[CALM] * (2 * LOOK_EVERY_ALONE)], lambda i: frame(i, right=(50, 45)))
    assert alone == [0, LOOK_EVERY_ALONE, 2 * LOOK_EVERY_ALONE]


def test_a_hand_that_went_far_since_the_last_look_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Carrier, "step", property(lambda _: 0.4 * LOOK_AFTER_WAY, lambda *_: None), raising=False)
    assert looks_at([Standing(), *[CALM] * 6]) == [0, 3, 6]


def test_between_looks_the_hands_move_with_the_picture() -> None:
    approach = Approach(ColourDetector())
    seen = both(0)
    first = approach(seen, Standing())
    second = approach(Frame(1, 33_000_000, np.roll(seen.image, 1, axis=1)), CALM)
    assert first.fresh and not second.fresh
    for before, after in zip(first.detections, second.detections, strict=True):
        moved = np.median(after.joints_px - before.joints_px, axis=0)
        assert moved == pytest.approx([1, 0], abs=0.2)


def test_a_late_first_answer_moves_with_the_picture_too() -> None:
    approach = Approach(LateDetector(ColourDetector()))
    seen = both(0)
    assert approach(seen, Standing()).detections == ()
    late = approach(Frame(1, 33_000_000, np.roll(seen.image, 2, axis=1)), Standing())
    assert late.fresh and late.followed == late.detections and len(late.detections) == 2
    at_once = ColourDetector()(seen)
    assert at_once is not None
    for hand, there in zip(late.detections, at_once.detections, strict=True):
        assert np.median(hand.joints_px - there.joints_px, axis=0) == pytest.approx([2, 0], abs=0.3)


def test_in_turn_asks_when_the_answer_is_taken() -> None:
    detector = ColourDetector()
    approaching = InTurn(detector)
    answer = approaching.start(both(0), Standing())
    assert detector.looks == 0
    assert len(answer().detections) == 2
    approaching.close()
    assert detector.closed


def test_ahead_opens_looks_and_closes_in_one_thread_of_its_own() -> None:
    threads: list[str] = []

    class Told(ColourDetector):
        def __call__(self, frame: Frame, look: bool = True, near: Whereabouts = NOWHERE) -> Sighting | None:
            threads.append(threading.current_thread().name)
            return super().__call__(frame, look, near)

        def close(self) -> None:
            threads.append(threading.current_thread().name)
            super().close()

    detector = Told()

    def open_detector() -> Told:
        threads.append(threading.current_thread().name)
        return detector

    approaching = Ahead(open_detector)
    answers = [approaching.start(both(i), Standing()) for i in range(3)]
    assert [answer().frame.index for answer in answers] == [0, 1, 2]
    approaching.start(both(3), Standing())
    approaching.close()
    assert detector.closed
    assert len(threads) == 6
    assert len(set(threads)) == 1 and threads[0] != threading.current_thread().name


def test_a_detector_that_cannot_open_says_so() -> None:
    def fail() -> ColourDetector:
        raise UserError("no model")

    approaching = Ahead(fail)
    with pytest.raises(UserError, match="no model"):
        approaching.start(both(0), Standing())()
    approaching.close()
