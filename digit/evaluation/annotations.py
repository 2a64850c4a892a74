"""Annotated photographs: a JSON Lines file beside its pictures.

Each line has ``image`` (path beside the file), ``K`` (3x3 of the picture, or null), ``side`` (left, right, interacting,
unknown), ``joints_mm`` (42x3 camera space, or null), ``joints_px`` (42x2), ``joint_valid`` (42) and ``bbox_xywh``.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np

from digit.errors import UserError
from digit.geometry import square_bbox
from digit.skeleton import SLOTS

AnnotatedSide = Literal["left", "right", "interacting", "unknown"]


@dataclass(frozen=True, slots=True, eq=False)
class Annotation:
    """One photograph and the truth about its hands."""

    image_path: Path
    set_name: str  # the picture's folder; interacting hands are a set of their own
    side: AnnotatedSide  # unknown: the truth stands in the right slots, and either hand may be meant
    joints_px: np.ndarray  # (42, 2) float64
    joint_valid: np.ndarray  # (42,) bool
    joints_mm: np.ndarray | None  # (42, 3) float64, camera space
    K: np.ndarray | None  # (3, 3) float64
    bbox: np.ndarray  # (4,) float64 x, y, width, height around all hands, pixels

    @property
    def hands(self) -> tuple[slice, ...]:
        """The joint slots of each annotated hand."""
        return tuple(slots for slots in SLOTS.values() if self.joint_valid[slots].any())

    @property
    def handedness(self) -> np.ndarray | None:
        """(2,) bool, whether the right, the left hand is there; None when unknown."""
        known = {"right": (True, False), "left": (False, True), "interacting": (True, True)}
        return np.array(known[self.side]) if self.side in known else None


def read_annotations(path: Path) -> list[Annotation]:
    """All annotations of a file. Raises UserError when it cannot be read or a line is not as described above."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"Cannot read the annotations {path} ({error}); check --annotations.") from error
    annotations: list[Annotation] = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            annotations.append(_annotation(json.loads(line), path.parent))
        except (KeyError, TypeError, ValueError) as error:
            raise UserError(f"{path}, line {number} is not an annotation of two hands ({error}); mend it.") from error
    if not annotations:
        raise UserError(f"{path} holds no annotations; check --annotations.")
    return annotations


def _annotation(row: dict[str, Any], folder: Path) -> Annotation:
    side = row["side"]
    if side not in ("left", "right", "interacting", "unknown"):
        raise ValueError(f"side {side!r}")
    bbox = _array(row["bbox_xywh"], (4,))
    square_bbox(bbox)  # raises ValueError for an empty box
    image_path = folder / row["image"]
    return Annotation(
        image_path=image_path,
        set_name=image_path.parent.name + ("_interacting" if side == "interacting" else ""),
        side=side,
        joints_px=_array(row["joints_px"], (42, 2)),
        joint_valid=_array(row["joint_valid"], (42,)) > 0,
        joints_mm=None if row["joints_mm"] is None else _array(row["joints_mm"], (42, 3)),
        K=None if row["K"] is None else _array(row["K"], (3, 3)),
        bbox=bbox,
    )


def _array(values: Any, shape: tuple[int, ...]) -> np.ndarray:
    array = np.array(values, np.float64)
    if array.shape != shape:
        raise ValueError(f"shape {array.shape}, not {shape}")
    return array


def read_image(path: Path) -> np.ndarray:
    """(H, W, 3) uint8 RGB. Raises UserError when the file is no picture."""
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None:
        raise UserError(f"Cannot read the picture {path}; check that it is there and whole.")
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
