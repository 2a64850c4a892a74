"""From the 2.5D pose to camera space in millimetres, without a network for the root depth.

Each wrist's absolute depth comes from known bone lengths and K (`digit.geometry.root_depth_from_bones`, after Iqbal et
al. 2018), as the median over a third of a second. With two hands the network's relative root depth d (left minus right)
joins in. The two estimates a (right) and b (left) err by `SIGMA_ROOT_MM` each, d by `SIGMA_RELATIVE_MM`; the least
squares move both wrists equally far in opposite directions, until they agree with d as far as its certainty goes:

    e = d - (b - a),   right = a - k e,   left = b + k e,   k = SIGMA_ROOT² / (2 SIGMA_ROOT² + SIGMA_RELATIVE²)

All three are measured along the axis of the prediction (`digit.geometry.axis_of`). Hands with crops of their own have
no d (`demo.apart`): it is then taken for 0, as people hold both about equally far away, and errs by `SIGMA_APART_MM`.
"""

from collections import deque
from math import isfinite
from statistics import median

import numpy as np

from digit.geometry import (
    apply_affine,
    axis_of,
    camera_depths,
    intrinsics_from_focal,
    intrinsics_from_fov,
    rays,
    root_depth_from_bones,
    unproject,
)
from digit.prediction import DepthAxis
from digit.skeleton import JOINTS_PER_HAND, SIDES, WRIST

SIGMA_ROOT_MM = 60.0
SIGMA_RELATIVE_MM = 40.0
SIGMA_APART_MM = 100.0
#: Frames of the running median.
WINDOW = 9


def intrinsics(shape: tuple[int, ...], focal_px: float | None, fov_deg: float) -> np.ndarray:
    """K (3, 3) of a picture of (height, width, ...): from the focal length, or the field of view over the longer side.

    That is a camera's horizontal one, also where a phone was held upright.
    """
    height, width = shape[:2]
    if focal_px is None:
        longer = max(width, height)
        focal_px = float(intrinsics_from_fov(longer, longer, fov_deg)[0, 0])
    return intrinsics_from_focal(width, height, focal_px)


def combined_roots_mm(
    right_mm: float, left_mm: float, relative_mm: float, sigma_mm: float = SIGMA_RELATIVE_MM
) -> np.ndarray:
    """(2,) depths of the right and the left wrist from their own estimates and their relative depth (module's formula).

    ``sigma_mm`` is the error of the relative depth. One nan takes the other hand's depth and the relative one; two stay
    nan.
    """
    if np.isnan(right_mm):
        return np.array([left_mm - relative_mm, left_mm])
    if np.isnan(left_mm):
        return np.array([right_mm, right_mm + relative_mm])
    share = SIGMA_ROOT_MM**2 / (2 * SIGMA_ROOT_MM**2 + sigma_mm**2)
    excess_mm = relative_mm - (left_mm - right_mm)
    return np.array([right_mm - share * excess_mm, left_mm + share * excess_mm])


class Lift:
    """Keeps the running medians; a hand that leaves loses its own."""

    def __init__(self) -> None:
        self._roots_mm = tuple(deque[float](maxlen=WINDOW) for _ in SIDES)
        self._relative_mm = deque[float](maxlen=WINDOW)

    def __call__(
        self,
        joints_2p5d: np.ndarray,
        confidence: np.ndarray,
        relative_mm: float,
        present: np.ndarray,
        image_from_crop: np.ndarray,
        K: np.ndarray,
        depth_axis: DepthAxis = "camera",
    ) -> tuple[np.ndarray, np.ndarray]:
        """Joints in image pixels (42, 2) and in camera space (42, 3) mm.

        ``relative_mm`` is nan where nothing tells it. A hand that is not ``present`` (2,) or whose joints give no depth
        is nan in camera space.
        """
        joints_px = apply_affine(image_from_crop, joints_2p5d[:, :2])
        axis = axis_of(depth_axis, image_from_crop, K)
        along = rays(joints_px, K) @ axis
        pose = np.c_[joints_px, joints_2p5d[:, 2]]
        both = (len(SIDES), JOINTS_PER_HAND)
        found_mm = root_depth_from_bones(pose.reshape(*both, 3), K, confidence=confidence.reshape(both), axis=axis)
        roots_mm = np.full(2, np.nan)
        for i, (known_mm, root_mm) in enumerate(zip(self._roots_mm, found_mm.tolist(), strict=True)):
            if not present[i]:
                known_mm.clear()
                continue
            if isfinite(root_mm):
                known_mm.append(root_mm)
            if known_mm:
                roots_mm[i] = median(known_mm)
        if present.all() and isfinite(relative_mm):
            self._relative_mm.append(relative_mm)
        else:
            self._relative_mm.clear()
        if present.all():
            known = (median(self._relative_mm),) if self._relative_mm else (0.0, SIGMA_APART_MM)
            wrists = along.reshape(both)[:, WRIST]
            right_mm, left_mm = (roots_mm * wrists).tolist()
            roots_mm = combined_roots_mm(right_mm, left_mm, *known) / wrists
        return joints_px, unproject(
            joints_px, camera_depths(pose[:, 2], np.repeat(roots_mm, JOINTS_PER_HAND), along), K
        )
