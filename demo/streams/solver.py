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
from demo.streams.vectors import cross, dot, length, unit
from digit.geometry import ADULT_BONES_MM
from digit.skeleton import BONES

#: Camera space (x right, y down, z forward, mm) to OpenXR's view space (x right, y up, z backward, m).
VIEW_FROM_CAMERA = np.array([1.0, -1.0, -1.0]) / 1000
MIRROR_X = np.array([-1.0, 1.0, 1.0])
#: A right and a left hand's factors on positions and on quaternions.
_MIRRORS = np.array([[1.0] * 7, [*MIRROR_X, *quaternion.mirror_x(np.ones(4))]])

#: Radii in mm of an adult's hand: joint centre to skin.
_FINGER_RADII_MM = np.array([14.0, 10.5, 8.5, 7.2, 6.2])
ADULT_RADII_MM = np.concatenate(
    [[15.0, 20.0], [15.0, 12.0, 9.5, 8.0], *(width * _FINGER_RADII_MM for width in (1.0, 1.0, 0.95, 0.85))]
)
#: A hand outside these shares of an adult's size is not believed for the radii.
_SIZES = (0.3, 2.0)

#: InterHand2.6M joint of each joint; of those that are made up, any, until they are.
_SOURCES = np.maximum(FROM_INTERHAND, 0)
#: (5, 4) InterHand2.6M joints of each finger, base first.
_CHAINS = np.array([[FROM_INTERHAND[METACARPALS[f] + (f > 0) + n] for n in range(4)] for f in range(5)])
#: The four metacarpals that are made up, as a slice of the joints.
_MADE_UP = slice(METACARPALS[1], METACARPALS[4] + 1, METACARPALS[2] - METACARPALS[1])

#: Twenty bones have a frame of their own: the four metacarpals, the hand behind the wrist, and three a finger.
_WRIST_BONE, _FINGER_BONES = 4, 5


def _bones() -> np.ndarray:
    """(26,) the bone whose frame each joint has."""
    bones = np.full(len(JOINTS), _WRIST_BONE)
    bones[PALM] = 1  # the middle finger's metacarpal
    bones[_MADE_UP] = range(4)
    for f in range(5):
        base = METACARPALS[f] + (f > 0)
        bones[base : base + 4] = _FINGER_BONES + 3 * f + np.array([0, 1, 2, 2])  # a tip is turned as its distal bone
    return bones


_BONES = _bones()

#: Where the four metacarpals begin: this share of the way from the wrist to the knuckles, spread by this share.
CARPUS_ALONG, CARPUS_SPREAD = 0.28, 0.45
_CARPUS = np.array([CARPUS_SPREAD, CARPUS_ALONG, CARPUS_ALONG])

#: Roll in degrees of the knuckles' hinges of index to pinky in the palm: the knuckles stand on an arch.
_ARCH_DEG = np.array([7.0, 2.5, 2.0, 2.0])
_COS, _SIN, _ZERO = np.cos(np.radians(_ARCH_DEG)), np.sin(np.radians(_ARCH_DEG)), np.zeros(4)

#: The thumb of a right hand in the palm's frame, as the synthetic hands of ``digit.synth`` have it on average: the z
#: axis of its metacarpal, its hinge there, and the twist by which opposition turns the hinge on (constant,
#: then for each component of z).
_THUMB_Z = np.array([0.45525, 0.61919, 0.63980])
_THUMB_HINGE = np.array([0.35683, 0.53148, -0.76825])
_THUMB_TWIST_RAD, _THUMB_TWIST_BY_Z_RAD = np.radians(10.6), np.radians([19.9, -8.6, -23.9])
#: Cosine and sine of the thumb's metacarpal's roll against its two outer bones.
_THUMB_METACARPAL = np.cos(np.radians(-8.0)), np.sin(np.radians(-8.0))

#: Of thumb to pinky in the palm's frame: an unbent finger's z axis and hinge, and up from the hinge, which the thumb's
#: saddle joint has not.
_REST_Z = np.stack([_THUMB_Z, *np.tile([0.0, 0.0, 1.0], (4, 1))])
_REST_HINGES = np.stack([_THUMB_HINGE, *np.stack([_COS, _SIN, _ZERO], -1)])
_REST_UP = np.stack([np.zeros(3), *np.stack([-_SIN, _COS, _ZERO], -1)])
#: Weights of the second witness by the pair of bones (a thumb bends at its end joint), and of the third; the first two
#: are as long as the sines of what they know.
_BEND_WEIGHTS = np.array([[0.0, 1.0], *[[1.0, 1.0]] * 4])[:, :, None]
_CARRIED_WEIGHTS = np.array([0.05, 0.15, 0.15, 0.15, 0.15])[:, None]


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
    joints_mm = np.asarray(joints_mm, float)
    sides = [side] * len(joints_mm) if isinstance(side, str) else side
    mirrors = _MIRRORS.take([each == "left" for each in sides], 0)[:, None]
    positions, frames = _right_hands(joints_mm * (VIEW_FROM_CAMERA * mirrors[..., :3]))
    turns = quaternion.from_matrix(frames) * mirrors[..., 3:]
    return Solution(positions * mirrors[..., :3], turns.take(_BONES, 1), _radii_m(joints_mm))


