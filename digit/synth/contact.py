"""Let two posed hands touch: fingers give way where hands run into each other, and reach for what they should touch.

Both hands are spheres along their bones. A few damped Gauss-Newton steps change finger angles and the left hand's place
until no sphere is deeper in another than skin is soft; the pose that was asked for pulls back.
"""

from dataclasses import dataclass

import numpy as np

from digit.skeleton import BONES as SKELETON_BONES
from digit.skeleton import JOINTS
from digit.synth.hand_model import (
    ANGLES,
    DESCENDANTS,
    TURNED_BONES,
    HandModel,
    PosedHand,
    rotation,
    transforms_and_axes,
)
from digit.synth.poses import LIMITS_DEG

#: Depth to which skin may give way where hands touch, mm.
SOFTNESS_MM = 4.0
SPHERES_A_BONE = 5
_RADIUS_MM = {"4": 6.5, "3": 7.0, "2": 7.8, "1": 11.5}  # of the bone that ends in tip, 3, 2, base joint
#: The solver's steps, and the share of each that is taken: whole ones swing between in and out.
_STEPS, _DAMPING = 7, 0.7
_FREE = len(ANGLES) - 3  # all but the wrist
_RIGID = 6
#: It stops once nothing moves by so much; a radian of an angle moves what it turns by about a finger's length.
_STILL_MM = 1.0
_REACH_MM = np.concatenate([np.full(2 * _FREE, 80.0), np.ones(3), np.full(3, 80.0)])
#: Depth that hands settle at, and joints that touch, mm.
_DEPTH_MM, _TOUCH_DEPTH_MM = 0.5 * SOFTNESS_MM, 1.0
#: So many of the deepest spheres between the hands count.
_DEEPEST = 160
#: Of the spheres that hands cling with, every so many-th.
_CLING_EVERY = 2
#: A sphere reaches for the other hand, where hands cling to each other, if it lies within so much of it, mm.
_CLING_MM = 25.0
#: How far angles (degrees) and the left hand's place (mm, degrees) may leave what was asked for.
_ANGLE_SIGMA, _SHIFT_SIGMA_MM, _TURN_SIGMA = 16.0, 9.0, 6.0
_STIFFNESS = 6.0
_FLIP = np.diag([-1.0, 1.0, 1.0])
_NEXT, _LAST = [1, 2, 0], [2, 0, 1]

#: Pairs of spheres of both hands (M,), (M,), by how much their distances should grow, mm (M,), and weights (M,).
Wish = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


@dataclass(frozen=True, slots=True)
class Pair:
    """Two hands before skinning; ``camera_from_hand`` is a rotation, ``shift_mm`` the wrist."""

    angles_deg: dict[str, np.ndarray]  # (24,) by side
    camera_from_hand: dict[str, np.ndarray]  # (3, 3) by side, for the right hand's or the mirrored hand's own frame
    shift_mm: dict[str, np.ndarray]  # (3,) by side


@dataclass(frozen=True, slots=True)
class Touch:
    """A joint of the right and one of the left hand that touch."""

    right: str
    left: str


