"""Crops, cameras and the way between the 2.5D and the 3D pose. NumPy only.

Pixels have (0, 0) at the centre of the top-left pixel. Camera space is x right, y down, z forward, in millimetres.
``b_from_a`` maps points of a to b; affines are (2, 3), intrinsics K are (3, 3) in pixels. Boxes are (x, y, width,
height) in pixels, as in InterHand2.6M. Results are float64.
"""

import math

import numpy as np
import numpy.typing as npt

from digit.prediction import CROP_SIZE, DepthAxis
from digit.skeleton import BONES, JOINTS_PER_HAND, ROOTS, SLOTS, WRIST

Array = npt.NDArray[np.float64]

#: The camera's own axis, along which the paper measures depth.
CAMERA_AXIS: Array = np.array([0.0, 0.0, 1.0])
CAMERA_AXIS.flags.writeable = False

#: Side of a crop over the longer side of the box around the hands (the paper's crops).
CROP_MARGIN = 1.25

# Bones of an average adult, base to tip of each finger: metacarpal, phalanges; the last with the finger's pulp.
# Buryanov & Kotiuk, "Proportions of hand segments", Int. J. Morphol. 28(3), 2010: radiographs of 66 adults. The
# thumb's three bones start at its own base joint, the other metacarpals at the far side of the carpus.
_THUMB_MM = (46.2, 31.6, 21.7 + 5.7)
_FINGERS_MM = (
    (68.1, 39.8, 22.4, 15.8 + 3.8),
    (64.6, 44.6, 26.3, 17.4 + 4.0),
    (58.0, 41.4, 25.7, 17.3 + 4.0),
    (53.7, 32.7, 18.1, 16.0 + 3.7),
)
# From the wrist's centre of rotation (in the head of the capitate) to the metacarpals' bases, and to the thumb's base.
# The radiographs do not give these two; they are ours, to the nearest 5 mm.
_CARPUS_MM = 25.0
_WRIST_TO_THUMB_MM = 35.0
# Bones end at the joint's line, but a joint turns about a point in the head of the bone before it (Buchholz, Armstrong
# & Goldstein, "Anthropometric data for describing the kinematics of the human hand", Ergonomics 35(3), 1992), and there
# people annotate it. Shares of the way from a finger's first joint to the wrist, and from its second to its first.
KNUCKLE_BACK, MIDDLE_BACK = 0.042, 0.03


def _adult(knuckle_back: float, middle_back: float) -> Array:
    """(20,) lengths in mm of `digit.skeleton.BONES` whose ends lie so far back of the joints' lines."""
    bones = [*_THUMB_MM[::-1], _WRIST_TO_THUMB_MM]
    for metacarpal, first, middle, last in _FINGERS_MM:
        palm = metacarpal + _CARPUS_MM
        knuckle, joint = knuckle_back * palm, middle_back * first
        bones += [last, middle + joint, first + knuckle - joint, palm - knuckle]
    array = np.array(bones)
    array.flags.writeable = False
    return array


#: Length in mm of each of `digit.skeleton.BONES` in an average adult hand, between the joints' lines.
RADIOGRAPH_BONES_MM: Array = _adult(0.0, 0.0)
#: The same between the joints, in a straight finger. People differ by about 10 %, and so does every depth that follows
#: from it.
ADULT_BONES_MM: Array = _adult(KNUCKLE_BACK, MIDDLE_BACK)

#: Fewer bones than this give no root depth.
MIN_BONES = 4
_CHILDREN, _PARENTS = np.array(BONES).T


def square_bbox(bbox: npt.ArrayLike, scale: float = CROP_MARGIN) -> Array:
    """The square around a box's centre whose side is the longer side times ``scale``.

    Args:
        bbox: (4,) x, y, width, height in pixels.

    Raises:
        ValueError: the box is empty or not finite.
    """
    x, y, width, height = np.asarray(bbox, dtype=np.float64)
    side = max(width, height) * scale
    if not (math.isfinite(x + y + side) and side > 0 and min(width, height) >= 0):
        raise ValueError(f"a box needs a finite, positive size; got {np.asarray(bbox).tolist()}")
    return np.array([x + width / 2 - side / 2, y + height / 2 - side / 2, side, side])


