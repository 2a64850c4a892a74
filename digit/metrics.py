"""What is measured, in NumPy: MPJPE, MRRPE, handedness, bone lengths, NME, PCK, mIoU of parts; by ranges; t-tests.

Poses are (N, 42, 3) in camera-space mm or (N, 42, 2) in pixels, in InterHand2.6M order; ``valid`` is (N, 42) bool.
A joint that cannot be judged has error nan and never counts. A metric over nothing is nan.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from digit.skeleton import BACKGROUND, BONES, JOINTS_PER_HAND, PART_CLASSES, ROOTS, SLOTS, WRIST

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Mpjpe:
    """Mean per-joint position errors in mm, no scaling (the paper's protocol)."""

    all_mm: float
    single_mm: float  # pictures of one hand
    interacting_mm: float  # pictures of two
    per_joint_mm: Array  # (42,)


def joint_errors(predicted: np.ndarray, truth: np.ndarray, valid: np.ndarray) -> Array:
    """Euclidean distance (N, 42) of each joint, in the unit of the poses (N, 42, 2 or 3); nan where not valid."""
    distance = np.linalg.norm(np.asarray(predicted, np.float64) - np.asarray(truth, np.float64), axis=-1)
    return np.where(valid, distance, np.nan)


def root_relative_errors_mm(predicted_mm: np.ndarray, truth_mm: np.ndarray, valid: np.ndarray) -> Array:
    """Distance (N, 42) of each joint after each hand's wrist is put on the true one; nan without joint or wrist."""
    roots = list(ROOTS)
    usable = np.asarray(valid, bool) & np.asarray(valid, bool)[..., roots]
    return joint_errors(
        predicted_mm - predicted_mm[..., roots, :],
        truth_mm - truth_mm[..., roots, :],
        usable,
    )


def mpjpe(predicted_mm: np.ndarray, truth_mm: np.ndarray, valid: np.ndarray, interacting: np.ndarray) -> Mpjpe:
    """Root-relative MPJPE (Tables 1, 2, 5-7): of `root_relative_errors_mm`."""
    return mean_errors(root_relative_errors_mm(predicted_mm, truth_mm, valid), interacting)


def absolute_mpjpe(predicted_mm: np.ndarray, truth_mm: np.ndarray, valid: np.ndarray, interacting: np.ndarray) -> Mpjpe:
    """MPJPE in camera space, nothing aligned (Table 4)."""
    return mean_errors(joint_errors(predicted_mm, truth_mm, valid), interacting)


def mean_errors(errors_mm: np.ndarray, interacting: np.ndarray) -> Mpjpe:
    """Means of errors (N, 42). Each joint weighs the same, however often it is valid; wrists count with their zero.

    Args:
        interacting: (N,) bool, whether both hands are in the picture.
    """
    interacting = np.asarray(interacting, bool)
    per_joint = _mean(errors_mm, axis=0)
    return Mpjpe(
        all_mm=float(_mean(per_joint)),
        single_mm=float(_mean(_mean(errors_mm[~interacting], axis=0))),
        interacting_mm=float(_mean(_mean(errors_mm[interacting], axis=0))),
        per_joint_mm=per_joint,
    )


def picture_errors(errors: np.ndarray) -> Array:
    """Mean error (N,) of each picture over its valid joints, of errors (N, 42); nan without any."""
    return _mean(errors, axis=1)


def bone_length_difference_mm(joints_mm: np.ndarray, present: np.ndarray) -> float:
    """Mean absolute difference between the lengths of a bone in the right and in the left hand (DIGIT 3.2).

    Args:
        joints_mm: (N, 42, 3). present: (N,) bool, pictures whose both hands count.
    """
    child, parent = np.array(BONES).T
    right, left = (
        np.linalg.norm(joints_mm[:, SLOTS[side]][:, child] - joints_mm[:, SLOTS[side]][:, parent], axis=-1)
        for side in ("right", "left")
    )
    return float(_mean(np.abs(right - left)[np.asarray(present, bool)]))


def mrrpe_mm(predicted_mm: np.ndarray, truth_mm: np.ndarray, valid: np.ndarray) -> float:
    """Mean relative-root position error: of the left wrist seen from the right one, where both are valid."""
    right, left = WRIST, WRIST + JOINTS_PER_HAND
    predicted = predicted_mm[:, left] - predicted_mm[:, right]
    truth = truth_mm[:, left] - truth_mm[:, right]
    usable = np.asarray(valid, bool)[:, right] & np.asarray(valid, bool)[:, left]
    return float(_mean(joint_errors(predicted, truth, usable)))


def handedness_accuracy(probability: np.ndarray, truth: np.ndarray) -> float:
    """Share of pictures in which the presence of the right and of the left hand is both right, at threshold 0.5.

    Args:
        probability: (N, 2) of right, left.
        truth: (N, 2) bool.
    """
    right = ((np.asarray(probability) > 0.5) == np.asarray(truth, bool)).all(axis=-1)
    return float(_mean(right.astype(np.float64)))


def handedness_ap(probability: np.ndarray, truth: np.ndarray) -> float:
    """Average precision of finding the right and the left hand: the mean over both sides, in [0, 1].

    A side's average precision is the sum over thresholds of precision times the gain in recall, no interpolation.

    Args:
        probability: (N, 2) of right, left.
        truth: (N, 2) bool.
    """
    sides = zip(np.asarray(probability, np.float64).T, np.asarray(truth, bool).T, strict=True)
    return float(_mean(np.array([average_precision(score, there) for score, there in sides])))


def average_precision(score: np.ndarray, truth: np.ndarray) -> float:
    """Area under the precision-recall curve of scores (N,); equal scores stand or fall together. nan without a hit."""
    if not truth.any():
        return float("nan")
    order = np.argsort(-score, kind="stable")
    hits = np.cumsum(truth[order])
    last_of_equals = np.r_[np.diff(score[order]) != 0, True]
    found = hits[last_of_equals]
    answered = np.flatnonzero(last_of_equals) + 1
    return float((found / answered * np.diff(found, prepend=0)).sum() / truth.sum())


def bbox_size(bbox: np.ndarray) -> Array:
    """The longer side of boxes (..., 4) x, y, width, height: what NME and PCK divide by."""
    return np.asarray(bbox, np.float64)[..., 2:].max(axis=-1)


def nme(errors_px: np.ndarray, size_px: np.ndarray) -> Array:
    """Normalised mean error (N,): the mean over a hand's valid joints (N, J), over its box size (N,)."""
    return _mean(errors_px, axis=-1) / size_px


def pck(errors_px: np.ndarray, size_px: np.ndarray, threshold: float) -> float:
    """Share of all valid joints (N, J) that are within ``threshold`` times the box size (N,)."""
    relative = errors_px / np.asarray(size_px)[:, None]
    judged = relative[~np.isnan(relative)]
    return float(_mean((judged <= threshold).astype(np.float64)))


def part_confusion(labels: np.ndarray, truth: np.ndarray) -> npt.NDArray[np.int64]:
    """(33, 33) counts of cells: row = true class, column = answered class. Add them over pictures."""
    pairs = truth.astype(np.int64).ravel() * PART_CLASSES + labels.astype(np.int64).ravel()
    return np.bincount(pairs, minlength=PART_CLASSES**2).reshape(PART_CLASSES, PART_CLASSES)


def part_iou(confusion: np.ndarray) -> Array:
    """Intersection over union of each class (33,); nan for a class that neither truth nor answer has."""
    both = np.diag(confusion).astype(np.float64)
    either = confusion.sum(axis=0) + confusion.sum(axis=1) - both
    return np.where(either > 0, both / np.maximum(either, 1), np.nan)


def miou(confusion: np.ndarray) -> float:
    """Mean IoU of the parts that occur, background left out."""
    return float(_mean(np.delete(part_iou(confusion), BACKGROUND)))


def mask_iou(a: np.ndarray, b: np.ndarray) -> float:
    """Intersection over union of two masks (H, W) bool; nan where both are empty."""
    either = int((a | b).sum())
    return float((a & b).sum() / either) if either else float("nan")


@dataclass(frozen=True, slots=True)
class Range:
    """Values of those pictures whose key lies in [low, high), the last range closed."""

    low: float
    high: float
    count: int
    mean: float
    std: float  # over the pictures


def by_range(values: np.ndarray, keys: np.ndarray, edges: Sequence[float]) -> list[Range]:
    """Mean and standard deviation of ``values`` (N,) by ranges of ``keys`` (N,); nan of either counts nowhere."""
    ranges: list[Range] = []
    for low, high in pairwise(edges):
        inside = (keys >= low) & ((keys < high) | ((high == edges[-1]) & (keys == high)))
        found = values[inside & ~np.isnan(values)]
        mean, std = (float(found.mean()), float(found.std())) if found.size else (float("nan"), float("nan"))
        ranges.append(Range(float(low), float(high), len(found), mean, std))
    return ranges


@dataclass(frozen=True, slots=True)
class TTest:
    """A paired two-sided t-test."""

    count: int  # pairs
    difference: float  # mean of first minus second
    t: float
    p: float


def paired_t_test(first: np.ndarray, second: np.ndarray) -> TTest:
    """Whether two systems' values (N,) on the same pictures differ in the mean; pairs with a nan are left out.

    t and p are nan with fewer than two pairs or when all differences are equal.
    """
    from scipy.stats import ttest_rel

    both = ~(np.isnan(first) | np.isnan(second))
    a, b = np.asarray(first, np.float64)[both], np.asarray(second, np.float64)[both]
    difference = a - b
    if len(a) < 2 or np.ptp(difference) == 0:
        return TTest(len(a), float(_mean(difference)), float("nan"), float("nan"))
    result = ttest_rel(a, b)
    return TTest(len(a), float(difference.mean()), float(result.statistic), float(result.pvalue))


def _mean(values: np.ndarray, axis: int | None = None) -> Array:
    """nanmean that answers nan for nothing, without numpy's warning."""
    counts = np.asarray((~np.isnan(values)).sum(axis=axis))
    return np.where(counts > 0, np.nansum(values, axis=axis) / np.maximum(counts, 1), np.nan)
