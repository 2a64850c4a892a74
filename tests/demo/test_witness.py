"""Names that the network only repeats after the landmarker: it is asked without being told, too."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from demo.apart import Answer, with_sides_swapped
from demo.approach import InTurn
from demo.detector import NOWHERE, Sighting, Whereabouts
from demo.pipeline import ASKED_EVERY, SURE_ASKED_EVERY, Pipeline
from demo.records import Frame
from demo.settings import Settings
from digit.prediction import Prediction
from tests.demo.scripted import ColourBackend, ColourDetector, draw_hands

#: So near to each other that both are in one crop.
RIGHT, NEAR = (110.0, 90.0), (142.0, 90.0)


def frame(index: int, **centres: tuple[float, float]) -> Frame:
    return Frame(index, index * 33_000_000 + 1, draw_hands(180, 320, **centres))


class Asked(ColourBackend):
    """Remembers in what order it was asked with the landmarker's hands and without; ``heeds`` them by a thousandth."""

    def __init__(self, heeds: bool = True) -> None:
        super().__init__()
        self.told: list[bool] = []
        self.heeds = heeds

    def __call__(self, crop: np.ndarray, prior: np.ndarray | None = None) -> Prediction:
        prediction = super().__call__(crop, prior)
        moved = 1e-3 if self.heeds and prior is not None else 0.0
        return replace(prediction, joints_2p5d=prediction.joints_2p5d + np.float32(moved))

    def start(self, crop: np.ndarray, prior: np.ndarray | None = None) -> Callable[[], Prediction]:
        self.told.append(prior is not None)
        return super().start(crop, prior)


def test_of_two_hands_in_one_crop_the_network_is_asked_now_and_then_without_the_landmarks() -> None:
    backend = Asked()
    pipeline = Pipeline(Settings(), backend, InTurn(ColourDetector()))
    for i in range(40):
        pipeline(frame(i, right=RIGHT, left=NEAR))
    assert sum(backend.told) == 40
    assert backend.told[: ASKED_EVERY + 2] == [True] * (ASKED_EVERY + 1) + [False]  # the first frame knew of no hands
    assert backend.told[-SURE_ASKED_EVERY - 2 :].count(False) in (1, 2)
    backend.told.clear()
    for i in range(40, 80):
        pipeline(frame(i, right=RIGHT))
    assert backend.told == [True] * 40
    pipeline.settings = Settings(prior=False)
    for i in range(80, 120):
        pipeline(frame(i, right=RIGHT, left=NEAR))
    assert backend.told == [True] * 40 + [False] * 40


def test_a_network_that_takes_no_landmarks_is_asked_once_and_is_no_witness_of_its_own() -> None:
    backend = Asked(heeds=False)
    pipeline = Pipeline(Settings(), backend, InTurn(ColourDetector()))
    for i in range(40):
        pipeline(frame(i, right=RIGHT, left=NEAR))
    assert backend.told.count(False) == 1


class Misnaming(ColourDetector):
    """Takes each hand for the other one."""

    def __call__(self, frame: Frame, look: bool = True, near: Whereabouts = NOWHERE) -> Sighting | None:
        seen = super().__call__(frame, look, near)
        if seen is None:
            return None
        other = {"right": "left", "left": "right"}
        return replace(seen, detections=tuple(replace(hand, side=other[hand.side]) for hand in seen.detections))


class Credulous(ColourBackend):
    """Names the hands as it is told."""

    def __call__(self, crop: np.ndarray, prior: np.ndarray | None = None) -> Prediction:
        prediction = super().__call__(crop, prior)
        if prior is None or not prior[:, 3].all():
            return prediction
        told, seen = (
            np.subtract(*joints.reshape(2, 21, -1)[..., :2].mean(axis=1)) for joints in (prior, prediction.joints_2p5d)
        )
        return with_sides_swapped(Answer(prediction)).prediction if told @ seen < 0 else prediction


def test_names_that_the_network_only_repeats_after_the_landmarker_are_put_right() -> None:
    pipeline = Pipeline(Settings(smooth=False), Credulous(), InTurn(Misnaming()))
    places = []
    for i in range(40):
        hands = {hand.side: hand for hand in pipeline(frame(i, right=RIGHT, left=NEAR)).hands}
        places.append(hands["right"].joints_px.mean(axis=0))
    assert places[0] == pytest.approx(NEAR, abs=6)
    assert places[-1] == pytest.approx(RIGHT, abs=6)
