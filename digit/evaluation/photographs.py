"""Errors on annotated photographs, of the network or of MediaPipe alone, and their summary by set.

The network sees the crop of the given box: square, longer side, x1.25. Errors in pixels are those of the photograph,
divided by the longer side of the given box. MPJPE is wrist-aligned and unscaled, with K and the true wrist depth given;
of two hands the left one's depth is the right one's plus the network's own relative root depth (DIGIT eq. 4).
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from digit.consensus import consensus
from digit.evaluation.annotations import Annotation, read_image
from digit.geometry import (
    affine_from_bbox,
    apply_affine,
    axis_of,
    invert_affine,
    joints_from_2p5d,
    root_depths,
    square_bbox,
    wrists_along,
)
from digit.landmarker import HandLandmarks, prior_from_hands
from digit.metrics import bbox_size, handedness_accuracy, joint_errors, nme, pck
from digit.prediction import CROP_SIZE, Backend, Prediction
from digit.skeleton import JOINTS_PER_HAND, SIDES, SLOTS, WRIST

#: (H, W, 3) uint8 RGB in, the hands that a landmarker saw out.
SeeHands = Callable[[np.ndarray], Sequence[HandLandmarks]]


@dataclass(frozen=True, slots=True, eq=False)
class HandResult:
    """One annotated hand and how far the answer was off."""

    set_name: str
    size_px: float  # longer side of the given box
    found: bool  # False: nothing was answered for this hand, all errors are nan
    errors_px: np.ndarray  # (21,) nan where not valid
    errors_mm: np.ndarray  # (21,) root-relative; nan without 3D truth


@dataclass(frozen=True, slots=True, eq=False)
class PhotographResult:
    """One photograph."""

    hands: tuple[HandResult, ...]
    handedness: np.ndarray  # (2,) probability of right, left
    handedness_truth: np.ndarray | None  # (2,) bool


def measure_network(
    annotations: Iterable[Annotation], backend: Backend, see_hands: SeeHands | None
) -> list[PhotographResult]:
    """What the app shows; ``see_hands`` gives the landmark prior, None runs the network without one."""
    results: list[PhotographResult] = []
    for annotation in annotations:
        image = read_image(annotation.image_path)
        crop_from_image = affine_from_bbox(square_bbox(annotation.bbox))
        crop = cv2.warpAffine(image, crop_from_image, (CROP_SIZE, CROP_SIZE), flags=cv2.INTER_LINEAR)
        prior = None if see_hands is None else prior_from_hands(see_hands(image), crop_from_image)
        prediction = consensus(backend(crop, prior), prior)
        results.append(network_result(annotation, prediction, invert_affine(crop_from_image)))
    return results


def network_result(annotation: Annotation, prediction: Prediction, image_from_crop: np.ndarray) -> PhotographResult:
    """Compare one prediction with the truth. A hand of unknown side is compared with the nearer of the two hands."""
    joints_px = apply_affine(image_from_crop, prediction.joints_2p5d[:, :2])
    joints_mm = _lift(annotation, prediction, image_from_crop)
    hands: list[HandResult] = []
    for slots in annotation.hands:
        answers = tuple(SLOTS.values()) if annotation.side == "unknown" else (slots,)
        candidates = [
            _hand_result(annotation, slots, joints_px[answer], None if joints_mm is None else joints_mm[answer])
            for answer in answers
        ]
        hands.append(min(candidates, key=lambda hand: np.nanmean(hand.errors_px)))
    return PhotographResult(tuple(hands), prediction.handedness, annotation.handedness)


def _lift(annotation: Annotation, prediction: Prediction, image_from_crop: np.ndarray) -> np.ndarray | None:
    if annotation.joints_mm is None or annotation.K is None:
        return None
    right_mm, left_mm = (annotation.joints_mm[SLOTS[side]][WRIST, 2] for side in SIDES)
    present = np.array([annotation.joint_valid[SLOTS[side]].any() for side in SIDES], np.float64)
    axis = axis_of(prediction.depth_axis, image_from_crop, annotation.K)
    along = wrists_along(prediction.joints_2p5d, image_from_crop, annotation.K, axis)
    roots_mm = root_depths(right_mm, left_mm, prediction.root_depth_mm, present, along)
    if annotation.side == "unknown":  # one hand, with its truth in the right slots, and either answer may be of it
        roots_mm = np.array([right_mm, right_mm])
    return joints_from_2p5d(prediction.joints_2p5d, image_from_crop, annotation.K, roots_mm, axis)


def measure_landmarker(annotations: Iterable[Annotation], see_hands: SeeHands) -> list[PhotographResult]:
    """MediaPipe's own results on the whole photographs. Each hand it saw answers for one annotated hand at most."""
    return [landmarker_result(annotation, see_hands(read_image(annotation.image_path))) for annotation in annotations]


