"""Hands that leave, or that the network loses, on painted discs."""

from dataclasses import replace

import numpy as np
import pytest

from demo.approach import InTurn
from demo.handedness import LEAVE_FRAMES
from demo.pipeline import Pipeline
from demo.settings import Settings
from demo.tracker import LOST_FRAMES
from digit.prediction import Prediction
from digit.skeleton import WRIST
from tests.demo.scripted import ColourBackend, ColourDetector, draw_hands
from tests.demo.test_pipeline import LEFT, RIGHT, frame, sides


class Doubting(ColourBackend):
    """Is sure of no joint as long as ``doubts`` is true."""

    doubts = False

    def __call__(self, crop: np.ndarray, prior: np.ndarray | None = None) -> Prediction:
        prediction = super().__call__(crop, prior)
        return replace(prediction, confidence=prediction.confidence * 0.01) if self.doubts else prediction


def test_a_hand_that_leaves_and_the_last_one() -> None:
    pipeline = Pipeline(Settings(), ColourBackend(), InTurn(ColourDetector()))
    for i in range(4):
        pipeline(frame(i, right=RIGHT, left=LEFT))
    scenes = [pipeline(frame(4 + i, right=RIGHT)) for i in range(LEAVE_FRAMES)]
    assert sides(scenes[-1]) == ["right"]
    scenes = [pipeline(frame(20 + i)) for i in range(LEAVE_FRAMES + 1)]
    assert scenes[-1].hands == ()
    assert scenes[-1].crop_origin == "none"


def test_a_hand_that_was_lost_leaves_no_depth_to_the_next_one() -> None:
    backend, detector = Doubting(), ColourDetector()
    pipeline = Pipeline(Settings(smooth=False), backend, InTurn(detector))
    near = [replace(frame(i), image=draw_hands(360, 320, right=(160, 180))) for i in range(9 + LOST_FRAMES)]
    assert [len(pipeline(each).hands) for each in near[:9]] == [1] * 9
    backend.doubts = detector.blind = True
    for each in (*near[9:], frame(20), frame(21)):
        scene = pipeline(each)
    assert scene.hands == ()
    backend.doubts = detector.blind = False
    far = frame(40, right=RIGHT)
    fresh = Pipeline(Settings(smooth=False), ColourBackend(), InTurn(ColourDetector()))
    (hand,), (same,) = pipeline(far).hands, fresh(far).hands
    assert hand.joints_mm[WRIST, 2] == pytest.approx(same.joints_mm[WRIST, 2])
