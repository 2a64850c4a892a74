"""Two hands apart, each in a crop of its own: the network sees them larger there, and its answers are joined.

In one crop around both, hands that are two to three hand lengths apart take a sixth of its side each. Of rendered ones
the network then misses the joints by a quarter of the hand's size, in their own crops by a seventeenth
(`digit-lite.md`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from demo.crop import crop_from_cells, holds
from demo.records import Detection, SeenCrop
from digit.geometry import (
    apply_affine,
    axis_of,
    invert_affine,
    rays,
    root_depth_from_bones,
    unproject,
)
from digit.prediction import Prediction
from digit.skeleton import (
    BACKGROUND,
    FIRST_PART,
    JOINTS_PER_HAND,
    PARTS_PER_HAND,
    SIDES,
    SLOTS,
    WRIST,
    mirrored_joints,
    mirrored_parts,
)

#: No probability counts as nearer to 0 than this.
_LEAST = 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """A crop that the network was given."""

    image_from_crop: np.ndarray  # (2, 3)
    answer: Callable[[], Prediction]  # waits for the network


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """What the network says of a frame."""

    prediction: Prediction  # for the crop around all hands
    own_crops: tuple[SeenCrop, ...] = ()  # as in `demo.records.Scene`


def inside(detections: Sequence[Detection], bbox: np.ndarray) -> tuple[Detection, ...]:
    """The hands whose middle lies in a box (4,)."""
    return tuple(hand for hand in detections if holds(bbox, hand.joints_px.mean(axis=0)))


def answer_of(looks: Sequence[Look], image_from_crop: np.ndarray, K: np.ndarray) -> Answer:
    """Wait for the network: the answer for the crop around all hands, or of two looks at one hand each (`joined`)."""
    seen = [(look.answer(), look.image_from_crop) for look in looks]
    return Answer(seen[0][0]) if len(seen) == 1 else joined(seen, image_from_crop, K)


def joined(seen: Sequence[tuple[Prediction, np.ndarray]], image_from_crop: np.ndarray, K: np.ndarray) -> Answer:
    """One prediction for the crop around both hands, of those for their own crops.

    A hand is in the picture if its own crop shows one, of whatever side; which is which is what both crops together
    find likelier. How far one hand lies behind the other neither crop shows: the relative root depth is nan.

    Args:
        seen: two, in any order, each with the ``image_from_crop`` (2, 3) of its own crop.
        image_from_crop: (2, 3) of the crop around both.
        K: (3, 3) of the picture.
    """
    first, second = (_odds(prediction.handedness) for prediction, _ in seen)
    seen = seen if first >= second else seen[::-1]
    hands = [_of_side(prediction, side) for (prediction, _), side in zip(seen, SIDES, strict=True)]
    crop_from_image = invert_affine(image_from_crop)
    joints_2p5d = np.empty((len(SIDES), JOINTS_PER_HAND, 3))
    part_labels = np.full_like(hands[0].part_labels, BACKGROUND)
    for hand, (prediction, own_from), pose in zip(hands, seen, joints_2p5d, strict=True):
        joints_px = apply_affine(own_from, hand.joints_2p5d[:, :2])
        pose[:] = np.c_[apply_affine(crop_from_image, joints_px), hand.joints_2p5d[:, 2]]
        if prediction.depth_axis == "crop":
            axes = (axis_of("crop", at, K) for at in (own_from, image_from_crop))
            pose[:, 2] = turned_depths(np.c_[joints_px, hand.joints_2p5d[:, 2]], hand.confidence, K, *axes)
        cells_from_own = _cells_from(own_from, crop_from_image, len(part_labels))
        cells = cv2.warpAffine(hand.part_labels, cells_from_own, part_labels.shape, flags=cv2.INTER_NEAREST)
        part_labels = np.where(part_labels == BACKGROUND, cells, part_labels)
    answer = Prediction(
        joints_2p5d.reshape(-1, 3).astype(np.float32),
        np.concatenate([hand.confidence for hand in hands]),
        part_labels,
        np.array([prediction.handedness.max() for prediction, _ in seen], np.float32),
        np.nan,
        seen[0][0].depth_axis,
    )
    for array in (answer.joints_2p5d, answer.confidence, answer.part_labels, answer.handedness):
        array.flags.writeable = False
    own_crops = (SeenCrop(at, hand.part_labels) for hand, (_, at) in zip(hands, seen, strict=True))
    return Answer(answer, tuple(own_crops))


def with_sides_swapped(answer: Answer) -> Answer:
    """The same hands under the other names."""
    joints, parts = mirrored_joints(), mirrored_parts().astype(np.uint8)
    own_crops = (replace(seen, part_labels=parts[seen.part_labels]) for seen in reversed(answer.own_crops))
    prediction = answer.prediction
    prediction = replace(
        prediction,
        joints_2p5d=prediction.joints_2p5d[joints],
        confidence=prediction.confidence[joints],
        part_labels=parts[prediction.part_labels],
        handedness=prediction.handedness[::-1],
        root_depth_mm=-prediction.root_depth_mm,
    )
    return Answer(prediction, tuple(own_crops))


def turned_depths(
    pose: np.ndarray, confidence: np.ndarray, K: np.ndarray, axis: np.ndarray, other_axis: np.ndarray
) -> np.ndarray:
    """(21,) depths of one hand relative to its wrist along another axis; as they are where its bones give no depth.

    Args:
        pose: (21, 3) x, y in image pixels, z in mm relative to the wrist along ``axis``.
        confidence: (21,) of the joints.
        axis: (3,) of `axis_of`, as is ``other_axis``.
    """
    joints_px, depths_mm = pose[:, :2], pose[:, 2]
    root_mm = root_depth_from_bones(pose[None], K, confidence=confidence[None], axis=axis)
    if not np.isfinite(root_mm[0]):
        return depths_mm
    along = rays(joints_px, K) @ axis
    camera_mm = (root_mm * along[WRIST] + depths_mm) / along
    turned_mm = unproject(joints_px, camera_mm, K) @ other_axis
    return turned_mm - turned_mm[WRIST]


def _odds(handedness: np.ndarray) -> float:
    """Log-odds that a crop's hand is a right one, of the probabilities (2,) that a right, a left one is there."""
    right, left = np.log(np.maximum(handedness, _LEAST)).tolist()
    return right - left


