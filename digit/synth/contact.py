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
    skew,
    transforms_and_axes,
)
from digit.synth.poses import LIMITS_DEG

#: Depth to which skin may give way where hands touch, mm.
SOFTNESS_MM = 4.0
SPHERES_A_BONE = 5
_RADIUS_MM = {"4": 6.5, "3": 7.0, "2": 7.8, "1": 11.5}  # of the bone that ends in tip, 3, 2, base joint
_STEPS = 7
_FREE = len(ANGLES) - 3  # all but the wrist
_RIGID = 6
#: Of the spheres that hands cling with, every so many-th.
_CLING_EVERY = 2
#: A sphere reaches for the other hand, where hands cling to each other, if it lies within so much of it, mm.
_CLING_MM = 25.0
#: How far angles (degrees) and the left hand's place (mm, degrees) may leave what was asked for.
_ANGLE_SIGMA, _SHIFT_SIGMA_MM, _TURN_SIGMA = 16.0, 9.0, 6.0
_FLIP, _SAME = np.diag([-1.0, 1.0, 1.0]), np.eye(3)


@dataclass(frozen=True, slots=True)
class Pair:
    """Two hands before skinning; ``camera_from_hand`` is a rotation, ``shift_mm`` the wrist."""

    angles_deg: dict[str, np.ndarray]  # (23,) by side
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
_OWN_PAIRS = np.argwhere(
    (_FINGER[:, None] >= 0) & (_FINGER[None] >= 0) & (_FINGER[:, None] < _FINGER[None])
)  # of spheres on different fingers of one hand


def spheres(hand: PosedHand) -> tuple[np.ndarray, np.ndarray]:
    """Centres (N, 3) and radii (N,) in mm of spheres along a posed hand's bones."""
    joints = hand.joints_mm
    return joints[_CHILD] + _SHARE[:, None] * (joints[_PARENT] - joints[_CHILD]), RADIUS_MM


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
    count = 2 * _FREE + _RIGID
    moved = np.zeros(count)
    stiffness = np.concatenate(
        [np.full(2 * _FREE, np.radians(_ANGLE_SIGMA)), np.full(3, shift_mm), np.full(3, np.radians(_TURN_SIGMA))]
    )
    stiffness = 6.0 / stiffness**2
    for side in range(2):
        for n, name in enumerate(ANGLES[:_FREE]):
            if name.endswith(("twist", "side")):
                stiffness[side * _FREE + n] *= 2.0 if shift_mm >= _SHIFT_SIGMA_MM else 0.5
    for _ in range(steps):
        now = _moved(pair, moved)
        (right, left), (right_by, left_by) = _kinematics(model, shape, now)
        rows, wants, weights = [], [], []
        distance = _distances(right, left)
        deep = RADIUS_MM[:, None] + RADIUS_MM[None] - 0.5 * SOFTNESS_MM - distance
        i, j = _deepest(deep)
        rows.append(_towards(right[i], left[j], right_by[i], left_by[j]))
        wants.append(deep[i, j])
        weights.append(np.ones(len(i)))
        for centres, by in ((right, right_by), (left, left_by)):
            a, b = _OWN_PAIRS.T
            own = 0.85 * (RADIUS_MM[a] + RADIUS_MM[b]) - np.linalg.norm(centres[a] - centres[b], axis=1)
            k = np.flatnonzero(own > 0)[:60]
            rows.append(_towards(centres[a[k]], centres[b[k]], by[a[k]], by[b[k]]))
            wants.append(own[k])
            weights.append(np.full(len(k), 0.7))
        if cling:
            some = np.arange(0, len(RADIUS_MM), _CLING_EVERY)
            for i, j in ((some, deep[some].argmax(axis=1)), (deep[:, some].argmax(axis=0), some)):
                near = (deep[i, j] < 0) & (deep[i, j] > -_CLING_MM)
                i, j = i[near], j[near]
                rows.append(_towards(right[i], left[j], right_by[i], left_by[j]))
                wants.append(deep[i, j])
                weights.append(np.full(len(i), _CLING_EVERY * cling))
        for touch in touches:
            i, j = _sphere_of(touch.right), _sphere_of(touch.left)
            reach = RADIUS_MM[i] + RADIUS_MM[j] - 1.0 - distance[i, j]
            if reach < 0:
                rows.append(_towards(right[[i]], left[[j]], right_by[[i]], left_by[[j]]))
                wants.append(np.array([reach]))
                weights.append(np.array([1.5]))
        if not sum(map(len, wants)):
            break
        jacobian = np.concatenate(rows)
        weight = np.concatenate(weights)
        normal = (jacobian * weight[:, None]).T @ jacobian + np.diag(stiffness)
        moved += np.linalg.solve(normal, jacobian.T @ (weight * np.concatenate(wants)) - stiffness * moved)
    return _moved(pair, moved)


