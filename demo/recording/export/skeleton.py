"""A session's hands as animated skeletons of fixed bones, as BVH and glTF want them."""

from dataclasses import dataclass

import numpy as np

from demo.recording.reader import Session
from demo.records import Side
from demo.streams import quaternion
from demo.streams.openxr import WRIST
from demo.streams.skeleton import local_rotations, offsets_m, posed
from demo.streams.solver import solve
from digit.errors import UserError
from digit.skeleton import SIDES


@dataclass(frozen=True, slots=True, eq=False)
class Animation:
    """One hand over the frames in which it was seen. Space: OpenXR's view space, metres, y up."""

    side: Side
    rows: np.ndarray  # (F,) of the session
    seconds: np.ndarray  # (F,) since the session's first frame
    offsets_m: np.ndarray  # (26, 3) each joint in its parent's frame: the median over the frames
    rotations: np.ndarray  # (F, 26, 4) relative to the parent, neighbours on the same half of the sphere
    roots_m: np.ndarray  # (F, 3) the wrist

    def positions_m(self) -> np.ndarray:
        """(F, 26, 3) where the fixed bones put the joints."""
        return posed(self.offsets_m, self.rotations, self.roots_m)[0]


def animations(session: Session) -> tuple[Animation, ...]:
    """The animation of each hand that the session has. Raises UserError when it has none."""
    joints_mm = session.hands("joints_mm")
    seconds = (session.times_ns - session.times_ns[0]) / 1e9
    found = tuple(
        _animation(side, rows, seconds[rows], joints_mm[rows, n])
        for n, side in enumerate(SIDES)
        if len(rows := np.flatnonzero(np.isfinite(joints_mm[:, n]).all(axis=(1, 2))))
    )
    if not found:
        raise UserError(f"The session {session.folder.name} shows no hand, so there is nothing to animate.")
    return found


def _animation(side: Side, rows: np.ndarray, seconds: np.ndarray, joints_mm: np.ndarray) -> Animation:
    solution = solve(joints_mm, side)
    offsets = np.median(offsets_m(solution.positions_m, solution.orientations), axis=0)
    rotations = continuous(local_rotations(solution.orientations))
    return Animation(side, rows, seconds, offsets, rotations, solution.positions_m[:, WRIST])


def continuous(rotations: np.ndarray) -> np.ndarray:
    """(F, J, 4) the same rotations, each quaternion on its predecessor's half, so that players blend the short way."""
    flips = np.sign((rotations[1:] * rotations[:-1]).sum(-1))
    flips = np.concatenate([np.ones_like(flips[:1]) if len(flips) else np.ones((1, rotations.shape[1])), flips])
    return rotations * np.cumprod(np.where(flips == 0, 1.0, flips), axis=0)[..., None]


def euler_zxy_deg(rotations: np.ndarray) -> np.ndarray:
    """(..., 3) angles z, x, y in degrees with rotation = Rz · Rx · Ry (BVH's usual order)."""
    m = quaternion.to_matrix(rotations)
    x = np.arcsin(np.clip(m[..., 2, 1], -1, 1))
    locked = np.abs(m[..., 2, 1]) > 1 - 1e-9
    z = np.where(locked, np.arctan2(m[..., 1, 0], m[..., 0, 0]), np.arctan2(-m[..., 0, 1], m[..., 1, 1]))
    y = np.where(locked, 0.0, np.arctan2(-m[..., 2, 0], m[..., 2, 2]))
    return np.degrees(np.stack([z, x, y], -1))
