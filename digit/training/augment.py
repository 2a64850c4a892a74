"""The paper's augmentation of one crop: shift, scale, rotation, flip and colour (InterHand2.6M's protocol)."""

from dataclasses import dataclass, replace

import cv2
import numpy as np

from digit.prediction import CROP_SIZE
from digit.skeleton import mirrored_joints, mirrored_parts

PART_SIZE = 128


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """One crop with its labels."""

    image: np.ndarray  # (256, 256, 3) uint8 RGB
    parts: np.ndarray  # (128, 128) uint8 part classes
    joints_2p5d: np.ndarray  # (42, 3) float32: crop pixels, mm relative to the own wrist
    joint_valid: np.ndarray  # (42,) bool: the hand is there and the joint lies in the crop
    hands: np.ndarray  # (2,) bool: right, left present
    root_depth_mm: float  # left wrist z - right wrist z; meaningless unless both are present


@dataclass(frozen=True, slots=True)
class Warp:
    """How a crop is taken from its picture."""

    shift: tuple[float, float] = (0.0, 0.0)  # of the bbox side
    scale: float = 1.0
    rotation_deg: float = 0.0
    flip: bool = False
    colour: tuple[float, float, float] = (1.0, 1.0, 1.0)
    border: int = cv2.BORDER_CONSTANT


def draw_warp(rng: np.random.Generator) -> Warp:
    """Shift +-15 %, scale N(1, 0.25) and rotation N(0, 45 deg, p = 0.6) clipped, flip and colour as in FACTS/paper."""
    rotate = rng.random() < 0.6
    return Warp(
        shift=(float(rng.uniform(-0.15, 0.15)), float(rng.uniform(-0.15, 0.15))),
        scale=1.0 + 0.25 * float(np.clip(rng.standard_normal(), -1, 1)),
        rotation_deg=45.0 * float(np.clip(rng.standard_normal(), -2, 2)) if rotate else 0.0,
        flip=bool(rng.random() < 0.5),
        colour=tuple(float(c) for c in rng.uniform(0.8, 1.2, 3)),  # type: ignore[arg-type]
        border=int(rng.choice([cv2.BORDER_CONSTANT, cv2.BORDER_REPLICATE])),
    )


def crop_from_picture(bbox_xywh: np.ndarray, warp: Warp) -> np.ndarray:
    """The (2, 3) affine of a square crop (longer side of the bbox, x1.25) under a warp, flip not included."""
    x, y, w, h = (float(v) for v in bbox_xywh)
    side = max(w, h) * 1.25 * warp.scale
    centre = np.array([x + w / 2 + warp.shift[0] * max(w, h), y + h / 2 + warp.shift[1] * max(w, h)])
    angle = np.deg2rad(warp.rotation_deg)
    linear = (CROP_SIZE / side) * np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    return np.c_[linear, CROP_SIZE / 2 - linear @ centre]


def cut(
    picture: np.ndarray,
    mask: np.ndarray,
    joints_px: np.ndarray,
    joints_mm: np.ndarray,
    joint_valid: np.ndarray,
    bbox_xywh: np.ndarray,
    warp: Warp,
) -> Sample:
    """Take the crop of a labelled picture.

    Args:
        picture: (H, W, 3) uint8 RGB.
        mask: (H, W) uint8 part classes.
        joints_px: (42, 2) picture pixels. joints_mm: (42, 3) camera space. joint_valid: (42,) of present hands.
        bbox_xywh: box around the hands in picture pixels.
    """
    affine = crop_from_picture(bbox_xywh, warp)
    image = cv2.warpAffine(picture, affine, (CROP_SIZE, CROP_SIZE), flags=cv2.INTER_LINEAR, borderMode=warp.border)
    # A part cell covers two crop pixels, so its centre lies at crop pixel 2 i + 0.5.
    to_cells = affine / (CROP_SIZE / PART_SIZE) - np.array([[0, 0, 0.25], [0, 0, 0.25]])
    parts = cv2.warpAffine(mask, to_cells, (PART_SIZE, PART_SIZE), flags=cv2.INTER_NEAREST)
    xy = joints_px @ affine[:, :2].T + affine[:, 2]
    valid = joint_valid.astype(bool)
    hands = np.asarray(valid.reshape(2, 21).any(axis=1))
    z_mm = joints_mm[:, 2].reshape(2, 21)
    relative_z = (z_mm - z_mm[:, 20:]).reshape(42)
    sample = Sample(
        image=image,
        parts=parts,
        joints_2p5d=np.c_[xy, relative_z].astype(np.float32),
        joint_valid=valid,
        hands=hands,
        root_depth_mm=float(z_mm[1, 20] - z_mm[0, 20]),
    )
    if warp.flip:
        sample = flip(sample)
    inside = np.all((sample.joints_2p5d[:, :2] >= 0) & (sample.joints_2p5d[:, :2] <= CROP_SIZE - 1), axis=1)
    tinted = np.clip(sample.image * np.array(warp.colour, np.float32), 0, 255).astype(np.uint8)
    return replace(sample, image=tinted, joint_valid=sample.joint_valid & inside)


def flip(sample: Sample) -> Sample:
    """Mirror left and right: x to W - 1 - x, the hands, their joints and their parts change sides."""
    order = mirrored_joints()
    joints = sample.joints_2p5d[order].copy()
    joints[:, 0] = CROP_SIZE - 1 - joints[:, 0]
    return Sample(
        image=np.ascontiguousarray(sample.image[:, ::-1]),
        parts=np.ascontiguousarray(mirrored_parts().astype(np.uint8)[sample.parts[:, ::-1]]),
        joints_2p5d=joints,
        joint_valid=sample.joint_valid[order],
        hands=sample.hands[::-1].copy(),
        root_depth_mm=-sample.root_depth_mm,
    )