def landmarker_result(annotation: Annotation, seen: Sequence[HandLandmarks]) -> PhotographResult:
    """Match seen to annotated hands by distance, nearest first, whatever their sides, and compare them."""
    pairs = [
        (_hand_result(annotation, slots, hand.joints_px, hand.joints_rel_mm), slots, hand)
        for slots in annotation.hands
        for hand in seen
    ]
    matched: dict[int, HandResult] = {}
    used: set[int] = set()
    for result, slots, hand in sorted(pairs, key=lambda pair: float(np.nanmean(pair[0].errors_px))):
        if slots.start not in matched and id(hand) not in used:
            matched[slots.start] = result
            used.add(id(hand))
    missed = HandResult(
        annotation.set_name,
        float(bbox_size(annotation.bbox)),
        False,
        np.full(JOINTS_PER_HAND, np.nan),
        np.full(JOINTS_PER_HAND, np.nan),
    )
    hands = tuple(matched.get(slots.start, missed) for slots in annotation.hands)
    sides = {hand.side for hand in seen}
    return PhotographResult(hands, np.array([float(side in sides) for side in SIDES]), annotation.handedness)


def _hand_result(
    annotation: Annotation, slots: slice, joints_px: np.ndarray, joints_mm: np.ndarray | None
) -> HandResult:
    valid = annotation.joint_valid[slots]
    errors_mm = np.full(JOINTS_PER_HAND, np.nan)
    if joints_mm is not None and annotation.joints_mm is not None:
        truth_mm = annotation.joints_mm[slots]
        errors_mm = joint_errors(joints_mm - joints_mm[WRIST], truth_mm - truth_mm[WRIST], valid & valid[WRIST])
    return HandResult(
        set_name=annotation.set_name,
        size_px=float(bbox_size(annotation.bbox)),
        found=True,
        errors_px=joint_errors(joints_px, annotation.joints_px[slots], valid),
        errors_mm=errors_mm,
    )


def summary(results: Sequence[PhotographResult]) -> dict[str, object]:
    """``{"sets": {name: {hands, found, nme_median, nme_mean, pck_0.1, mpjpe_mm}}, "handedness_accuracy"}``.

    Figures of a set are over the hands that were found; None where there is nothing to measure.
    """
    hands = [hand for result in results for hand in result.hands]
    known = [(r.handedness, r.handedness_truth) for r in results if r.handedness_truth is not None]
    accuracy = handedness_accuracy(np.array([p for p, _ in known]), np.array([t for _, t in known])) if known else None
    names = sorted({hand.set_name for hand in hands})
    sets = {name: _set_summary([hand for hand in hands if hand.set_name == name]) for name in names}
    return {"sets": sets, "handedness_accuracy": None if accuracy is None else round(accuracy, 4)}


def _set_summary(hands: Sequence[HandResult]) -> dict[str, float | int | None]:
    errors_px = np.stack([hand.errors_px for hand in hands])
    errors_mm = np.stack([hand.errors_mm for hand in hands])
    size_px = np.array([hand.size_px for hand in hands])
    per_hand = nme(errors_px, size_px)
    per_hand = per_hand[~np.isnan(per_hand)]
    judged_mm = errors_mm[~np.isnan(errors_mm)]
    return {
        "hands": len(hands),
        "found": sum(hand.found for hand in hands),
        "nme_median": round(float(np.median(per_hand)), 4) if per_hand.size else None,
        "nme_mean": round(float(np.mean(per_hand)), 4) if per_hand.size else None,
        "pck_0.1": round(pck(errors_px, size_px, 0.1), 4) if per_hand.size else None,
        "mpjpe_mm": round(float(np.mean(judged_mm)), 2) if judged_mm.size else None,
    }
