"""Unit quaternions as (..., 4) arrays x, y, z, w: the order of OpenXR, WebXR, Unity and glTF."""

import numpy as np

IDENTITY = np.array([0.0, 0.0, 0.0, 1.0])


def _shepperd() -> np.ndarray:
    """(9, 16): the nine entries of a rotation matrix to four multiples of its quaternion, less the identity."""
    xx, xy, xz, yx, yy, yz, zx, zy, zz = np.eye(9)
    rows = [
        [xx - yy - zz, xy + yx, xz + zx, zy - yz],
        [xy + yx, yy - xx - zz, yz + zy, xz - zx],
        [xz + zx, yz + zy, zz - xx - yy, yx - xy],
        [zy - yz, xz - zx, yx - xy, xx + yy + zz],
    ]
    return np.array(rows).reshape(16, 9).T


_SHEPPERD = _shepperd()


def from_matrix(matrix: np.ndarray) -> np.ndarray:
    """(..., 4) with w >= 0 from rotation matrices (..., 3, 3) (Shepperd: the largest component is found first)."""
    rows = (matrix.reshape(*matrix.shape[:-2], 9) @ _SHEPPERD).reshape(*matrix.shape[:-2], 4, 4) + np.eye(4)
    largest = np.argmax(np.einsum("...ii->...i", rows), -1)
    best = np.take_along_axis(rows, largest[..., None, None], -2)[..., 0, :]
    best = best / np.sqrt(np.einsum("...i,...i->...", best, best))[..., None]
    return np.where(best[..., 3:] < 0, -best, best)


def to_matrix(q: np.ndarray) -> np.ndarray:
    """Rotation matrices (..., 3, 3)."""
    x, y, z, w = np.moveaxis(q, -1, 0)
    entries = [
        1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w),
        2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w),
        2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y),
    ]  # fmt: skip
    return np.stack(entries, -1).reshape(*np.shape(q)[:-1], 3, 3)


def multiply(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """a after b."""
    (ax, ay, az, aw), (bx, by, bz, bw) = np.moveaxis(a, -1, 0), np.moveaxis(b, -1, 0)
    return np.stack(
        [
            aw * bx + ax * bw + ay * bz - az * by,
            aw * by - ax * bz + ay * bw + az * bx,
            aw * bz + ax * by - ay * bx + az * bw,
            aw * bw - ax * bx - ay * by - az * bz,
        ],
        -1,
    )


def inverse(q: np.ndarray) -> np.ndarray:
    """The opposite turn."""
    return q * np.array([-1.0, -1.0, -1.0, 1.0])


def rotate(q: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Points (..., 3) turned by q (..., 4)."""
    xyz, w = q[..., :3], q[..., 3:]
    twice = 2 * np.cross(xyz, points)
    return points + w * twice + np.cross(xyz, twice)


def mirror_x(q: np.ndarray) -> np.ndarray:
    """The turn of the mirrored hand (x negated), whose frames point the same ways along and out of the hand."""
    return q * np.array([1.0, -1.0, -1.0, 1.0])


def angle_deg(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(...) degrees between two orientations."""
    difference = multiply(inverse(a), b)
    return np.degrees(2 * np.arctan2(np.linalg.norm(difference[..., :3], axis=-1), np.abs(difference[..., 3])))


def rotation_vector(q: np.ndarray) -> np.ndarray:
    """(..., 3) axis times angle in radians, the angle at most pi."""
    q = np.where(q[..., 3:] < 0, -q, q)
    sine = np.linalg.norm(q[..., :3], axis=-1, keepdims=True)
    return q[..., :3] * (2 * np.arctan2(sine, q[..., 3:]) / np.where(sine > 1e-12, sine, 1.0))
