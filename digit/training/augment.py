"""One crop of a labelled picture under shift, scale, rotation, flip and colour (DIGIT 4.1, after InterHand2.6M)."""

from dataclasses import dataclass, replace

import cv2
import numpy as np

from digit.crops import PART_SIZE, crop_parts, crop_picture
from digit.geometry import (
    CROP_MARGIN,
    Array,
    affine_from_bbox,
    apply_affine,
    axis_of,
    invert_affine,
    square_bbox,
)
from digit.interhand import Sample
from digit.prediction import CROP_SIZE, DepthAxis
from digit.skeleton import JOINTS_PER_HAND, SIDES, SLOTS, WRIST, mirrored_joints, mirrored_parts
from digit.training.looks import restyled

#: A hand that shows fewer joints beside the one that a crop is around counts as absent.
SHOWN_JOINTS = 7


@dataclass(frozen=True, slots=True, eq=False)
class Crop:
    """One crop with its labels."""

    image: np.ndarray  # (256, 256, 3) uint8 RGB
    parts: np.ndarray  # (128, 128) uint8 part classes
    parts_valid: bool  # False: the set has no mask of this picture, parts are all background
    joints_2p5d: np.ndarray  # (42, 3) float32: crop pixels, mm relative to the own wrist along the depth axis
    joint_valid: np.ndarray  # (42,) bool: annotated, inside the crop, and its wrist is known
    hands: np.ndarray  # (2,) bool: right, left present
    hands_valid: bool  # False: nobody said which hands there are
    root_depth_mm: float  # left wrist - right wrist along the depth axis; 0 unless valid
    root_valid: bool  # both hands are there and both wrists known
    crop_from_image: Array  # (2, 3), a flip included
    flipped: bool  # the hands changed sides


@dataclass(frozen=True, slots=True)
class Warp:
    """How a crop is taken from its picture."""

    shift: tuple[float, float] = (0.0, 0.0)  # of the crop's side
    scale: float = 1.0  # of the crop's side
    rotation_deg: float = 0.0
    flip: bool = False
    colour: tuple[float, float, float] = (1.0, 1.0, 1.0)
    border: int = cv2.BORDER_CONSTANT
    beside: tuple[float, float] = (0.0, 0.0)  # of the room left (-) or right, above (-) or below a hand alone
    focus: int | None = None  # of two hands, the crop is around the right (0) or the left one (1) alone


@dataclass(frozen=True, slots=True)
class Augmentation:
    """How far crops may be changed. Normal draws are clipped at so many standard deviations."""

    shift: float = 0.15  # uniform to both sides, of the crop's side
    scale_std: float = 0.25
    scale_clip: float = 1.0
    rotation_std_deg: float = 45.0
    rotation_clip: float = 2.0
    rotation_share: float = 0.6  # of the samples
    flip_share: float = 0.5
    colour: float = 0.2  # each channel times a uniform factor 1 +- this
    replicate_share: float = 0.0  # of the samples whose edge pixels go on outside the picture, instead of black
    joint_margin: float | None = None  # crop around the valid joints, grown by this share; None: the annotated box
    beside_share: float = 0.0  # of the samples whose crop, if it shows one hand, has room for another that is not there
    focus_share: float = 0.0  # of the samples whose crop, if there are two hands, is around one of them alone
    empty_share: float = 0.0  # of the samples that are a crop without hands instead
    restyle_share: float = 0.0  # of the samples in a look that no camera gives (`digit.training.looks`)
    depth_axis: DepthAxis = "camera"  # that of the variant which learns

    def still(self) -> "Augmentation":
        """The same crops, unchanged."""
        return replace(
            self,
            shift=0.0,
            scale_std=0.0,
            rotation_share=0.0,
            flip_share=0.0,
            colour=0.0,
            replicate_share=0.0,
            beside_share=0.0,
            focus_share=0.0,
            empty_share=0.0,
            restyle_share=0.0,
        )