def affine_from_bbox(bbox: npt.ArrayLike, size: int = CROP_SIZE, rotation_deg: float = 0.0) -> Array:
    """``crop_from_image`` (2, 3) of a square box: its centre goes to crop pixel (size / 2, size / 2).

    The picture turns by ``rotation_deg`` from x towards y (clockwise on a screen) around that centre.

    Args:
        bbox: (4,) x, y, side, side in pixels (`square_bbox`).

    Raises:
        ValueError: the box is empty, not finite or not square.
    """
    x, y, width, height = np.asarray(bbox, dtype=np.float64)
    if not (math.isfinite(x + y + width) and width > 0 and math.isclose(width, height, rel_tol=1e-6)):
        raise ValueError(f"a crop needs a square box with a positive side; got {np.asarray(bbox).tolist()}")
    angle, zoom = math.radians(rotation_deg), size / width
    linear = zoom * np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    offset = size / 2 - linear @ np.array([x + width / 2, y + height / 2])
    return np.column_stack([linear, offset])


def apply_affine(b_from_a: np.ndarray, points: np.ndarray) -> Array:
    """Points (..., 2) of a in b."""
    points = np.asarray(points, dtype=np.float64)
    return points @ b_from_a[:, :2].T + b_from_a[:, 2]


def invert_affine(b_from_a: np.ndarray) -> Array:
    """``a_from_b`` (2, 3).

    Raises:
        ValueError: the affine flattens the plane.
    """
    linear = np.asarray(b_from_a[:, :2], dtype=np.float64)
    (a, b), (c, d) = linear.tolist()
    scale, determinant = max(abs(a), abs(b), abs(c), abs(d)), a * d - b * c
    if not (math.isfinite(scale) and abs(determinant) > 1e-12 * scale**2):
        raise ValueError(f"this affine has no inverse: {np.asarray(b_from_a).tolist()}")
    inverse = np.array([[d, -b], [-c, a]]) / determinant  # by hand: numpy's way takes as long as all the rest
    return np.column_stack([inverse, -inverse @ b_from_a[:, 2]])


def intrinsics_from_focal(width: int, height: int, focal_px: float) -> Array:
    """K of a camera with square pixels that looks through the picture's centre."""
    return np.array([[focal_px, 0, (width - 1) / 2], [0, focal_px, (height - 1) / 2], [0, 0, 1]])


def intrinsics_from_fov(width: int, height: int, horizontal_fov_deg: float) -> Array:
    """K of a camera that sees ``horizontal_fov_deg`` across ``width`` pixels.

    Raises:
        ValueError: the field of view is not between 0 and 180 degrees.
    """
    if not 0 < horizontal_fov_deg < 180:
        raise ValueError(f"a field of view lies between 0 and 180 degrees; got {horizontal_fov_deg}")
    return intrinsics_from_focal(width, height, width / 2 / math.tan(math.radians(horizontal_fov_deg) / 2))


def project(points_mm: np.ndarray, K: np.ndarray) -> Array:
    """Pixels (..., 2) of camera-space points (..., 3)."""
    homogeneous = np.asarray(points_mm, dtype=np.float64) @ K.T
    return homogeneous[..., :2] / homogeneous[..., 2:]


def rays(px: np.ndarray, K: np.ndarray) -> Array:
    """(..., 3) camera-space points at depth 1 behind pixels (..., 2)."""
    px = np.asarray(px, dtype=np.float64)
    ray = np.ones((*px.shape[:-1], 3))
    ray[..., 1] = (px[..., 1] - K[1, 2]) / K[1, 1]
    ray[..., 0] = (px[..., 0] - K[0, 2] - K[0, 1] * ray[..., 1]) / K[0, 0]
    return ray