def _sphere_tables() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    child = np.repeat([c for c, _ in SKELETON_BONES], SPHERES_A_BONE)
    parent = np.repeat([p for _, p in SKELETON_BONES], SPHERES_A_BONE)
    share = np.tile(np.linspace(0, 1, SPHERES_A_BONE), len(SKELETON_BONES))
    radius = np.repeat([_RADIUS_MM[JOINTS[c][-1]] for c, _ in SKELETON_BONES], SPHERES_A_BONE)
    finger = np.repeat([c // 4 for c, _ in SKELETON_BONES], SPHERES_A_BONE)
    # Fingers of one hand touch at their roots anyway: only the two outer bones of each are kept apart.
    outer = np.repeat([JOINTS[c][-1] in "43" for c, _ in SKELETON_BONES], SPHERES_A_BONE)
    return child, parent, share, radius, np.where(outer, finger, -1)


_CHILD, _PARENT, _SHARE, RADIUS_MM, _FINGER = _sphere_tables()
#: (N, 21) what each joint has in a sphere's centre.
_SPHERES_FROM_JOINTS = (1 - _SHARE)[:, None] * np.eye(21)[_CHILD] + _SHARE[:, None] * np.eye(21)[_PARENT]
#: Of both hands' spheres in one row, the left hand's first.
_LEFT = len(RADIUS_MM)
#: The spheres by which fingers of one hand are kept apart, and how near two of them may be: of one finger, as they are.
_OUTER = np.flatnonzero(_FINGER >= 0)
_OUTER_REACH_MM = np.where(
    _FINGER[_OUTER][:, None] < _FINGER[_OUTER], 0.85 * (RADIUS_MM[_OUTER][:, None] + RADIUS_MM[_OUTER]), 0.0
)


def spheres(hand: PosedHand) -> tuple[np.ndarray, np.ndarray]:
    """Centres (N, 3) and radii (N,) in mm of spheres along a posed hand's bones."""
    return _SPHERES_FROM_JOINTS @ hand.joints_mm, RADIUS_MM


def gap_mm(hands: dict[str, PosedHand]) -> float:
    """Smallest distance between the two hands' spheres; negative where they run into each other."""
    (a, ra), (b, rb) = spheres(hands["right"]), spheres(hands["left"])
    return float((_distances(a, b) - ra[:, None] - rb[None]).min())


def settle(
    model: HandModel,
    shape: int,
    pair: Pair,
    touches: tuple[Touch, ...] = (),
    shift_mm: float = _SHIFT_SIGMA_MM,
    cling: float = 0.0,
    steps: int = _STEPS,
) -> Pair:
    """The pair with fingers that give way to each other and with ``touches`` closed; both hands have one ``shape``.

    ``shift_mm`` says how readily the left hand leaves its place rather than fingers their pose, ``cling`` how much
    whatever is near the other hand, palms and fingers, reaches for it: hands that press or grip. ``steps`` of the
    solver at most.
    """
    stiffness, moves = _stiffness(shift_mm), carried(model)
    moved = np.zeros_like(stiffness)
    for _ in range(steps):
        centres_mm, screws = kinematics(model, shape, moved_by(pair, moved))
        gaps_mm = _gaps_mm(centres_mm)
        wishes = [_give_way(gaps_mm), _own_fingers(centres_mm), *_cling(gaps_mm, cling), _touch(gaps_mm, touches)]
        a, b, wanted_mm, weight = (np.concatenate(column) for column in zip(*wishes, strict=True))
        if not len(a):
            break
        spheres_mm = centres_mm.reshape(-1, 3)
        jacobian = by_screw(screws, spheres_mm[a], spheres_mm[b]) * (moves[:, a] - moves[:, b])
        normal = (jacobian * weight) @ jacobian.T + np.diag(stiffness)
        step = _DAMPING * np.linalg.solve(normal, jacobian @ (weight * wanted_mm) - stiffness * moved)
        moved += step
        if np.abs(step * _REACH_MM).max() < _STILL_MM:
            break
    return moved_by(pair, moved)


def _stiffness(shift_mm: float) -> np.ndarray:
    """(48,) how little each of what may move likes to leave what was asked for."""
    angle = np.full(_FREE, np.radians(_ANGLE_SIGMA))
    rigid = np.concatenate([np.full(3, shift_mm), np.full(3, np.radians(_TURN_SIGMA))])
    stiffness = _STIFFNESS / np.concatenate([angle, angle, rigid]) ** 2
    sideways = [n for n, name in enumerate(ANGLES[:_FREE]) if name.endswith(("twist", "side"))]
    stiffness[[*sideways, *(_FREE + n for n in sideways)]] *= 2.0 if shift_mm >= _SHIFT_SIGMA_MM else 0.5
    return stiffness


def _gaps_mm(centres_mm: np.ndarray) -> np.ndarray:
    """(N, N) from each of the right hand's spheres to each of the left one's; negative where they overlap."""
    return _distances(*centres_mm) - RADIUS_MM[:, None] - RADIUS_MM


def _give_way(gaps_mm: np.ndarray) -> Wish:
    """Spheres deeper in the other hand than skin is soft, the deepest of them, want out."""
    flat = np.flatnonzero(gaps_mm < -_DEPTH_MM)
    if len(flat) > _DEEPEST:
        flat = flat[np.argsort(gaps_mm.ravel()[flat], kind="stable")[:_DEEPEST]]
    right, left = np.divmod(flat, len(gaps_mm))
    return right, _LEFT + left, -_DEPTH_MM - gaps_mm[right, left], np.ones(len(flat))


def _own_fingers(centres_mm: np.ndarray) -> Wish:
    """Fingers of one hand want to stay out of each other."""
    outer_mm = centres_mm[:, _OUTER]
    deep_mm = _OUTER_REACH_MM - _distances(outer_mm, outer_mm)
    side, a, b = np.nonzero(deep_mm > 0)
    first = side * _LEFT
    return first + _OUTER[a], first + _OUTER[b], deep_mm[side, a, b], np.full(len(a), 0.7)


def _cling(gaps_mm: np.ndarray, cling: float) -> list[Wish]:
    """Spheres near the other hand want to reach its nearest one."""
    wishes: list[Wish] = []
    some = np.arange(0, len(gaps_mm) if cling else 0, _CLING_EVERY)
    for right, left in ((some, gaps_mm[some].argmin(axis=1)), (gaps_mm[:, some].argmin(axis=0), some)):
        wanted_mm = -_DEPTH_MM - gaps_mm[right, left]
        near = (wanted_mm < 0) & (wanted_mm > -_CLING_MM)
        weight = np.full(int(near.sum()), _CLING_EVERY * cling)
        wishes.append((right[near], _LEFT + left[near], wanted_mm[near], weight))
    return wishes


def _touch(gaps_mm: np.ndarray, touches: tuple[Touch, ...]) -> Wish:
    """Joints that are to touch and do not want to."""
    right = np.array([_sphere_of(touch.right) for touch in touches], int)
    left = np.array([_sphere_of(touch.left) for touch in touches], int)
    wanted_mm = -_TOUCH_DEPTH_MM - gaps_mm[right, left]
    far = wanted_mm < 0
    return right[far], _LEFT + left[far], wanted_mm[far], np.full(int(far.sum()), 1.5)


def moved_by(pair: Pair, moved: np.ndarray) -> Pair:
    """The pair with its angles and the left hand's place and turn moved (48,), in radians and mm, within limits."""
    angles = {}
    for n, side in enumerate(("right", "left")):
        turned = pair.angles_deg[side].copy()
        turned[:_FREE] += np.degrees(moved[n * _FREE : (n + 1) * _FREE])
        angles[side] = np.clip(turned, LIMITS_DEG[:, 0], LIMITS_DEG[:, 1])
    shift, turn = moved[2 * _FREE : 2 * _FREE + 3], moved[2 * _FREE + 3 :]
    angle = float(np.linalg.norm(turn))
    left = pair.camera_from_hand["left"]
    if angle > 1e-9:
        left = rotation(turn / angle, np.degrees(angle)) @ left
    return Pair(
        angles,
        pair.camera_from_hand | {"left": left},
        pair.shift_mm | {"left": pair.shift_mm["left"] + shift},
    )


def kinematics(model: HandModel, shape: int, pair: Pair) -> tuple[np.ndarray, np.ndarray]:
    """Sphere centres (2, N, 3), mm, and the screws (48, 6) of all that may move them.

    A screw (axis, point on it x axis) moves a point p by axis x p + point x axis a radian; a shift has no axis.
    """
    angles_deg = np.stack([pair.angles_deg[side] for side in ("right", "left")])
    turns, shifts, axes, points = transforms_and_axes(model, shape, angles_deg)
    bones = model.joint_bones
    joints = (turns[:, bones] @ model.joints_mm[shape][..., None])[..., 0] + shifts[:, bones]
    to_camera = np.stack([pair.camera_from_hand["right"], pair.camera_from_hand["left"] @ _FLIP]).swapaxes(1, 2)
    origin_mm = np.stack([pair.shift_mm["right"], pair.shift_mm["left"]])
    # A mirror turns the sense of rotations about.
    axes = axes[:, :_FREE] @ to_camera * np.array([1.0, -1.0])[:, None, None]
    points = points[:, :_FREE] @ to_camera + origin_mm[:, None]
    screws = np.zeros((2 * _FREE + _RIGID, 6))
    screws[: 2 * _FREE, :3] = axes.reshape(-1, 3)
    screws[: 2 * _FREE, 3:] = _cross(points, axes).reshape(-1, 3)
    screws[-6:-3, 3:] = screws[-3:, :3] = np.eye(3)
    screws[-3:, 3:] = _cross(origin_mm[1], np.eye(3))
    return _SPHERES_FROM_JOINTS @ (joints @ to_camera + origin_mm[:, None]), screws


def carried(model: HandModel) -> np.ndarray:
    """(48, 2N) of 0 and 1: which of both hands' spheres each screw moves."""
    fingers = DESCENDANTS[TURNED_BONES[:_FREE]][:, model.joint_bones[_PARENT]]
    moves = np.zeros((2 * _FREE + _RIGID, 2 * _LEFT))
    moves[:_FREE, :_LEFT] = moves[_FREE : 2 * _FREE, _LEFT:] = fingers
    moves[2 * _FREE :, _LEFT:] = 1.0
    return moves


def by_screw(screws: np.ndarray, a_mm: np.ndarray, b_mm: np.ndarray) -> np.ndarray:
    """(48, M) derivative of the distances between points a and b (M, 3) by screws that move a; if they move b, less it.

    A screw's reciprocal product with the line through both points, in Pluecker coordinates.
    """
    way = a_mm - b_mm
    way /= np.sqrt(np.maximum((way**2).sum(axis=1, keepdims=True), 1e-12))
    return screws @ np.concatenate([_cross(a_mm, way), way], axis=1).T


def _distances(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(..., N, M) between points (..., N, 3) and (..., M, 3)."""
    squared = (-2.0 * a) @ b.swapaxes(-1, -2)
    squared += (a**2).sum(-1)[..., None]
    squared += (b**2).sum(-1)[..., None, :]
    return np.sqrt(np.maximum(squared, 1e-9, out=squared), out=squared)


def _cross(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """`numpy.cross` of (..., 3), a third of whose time goes into what it allows besides."""
    return a[..., _NEXT] * b[..., _LAST] - a[..., _LAST] * b[..., _NEXT]


def _sphere_of(joint: str) -> int:
    """The first sphere on a joint: joints begin the bones that lead to their parent."""
    return int(np.flatnonzero(JOINTS.index(joint) == _CHILD)[0])