#: The paper's.
PAPER = Augmentation()
#: digit-lite's: crops of a webcam come from tracked joints, not from annotated boxes, and run over the picture's edge;
#: and a track may be left behind on a face, or hold the place of a hand that left. A network that meets a hand alone
#: only in the middle of its crop learns that one at the side is one of two. Hands apart have crops of their own. The
#: pictures' own views turn the hands, so that less is left to do here.
WEBCAM = Augmentation(
    shift=0.12, rotation_std_deg=25.0, replicate_share=0.5, joint_margin=0.06, beside_share=0.5, focus_share=0.2,
    empty_share=0.06, restyle_share=0.7, depth_axis="crop",
)  # fmt: skip


def draw_warp(rng: np.random.Generator, how: Augmentation = PAPER) -> Warp:
    """One draw of the augmentation."""
    rotate = rng.random() < how.rotation_share
    clip = how.rotation_clip
    return Warp(
        shift=(float(rng.uniform(-how.shift, how.shift)), float(rng.uniform(-how.shift, how.shift))),
        scale=1.0 + how.scale_std * float(np.clip(rng.standard_normal(), -how.scale_clip, how.scale_clip)),
        rotation_deg=how.rotation_std_deg * float(np.clip(rng.standard_normal(), -clip, clip)) if rotate else 0.0,
        flip=bool(rng.random() < how.flip_share),
        colour=tuple(float(c) for c in rng.uniform(1 - how.colour, 1 + how.colour, 3)),  # type: ignore[arg-type]
        border=cv2.BORDER_REPLICATE if rng.random() < how.replicate_share else cv2.BORDER_CONSTANT,
        beside=_beside(rng, how),
        focus=_focus(rng, how),
    )


def _beside(rng: np.random.Generator, how: Augmentation) -> tuple[float, float]:
    """`Warp.beside`. Draws nothing where it never is."""
    if how.beside_share == 0 or rng.random() >= how.beside_share:
        return 0.0, 0.0
    return float(rng.uniform(-1, 1)), float(rng.uniform(-1, 1))


def _focus(rng: np.random.Generator, how: Augmentation) -> int | None:
    """`Warp.focus`. Draws nothing where it never is."""
    if how.focus_share == 0 or rng.random() >= how.focus_share:
        return None
    return int(rng.integers(2))