@dataclass(frozen=True, slots=True, eq=False)
class _Hand:
    """One hand in its own crop."""

    joints_2p5d: np.ndarray  # (21, 3)
    confidence: np.ndarray  # (21,)
    part_labels: np.ndarray  # (128, 128) under its name, without the other hand's


def _of_side(prediction: Prediction, side: str) -> _Hand:
    """The hand of an own crop as that side's.

    The network may have it under the other name; of two that it sees, the one of this name is meant.
    """
    named = SIDES.index(side)
    labels = prediction.part_labels
    if prediction.handedness[named] < min(0.5, prediction.handedness[1 - named]):
        named = 1 - named
        labels = mirrored_parts().astype(np.uint8)[labels]
    first = FIRST_PART[side]
    labels = np.where((first <= labels) & (labels < first + PARTS_PER_HAND), labels, np.uint8(BACKGROUND))
    labels.flags.writeable = False
    slots = SLOTS[SIDES[named]]
    return _Hand(prediction.joints_2p5d[slots].astype(np.float64), prediction.confidence[slots], labels)


def _cells_from(own_from: np.ndarray, crop_from_image: np.ndarray, size: int) -> np.ndarray:
    """(2, 3) affine from the cells of a hand's own crop, of that ``image_from_crop``, to those of another."""
    crop_from_cell = crop_from_cells(size)
    crop_from_own = _homogeneous(crop_from_image) @ _homogeneous(own_from)
    return (np.linalg.inv(crop_from_cell) @ crop_from_own @ crop_from_cell)[:2]


def _homogeneous(affine: np.ndarray) -> np.ndarray:
    return np.vstack([affine, [0, 0, 1]])