def poses_of(hands: Sequence[Hand]) -> tuple[HandPose, ...]:
    """The pose of each tracked hand."""
    if not hands:
        return ()
    solution = solve(np.array([hand.joints_mm for hand in hands]), [hand.side for hand in hands])
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
    """Positions (N, 26, 3) and frames of bones (N, 20, 3, 3) of right hands, from joints (N, 21, 3) in view space."""
    n = len(points)
    positions = points.take(_SOURCES, 1)
    chains = points.take(_CHAINS, 1)
    wrist = positions[:, WRIST, None]
    knuckles = chains[:, 1:, 0] - wrist
    palm = _palm(knuckles)

    # The carpus: nearer together than the knuckles, and all as far from the wrist.
    carpus = (knuckles @ palm * _CARPUS) @ palm.swapaxes(1, 2)
    positions[:, _MADE_UP] = wrist + carpus
    positions[:, PALM] = positions[:, WRIST] + (carpus[:, 1] + knuckles[:, 1]) / 2

    bones, x = np.empty((n, _FINGER_BONES + 15, 3)), np.empty((n, _FINGER_BONES + 15, 3))
    bones[:, :_WRIST_BONE] = carpus - knuckles
    bones[:, _WRIST_BONE] = -carpus[:, 1]
    _by_finger(bones)[:] = chains[:, :, :-1] - chains[:, :, 1:]
    z = unit(bones, palm[:, None, :, 2])
    hinges = _hinges(_by_finger(z), palm)
    x[:, :_FINGER_BONES] = palm[:, None, :, 0]
    _by_finger(x)[:] = hinges[:, :, None]
    x[:, _FINGER_BONES] = _about(z[:, _FINGER_BONES], hinges[:, 0], *_THUMB_METACARPAL)
    return positions, _frame(z, x)


def _by_finger(bones: np.ndarray) -> np.ndarray:
    """(N, 5, 3, 3) the fingers' part of (N, 20, 3), as a view."""
    return bones[:, _FINGER_BONES:].reshape(len(bones), 5, 3, 3)


def _palm(knuckles: np.ndarray) -> np.ndarray:
    """(N, 3, 3) frame of the palm from four knuckles (N, 4, 3) relative to the wrist.

    Its normal is that of the fan of triangles wrist, knuckle, next knuckle, weighted by their areas.
    """
    fan = cross(knuckles[:, 1:], knuckles[:, :-1])
    up = fan[:, 0] + fan[:, 1] + fan[:, 2]
    z = unit(-knuckles[:, 1], _BACK)
    return _frame(z, cross(up, z))


_BACK = np.array([0.0, 0.0, 1.0])


def _hinges(z: np.ndarray, palm: np.ndarray) -> np.ndarray:
    """(N, 5, 3) unit hinge of each finger from its bones' z axes (N, 5, 3, 3) and the palm's frame (N, 3, 3)."""
    z = z @ palm[:, None]
    first = z[:, :, 0]
    universal = cross(_REST_UP, first) * np.maximum(first[..., 2:], 0)
    carried = _carried(_REST_Z, first, _REST_HINGES)
    twist_rad = _THUMB_TWIST_RAD + dot(first[:, 0], _THUMB_TWIST_BY_Z_RAD)
    carried[:, 0] = _about(first[:, 0], carried[:, 0], np.cos(twist_rad), np.sin(twist_rad))
    bends = cross(z[:, :, 1:], z[:, :, :-1]) * _BEND_WEIGHTS
    bend = bends[:, :, 0] + bends[:, :, 1]
    bend = bend * np.maximum(dot(bend, carried), 0)  # a hinge bends one way only
    return unit(universal + bend + _CARRIED_WEIGHTS * carried, carried) @ palm.swapaxes(1, 2)


def _carried(start: np.ndarray, end: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """Vectors turned by the shortest turn from unit ``start`` to unit ``end``; all (..., 3)."""
    axis = cross(start, end)
    cosine = dot(start, end)
    along = dot(axis, vectors) * axis
    return vectors * cosine + cross(axis, vectors) + along / np.maximum(1 + cosine, 1e-3)


def _about(axis: np.ndarray, vectors: np.ndarray, cosine: float | np.ndarray, sine: float | np.ndarray) -> np.ndarray:
    """Vectors (..., 3) that are orthogonal to their unit axes, turned about them."""
    return cosine * vectors + sine * cross(axis, vectors)


def _frame(z: np.ndarray, x: np.ndarray) -> np.ndarray:
    """(..., 3, 3) right-handed frames whose third column is unit z and whose first is as near to x as it can be."""
    y = unit(cross(z, x), unit(cross(z, z @ _ASIDE), _BACK))
    frames = np.empty((*y.shape, 3))
    frames[..., 0], frames[..., 1], frames[..., 2] = cross(y, z), y, z
    return frames


#: Takes no vector that hands have to one of its own direction.
_ASIDE = np.array([[0.11, 0.94, 0.27], [-0.83, 0.19, 0.53], [0.41, -0.29, 0.87]])


def _radii_m(joints_mm: np.ndarray) -> np.ndarray:
    """(N, 26) radii: an adult's, scaled by the hand's median bone."""
    sizes = length(joints_mm.take(_CHILDREN, 1) - joints_mm.take(_PARENTS, 1))[..., 0] / ADULT_BONES_MM
    sizes.sort(1)
    size = (sizes[:, (len(BONES) - 1) // 2] + sizes[:, len(BONES) // 2]) / 2  # np.median takes five times as long
    least, most = _SIZES
    return np.minimum(np.maximum(size, least), most)[:, None] * ADULT_RADII_MM / 1000


_CHILDREN, _PARENTS = np.array(BONES).T