def bbox_of(sample: Sample, how: Augmentation, focus: int | None = None) -> Array:
    """The box (4,) x, y, width, height that is made square and grown to the crop; of two hands maybe one (`Warp`)."""
    if how.joint_margin is None or not sample.joint_valid.any():
        return sample.bbox
    valid = sample.joint_valid
    if focus is not None and sample.hands.all() and valid[SLOTS[SIDES[focus]]].any():
        valid = valid & (np.arange(len(valid)) // JOINTS_PER_HAND == focus)
    seen = sample.joints_px[valid]
    low, high = seen.min(axis=0), seen.max(axis=0)
    margin = how.joint_margin * float((high - low).max()) + 2.0
    return np.concatenate([low - margin, high - low + 2 * margin])


def with_room(bbox: np.ndarray, beside: tuple[float, float], shape: tuple[int, ...]) -> Array:
    """The box grown by so much of the way to the picture's border, to one side of each axis (`Warp.beside`)."""
    low, high = bbox[:2], bbox[:2] + bbox[2:]
    end = np.array([shape[1], shape[0]], np.float64)
    before, after = np.clip(low, 0, None), np.clip(end - high, 0, None)
    low, high = low + np.minimum(beside, 0) * before, high + np.maximum(beside, 0) * after
    return np.concatenate([low, high - low])


def crop_from_image(bbox: np.ndarray, warp: Warp) -> Array:
    """The (2, 3) affine of a crop (longer side of the box, x1.25) under a warp, flip not included."""
    x, y, side, _ = square_bbox(bbox, CROP_MARGIN)
    grown = side * warp.scale
    x, y = (v + by * side - (grown - side) / 2 for v, by in zip((x, y), warp.shift, strict=True))
    return affine_from_bbox((x, y, grown, grown), rotation_deg=warp.rotation_deg)


def cut(
    sample: Sample,
    picture: np.ndarray,
    parts: np.ndarray | None,
    bbox: np.ndarray,
    warp: Warp,
    part_size: int = PART_SIZE,
    depth_axis: DepthAxis = "camera",
) -> Crop:
    """Take the crop of a labelled picture; of one with one hand, with the room that the warp wants beside it.

    Args:
        picture: (H, W, 3) uint8 RGB.
        parts: (H, W) uint8 part classes, or None where there is no mask.
        bbox: (4,) x, y, width, height in picture pixels (`bbox_of`).
    """
    box = with_room(bbox, warp.beside, picture.shape) if sample.hands.sum() == 1 else bbox
    affine = crop_from_image(box, warp)
    axis = axis_of(depth_axis, invert_affine(affine), sample.K)
    z_mm = (sample.joints_mm @ axis).reshape(2, JOINTS_PER_HAND)
    relative_z_mm = (z_mm - z_mm[:, WRIST:]).reshape(-1)
    known = sample.joint_valid & np.repeat(sample.root_known, JOINTS_PER_HAND)
    root_valid = bool(sample.hands.all() and sample.root_known.all())
    empty = np.zeros((part_size, part_size), np.uint8)
    crop = Crop(
        image=crop_picture(picture, affine, warp.border),
        parts=empty if parts is None else crop_parts(parts, affine, part_size),
        parts_valid=parts is not None,
        joints_2p5d=np.column_stack([apply_affine(affine, sample.joints_px), relative_z_mm]).astype(np.float32),
        joint_valid=known,
        hands=sample.hands.copy(),
        hands_valid=sample.hands_valid,
        root_depth_mm=float(z_mm[1, WRIST] - z_mm[0, WRIST]) if root_valid else 0.0,
        root_valid=root_valid,
        crop_from_image=affine,
        flipped=False,
    )
    if warp.flip:
        crop = flip(crop)
    inside = np.all((crop.joints_2p5d[:, :2] >= 0) & (crop.joints_2p5d[:, :2] <= CROP_SIZE - 1), axis=1)
    if warp.focus is not None:
        there = crop.hands & (inside.reshape(2, -1).sum(axis=1) >= SHOWN_JOINTS)
        inside = inside & np.repeat(there, JOINTS_PER_HAND)
        both = crop.root_valid and bool(there.all())
        crop = replace(crop, hands=there, root_valid=both, root_depth_mm=crop.root_depth_mm if both else 0.0)
    tinted = np.clip(crop.image * np.array(warp.colour, np.float32), 0, 255).astype(np.uint8)
    return replace(crop, image=tinted, joint_valid=crop.joint_valid & inside)


def restyle(crop: Crop, rng: np.random.Generator, how: Augmentation) -> Crop:
    """The crop in another look, as often as ``how`` says. Draws nothing where it never does."""
    if how.restyle_share == 0 or rng.random() >= how.restyle_share:
        return crop
    return replace(crop, image=restyled(crop.image, crop.parts, rng))


def flip(crop: Crop) -> Crop:
    """Mirror left and right: x to W - 1 - x; the hands, their joints and their parts change sides."""
    order = mirrored_joints()
    joints = crop.joints_2p5d[order].copy()
    joints[:, 0] = CROP_SIZE - 1 - joints[:, 0]
    mirrored = crop.crop_from_image.copy()
    mirrored[0] = [0, 0, CROP_SIZE - 1] - mirrored[0]
    return replace(
        crop,
        image=np.ascontiguousarray(crop.image[:, ::-1]),
        parts=np.ascontiguousarray(mirrored_parts().astype(np.uint8)[crop.parts[:, ::-1]]),
        joints_2p5d=joints,
        joint_valid=crop.joint_valid[order],
        hands=crop.hands[::-1].copy(),
        root_depth_mm=-crop.root_depth_mm,
        crop_from_image=mirrored,
        flipped=not crop.flipped,
    )


def joints_in_picture(crop: Crop, joints_2p5d: np.ndarray) -> Array:
    """Undo a crop's warp and flip: a pose (42, 3) in this crop as x, y in picture pixels, true sides, z as it was."""
    px = apply_affine(invert_affine(crop.crop_from_image), joints_2p5d[:, :2])
    pose = np.column_stack([px, joints_2p5d[:, 2]])
    return np.concatenate([pose[SLOTS["left"]], pose[SLOTS["right"]]]) if crop.flipped else pose
