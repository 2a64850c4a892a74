"""Radial distortion of a webcam's lens, and what labels say of it.

InterHand2.6M's layout knows pinhole cameras only. So a distorted picture's labels are those that its pinhole K sees at
the right pixels: masks are warped with the picture, and a joint moves in x and y at equal depth until K projects it to
its distorted pixel. That is also all that a reader who takes the camera for a pinhole could say.
"""

from typing import Any

import cv2
import numpy as np

_STEPS = 8


def straight_from_seen(slopes: np.ndarray, bend: float) -> np.ndarray:
    """Slopes x/z, y/z (N, 2) of the light that a distorted picture shows at slopes (N, 2); ``bend`` > 0 is a barrel."""
    return slopes * (1 + bend * (slopes**2).sum(-1, keepdims=True))


def seen_from_straight(slopes: np.ndarray, bend: float) -> np.ndarray:
    """The inverse of `straight_from_seen`, by Newton's method along the radius."""
    radius = np.linalg.norm(slopes, axis=-1, keepdims=True)
    seen = radius.copy()
    for _ in range(_STEPS):
        seen = seen - (seen * (1 + bend * seen**2) - radius) / (1 + 3 * bend * seen**2)
    return slopes * seen / np.maximum(radius, 1e-9)


def seen_joints(joints_mm: np.ndarray, bend: float) -> np.ndarray:
    """Joints (N, 3) of a true pinhole view moved at equal depth to where the distorted picture shows them."""
    slopes = seen_from_straight((joints_mm[:, :2] / joints_mm[:, 2:]).astype(np.float64), bend)
    return np.concatenate([slopes * joints_mm[:, 2:], joints_mm[:, 2:]], 1).astype(np.float32)


def straight_camera(K: np.ndarray, bend: float, size: int) -> np.ndarray:
    """(3, 3) K of a wider pinhole picture (size x size) that holds all that the distorted picture shows."""
    low, high = _reach(K, bend, size)
    focal = (size - 1) / (high - low)
    return np.array([[focal[0], 0, -focal[0] * low[0]], [0, focal[1], -focal[1] * low[1]], [0, 0, 1]])


def bent_pixels(K: np.ndarray, bend: float, size: int) -> np.ndarray:
    """(size, size, 2) float32: where in the picture of `straight_camera` each pixel of the distorted one lies."""
    straight = straight_camera(K, bend, size)
    ramp = np.arange(size, dtype=np.float32)
    x = ((ramp - K[0, 2]) / K[0, 0]).astype(np.float32)[None]
    y = ((ramp - K[1, 2]) / K[1, 1]).astype(np.float32)[:, None]
    factor = 1 + np.float32(bend) * (x * x + y * y)
    return np.stack(
        [x * factor * np.float32(straight[0, 0]) + np.float32(straight[0, 2]),
         y * factor * np.float32(straight[1, 1]) + np.float32(straight[1, 2])], -1,
    )  # fmt: skip


def bent(image: np.ndarray, pixels: np.ndarray, smooth: bool) -> np.ndarray:
    """A picture of `straight_camera` as the lens shows it; labels and depths are not mixed (``smooth`` False)."""
    how = cv2.INTER_LINEAR if smooth else cv2.INTER_NEAREST
    no_map2: Any = None  # its stub asks for a second map, which a map of both coordinates has no need of
    return cv2.remap(image, pixels, no_map2, how, borderMode=cv2.BORDER_REPLICATE)


def _reach(K: np.ndarray, bend: float, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Lowest and highest slopes along the border of the distorted picture."""
    ramp = np.linspace(0, size - 1, 33)
    ends = np.array([0.0, size - 1.0])
    border = np.concatenate(
        [np.stack(np.meshgrid(ramp, ends), -1), np.stack(np.meshgrid(ends, ramp), -1).swapaxes(0, 1)]
    )
    slopes = (border.reshape(-1, 2) - K[:2, 2]) / K[[0, 1], [0, 1]]
    straight = straight_from_seen(slopes, bend)
    return straight.min(0), straight.max(0)
