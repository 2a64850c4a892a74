"""Unit quaternions as (..., 4) arrays x, y, z, w: the order of OpenXR, WebXR, Unity and glTF."""

from functools import lru_cache

import numpy as np

from demo.streams.vectors import cross, length

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


def _product() -> np.ndarray:
    """(16, 4): the products of the components of two quaternions to their product."""
    (xx, xy, xz, xw), (yx, yy, yz, yw), (zx, zy, zz, zw), (wx, wy, wz, ww) = np.eye(16).reshape(4, 4, 16)
    return np.array([wx + xw + yz - zy, wy - xz + yw + zx, wz + xy - yx + zw, ww - xx - yy - zz]).T


def _square() -> np.ndarray:
    """(16, 9): the products of a unit quaternion's components to the nine entries of its rotation matrix."""
    (xx, xy, xz, xw), (_, yy, yz, yw), (_, _, zz, zw), (_, _, _, ww) = np.eye(16).reshape(4, 4, 16)
    entries = [
        ww + xx - yy - zz, 2 * (xy - zw), 2 * (xz + yw),
        2 * (xy + zw), ww - xx + yy - zz, 2 * (yz - xw),
        2 * (xz - yw), 2 * (yz + xw), ww - xx - yy + zz,
    ]  # fmt: skip
    return np.array(entries).T


_SHEPPERD, _EYE, _PRODUCT, _SQUARE = _shepperd(), np.eye(4).ravel(), _product(), _square()
_COLUMNS = tuple(np.ascontiguousarray(_SQUARE[:, axis::3]) for axis in range(3))
_INVERSE, _MIRROR = np.array([-1.0, -1.0, -1.0, 1.0]), np.array([1.0, -1.0, -1.0, 1.0])


def from_matrix(matrix: np.ndarray) -> np.ndarray:
    """(..., 4) with w >= 0 from rotation matrices (..., 3, 3) (Shepperd: the largest component is found first)."""
    rows = matrix.reshape(-1, 9) @ _SHEPPERD + _EYE
    largest = rows[:, ::5].argmax(1) + _firsts(len(rows))
    best = rows.reshape(-1, 4).take(largest, 0)
    best = best / np.copysign(length(best), best[:, 3:])
    return best.reshape(*matrix.shape[:-2], 4)


@lru_cache(maxsize=4)
def _firsts(count: int) -> np.ndarray:
    return np.arange(0, 4 * count, 4)


def to_matrix(q: np.ndarray) -> np.ndarray:
    """Rotation matrices (..., 3, 3)."""
    return (_products(q, q) @ _SQUARE).reshape(*q.shape[:-1], 3, 3)


def axis(q: np.ndarray, which: int) -> np.ndarray:
    """(..., 3) where the x, y or z axis (0, 1, 2) is turned to: a column of the matrix."""
    return _products(q, q) @ _COLUMNS[which]


def multiply(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """a after b."""
    return _products(a, b) @ _PRODUCT


def _products(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(..., 16) each component of a times each of b."""
    products = a[..., :, None] * b[..., None, :]
    return products.reshape(*products.shape[:-2], 16)


def inverse(q: np.ndarray) -> np.ndarray:
    """The opposite turn."""
    return q * _INVERSE


def rotate(q: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Points (..., 3) turned by q (..., 4)."""
    xyz, w = q[..., :3], q[..., 3:]
    twice = 2 * cross(xyz, points)
    return points + w * twice + cross(xyz, twice)


def mirror_x(q: np.ndarray) -> np.ndarray:
    """The turn of the mirrored hand (x negated), whose frames point the same ways along and out of the hand."""
    return q * _MIRROR


def angle_deg(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(...) degrees between two orientations."""
    difference = multiply(inverse(a), b)
    return np.degrees(2 * np.arctan2(length(difference[..., :3])[..., 0], np.abs(difference[..., 3])))


def rotation_vector(q: np.ndarray) -> np.ndarray:
    """(..., 3) axis times angle in radians, the angle at most pi."""
    q = np.copysign(1.0, q[..., 3:]) * q
    sine = length(q[..., :3])
    return q[..., :3] * (2 * np.arctan2(sine, q[..., 3:]) / np.maximum(sine, 1e-12))
