"""Boxes around hands, and the pixels in them. All boxes are (x, y, width, height) in pixels."""

import cv2
import numpy as np

from digit.geometry import affine_from_bbox, apply_affine, invert_affine, square_bbox
from digit.prediction import CROP_SIZE
from digit.skeleton import BACKGROUND

#: A whole-frame look must find at least this share of hand cells before it may place a crop.
MIN_FOREGROUND = 0.004
#: Cells beyond these percentiles of the foreground are specks.
_SPECKS = (2.0, 98.0)


def bbox_around(points_px: np.ndarray) -> np.ndarray:
    """(4,) the box around points (N, 2)."""
    low, high = points_px.min(axis=0), points_px.max(axis=0)
    return np.r_[low, high - low]


def holds(bbox: np.ndarray, point_px: np.ndarray) -> bool:
    """Whether a box (4,) holds a point (2,)."""
    return bool(((bbox[:2] <= point_px) & (point_px < bbox[:2] + bbox[2:])).all())


def whole_frame_bbox(image: np.ndarray) -> np.ndarray:
    """(4,) the smallest square that holds the whole picture, around its centre."""
    height, width = image.shape[:2]
    return square_bbox(np.array([-0.5, -0.5, width, height]), scale=1.0)


def bbox_from_parts(part_labels: np.ndarray, image_from_crop: np.ndarray) -> np.ndarray | None:
    """(4,) the box around the hands in a (128, 128) segmentation, in image pixels; None with too few hand cells."""
    rows, columns = np.nonzero(part_labels != BACKGROUND)
    if len(rows) < MIN_FOREGROUND * part_labels.size:
        return None
    cell_px = CROP_SIZE / part_labels.shape[0]
    corners = np.percentile(np.c_[columns, rows] * cell_px, _SPECKS, axis=0)
    return bbox_around(apply_affine(image_from_crop, corners))


def crop_from_cells(size: int) -> np.ndarray:
    """(3, 3) affine, homogeneous, from the cells of a segmentation of ``size`` to a side to the crop's pixels."""
    cell_px = CROP_SIZE / size
    return np.array([[cell_px, 0, (cell_px - 1) / 2], [0, cell_px, (cell_px - 1) / 2], [0, 0, 1]])


def cut(image: np.ndarray, bbox: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The (256, 256, 3) uint8 crop of a square box, black outside the picture, and its ``image_from_crop`` (2, 3)."""
    crop_from_image = affine_from_bbox(bbox)
    crop = cv2.warpAffine(image, crop_from_image, (CROP_SIZE, CROP_SIZE), flags=cv2.INTER_LINEAR)
    return crop, invert_affine(crop_from_image)
