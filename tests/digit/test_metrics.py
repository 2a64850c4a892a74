"""Each metric against a case worked out by hand and against a second implementation with plain loops."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from digit import metrics
from digit.skeleton import mirrored_joints, mirrored_parts

RIGHT_WRIST, LEFT_WRIST = 20, 41


def poses(seed: int, count: int = 5, axes: int = 3) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    truth = rng.normal(0, 50, (count, 42, axes))
    return truth + rng.normal(0, 9, truth.shape), truth, rng.random((count, 42)) < 0.8


def mean(values: list[float]) -> float:
    return sum(values) / len(values) if values else math.nan


def naive_mpjpe(predicted: np.ndarray, truth: np.ndarray, valid: np.ndarray, rows: list[int]) -> float:
    joint_means: list[float] = []
    for joint in range(42):
        wrist = RIGHT_WRIST if joint < 21 else LEFT_WRIST
        errors: list[float] = []
        for n in rows:
            if valid[n, joint] and valid[n, wrist]:
                a = [predicted[n, joint, k] - predicted[n, wrist, k] for k in range(3)]
                b = [truth[n, joint, k] - truth[n, wrist, k] for k in range(3)]
                errors.append(math.dist(a, b))
        if errors:
            joint_means.append(mean(errors))
    return mean(joint_means)


def test_mpjpe_by_hand() -> None:
    truth = np.zeros((2, 42, 3))
    predicted = truth.copy()
    predicted[0, :21] += 100.0  # a shift of a whole hand is no error
    predicted[0, 0, 0] += 21.0  # one of its 21 joints: 21 mm
    predicted[1, 21, 2] = -42.0  # and one of the other picture's 42: 42 mm
    valid = np.ones((2, 42), bool)
    valid[0, 21:] = False
    result = metrics.mpjpe(predicted, truth, valid, np.array([False, True]))
    assert result.single_mm == pytest.approx(1.0)
    assert result.interacting_mm == pytest.approx(1.0)
    assert result.per_joint_mm[0] == pytest.approx(10.5)
    assert result.per_joint_mm[21] == pytest.approx(42.0)
    assert result.all_mm == pytest.approx((10.5 + 42.0) / 42)


@given(st.integers(0, 10_000))
def test_mpjpe_naive(seed: int) -> None:
    predicted, truth, valid = poses(seed)
    interacting = np.array([True, False, True, False, False])
    result = metrics.mpjpe(predicted, truth, valid, interacting)
    assert result.all_mm == pytest.approx(naive_mpjpe(predicted, truth, valid, [0, 1, 2, 3, 4]), nan_ok=True)
    assert result.single_mm == pytest.approx(naive_mpjpe(predicted, truth, valid, [1, 3, 4]), nan_ok=True)
    assert result.interacting_mm == pytest.approx(naive_mpjpe(predicted, truth, valid, [0, 2]), nan_ok=True)


def test_mpjpe_without_wrist_is_unknown() -> None:
    predicted, truth, _ = poses(0, count=1)
    valid = np.ones((1, 42), bool)
    valid[0, [RIGHT_WRIST, LEFT_WRIST]] = False
    assert math.isnan(metrics.mpjpe(predicted, truth, valid, np.array([True])).all_mm)


def test_mrrpe_by_hand() -> None:
    truth = np.zeros((2, 42, 3))
    predicted = truth.copy()
    predicted[:, RIGHT_WRIST] = [10.0, 0.0, 0.0]
    predicted[:, LEFT_WRIST] = [10.0, 3.0, 4.0]
    valid = np.ones((2, 42), bool)
    assert metrics.mrrpe_mm(predicted, truth, valid) == pytest.approx(5.0)
    valid[:, LEFT_WRIST] = False
    assert math.isnan(metrics.mrrpe_mm(predicted, truth, valid))


def test_mrrpe_naive() -> None:
    predicted, truth, valid = poses(3, count=40)
    errors: list[float] = []
    for p, t, v in zip(predicted, truth, valid, strict=True):
        if v[RIGHT_WRIST] and v[LEFT_WRIST]:
            errors.append(math.dist(p[LEFT_WRIST] - p[RIGHT_WRIST], t[LEFT_WRIST] - t[RIGHT_WRIST]))
    assert metrics.mrrpe_mm(predicted, truth, valid) == pytest.approx(mean(errors))


def test_handedness_by_hand() -> None:
    probability = np.array([[0.9, 0.1], [0.9, 0.8], [0.4, 0.9], [0.9, 0.9]])
    truth = np.array([[1, 0], [1, 0], [0, 1], [1, 1]])
    assert metrics.handedness_accuracy(probability, truth) == pytest.approx(0.75)


def test_handedness_naive() -> None:
    rng = np.random.default_rng(1)
    probability, truth = rng.random((50, 2)), rng.random((50, 2)) < 0.5
    right = 0
    for (p_right, p_left), (t_right, t_left) in zip(probability, truth, strict=True):
        if bool(p_right > 0.5) is bool(t_right) and bool(p_left > 0.5) is bool(t_left):
            right += 1
    assert metrics.handedness_accuracy(probability, truth) == pytest.approx(right / 50)


def test_nme_and_pck_by_hand() -> None:
    bbox = np.array([[5.0, 6.0, 50.0, 100.0], [0.0, 0.0, 20.0, 10.0]])
    errors = np.array([[5.0, 15.0, np.nan], [2.0, 2.0, 2.0]])
    size = metrics.bbox_size(bbox)
    assert size.tolist() == [100.0, 20.0]
    assert metrics.nme(errors, size) == pytest.approx([0.1, 0.1])
    assert metrics.pck(errors, size, 0.1) == pytest.approx(4 / 5)
    assert metrics.pck(errors, size, 0.01) == 0.0


def test_nme_and_pck_naive() -> None:
    predicted, truth, valid = poses(4, count=9, axes=2)
    size = np.random.default_rng(5).uniform(50, 90, 9)
    errors = metrics.joint_errors(predicted, truth, valid)
    expected: list[float] = []
    within: list[float] = []
    for n in range(9):
        distances = [math.dist(predicted[n, j], truth[n, j]) for j in range(42) if valid[n, j]]
        expected.append(mean(distances) / size[n])
        within += [float(d <= 0.2 * size[n]) for d in distances]
    assert metrics.nme(errors, size) == pytest.approx(expected)
    assert metrics.pck(errors, size, 0.2) == pytest.approx(mean(within))


def test_nothing_valid_is_nan_without_a_warning() -> None:
    nothing = np.full((2, 21), np.nan)
    assert np.isnan(metrics.nme(nothing, np.ones(2))).all()
    assert math.isnan(metrics.pck(nothing, np.ones(2), 0.1))


def test_miou_by_hand() -> None:
    truth = np.array([[0, 0, 1], [1, 2, 2]])
    labels = np.array([[0, 1, 1], [1, 2, 0]])
    iou = metrics.part_iou(metrics.part_confusion(labels, truth))
    assert iou[:3] == pytest.approx([1 / 3, 2 / 3, 1 / 2])
    assert np.isnan(iou[3:]).all()
    assert metrics.miou(metrics.part_confusion(labels, truth)) == pytest.approx((2 / 3 + 1 / 2) / 2)


def test_miou_naive() -> None:
    rng = np.random.default_rng(2)
    truth, labels = rng.integers(0, 30, (2, 3, 16, 16)).astype(np.uint8)
    confusion = sum(metrics.part_confusion(a, b) for a, b in zip(labels, truth, strict=True))
    ious: list[float] = []
    for part in range(1, 33):
        a, b = labels == part, truth == part
        if (a | b).any():
            ious.append((a & b).sum() / (a | b).sum())
    assert metrics.miou(np.asarray(confusion)) == pytest.approx(mean(ious))


@given(st.integers(0, 10_000))
def test_mirroring_both_hands_changes_nothing(seed: int) -> None:
    predicted, truth, valid = poses(seed)
    swap, flip = mirrored_joints(), np.array([-1.0, 1.0, 1.0])
    mirrored = predicted[:, swap] * flip, truth[:, swap] * flip, valid[:, swap]
    both = np.ones(5, bool)
    assert metrics.mpjpe(*mirrored, both).all_mm == pytest.approx(
        metrics.mpjpe(predicted, truth, valid, both).all_mm, nan_ok=True
    )
    assert metrics.mrrpe_mm(*mirrored) == pytest.approx(metrics.mrrpe_mm(predicted, truth, valid), nan_ok=True)
    rng = np.random.default_rng(seed)
    parts, labels = rng.integers(0, 33, (2, 8, 8))
    table = mirrored_parts()
    assert metrics.miou(metrics.part_confusion(table[labels], table[parts])) == pytest.approx(
        metrics.miou(metrics.part_confusion(labels, parts))
    )


def test_absolute_mpjpe_by_hand() -> None:
    truth = np.zeros((2, 42, 3))
    predicted = truth + np.array([0.0, 3.0, 4.0])  # nothing is aligned: 5 mm everywhere
    predicted[1, 0] = [0.0, 0.0, 47.0]
    result = metrics.absolute_mpjpe(predicted, truth, np.ones((2, 42), bool), np.array([False, True]))
    assert result.single_mm == pytest.approx(5.0)
    assert result.interacting_mm == pytest.approx(5.0 + 1.0)
    assert metrics.mpjpe(predicted, truth, np.ones((2, 42), bool), np.array([False, True])).single_mm == 0.0


def test_absolute_mpjpe_naive() -> None:
    predicted, truth, valid = poses(8)
    joint_means: list[float] = []
    for joint in range(42):
        errors = [math.dist(predicted[n, joint], truth[n, joint]) for n in range(5) if valid[n, joint]]
        joint_means += [mean(errors)] if errors else []
    assert metrics.absolute_mpjpe(predicted, truth, valid, np.ones(5, bool)).all_mm == pytest.approx(mean(joint_means))


def test_picture_errors_by_hand_and_naive() -> None:
    assert metrics.picture_errors(np.array([[1.0, 3.0, np.nan]]))[0] == pytest.approx(2.0)
    predicted, truth, valid = poses(9)
    errors = metrics.joint_errors(predicted, truth, valid)
    for n, found in enumerate(metrics.picture_errors(errors)):
        assert found == pytest.approx(mean([math.dist(predicted[n, j], truth[n, j]) for j in range(42) if valid[n, j]]))


def test_average_precision_by_hand() -> None:
    """Ranked: hit, miss, hit. Precision 1 at the first half of the recall, 2/3 at the second."""
    score, truth = np.array([0.9, 0.8, 0.7]), np.array([True, False, True])
    assert metrics.average_precision(score, truth) == pytest.approx(0.5 * 1 + 0.5 * 2 / 3)
    assert metrics.average_precision(np.array([0.5, 0.5]), np.array([True, False])) == pytest.approx(0.5)
    assert math.isnan(metrics.average_precision(score, np.zeros(3, bool)))
    both = np.stack([score, score], axis=1)
    assert metrics.handedness_ap(both, np.stack([truth, [True, True, True]], axis=1)) == pytest.approx((5 / 6 + 1) / 2)


@given(st.integers(0, 10_000))
def test_average_precision_naive(seed: int) -> None:
    rng = np.random.default_rng(seed)
    score, truth = rng.integers(0, 6, 12) / 5, rng.random(12) < 0.5  # many equal scores
    area, recall_before = 0.0, 0.0
    for threshold in sorted(set(score.tolist()), reverse=True):
        answered = [bool(t) for s, t in zip(score, truth, strict=True) if s >= threshold]
        if truth.any():
            recall = sum(answered) / int(truth.sum())
            area += (recall - recall_before) * sum(answered) / len(answered)
            recall_before = recall
    expected = area if truth.any() else math.nan
    assert metrics.average_precision(score, truth) == pytest.approx(expected, nan_ok=True)


def test_bone_length_difference_by_hand() -> None:
    joints = np.zeros((2, 42, 3))
    joints[0, 0, 0] = 20.0  # the right thumb's last bone is 20 mm long, all others 0
    joints[1, 30] = 1e6
    assert metrics.bone_length_difference_mm(joints, np.array([True, False])) == pytest.approx(20 / 20)
    assert math.isnan(metrics.bone_length_difference_mm(joints, np.zeros(2, bool)))


def test_bone_length_difference_naive() -> None:
    joints, _, _ = poses(11)
    differences: list[float] = []
    for pose in joints:
        for joint in range(20):
            parent = 20 if joint % 4 == 3 else joint + 1
            lengths = [math.dist(pose[21 * side + joint], pose[21 * side + parent]) for side in (0, 1)]
            differences.append(abs(lengths[0] - lengths[1]))
    assert metrics.bone_length_difference_mm(joints, np.ones(5, bool)) == pytest.approx(mean(differences))


def test_mask_iou_by_hand_and_naive() -> None:
    a, b = np.zeros((4, 4), bool), np.zeros((4, 4), bool)
    a[:2], b[1:3] = True, True
    assert metrics.mask_iou(a, b) == pytest.approx(4 / 12)
    assert math.isnan(metrics.mask_iou(~(a | ~a), ~(a | ~a)))
    a, b = np.random.default_rng(1).random((2, 9, 9)) < 0.4
    inside = {(r, c) for r in range(9) for c in range(9) if a[r, c]}
    other = {(r, c) for r in range(9) for c in range(9) if b[r, c]}
    assert metrics.mask_iou(a, b) == pytest.approx(len(inside & other) / len(inside | other))


def test_ranges_by_hand() -> None:
    values, keys = np.array([1.0, 3.0, 5.0, 7.0, np.nan]), np.array([0.0, 0.1, 0.5, 1.0, 0.1])
    low, high = metrics.by_range(values, keys, (0.0, 0.5, 1.0))
    assert (low.count, low.mean, low.std) == (2, 2.0, 1.0)
    assert (high.count, high.mean, high.std) == (2, 6.0, 1.0)  # the last range holds its own end
    (empty,) = metrics.by_range(values, keys, (2.0, 3.0))
    assert empty.count == 0 and math.isnan(empty.mean)


def test_ranges_naive() -> None:
    rng = np.random.default_rng(2)
    values, keys, edges = rng.normal(0, 1, 60), rng.random(60), (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
    for found, low, high in zip(metrics.by_range(values, keys, edges), edges[:-1], edges[1:], strict=True):
        inside = [v for v, k in zip(values, keys, strict=True) if low <= k < high]
        centre = mean(inside)
        assert (found.low, found.high, found.count) == (low, high, len(inside))
        assert found.mean == pytest.approx(centre)
        assert found.std == pytest.approx(math.sqrt(mean([(v - centre) ** 2 for v in inside])))


def test_paired_t_test_by_hand() -> None:
    """Differences 1, 2, 3: mean 2, standard error 1 / sqrt(3), t = 2 sqrt(3) with two degrees of freedom."""
    test = metrics.paired_t_test(np.array([2.0, 4.0, 6.0, np.nan]), np.array([1.0, 2.0, 3.0, 9.0]))
    t = 2 * math.sqrt(3)
    assert (test.count, test.difference) == (3, 2.0)
    assert test.t == pytest.approx(t)
    assert test.p == pytest.approx(1 - t / math.sqrt(2 + t**2))  # Student's distribution with two degrees of freedom
    assert math.isnan(metrics.paired_t_test(np.ones(3), np.zeros(3)).p)


def test_paired_t_test_naive() -> None:
    rng = np.random.default_rng(3)
    a = rng.normal(0, 1, 30)
    b = a + rng.normal(0.3, 0.5, 30)
    differences = (a - b).tolist()
    centre = mean(differences)
    variance = sum((d - centre) ** 2 for d in differences) / 29
    assert metrics.paired_t_test(a, b).t == pytest.approx(centre / math.sqrt(variance / 30))
    # By exchanging pairs: as many random signs give as large a mean as the p value says.
    signs = rng.choice([-1.0, 1.0], (4000, 30))
    larger = (np.abs((signs * (a - b)).mean(axis=1)) >= abs(centre)).mean()
    assert metrics.paired_t_test(a, b).p == pytest.approx(larger, abs=0.01)


@given(st.integers(0, 10_000))
def test_mirroring_both_hands_changes_none_of_the_others(seed: int) -> None:
    predicted, truth, valid = poses(seed)
    swap, flip = mirrored_joints(), np.array([-1.0, 1.0, 1.0])
    two = np.array([True, True, True, False, True])
    mirrored = predicted[:, swap] * flip, truth[:, swap] * flip, valid[:, swap]
    assert metrics.absolute_mpjpe(*mirrored, two).all_mm == pytest.approx(
        metrics.absolute_mpjpe(predicted, truth, valid, two).all_mm, nan_ok=True
    )
    assert metrics.bone_length_difference_mm(mirrored[0], two) == pytest.approx(
        metrics.bone_length_difference_mm(predicted, two)
    )
    rng = np.random.default_rng(seed)
    probability, hands = rng.random((5, 2)), rng.random((5, 2)) < 0.6
    for metric in (metrics.handedness_ap, metrics.handedness_accuracy):
        assert metric(probability[:, ::-1], hands[:, ::-1]) == pytest.approx(metric(probability, hands), nan_ok=True)
    right, left = rng.random((2, 8, 8)) < 0.5
    assert metrics.mask_iou(left[:, ::-1], right[:, ::-1]) == metrics.mask_iou(right, left)
