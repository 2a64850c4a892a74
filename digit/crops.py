"""Cutting a crop out of a picture: its pixels and its part classes."""

import cv2
import numpy as np

from digit.prediction import CROP_SIZE

#: Side of the part segmentation in cells (the paper's choice).
PART_SIZE = 128


def crop_picture(picture: np.ndarray, crop_from_image: np.ndarray, border: int = cv2.BORDER_CONSTANT) -> np.ndarray:
    """(256, 256, 3) uint8 crop of a picture (H, W, 3) uint8; what lies outside is black, or as ``border`` says."""
    return cv2.warpAffine(picture, crop_from_image, (CROP_SIZE, CROP_SIZE), flags=cv2.INTER_LINEAR, borderMode=border)


def crop_parts(parts: np.ndarray, crop_from_image: np.ndarray, size: int = PART_SIZE) -> np.ndarray:
    """(size, size) uint8 part classes of a crop, from those of its picture (H, W); background outside."""
    return cv2.warpAffine(parts, cells_from_image(crop_from_image, size), (size, size), flags=cv2.INTER_NEAREST)


def cells_from_image(crop_from_image: np.ndarray, size: int) -> np.ndarray:
    """(2, 3) affine to the cells of a grid of ``size`` over the crop.

    A cell covers c = 256 / size crop pixels, so the centre of cell i lies at crop pixel c i + (c - 1) / 2.
    """
    cell = CROP_SIZE / size
    return crop_from_image / cell - np.array([[0, 0, 1.0], [0, 0, 1.0]]) * (cell - 1) / 2 / cell
