"""Panels of the paper's figures, drawn with Matplotlib: keypoints, heatmaps, part segmentations, hands in 3D.

Right hands and their parts are dark, left ones bright, and each finger has its hue, as in the paper.
"""

import colorsys
from typing import Any

import cv2
import numpy as np

from digit.prediction import CROP_SIZE
from digit.skeleton import BONES, FINGERS, FIRST_PART, JOINTS, JOINTS_PER_HAND, PART_CLASSES, PARTS, SIDES, SLOTS

_HUES = dict(zip(FINGERS, (0.0, 0.12, 0.33, 0.55, 0.78), strict=True)) | {"palm": 0.62, "wrist": 0.62}
_VALUES = {"right": 0.62, "left": 1.0}


def _colour(name: str, side: str, saturation: float = 0.85) -> tuple[float, float, float]:
    """RGB in [0, 1] of a joint or part, whose name begins with its finger's."""
    stem = name.rstrip("0123456789")
    return colorsys.hsv_to_rgb(_HUES[stem], saturation if stem not in ("palm", "wrist") else 0.25, _VALUES[side])


def part_colours() -> np.ndarray:
    """(33, 3) uint8 RGB of each part class; a finger's segments fade towards its tip."""
    colours = np.zeros((PART_CLASSES, 3))
    for side in SIDES:
        for k, part in enumerate(PARTS):
            segment = int(part[-1]) if part[-1].isdigit() else 1
            colours[FIRST_PART[side] + k] = _colour(part, side, 1.0 - 0.22 * (segment - 1))
    return np.round(255 * colours).astype(np.uint8)


def blank(axes: Any) -> None:
    """No ticks, no frame."""
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)


def picture(axes: Any, image: np.ndarray) -> None:
    """A crop (256, 256, 3) uint8 RGB as it is."""
    axes.imshow(image)
    axes.set_xlim(-0.5, CROP_SIZE - 0.5)
    axes.set_ylim(CROP_SIZE - 0.5, -0.5)
    blank(axes)


def keypoints(axes: Any, image: np.ndarray, joints_2p5d: np.ndarray, shown: np.ndarray) -> None:
    """2D keypoints and bones (42, 2 or 3) in crop pixels over the crop; ``shown`` (42,) bool."""
    picture(axes, image)
    for side in SIDES:
        joints, visible = joints_2p5d[SLOTS[side]], shown[SLOTS[side]]
        for child, parent in BONES:
            if visible[child] and visible[parent]:
                ends = joints[[child, parent]]
                axes.plot(ends[:, 0], ends[:, 1], color=_colour(JOINTS[child], side), linewidth=1.6)
        dots = joints[visible]
        axes.scatter(dots[:, 0], dots[:, 1], s=5, color="white", edgecolors="black", linewidths=0.4, zorder=3)


def heatmap(
    axes: Any, image: np.ndarray, probabilities: np.ndarray, predicted: np.ndarray, truth: np.ndarray | None
) -> None:
    """One joint's 2D heatmap (64, 64) over the crop; a plus where it is predicted, a cross where it is (or None)."""
    cells = np.arange(CROP_SIZE) * (probabilities.shape[0] / CROP_SIZE)
    columns, rows = np.meshgrid(cells.astype(np.float32), cells.astype(np.float32))
    # A heatmap cell i stands at crop pixel 4 i.
    large = cv2.remap(
        probabilities.astype(np.float32), columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    strength = np.sqrt(np.clip(large / max(float(large.max()), 1e-12), 0, 1))
    grey = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    hot = cv2.applyColorMap(np.round(255 * strength).astype(np.uint8), cv2.COLORMAP_INFERNO)[..., ::-1]
    weight = np.clip(1.4 * strength, 0, 0.75)[..., None]
    picture(axes, np.round((1 - weight) * grey * 0.7 + weight * hot).astype(np.uint8))
    axes.scatter(*predicted[:2], marker="+", s=90, color="cyan", linewidths=1.8, zorder=3)
    if truth is not None:
        axes.scatter(*truth[:2], marker="x", s=65, color="lime", linewidths=1.8, zorder=3)


def parts(axes: Any, image: np.ndarray, labels: np.ndarray) -> None:
    """Part classes (128, 128) over the crop."""
    large = np.repeat(np.repeat(labels, CROP_SIZE // labels.shape[0], axis=0), CROP_SIZE // labels.shape[1], axis=1)
    mixed = np.where(large[..., None] > 0, image * 0.25 + part_colours()[large] * 0.75, image)
    picture(axes, np.round(mixed).astype(np.uint8))


def hands_3d(
    axes: Any, joints_mm: np.ndarray, shown: np.ndarray, centre: np.ndarray, radius: float, turn: float
) -> None:
    """Both hands (42, 3) in camera space on 3D axes.

    Args:
        shown: (42,) bool. centre: (3,) what stands in the middle. radius: mm from there to the edge.
        turn: degrees about the vertical; 0 looks as the camera does, 90 from the right.
    """
    for side in SIDES:
        x, depth, up = (joints_mm[SLOTS[side]] - centre)[:, [0, 2, 1]].T * np.array([[1], [1], [-1]])
        visible = shown[SLOTS[side]]
        for child, parent in BONES:
            if visible[child] and visible[parent]:
                ends = [child, parent]
                colour = _colour(JOINTS[child], side)
                axes.plot(x[ends], depth[ends], up[ends], color=colour, linewidth=2.0, solid_capstyle="round")
    axes.set_xlim(-radius, radius)
    axes.set_ylim(-radius, radius)
    axes.set_zlim(-radius, radius)
    axes.set_box_aspect((1, 1, 1), zoom=1.25)
    axes.set_proj_type("ortho")
    axes.view_init(elev=8, azim=-90 + turn)
    for axis in (axes.xaxis, axes.yaxis, axes.zaxis):
        axis.set_ticks([])


def joint_name(joint: int) -> str:
    """Such as "right ring3", for one of the 42 joints."""
    return f"{SIDES[joint // JOINTS_PER_HAND]} {JOINTS[joint % JOINTS_PER_HAND]}"
