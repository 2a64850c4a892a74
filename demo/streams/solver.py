"""From 21 joints to the 26 poses of OpenXR.

Positions alone say where a bone points (z) and leave its twist open. The twist comes from the finger's hinge, the x
axis about which its joints bend, and that from three witnesses, each weighted by how much it knows:

- the knuckle is a universal joint: the hinge stays in the plane of the palm (a sure witness while the finger is not
  bent by 90 degrees at the knuckle);
- the finger bends in one plane, whose normal is the hinge (a sure witness while the finger is bent);
- the hinge of an unbent finger, carried along the shortest turn to where the finger points (never sure, never silent).

All three change smoothly with the joints, so the axes do too, also when a finger is stretched. The thumb's saddle joint
is no universal joint; for it the third witness turns with the thumb's opposition.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from demo.records import Hand, Side
from demo.streams import quaternion
from demo.streams.openxr import (
    FROM_INTERHAND,
    JOINTS,
    METACARPALS,
    ORIENTATION_TRACKED,
    ORIENTATION_VALID,
    PALM,
    POSITION_TRACKED,
    POSITION_VALID,
    SYNTHESISED,
    WRIST,
    HandPose,
)
from digit.geometry import ADULT_BONES_MM
from digit.skeleton import BONES

#: Camera space (x right, y down, z forward, mm) to OpenXR's view space (x right, y up, z backward, m).
VIEW_FROM_CAMERA = np.array([1.0, -1.0, -1.0]) / 1000
MIRROR_X = np.array([-1.0, 1.0, 1.0])

#: Radii in mm of an adult's hand: joint centre to skin.
_FINGER_RADII_MM = np.array([14.0, 10.5, 8.5, 7.2, 6.2])
ADULT_RADII_MM = np.concatenate(
    [[15.0, 20.0], [15.0, 12.0, 9.5, 8.0], *(width * _FINGER_RADII_MM for width in (1.0, 1.0, 0.95, 0.85))]
)
#: A hand outside these shares of an adult's size is not believed for the radii.
_SIZES = (0.3, 2.0)

_TRACKED = np.flatnonzero(~SYNTHESISED)
_SOURCES = np.array(FROM_INTERHAND)[_TRACKED]
#: (5, 4) the tracked joints of each finger, base first.
_CHAINS = np.array([METACARPALS[f] + (f > 0) + np.arange(4) for f in range(5)])

_YZX, _ZXY = np.array([1, 2, 0]), np.array([2, 0, 1])

#: A shorter vector has no direction.
_NOTHING = 1e-9

#: Where the four metacarpals begin: this share of the way from the wrist to the knuckles, spread by this share.
CARPUS_ALONG, CARPUS_SPREAD = 0.28, 0.45
_CARPUS = np.array([CARPUS_SPREAD, CARPUS_ALONG, CARPUS_ALONG])

#: Roll in degrees of the knuckles' hinges of index to pinky in the palm: the knuckles stand on an arch.
_ARCH_DEG = np.array([7.0, 2.5, 2.0, 2.0])
_COS, _SIN, _ZERO = np.cos(np.radians(_ARCH_DEG)), np.sin(np.radians(_ARCH_DEG)), np.zeros(4)
_ARCH_HINGES, _ARCH_UP = np.stack([_COS, _SIN, _ZERO], -1), np.stack([-_SIN, _COS, _ZERO], -1)
#: Weight of the third witness beside the first two, whose lengths are the sines of what they know.
_CARRIED_WEIGHT = 0.15

#: The thumb of a right hand in the palm's frame, as the synthetic hands of ``digit.synth`` have it on average: the z
#: axis of its metacarpal, its hinge there, and the twist in degrees by which opposition turns the hinge on (constant,
#: then for each component of z).
_THUMB_Z = np.array([0.45525, 0.61919, 0.63980])
_THUMB_HINGE = np.array([0.35683, 0.53148, -0.76825])
_THUMB_TWIST_DEG, _THUMB_TWIST_BY_Z_DEG = 10.6, np.array([19.9, -8.6, -23.9])
#: Weight of the bent end joint of the thumb against that average.
_THUMB_BEND_WEIGHT = 20.0
#: Roll in degrees of the thumb's metacarpal against its two outer bones.
_THUMB_METACARPAL_DEG = -8.0


@dataclass(frozen=True, slots=True, eq=False)
class Solution:
    """Poses of N hands. Frames as `demo.streams.openxr` states them."""

    positions_m: np.ndarray  # (N, 26, 3)
    orientations: np.ndarray  # (N, 26, 4) unit quaternions x, y, z, w; w >= 0
    radii_m: np.ndarray  # (N, 26)


def solve(joints_mm: np.ndarray, side: Side | Sequence[Side]) -> Solution:
    """The poses of N hands from their joints (N, 21, 3), finite, in camera space and millimetres.

    ``side`` is one for all or one each. A left hand is solved as the right one in the mirror. Joints that coincide give
    frames that are valid but arbitrary.
    """
    points = np.asarray(joints_mm, float) * VIEW_FROM_CAMERA
    left = np.broadcast_to(np.array(side) == "left", len(points))[:, None, None]
    mirror = np.where(left, MIRROR_X, 1.0)
    positions, frames = _right_hands(points * mirror)
    orientations = quaternion.from_matrix(frames)
    orientations = np.where(left, quaternion.mirror_x(orientations), orientations)
    return Solution(positions * mirror, orientations, _radii_m(joints_mm))


def poses_of(hands: Sequence[Hand]) -> tuple[HandPose, ...]:
    """The pose of each tracked hand."""
    if not hands:
        return ()
    solution = solve(np.stack([hand.joints_mm for hand in hands]), [hand.side for hand in hands])
    for array in (solution.positions_m, solution.orientations, solution.radii_m):
        array.flags.writeable = False
    return tuple(
        HandPose(hand.side, solution.positions_m[i], solution.orientations[i], solution.radii_m[i], FLAGS)
        for i, hand in enumerate(hands)
    )


#: Of an active hand: all poses are valid, those that come from a joint are tracked.
FLAGS = np.where(
    SYNTHESISED,
    ORIENTATION_VALID | POSITION_VALID,
    ORIENTATION_VALID | POSITION_VALID | ORIENTATION_TRACKED | POSITION_TRACKED,
).astype(np.uint8)
FLAGS.flags.writeable = False


def thumb_at_rest() -> np.ndarray:
    """(4,) rotation of a right thumb's metacarpal against the palm, on average."""
    return quaternion.from_matrix(_frame(_THUMB_Z, _THUMB_HINGE))