def unproject(px: np.ndarray, depth_mm: np.ndarray, K: np.ndarray) -> Array:
    """Camera-space points (..., 3) in mm of pixels (..., 2) at depths (...). The Π of DIGIT eq. 2 and 3."""
    return rays(px, K) * np.asarray(depth_mm, dtype=np.float64)[..., None]


def axis_of(depth_axis: DepthAxis, image_from_crop: np.ndarray, K: np.ndarray) -> Array:
    """(3,) unit vector in camera space along which a network measures depth: the camera's, or the crop's.

    A crop alone does not tell where in the picture it lies. So neither does it tell depths along the camera's axis: of
    a hand at the picture's side these are turned against what the crop shows. It does tell depths along the view
    through its own centre (as in the perspective crops of Han et al., UmeTrack, SIGGRAPH Asia 2022).
    """
    if depth_axis == "camera":
        return CAMERA_AXIS
    centre = apply_affine(image_from_crop, np.array([CROP_SIZE / 2, CROP_SIZE / 2]))
    ray = rays(centre, K)
    return ray / np.linalg.norm(ray)


def root_depths(
    right_mm: float,
    left_mm: float,
    relative_mm: float,
    handedness: np.ndarray,
    along: np.ndarray | tuple[float, float] = (1.0, 1.0),
) -> Array:
    """Camera depths (right wrist, left wrist) in mm, DIGIT eq. 4 and 5.

    The left wrist stands at ``relative_mm`` behind the right one where the right hand is in the picture, else at its
    own depth.

    Args:
        handedness: (2,) probability that the right, the left hand is in the picture.
        along: (2,) `wrists_along` the axis of ``relative_mm``; 1 along the camera's own.
    """
    behind_mm = (right_mm * along[0] + relative_mm) / along[1]
    return np.array([right_mm, left_mm if handedness[0] < 0.5 else behind_mm])


def wrists_along(joints_2p5d: np.ndarray, image_from_crop: np.ndarray, K: np.ndarray, axis: np.ndarray) -> Array:
    """(2,) how far the rays of the wrists of a pose (42, 3) go along an axis for 1 mm of camera depth."""
    return rays(apply_affine(image_from_crop, joints_2p5d[[ROOTS[0], ROOTS[-1]], :2]), K) @ axis


def joints_from_2p5d(
    joints_2p5d: np.ndarray,
    image_from_crop: np.ndarray,
    K: np.ndarray,
    roots_mm: np.ndarray,
    axis: np.ndarray = CAMERA_AXIS,
) -> Array:
    """The 3D pose (42, 3) in camera-space mm, DIGIT eq. 2 and 3.

    Args:
        joints_2p5d: (42, 3) x, y in crop pixels, z in mm along ``axis`` relative to the joint's own wrist.
        roots_mm: (2,) camera depth of the right, the left wrist (`root_depths`); nan gives nan for that hand.
        axis: (3,) of `axis_of`.
    """
    px = apply_affine(image_from_crop, joints_2p5d[:, :2])
    return unproject(px, camera_depths(joints_2p5d[:, 2], np.repeat(roots_mm, JOINTS_PER_HAND), rays(px, K) @ axis), K)


def camera_depths(relative_mm: np.ndarray, roots_mm: np.ndarray, along: np.ndarray) -> Array:
    """Camera depths (42,) of joints, of their depths relative to the wrist along an axis.

    Args:
        roots_mm: (42,) camera depth of each joint's wrist.
        along: (42,) how far each joint's ray goes along the axis for 1 mm of camera depth.
    """
    return (roots_mm * along[list(ROOTS)] + relative_mm) / along


