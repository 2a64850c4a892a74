"""The solid hand of the 3D view: one fixed mesh of joint spheres and bone cones whose vertices follow 21 joints.

Everything that does not change (triangles, which joint or bone a vertex belongs to, colours) is made once. A frame
costs one vectorised pass over about 3,000 vertices. World axes: x right, y into the picture, z up, millimetres.
"""

import numpy as np
import numpy.typing as npt

from digit.skeleton import BONES, JOINTS

Floats = npt.NDArray[np.float32]

#: A proper rotation (determinant +1): what the camera sees from the front stays upright and is not mirrored.
WORLD_FROM_CAMERA = np.array([[1, 0, 0], [0, 0, 1], [0, -1, 0]], np.float32)

SEGMENTS = 14
RINGS = 8


def _joint_radius_mm(name: str) -> float:
    if name == "wrist":
        return 12.0
    knuckle = (5.6, 6.6, 7.4, 8.8)[4 - int(name[-1])]  # tip .. base
    return knuckle * {"thumb": 1.15, "pinky": 0.88}.get(name[:-1], 1.0)


JOINT_RADII_MM = np.array([_joint_radius_mm(name) for name in JOINTS], np.float32)
CHILDREN = np.array([child for child, _ in BONES])
PARENTS = np.array([parent for _, parent in BONES])


def _sphere() -> tuple[Floats, npt.NDArray[np.uint32]]:
    """Unit sphere: (V, 3) directions and (T, 3) triangles, counter-clockwise from outside."""
    polar = np.linspace(0, np.pi, RINGS + 1)
    around = np.linspace(0, 2 * np.pi, SEGMENTS, endpoint=False)
    p, a = np.meshgrid(polar, around, indexing="ij")
    directions = np.stack([np.sin(p) * np.cos(a), np.sin(p) * np.sin(a), np.cos(p)], -1).reshape(-1, 3)
    return directions.astype(np.float32), _tube_triangles(RINGS + 1)


def _tube_triangles(rings: int) -> npt.NDArray[np.uint32]:
    """(T, 3) triangles of a closed strip of ``rings`` rings of SEGMENTS vertices each."""
    ring, k = np.meshgrid(np.arange(rings - 1), np.arange(SEGMENTS), indexing="ij")
    a, b = ring * SEGMENTS + k, ring * SEGMENTS + (k + 1) % SEGMENTS
    c, d = a + SEGMENTS, b + SEGMENTS
    return np.concatenate([np.stack([a, c, b], -1), np.stack([b, c, d], -1)]).reshape(-1, 3).astype(np.uint32)


_DIRECTIONS, _SPHERE_TRIANGLES = _sphere()
_CONE_TRIANGLES = _tube_triangles(2)
_SPHERES_END = len(JOINTS) * len(_DIRECTIONS)
_CONE_VERTICES = 2 * SEGMENTS
VERTICES = _SPHERES_END + len(BONES) * _CONE_VERTICES

TRIANGLES = np.concatenate(
    [_SPHERE_TRIANGLES + j * len(_DIRECTIONS) for j in range(len(JOINTS))]
    + [_CONE_TRIANGLES + _SPHERES_END + b * _CONE_VERTICES for b in range(len(BONES))]
).astype(np.uint32)

_ANGLES = np.linspace(0, 2 * np.pi, SEGMENTS, endpoint=False)
_CIRCLE = np.stack([np.cos(_ANGLES), np.sin(_ANGLES)], -1).astype(np.float32)
_SPHERE_OFFSETS = (JOINT_RADII_MM[:, None, None] * _DIRECTIONS).astype(np.float32)
#: Bones are slimmer than their joints, so that the joints read as joints.
_CONE_RADII_MM = 0.8 * np.stack([JOINT_RADII_MM[CHILDREN], np.minimum(JOINT_RADII_MM[PARENTS], 9.0)], 1)


def vertex_colors(joint_colors: npt.ArrayLike) -> Floats:
    """(VERTICES, 3) colours in [0, 1] from (21, 3) joint colours; a bone takes the colour of its child joint."""
    colors = np.asarray(joint_colors, np.float32)
    spheres = np.repeat(colors, len(_DIRECTIONS), axis=0)
    cones = np.repeat(colors[CHILDREN] * 0.92, _CONE_VERTICES, axis=0)
    return np.concatenate([spheres, cones])


def world_from_camera(joints_mm: npt.ArrayLike) -> Floats:
    """(..., 3) camera-space points (x right, y down, z forward) in world axes (x right, y inward, z up)."""
    return np.asarray(joints_mm, np.float32) @ WORLD_FROM_CAMERA.T


def hand_vertices(joints: npt.ArrayLike) -> tuple[Floats, Floats]:
    """Positions in mm and unit normals, both (VERTICES, 3) float32, of the hand with these (21, 3) world joints."""
    joints = np.asarray(joints, np.float32)
    child, parent = joints[CHILDREN], joints[PARENTS]
    along = child - parent
    along /= np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-6)
    # Any axis that is not along the bone gives a frame; the smallest component is never parallel to it.
    axis = np.eye(3, dtype=np.float32)[np.argmin(np.abs(along), axis=1)]
    u = np.cross(along, axis)
    u /= np.maximum(np.linalg.norm(u, axis=1, keepdims=True), 1e-6)
    v = np.cross(along, u)
    radial = _CIRCLE[None, :, :1] * u[:, None] + _CIRCLE[None, :, 1:] * v[:, None]  # (20, SEGMENTS, 3)
    rings = np.stack([child, parent], 1)[:, :, None] + _CONE_RADII_MM[:, :, None, None] * radial[:, None]
    positions = np.concatenate([(joints[:, None] + _SPHERE_OFFSETS).reshape(-1, 3), rings.reshape(-1, 3)])
    normals = np.concatenate(
        [np.tile(_DIRECTIONS, (len(JOINTS), 1)), np.repeat(radial[:, None], 2, axis=1).reshape(-1, 3)]
    )
    return positions.astype(np.float32), normals.astype(np.float32)