def _right_hands(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Positions (N, 26, 3) and frames (N, 26, 3, 3) of right hands from their joints (N, 21, 3) in view space."""
    n = len(points)
    positions = np.empty((n, len(JOINTS), 3))
    positions[:, _TRACKED] = points[:, _SOURCES]
    wrist = positions[:, WRIST]
    chains = positions[:, _CHAINS]
    knuckles = chains[:, 1:, 0] - wrist[:, None]
    palm = _palm(knuckles)

    # The carpus: nearer together than the knuckles, and all as far from the wrist.
    carpus = (knuckles @ palm * _CARPUS) @ np.swapaxes(palm, 1, 2)
    positions[:, METACARPALS[1:]] = wrist[:, None] + carpus
    positions[:, PALM] = (positions[:, METACARPALS[2]] + chains[:, 2, 0]) / 2

    frames = np.empty((n, len(JOINTS), 3, 3))
    metacarpal_z = _unit(carpus - knuckles, palm[:, None, :, 2])
    metacarpals = _frame(metacarpal_z, palm[:, None, :, 0])
    frames[:, METACARPALS[1:]] = metacarpals
    frames[:, PALM] = metacarpals[:, 1]
    frames[:, WRIST] = _frame(_unit(-carpus[:, 1], palm[..., 2]), palm[..., 0])

    bones = chains[:, :, 1:] - chains[:, :, :-1]  # (N, 5, 3, 3): three bones a finger
    z = _unit(-bones, palm[:, None, None, :, 2])
    hinges = np.repeat(_hinges(z, palm)[:, :, None], 3, axis=2)
    hinges[:, 0, 0] = _about(z[:, 0, 0], hinges[:, 0, 0], _THUMB_METACARPAL_DEG)
    fingers = _frame(z, hinges)  # (N, 5, 3, 3, 3)
    frames[:, _CHAINS] = fingers[:, :, [0, 1, 2, 2]]  # a tip is turned as its distal bone
    return positions, frames


def _palm(knuckles: np.ndarray) -> np.ndarray:
    """(N, 3, 3) frame of the palm from four knuckles (N, 4, 3) relative to the wrist.

    Its normal is that of the fan of triangles wrist, knuckle, next knuckle, weighted by their areas.
    """
    up = _cross(knuckles[:, 1:], knuckles[:, :-1]).sum(1)
    z = _unit(-knuckles[:, 1], np.array([0.0, 0.0, 1.0]))
    up = _unit(up, np.array([0.0, 1.0, 0.0]))
    return _frame(z, _cross(up, z))


def _hinges(z: np.ndarray, palm: np.ndarray) -> np.ndarray:
    """(N, 5, 3) unit hinge of each finger from its bones' z axes (N, 5, 3, 3) and the palm's frame (N, 3, 3)."""
    in_palm = z @ palm[:, None]
    hinges = np.concatenate([_thumb_hinge(in_palm[:, :1]), _finger_hinges(in_palm[:, 1:])], 1)
    return hinges @ np.swapaxes(palm, 1, 2)


def _finger_hinges(z: np.ndarray) -> np.ndarray:
    """(N, 4, 3) hinges in the palm's frame from the bones there (N, 4, 3, 3)."""
    first = z[:, :, 0]
    universal = _cross(_ARCH_UP, first) * np.maximum(first[..., 2:], 0)
    carried = _carried(np.array([0.0, 0.0, 1.0]), first, _ARCH_HINGES)
    bend = _cross(z[:, :, 1:], z[:, :, :-1]).sum(2)
    bend = bend * np.maximum((bend * carried).sum(-1, keepdims=True), 0)  # a hinge bends one way only
    return _unit(universal + bend + _CARRIED_WEIGHT * carried, carried)


def _thumb_hinge(z: np.ndarray) -> np.ndarray:
    """(N, 1, 3) hinge in the palm's frame from the thumb's bones there (N, 1, 3, 3)."""
    first = z[:, :, 0]
    carried = _carried(_THUMB_Z, first, _THUMB_HINGE)
    carried = _about(first, carried, _THUMB_TWIST_DEG + first @ _THUMB_TWIST_BY_Z_DEG)
    bend = _cross(z[:, :, 2], z[:, :, 1])
    bend = bend * np.maximum((bend * carried).sum(-1, keepdims=True), 0)
    return _unit(carried + _THUMB_BEND_WEIGHT * bend, carried)


def _carried(start: np.ndarray, end: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """Vectors turned by the shortest turn from unit ``start`` to unit ``end``; all (..., 3)."""
    axis = _cross(start, end)
    cosine = (start * end).sum(-1, keepdims=True)
    along = (axis * vectors).sum(-1, keepdims=True) * axis
    return vectors * cosine + _cross(axis, vectors) + along / np.maximum(1 + cosine, 1e-3)


def _about(axis: np.ndarray, vectors: np.ndarray, degrees: float | np.ndarray) -> np.ndarray:
    """Vectors (..., 3) that are orthogonal to their unit axes, turned about them."""
    angle = np.asarray(np.radians(degrees))[..., None]
    return np.cos(angle) * vectors + np.sin(angle) * _cross(axis, vectors)


def _frame(z: np.ndarray, x: np.ndarray) -> np.ndarray:
    """(..., 3, 3) right-handed frames whose third column is unit z and whose first is as near to x as it can be."""
    y = _cross(z, x)
    length = _length(y)
    if (length < _NOTHING).any():  # x along z: any axis that is not will do
        y = np.where(length < _NOTHING, _cross(z, np.eye(3)[np.argmin(np.abs(z), -1)]), y)
        length = _length(y)
    y = y / length
    frames = np.empty((*y.shape, 3))
    frames[..., 0], frames[..., 1], frames[..., 2] = _cross(y, z), y, z
    return frames


def _cross(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """np.cross of (..., 3), many times as quick on small arrays."""
    return a.take(_YZX, -1) * b.take(_ZXY, -1) - a.take(_ZXY, -1) * b.take(_YZX, -1)


def _length(vectors: np.ndarray) -> np.ndarray:
    """(..., 1) lengths."""
    return np.sqrt(np.einsum("...i,...i->...", vectors, vectors))[..., None]


def _unit(vectors: np.ndarray, instead: np.ndarray) -> np.ndarray:
    """Vectors (..., 3) at length 1; where one has none, the unit direction to take instead."""
    length = _length(vectors)
    if (length > _NOTHING).all():
        return vectors / length
    return np.where(length > _NOTHING, vectors / np.maximum(length, _NOTHING), instead)


def _radii_m(joints_mm: np.ndarray) -> np.ndarray:
    """(N, 26) radii: an adult's, scaled by the hand's median bone."""
    children, parents = np.array(BONES).T
    lengths = np.linalg.norm(np.asarray(joints_mm, float)[:, children] - joints_mm[:, parents], axis=-1)
    size = np.clip(np.median(lengths / ADULT_BONES_MM, axis=-1), *_SIZES)
    return size[:, None] * ADULT_RADII_MM / 1000