def joints_2p5d_from_3d(
    joints_mm: np.ndarray, crop_from_image: np.ndarray, K: np.ndarray, axis: np.ndarray = CAMERA_AXIS
) -> tuple[Array, Array]:
    """The inverse of `joints_from_2p5d`: the 2.5D pose (42, 3) and the wrists' camera depths (2,) in mm."""
    joints_mm = np.asarray(joints_mm, dtype=np.float64)
    depth_mm = joints_mm @ axis
    px = apply_affine(crop_from_image, project(joints_mm, K))
    roots_mm = np.array([joints_mm[SLOTS[side]][WRIST, 2] for side in ("right", "left")])
    return np.column_stack([px, depth_mm - depth_mm[list(ROOTS)]]), roots_mm


def root_depth_from_bones(
    joints_2p5d: np.ndarray,
    K: np.ndarray,
    bones_mm: np.ndarray = ADULT_BONES_MM,
    confidence: np.ndarray | None = None,
    axis: np.ndarray = CAMERA_AXIS,
) -> Array:
    """Camera depth (...) of the wrist in mm from known bone lengths; nan where the joints do not tell.

    After Iqbal et al., "Hand pose estimation via latent 2.5D heatmap regression", ECCV 2018. A bone of length C between
    joints at relative depths z on rays r has |r_n (z_n + Z) - r_m (z_m + Z)| = C, a quadratic in the root depth Z. Each
    bone is solved in closed form; the answer is their weighted median, so that single bad joints do not count. A bone
    counts by its length along the picture plane: one that points at the camera says little about Z.

    Args:
        joints_2p5d: (..., 21, 3) one hand: x, y in image pixels, z in mm along ``axis`` relative to the wrist.
        bones_mm: (20,) length of each of `digit.skeleton.BONES`.
        confidence: (..., 21) weights of the joints.
        axis: (3,) of `axis_of`.
    """
    joints = np.asarray(joints_2p5d, dtype=np.float64)
    bones_mm = np.asarray(bones_mm, dtype=np.float64)
    ray = rays(joints[..., :2], K)
    along = ray @ axis
    ray = ray / along[..., None]  # 1 mm along the axis
    point = ray * joints[..., 2:]
    u = ray[..., _CHILDREN, :] - ray[..., _PARENTS, :]
    v = point[..., _CHILDREN, :] - point[..., _PARENTS, :]
    deep = joints[..., _CHILDREN, 2] - joints[..., _PARENTS, 2]
    a = (u**2).sum(-1)
    b = (u * v).sum(-1)
    c = (v**2).sum(-1) - bones_mm**2
    with np.errstate(invalid="ignore", divide="ignore"):
        # The larger root: the other one, where it is positive at all, puts a joint on or behind the camera.
        depth = (-b + np.sqrt(b**2 - a * c)) / a
        in_plane = np.sqrt(np.clip(bones_mm**2 - deep**2, 0, None))
        nearest = depth + np.minimum(joints[..., _CHILDREN, 2], joints[..., _PARENTS, 2])
        usable = np.isfinite(depth) & (nearest > 0) & (in_plane > 0)
    weight = in_plane
    if confidence is not None:
        weight = in_plane * np.minimum(confidence[..., _CHILDREN], confidence[..., _PARENTS])
    weight = np.where(usable, weight, 0.0)
    enough = (weight > 0).sum(-1) >= MIN_BONES
    depth = _weighted_median(np.where(usable, depth, np.inf), weight)
    return np.where(enough, depth / along[..., WRIST], np.nan)


def _weighted_median(values: Array, weights: Array) -> Array:
    """Along the last axis; values without weight must sort last."""
    order = np.argsort(values, axis=-1)
    values = np.take_along_axis(values, order, axis=-1)
    reached = np.cumsum(np.take_along_axis(weights, order, axis=-1), axis=-1)
    middle = (reached < reached[..., -1:] / 2).sum(-1, keepdims=True)
    return np.take_along_axis(values, np.minimum(middle, values.shape[-1] - 1), axis=-1)[..., 0]
