"""Two crops of one hand each are joined to one prediction for the crop around both."""

import numpy as np
import pytest

from demo.apart import Look, answer_of, inside, joined, turned_depths
from demo.lift import intrinsics
from demo.records import Detection
from digit.geometry import affine_from_bbox, axis_of, invert_affine, joints_2p5d_from_3d, project, square_bbox
from digit.prediction import DepthAxis, Prediction
from digit.skeleton import FIRST_PART, SIDES, SLOTS, WRIST
from tests.demo.test_lift import adult_hand

K = intrinsics((720, 1280, 3), 900.0, 65.0)
AWAY_MM = {"right": -190.0, "left": 210.0}
RELATIVE_MM = np.linspace(-12, 12, 21) - np.linspace(-12, 12, 21)[WRIST]


def hands_mm() -> dict[str, np.ndarray]:
    """(21, 3) of each side in camera space, fingers leaning towards the camera or away from it."""
    return {side: adult_hand(600, x) + np.c_[np.zeros((21, 2)), RELATIVE_MM] for side, x in AWAY_MM.items()}


def image_from_crop_around(*joints_mm: np.ndarray) -> np.ndarray:
    px = np.concatenate([project(hand, K) for hand in joints_mm])
    low, high = px.min(axis=0), px.max(axis=0)
    return invert_affine(affine_from_bbox(square_bbox(np.r_[low, high - low], 1.6)))


def pose_in(image_from_crop: np.ndarray, depth_axis: DepthAxis) -> np.ndarray:
    """(42, 3) what a network that never errs says of both hands in a crop."""
    both = np.concatenate([hands_mm()[side] for side in SIDES])
    axis = axis_of(depth_axis, image_from_crop, K)
    return joints_2p5d_from_3d(both, invert_affine(image_from_crop), K, axis)[0]


def own_crop(
    side: str, probabilities: tuple[float, float], depth_axis: DepthAxis, named: str | None = None
) -> tuple[Prediction, np.ndarray]:
    """What the network says of the crop around one hand: a block of palm, and joints under the name that it gives."""
    named = named or side
    image_from_crop = image_from_crop_around(hands_mm()[side])
    joints, confidence = np.full((42, 3), 128.0, np.float32), np.full(42, 0.05, np.float32)
    joints[SLOTS[named]] = pose_in(image_from_crop, depth_axis)[SLOTS[side]]
    confidence[SLOTS[named]] = np.linspace(0.5, 0.9, 21)
    part_labels = np.zeros((128, 128), np.uint8)
    part_labels[44:84, 44:84] = FIRST_PART[named]
    answer = Prediction(joints, confidence, part_labels, np.array(probabilities, np.float32), 7.0, depth_axis)
    return answer, image_from_crop


@pytest.mark.parametrize("depth_axis", ["camera", "crop"])
@pytest.mark.parametrize("order", [1, -1])
def test_joined_is_what_one_crop_would_have_told(depth_axis: DepthAxis, order: int) -> None:
    around = image_from_crop_around(*hands_mm().values())
    own = [own_crop("right", (0.9, 0.1), depth_axis), own_crop("left", (0.2, 0.8), depth_axis)][::order]
    answer = joined(own, around, K).prediction
    assert answer.joints_2p5d == pytest.approx(pose_in(around, depth_axis), abs=0.6)
    assert answer.joints_2p5d[:, :2] == pytest.approx(pose_in(around, depth_axis)[:, :2], abs=0.01)
    assert answer.handedness == pytest.approx([0.9, 0.8])
    assert answer.confidence == pytest.approx(np.tile(np.linspace(0.5, 0.9, 21), 2))
    assert np.isnan(answer.root_depth_mm)
    assert answer.depth_axis == depth_axis
    assert not answer.joints_2p5d.flags.writeable


