from dataclasses import replace

import numpy as np
import pytest

from digit.prediction import Prediction
from digit.recall import FRAME_S, recall

RIGHT, LEFT = np.array([60.0, 120.0]), np.array([180.0, 120.0])
#: (21, 2) the joints of a hand around its middle, 60 pixels large.
HAND = np.stack(np.meshgrid(np.linspace(-30, 30, 7), np.linspace(-30, 30, 3)), axis=-1).reshape(21, 2)
HANDS = np.stack([HAND + RIGHT, HAND + LEFT])
EXCHANGED = HANDS[::-1]
NOWHERE = np.full((2, 21, 2), np.nan)


def moved(x: float, y: float) -> np.ndarray:
    """(2, 21, 2) both hands, gone so far."""
    return HANDS + np.array([x, y])


def seen(*peaks: tuple[float, np.ndarray]) -> Prediction:
    """What a network says whose heatmaps have peaks of these shares at hands (2, 21, 2), each at another depth."""
    places = np.zeros((42, len(peaks), 4), np.float32)
    for i, (share, hands) in enumerate(peaks):
        joints = np.c_[np.ones(42), hands.reshape(42, 2), np.full(42, 10.0 * i)]
        places[:, i] = share * joints
    joints, confidence = places[..., 1:].sum(axis=1), np.full(42, 0.5, np.float32)
    return Prediction(joints, confidence, np.zeros((128, 128), np.uint8), np.ones(2, np.float32), 0.0, "crop", places)


def xy(prediction: Prediction) -> np.ndarray:
    return prediction.joints_2p5d[:, :2].reshape(2, 21, 2)


@pytest.mark.parametrize("before", [HANDS, moved(20, 20), EXCHANGED, moved(0, 300)])
def test_what_is_clear_stays_wherever_the_hands_were(before: np.ndarray):
    prediction = seen((1.0, HANDS))
    found = recall(prediction, before)
    np.testing.assert_allclose(xy(found), HANDS, atol=1e-3)
    np.testing.assert_allclose(found.confidence, prediction.confidence, atol=1e-6)


@pytest.mark.parametrize(("share", "meant"), [(0.3, EXCHANGED), (0.5, HANDS), (0.7, HANDS)])
def test_of_two_peaks_each_hand_takes_its_own(share: float, meant: np.ndarray):
    """Both hands may be either: their joints all stay where one hand was, under the likelier names."""
    prediction = seen((share, HANDS), (1 - share, EXCHANGED))
    assert np.abs(xy(prediction) - meant).max() > 30
    found = recall(prediction, moved(4, 4))
    np.testing.assert_allclose(xy(found), meant, atol=0.5)
    np.testing.assert_allclose(found.joints_2p5d[:, 2], 0 if meant is HANDS else 10, atol=0.1)


@pytest.mark.parametrize("share", [0.2, 0.5, 0.8])
def test_of_two_peaks_of_a_hand_the_one_counts_at_which_it_was(share: float):
    prediction = seen((share, HANDS), (1 - share, moved(0, 60)))
    np.testing.assert_allclose(xy(recall(prediction, moved(4, 4))), HANDS, atol=2)
    np.testing.assert_allclose(xy(recall(prediction, moved(4, 56))), moved(0, 60), atol=2)


def test_a_network_that_exchanges_the_names_is_read_as_what_it_means():
    """Names are decided over many frames by others (`demo.handedness`), who see that they were exchanged."""
    found = recall(seen((0.9, EXCHANGED), (0.1, HANDS)), HANDS)
    np.testing.assert_allclose(xy(found), EXCHANGED, atol=0.5)


def test_a_hand_that_was_not_there_is_read_as_it_is():
    alone = np.stack([HANDS[0], NOWHERE[1]])
    prediction = seen((0.6, HANDS), (0.4, moved(0, 60)))
    found = recall(prediction, alone)
    np.testing.assert_allclose(xy(found)[0], HANDS[0], atol=0.5)
    np.testing.assert_allclose(xy(found)[1], xy(prediction)[1], atol=1e-3)


def test_a_hand_that_jumped_is_found():
    found = recall(seen((1 - 2e-5, moved(0, 100)), (2e-5, HANDS)), HANDS)
    np.testing.assert_allclose(xy(found), moved(0, 100), atol=8)


def test_after_a_long_time_the_past_says_little():
    prediction = seen((0.3, HANDS), (0.7, moved(0, 80)))
    at_once, later = (recall(prediction, HANDS, seconds) for seconds in (FRAME_S, 60 * FRAME_S))
    assert np.abs(xy(at_once) - HANDS).max() < 1
    np.testing.assert_allclose(xy(later), xy(prediction), atol=6)


def test_a_joint_is_the_surer_the_more_of_its_heatmap_lies_around_it():
    prediction = seen((0.5, HANDS), (0.5, EXCHANGED))
    found = recall(prediction, HANDS)
    assert (found.confidence > 0.9).all() and found.confidence.dtype == np.float32
    less = recall(seen((0.8, HANDS), (0.2, moved(0, 40))), moved(0, 40))
    assert less.confidence.max() < found.confidence.min()


def test_without_a_past_or_places_nothing_changes():
    prediction = seen((0.5, HANDS), (0.5, EXCHANGED))
    assert recall(prediction, NOWHERE) is prediction
    bare = replace(prediction, places=None)
    assert recall(bare, HANDS) is bare


def test_answers_are_read_only_and_without_places():
    found = recall(seen((0.5, HANDS), (0.5, EXCHANGED)), HANDS)
    assert found.places is None and not found.joints_2p5d.flags.writeable and not found.confidence.flags.writeable
