"""The records that travel through the loop: Frame, Detection, Hand, Scene; and what makes them: Loaded.

Conventions, here once: pictures are RGB uint8 as the camera saw them (only the view mirrors). Pixels have (0, 0) at the
centre of the top-left pixel. Camera space is x right, y down, z forward, in millimetres. Times are int64 nanoseconds of
``time.monotonic_ns``. ``b_from_a`` names every transform. Joints stand in InterHand2.6M order (`digit.skeleton`).
Records are frozen and their arrays read-only.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

Side = Literal["right", "left"]


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One picture from a source."""

    index: int  # counts from 0 in each source; gaps are dropped frames
    time_ns: int  # capture time; for a file, its presentation time on the monotonic clock
    image: np.ndarray  # (H, W, 3) uint8 RGB


@dataclass(frozen=True, slots=True, eq=False)
class Detection:
    """One hand as a single-hand landmarker saw it."""

    side: Side
    score: float  # of the handedness, in [0, 1]
    joints_px: np.ndarray  # (21, 2) float32, image pixels
    joints_rel_mm: np.ndarray  # (21, 3) float32, camera axes, relative to the wrist


@dataclass(frozen=True, slots=True, eq=False)
class Hand:
    """One tracked hand."""

    side: Side
    score: float  # probability that this hand is in the picture
    joints_px: np.ndarray  # (21, 2) float32, image pixels
    joints_mm: np.ndarray  # (21, 3) float32, camera space
    confidence: np.ndarray  # (21,) float32 in [0, 1]: that the joint is where this side's is (`digit.calibration`)


@dataclass(frozen=True, slots=True, eq=False)
class SeenCrop:
    """One crop as the network saw it."""

    image_from_crop: np.ndarray  # (2, 3) float64 affine
    part_labels: np.ndarray  # (128, 128) uint8 over the crop


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """All that the loop knows about one frame: one row of a session."""

    frame: Frame
    hands: tuple[Hand, ...]  # none, one or two, right before left, smoothed if the loop smooths
    hands_raw: tuple[Hand, ...]  # the same hands before smoothing
    handedness: np.ndarray  # (2,) float32: probability of right, left, after hysteresis input
    image_from_crop: np.ndarray | None  # (2, 3) float64 affine of the crop around all; None when nothing was looked at
    part_labels: np.ndarray | None  # (128, 128) uint8 over the crop
    K: np.ndarray  # (3, 3) float64 intrinsics in pixels
    K_origin: Literal["focal", "field of view"]  # given by the user, or from an assumed field of view
    crop_origin: Literal["track", "detector", "segmentation", "none"]  # what placed the crop
    timings_ms: Mapping[str, float]  # stage -> milliseconds (track, detect, crop, predict, lift, smooth)
    emitted_ns: int  # when the loop finished this scene
    own_crops: tuple[SeenCrop, ...] = ()  # the right and the left hand's, if the network saw each alone (`demo.apart`)

    @property
    def seen_crops(self) -> tuple[SeenCrop, ...]:
        """What the network looked at: one crop around all hands, or each hand's own."""
        if self.own_crops or self.image_from_crop is None or self.part_labels is None:
            return self.own_crops
        return (SeenCrop(self.image_from_crop, self.part_labels),)


@dataclass(frozen=True, slots=True)
class Loaded:
    """The network that runs, and on what."""

    backend: str
    model: str
    why: str  # one sentence: why this backend was chosen
    weights_sha256: str = ""
