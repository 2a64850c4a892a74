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

#: Where the four metacarpals begin: this share of the way from the wrist to the knuckles, spread by this share.
CARPUS_ALONG, CARPUS_SPREAD = 0.28, 0.45

#: Roll in degrees of the knuckles' hinges of index to pinky in the palm: the knuckles stand on an arch.
_ARCH_DEG = np.array([7.0, 2.5, 2.0, 2.0])
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


def solve(joints_mm: np.ndarray, side: Side) -> Solution:
    """The poses of N hands of one side from their joints (N, 21, 3), finite, in camera space and millimetres.

    A left hand is solved as the right one in the mirror. Joints that coincide give frames that are valid but arbitrary.
    """
    points = np.asarray(joints_mm, float) * VIEW_FROM_CAMERA
    if side == "left":
        points = points * MIRROR_X
    positions, frames = _right_hands(points)
    orientations = quaternion.from_matrix(frames)
    if side == "left":
        positions, orientations = positions * MIRROR_X, quaternion.mirror_x(orientations)
    return Solution(positions, orientations, _radii_m(joints_mm))


def pose_of(hand: Hand) -> HandPose:
    """The pose of one tracked hand."""
    solution = solve(hand.joints_mm[None], hand.side)
    arrays = (solution.positions_m[0], solution.orientations[0], solution.radii_m[0], FLAGS)
    for array in arrays:
        array.flags.writeable = False
    return HandPose(hand.side, *arrays)


#: Of an active hand: all poses are valid, those that come from a joint are tracked.
FLAGS = np.where(
    SYNTHESISED,
    ORIENTATION_VALID | POSITION_VALID,
    ORIENTATION_VALID | POSITION_VALID | ORIENTATION_TRACKED | POSITION_TRACKED,
).astype(np.uint8)


def thumb_at_rest() -> np.ndarray:
    """(4,) rotation of a right thumb's metacarpal against the palm, on average."""
    return quaternion.from_matrix(_frame(_THUMB_Z, _THUMB_HINGE))