def test_labels_lie_where_the_hands_are() -> None:
    around = image_from_crop_around(*hands_mm().values())
    own = [own_crop("right", (0.9, 0.1), "crop"), own_crop("left", (0.2, 0.8), "crop")]
    answer = joined(own, around, K)
    labels = answer.prediction.part_labels
    cell_px = 2 * around[0, 0]
    for side, (prediction, own_from), seen in zip(SIDES, own, answer.own_crops, strict=True):
        rows, columns = np.nonzero(labels == FIRST_PART[side])
        middle = np.array([columns.mean(), rows.mean()]) * 2 + 0.5
        assert around[:, :2] @ middle + around[:, 2] == pytest.approx(
            own_from[:, :2] @ [127.5, 127.5] + own_from[:, 2], abs=cell_px / 2
        )
        np.testing.assert_array_equal(seen.part_labels, prediction.part_labels)
        np.testing.assert_array_equal(seen.image_from_crop, own_from)
    assert np.unique(labels).tolist() == [0, FIRST_PART["right"], FIRST_PART["left"]]


def test_two_hands_of_one_name_get_the_names_that_are_likelier_together() -> None:
    around = image_from_crop_around(*hands_mm().values())
    sure, wrong = own_crop("right", (0.99, 0.01), "crop"), own_crop("left", (0.6, 0.3), "crop", named="right")
    answer = joined([wrong, sure], around, K).prediction
    assert answer.joints_2p5d == pytest.approx(pose_in(around, "crop"), abs=0.6)
    assert answer.handedness == pytest.approx([0.99, 0.6])
    assert np.unique(answer.part_labels).tolist() == [0, FIRST_PART["right"], FIRST_PART["left"]]


def test_an_own_crop_without_a_hand_says_so() -> None:
    around = image_from_crop_around(*hands_mm().values())
    answer = joined(
        [own_crop("right", (0.9, 0.1), "crop"), own_crop("left", (0.05, 0.04), "crop")], around, K
    ).prediction
    assert answer.handedness == pytest.approx([0.9, 0.05])


def test_of_two_hands_in_an_own_crop_the_one_of_its_name_counts() -> None:
    around = image_from_crop_around(*hands_mm().values())
    prediction, own_from = own_crop("left", (0.7, 0.6), "crop")
    prediction.part_labels[:20] = FIRST_PART["right"] + 3
    answer = joined([own_crop("right", (0.9, 0.05), "crop"), (prediction, own_from)], around, K)
    left = SLOTS["left"]
    assert answer.prediction.joints_2p5d[left] == pytest.approx(pose_in(around, "crop")[left], abs=0.6)
    assert np.unique(answer.own_crops[1].part_labels).tolist() == [0, FIRST_PART["left"]]


def test_joints_that_give_no_depth_keep_theirs() -> None:
    point = np.c_[np.full((21, 2), 100.0), np.arange(21.0)]
    axes = (axis_of("crop", np.array([[1.0, 0, x], [0, 1, 0]]), K) for x in (0, 500))
    assert turned_depths(point, np.ones(21), K, *axes) == pytest.approx(np.arange(21))


def test_the_network_is_waited_for_in_the_order_in_which_it_was_asked() -> None:
    around = image_from_crop_around(*hands_mm().values())
    own = [own_crop("left", (0.2, 0.8), "crop"), own_crop("right", (0.9, 0.1), "crop")]
    asked: list[int] = []

    def look(i: int) -> Look:
        def answer() -> Prediction:
            asked.append(i)
            return own[i][0]

        return Look(own[i][1], answer)

    assert answer_of([look(0), look(1)], around, K).prediction.handedness == pytest.approx([0.9, 0.8])
    assert asked == [0, 1]


def test_one_crop_is_answered_as_it_is() -> None:
    prediction, around = own_crop("right", (0.9, 0.1), "crop")
    answer = answer_of([Look(around, lambda: prediction)], around, K)
    assert answer.prediction is prediction
    assert answer.own_crops == ()


def test_hands_inside_a_box() -> None:
    def hand(x: float, y: float) -> Detection:
        return Detection("right", 0.9, np.full((21, 2), (x, y), np.float32), np.zeros((21, 3), np.float32))

    near, far = hand(30, 30), hand(300, 30)
    assert inside([far, near], np.array([10.0, 10, 50, 50])) == (near,)
    assert inside([], np.array([10.0, 10, 50, 50])) == ()
