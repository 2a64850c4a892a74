"""A hand as a fixed skeleton: each joint's rotation and place relative to its parent, and back again.

This is what animation formats want (VMC, BVH, glTF): bones that do not change and one local rotation each. In a bone's
frame its child lies at (0, 0, -length), so at rest, with all rotations `REST`, the fingers lie flat and side by side.
"""

import numpy as np

from demo.records import Side
from demo.streams import quaternion
from demo.streams.openxr import JOINTS, PARENTS, WRIST
from demo.streams.solver import thumb_at_rest

#: Joints after their parents, the wrist first.
ORDER = (WRIST, *(i for i in range(len(JOINTS)) if i != WRIST))
_PARENTS = np.array(PARENTS)


def _rest() -> np.ndarray:
    rest = np.tile(quaternion.IDENTITY, (len(JOINTS), 1))
    rest[JOINTS.index("thumb_metacarpal")] = thumb_at_rest()
    return rest


#: (26, 4) local rotations of a flat right hand; only the thumb's metacarpal is turned against the wrist.
REST = _rest()
REST.flags.writeable = False


def rest(side: Side) -> np.ndarray:
    """(26, 4) local rotations of a flat hand of this side."""
    return REST if side == "right" else quaternion.mirror_x(REST)


def local_rotations(orientations: np.ndarray) -> np.ndarray:
    """(..., 26, 4) rotations relative to the parent joint, from orientations in one space; the wrist keeps its own."""
    local = quaternion.multiply(quaternion.inverse(orientations[..., _PARENTS, :]), orientations)
    local[..., WRIST, :] = orientations[..., WRIST, :]
    return local


def offsets_m(positions_m: np.ndarray, orientations: np.ndarray) -> np.ndarray:
    """(..., 26, 3) place of each joint in its parent's frame; the wrist's is zero.

    The median over a session's frames is its fixed skeleton.
    """
    relative = positions_m - positions_m[..., _PARENTS, :]
    return quaternion.rotate(quaternion.inverse(orientations[..., _PARENTS, :]), relative)


def posed(offsets_m: np.ndarray, local: np.ndarray, root_m: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Positions (..., 26, 3) and orientations (..., 26, 4) of a skeleton with these local rotations, wrist at root."""
    orientations = np.array(local)
    positions = np.empty((*local.shape[:-1], 3))
    positions[..., WRIST, :] = root_m
    for joint in ORDER[1:]:
        parent = PARENTS[joint]
        orientations[..., joint, :] = quaternion.multiply(orientations[..., parent, :], local[..., joint, :])
        step = quaternion.rotate(
            orientations[..., parent, :], np.broadcast_to(offsets_m[..., joint, :], positions[..., joint, :].shape)
        )
        positions[..., joint, :] = positions[..., parent, :] + step
    return positions, orientations