def _right_hands(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Positions (N, 26, 3) and frames (N, 26, 3, 3) of right hands from their joints (N, 21, 3) in view space."""
    n = len(points)
    positions = np.empty((n, len(JOINTS), 3))
    positions[:, ~SYNTHESISED] = points[:, [source for source in FROM_INTERHAND if source >= 0]]
    wrist = positions[:, WRIST]
    chains = _chains(positions)
    knuckles = chains[:, 1:, 0] - wrist[:, None]
    palm = _palm(knuckles)

    # The carpus: nearer together than the knuckles, and all as far from the wrist.
    forward, across = -palm[..., 2], palm[..., 0]
    along_m = np.einsum("nfi,ni->nf", knuckles, forward)
    across_m = np.einsum("nfi,ni->nf", knuckles, across)
    up_m = np.einsum("nfi,ni->nf", knuckles, palm[..., 1])
    carpus = (
        CARPUS_ALONG * along_m[..., None] * forward[:, None]
        + CARPUS_SPREAD * across_m[..., None] * across[:, None]
        + CARPUS_ALONG * up_m[..., None] * palm[:, None, :, 1]
    )
    positions[:, METACARPALS[1:]] = wrist[:, None] + carpus
    positions[:, PALM] = (positions[:, METACARPALS[2]] + chains[:, 2, 0]) / 2

    frames = np.empty((n, len(JOINTS), 3, 3))
    metacarpal_z = _unit(carpus - knuckles, palm[:, None, :, 2])
    metacarpals = _frame(metacarpal_z, np.broadcast_to(palm[:, None, :, 0], metacarpal_z.shape))
    frames[:, METACARPALS[1:]] = metacarpals
    frames[:, PALM] = metacarpals[:, 1]
    frames[:, WRIST] = _frame(_unit(-carpus[:, 1], palm[..., 2]), palm[..., 0])

    bones = chains[:, :, 1:] - chains[:, :, :-1]  # (N, 5, 3, 3): three bones a finger
    z = _unit(-bones, palm[:, None, None, :, 2])
    hinges = np.repeat(_hinges(z, palm)[:, :, None], 3, axis=2)
    hinges[:, 0, 0] = _about(z[:, 0, 0], hinges[:, 0, 0], _THUMB_METACARPAL_DEG)
    fingers = _frame(z, hinges)  # (N, 5, 3, 3, 3)
    for f, metacarpal in enumerate(METACARPALS):
        first = metacarpal if f == 0 else metacarpal + 1
        frames[:, first : first + 3] = fingers[:, f]
        frames[:, first + 3] = fingers[:, f, 2]
    return positions, frames


def _chains(positions: np.ndarray) -> np.ndarray:
    """(N, 5, 4, 3): the four tracked joints of each finger, base first."""
    starts = [first if f == 0 else first + 1 for f, first in enumerate(METACARPALS)]
    return positions[:, [[start + n for n in range(4)] for start in starts]]


def _palm(knuckles: np.ndarray) -> np.ndarray:
    """(N, 3, 3) frame of the palm from four knuckles (N, 4, 3) relative to the wrist.

    Its normal is that of the fan of triangles wrist, knuckle, next knuckle, weighted by their areas.
    """
    up = np.cross(knuckles[:, 1:], knuckles[:, :-1]).sum(1)
    z = _unit(-knuckles[:, 1], np.array([0.0, 0.0, 1.0]))
    up = _unit(up, np.array([0.0, 1.0, 0.0]))
    return _frame(z, np.cross(up, z))


def _hinges(z: np.ndarray, palm: np.ndarray) -> np.ndarray:
    """(N, 5, 3) unit hinge of each finger from its bones' z axes (N, 5, 3, 3) and the palm's frame (N, 3, 3)."""
    palm_from_view = np.swapaxes(palm, 1, 2)
    in_palm = np.einsum("nij,nfbj->nfbi", palm_from_view, z)
    hinges = np.concatenate([_thumb_hinge(in_palm[:, :1]), _finger_hinges(in_palm[:, 1:])], 1)
    return np.einsum("nij,nfj->nfi", palm, hinges)


def _finger_hinges(z: np.ndarray) -> np.ndarray:
    """(N, 4, 3) hinges in the palm's frame from the bones there (N, 4, 3, 3)."""
    straight = np.array([0.0, 0.0, 1.0])
    arch = np.radians(_ARCH_DEG)
    unbent = np.stack([np.cos(arch), np.sin(arch), np.zeros(4)], -1)
    up = np.stack([-np.sin(arch), np.cos(arch), np.zeros(4)], -1)
    first = z[:, :, 0]
    universal = np.cross(up, first) * np.maximum(first[..., 2:], 0)
    carried = _carried(straight, first, unbent)
    bend = np.cross(z[:, :, 1:], z[:, :, :-1]).sum(2)
    bend = bend * np.maximum((bend * carried).sum(-1, keepdims=True), 0)  # a hinge bends one way only
    return _unit(universal + bend + _CARRIED_WEIGHT * carried, carried)


def _thumb_hinge(z: np.ndarray) -> np.ndarray:
    """(N, 1, 3) hinge in the palm's frame from the thumb's bones there (N, 1, 3, 3)."""
    first = z[:, :, 0]
    carried = _carried(_THUMB_Z, first, _THUMB_HINGE)
    carried = _about(first, carried, _THUMB_TWIST_DEG + first @ _THUMB_TWIST_BY_Z_DEG)
    bend = np.cross(z[:, :, 2], z[:, :, 1])
    bend = bend * np.maximum((bend * carried).sum(-1, keepdims=True), 0)
    return _unit(carried + _THUMB_BEND_WEIGHT * bend, carried)


def _carried(start: np.ndarray, end: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """Vectors turned by the shortest turn from unit ``start`` to unit ``end``; all (..., 3)."""
    axis = np.cross(start, end)
    cosine = (start * end).sum(-1, keepdims=True)
    along = (axis * vectors).sum(-1, keepdims=True) * axis
    return vectors * cosine + np.cross(axis, vectors) + along / np.maximum(1 + cosine, 1e-3)


def _about(axis: np.ndarray, vectors: np.ndarray, degrees: float | np.ndarray) -> np.ndarray:
    """Vectors (..., 3) that are orthogonal to their unit axes, turned about them."""
    angle = np.asarray(np.radians(degrees))[..., None]
    return np.cos(angle) * vectors + np.sin(angle) * np.cross(axis, vectors)


def _frame(z: np.ndarray, x: np.ndarray) -> np.ndarray:
    """(..., 3, 3) right-handed frames whose third column is z and whose first is as near to x as it can be."""
    y = np.cross(z, x)
    spare = np.eye(3)[np.argmin(np.abs(z), -1)]
    y = _unit(y, np.cross(z, spare))
    y = _unit(y, y)
    return np.stack([np.cross(y, z), y, z], -1)


def _unit(vectors: np.ndarray, instead: np.ndarray) -> np.ndarray:
    """Vectors (..., 3) at length 1; where one has none, the direction to take instead."""
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    chosen = np.where(length > 1e-9, vectors, np.broadcast_to(instead, vectors.shape))
    return chosen / np.maximum(np.linalg.norm(chosen, axis=-1, keepdims=True), 1e-12)


def _radii_m(joints_mm: np.ndarray) -> np.ndarray:
    """(N, 26) radii: an adult's, scaled by the hand's median bone."""
    children, parents = np.array(BONES).T
    lengths = np.linalg.norm(np.asarray(joints_mm, float)[:, children] - joints_mm[:, parents], axis=-1)
    size = np.clip(np.median(lengths / ADULT_BONES_MM, axis=-1), *_SIZES)
    return size[:, None] * ADULT_RADII_MM / 1000
