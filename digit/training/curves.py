"""TensorBoard curves of a run, with pictures: the crop with joints, and the segmentation, beside their truth."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np

from digit.errors import UserError
from digit.skeleton import BONES_42, JOINTS_PER_HAND, PART_CLASSES

_RIGHT, _LEFT = (255, 170, 40), (60, 190, 255)


class Curves:
    """One writer, opened at a run's start and closed at its end; values after ``step`` from an earlier try are hidden.

    Raises:
        UserError: TensorBoard is not installed.
    """

    def __init__(self, folder: Path, step: int) -> None:
        try:
            from torch.utils.tensorboard.writer import SummaryWriter
        except ImportError as error:
            raise UserError(
                "TensorBoard is not installed; run: pip install 'digit-live[train]', or train with --no-curves."
            ) from error
        self._writer: Any = SummaryWriter(str(folder), purge_step=step)

    def scalars(self, step: int, values: dict[str, float]) -> None:
        """Points on the curves named by the keys; a slash groups them."""
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)

    def picture(self, step: int, name: str, image: np.ndarray) -> None:
        """(H, W, 3) uint8 RGB."""
        self._writer.add_image(name, image, step, dataformats="HWC")

    def close(self) -> None:
        self._writer.close()


def sheet(
    images: np.ndarray,
    valid: np.ndarray,
    joints: tuple[np.ndarray, np.ndarray],
    parts: tuple[np.ndarray | None, np.ndarray],
) -> np.ndarray:
    """One row a crop: input, predicted joints, true joints, predicted parts, true parts.

    Args:
        images: (B, 256, 256, 3) uint8 RGB. valid: (B, 42) bool.
        joints: predicted and true (B, 42, 2 or 3), x and y in crop pixels.
        parts: predicted (or None, of a network without segmentation) and true (B, H, W) part classes.

    Returns:
        (256 B, 1280, 3) uint8 RGB.
    """
    rows: list[np.ndarray] = []
    for i, image in enumerate(images):
        tiles = [image, *(_with_joints(image, found[i], valid[i]) for found in joints)]
        for labels in parts:
            tiles.append(np.zeros_like(image) if labels is None else _with_parts(image, labels[i]))
        rows.append(np.hstack(tiles))
    return np.vstack(rows)


def _with_joints(image: np.ndarray, joints: np.ndarray, valid: np.ndarray) -> np.ndarray:
    drawn = image.copy()
    points = np.nan_to_num(joints[:, :2]).round().astype(int)
    for child, parent in BONES_42:
        if valid[child] and valid[parent]:
            colour = _RIGHT if child < JOINTS_PER_HAND else _LEFT
            cv2.line(drawn, points[child].tolist(), points[parent].tolist(), colour, 2, cv2.LINE_AA)
    return drawn


def _with_parts(image: np.ndarray, labels: np.ndarray) -> np.ndarray:
    rows, columns = (np.arange(side) * cells // side for side, cells in zip(image.shape[:2], labels.shape, strict=True))
    large = labels[np.ix_(rows, columns)].astype(np.int64)
    return np.where(large[..., None] > 0, image // 3 + _COLOURS[large] // 3 * 2, image).astype(np.uint8)


def _part_colours() -> np.ndarray:
    hue = (np.arange(PART_CLASSES) * 37 % 180).astype(np.uint8)
    value = np.where(np.arange(PART_CLASSES) > PART_CLASSES // 2, 255, 150).astype(np.uint8)
    return np.asarray(cv2.cvtColor(np.dstack([hue, np.full_like(hue, 200), value]), cv2.COLOR_HSV2RGB))[0]


_COLOURS = _part_colours()
