import numpy as np
import pytest

from digit.consensus import ALIKE_BELOW, consensus
from digit.prediction import Prediction
from digit.skeleton import SIDES, SLOTS, mirrored_joints

SIZE_PX = 100.0


def predicted(seed: int = 0) -> Prediction:
    """Two hands of 100 pixels, far from each other."""
    rng = np.random.default_rng(seed)
    joints = rng.uniform(0, SIZE_PX, (42, 3)).astype(np.float32)
    for side in SIDES:
        hand = joints[SLOTS[side], :2]
        hand -= hand.min(axis=0)
        hand *= SIZE_PX / hand.max(axis=0)
    joints[SLOTS["left"], 0] += 2 * SIZE_PX
    joints.flags.writeable = False
    return Prediction(joints, np.ones(42, np.float32), np.zeros((128, 128), np.uint8), np.ones(2, np.float32), 0.0)


def prior_at(prediction: Prediction, away_px: float) -> np.ndarray:
    """Both hands as a landmarker would see them, so far to the right of the network's."""
    prior = np.ones((42, 4), np.float32)
    prior[:, :2] = prediction.joints_2p5d[:, :2] + [away_px, 0]
    prior[:, 2] = 77
    return prior


def test_the_mean_where_both_agree() -> None:
    prediction = predicted()
    shown = consensus(prediction, prior_at(prediction, 4.0)).joints_2p5d
    np.testing.assert_allclose(shown[:, 0], prediction.joints_2p5d[:, 0] + 2, atol=1e-4)
    np.testing.assert_array_equal(shown[:, 1:], prediction.joints_2p5d[:, 1:])  # depths are the network's own
    assert not shown.flags.writeable


def test_the_network_alone_where_they_do_not() -> None:
    prediction = predicted()
    prior = prior_at(prediction, 0.0)
    prior[SLOTS["left"], 0] += 1.2 * ALIKE_BELOW * SIZE_PX
    prior[SLOTS["right"], 0] += 0.8 * ALIKE_BELOW * SIZE_PX
    moved = (consensus(prediction, prior).joints_2p5d - prediction.joints_2p5d)[:, 0]
    np.testing.assert_allclose(moved[SLOTS["right"]], 0.4 * ALIKE_BELOW * SIZE_PX, atol=1e-4)
    np.testing.assert_array_equal(moved[SLOTS["left"]], 0)


@pytest.mark.parametrize("weight", [None, 0.0])
def test_without_a_prior_nothing_changes(weight: float | None) -> None:
    prediction = predicted()
    prior = None if weight is None else prior_at(prediction, 1.0) * weight
    assert consensus(prediction, prior) is prediction


def test_a_hand_that_was_seen_in_part_counts_for_nothing() -> None:
    prediction = predicted()
    prior = prior_at(prediction, 2.0)
    prior[SLOTS["right"].start, 3] = 0
    moved = (consensus(prediction, prior).joints_2p5d - prediction.joints_2p5d)[:, 0]
    np.testing.assert_array_equal(moved[SLOTS["right"]], 0)
    np.testing.assert_allclose(moved[SLOTS["left"]], 1, atol=1e-4)


def test_whatever_sides_the_landmarker_gives() -> None:
    prediction = predicted()
    prior = prior_at(prediction, 3.0)
    np.testing.assert_array_equal(
        consensus(prediction, prior[mirrored_joints()]).joints_2p5d, consensus(prediction, prior).joints_2p5d
    )
