"""The full masks of both hands, hidden parts included, drawn from the true joints: how much the hands overlap (Fig. 8).

The paper renders the dataset's meshes. Here each finger is a row of capsules and the palm the hull of its joints, as
thick as an adult's; no mesh, and so no licence, is needed.
"""

import cv2
import numpy as np

from digit.crops import PART_SIZE, cells_from_image
from digit.geometry import apply_affine
from digit.interhand import Sample
from digit.metrics import mask_iou
from digit.skeleton import BONES, JOINTS, SLOTS, WRIST

#: Half the thickness of fingers and of the palm's rim, mm.
FINGER_MM = 7.5
PALM_MM = 10.0
_PALM = [j for j, name in enumerate(JOINTS) if name == "wrist" or name.endswith("1")]
_FINGERS = [(child, parent) for child, parent in BONES if parent != WRIST]
#: A hand with fewer valid joints has no mask.
MIN_JOINTS = 15


def overlap(sample: Sample, crop_from_image: np.ndarray, size: int = PART_SIZE) -> float:
    """IoU of the right and the left hand's full masks in the crop; nan unless both hands are known."""
    right, left = (hand_mask(sample, side, crop_from_image, size) for side in SLOTS)
    return mask_iou(right, left) if right.any() and left.any() else float("nan")


def hand_mask(sample: Sample, side: str, crop_from_image: np.ndarray, size: int = PART_SIZE) -> np.ndarray:
    """(size, size) bool: one hand in the crop, whatever is in front of it; empty where too few joints are known."""
    valid = sample.joint_valid[SLOTS[side]]
    mask = np.zeros((size, size), np.uint8)
    if valid.sum() < MIN_JOINTS:
        return mask.astype(bool)
    cells = apply_affine(cells_from_image(crop_from_image, size), sample.joints_px[SLOTS[side]])
    depth_mm = float(np.median(sample.joints_mm[SLOTS[side]][valid, 2]))
    zoom = np.sqrt(abs(np.linalg.det(crop_from_image[:, :2]))) * size / 256
    cells_per_mm = float(zoom * np.sqrt(sample.K[0, 0] * sample.K[1, 1]) / depth_mm)
    points = np.round(cells).astype(int)
    palm = [j for j in _PALM if valid[j]]
    if len(palm) >= 3:
        hull = cv2.convexHull(points[palm].astype(np.int32))
        cv2.fillConvexPoly(mask, hull, 1)
        cv2.polylines(mask, [hull], isClosed=True, color=1, thickness=_thickness(PALM_MM, cells_per_mm))
    for child, parent in _FINGERS:
        if valid[child] and valid[parent]:
            ends = points[child].tolist(), points[parent].tolist()
            cv2.line(mask, *ends, 1, _thickness(FINGER_MM, cells_per_mm))
    return mask.astype(bool)


def _thickness(radius_mm: float, cells_per_mm: float) -> int:
    return max(1, round(2 * radius_mm * cells_per_mm))