def _moved(pair: Pair, moved: np.ndarray) -> Pair:
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


def _kinematics(model: HandModel, shape: int, pair: Pair) -> tuple[np.ndarray, np.ndarray]:
    """Sphere centres (2, N, 3) and their derivative (2, N, 3, 2 * FREE + 6) by all that may move, in radians and mm."""
    angles_deg = np.stack([pair.angles_deg["right"], pair.angles_deg["left"]])
    turns, shifts, axes, pivots = transforms_and_axes(model, shape, angles_deg)
    axes, pivots = axes[:, :_FREE], pivots[:, :_FREE]
    joints = model.joints_mm[shape]
    rest = joints[_CHILD] + _SHARE[:, None] * (joints[_PARENT] - joints[_CHILD])
    carrier = model.joint_bones[_PARENT]
    local = (turns[:, carrier] @ rest[..., None])[..., 0] + shifts[:, carrier]
    to_camera = np.stack([pair.camera_from_hand["right"] @ _SAME, pair.camera_from_hand["left"] @ _FLIP])
    # axis x (point - pivot) = skew(axis) @ point - axis x pivot, turned to the camera, as one product for all points
    turned = to_camera[:, None] @ skew(axes)  # (2, FREE, 3, 3)
    by_angle = (turned.reshape(2, -1, 3) @ local.swapaxes(1, 2)).reshape(2, _FREE, 3, -1) - turned @ pivots[..., None]
    by_angle *= DESCENDANTS[TURNED_BONES[:_FREE]][:, None, carrier]
    centres = local @ to_camera.swapaxes(1, 2)
    by = np.zeros((2, len(rest), 3, 2 * _FREE + _RIGID))
    for side in range(2):
        by[side, :, :, side * _FREE : (side + 1) * _FREE] = by_angle[side].transpose(2, 1, 0)
    by[1, :, :, 2 * _FREE : 2 * _FREE + 3] = _SAME
    by[1, :, :, 2 * _FREE + 3 :] = -skew(centres[1])
    return centres + np.stack([pair.shift_mm["right"], pair.shift_mm["left"]])[:, None], by


def _deepest(deep: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    flat = np.flatnonzero(deep > 0)
    if len(flat) > 160:
        flat = flat[np.argsort(-deep.ravel()[flat], kind="stable")[:160]]
    i, j = np.divmod(flat, deep.shape[1])
    return i, j


def _towards(a: np.ndarray, b: np.ndarray, a_by: np.ndarray, b_by: np.ndarray) -> np.ndarray:
    """(M, D) derivative of the distance between points a and b."""
    away = a - b
    away /= np.maximum(np.linalg.norm(away, axis=1, keepdims=True), 1e-6)
    return (away[:, None] @ (a_by - b_by))[:, 0]


def _distances(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    squared = (a**2).sum(1)[:, None] + (b**2).sum(1)[None] - 2 * a @ b.T
    return np.sqrt(np.maximum(squared, 1e-9))


def _sphere_of(joint: str) -> int:
    """The first sphere on a joint: joints begin the bones that lead to their parent."""
    return int(np.flatnonzero(JOINTS.index(joint) == _CHILD)[0])
