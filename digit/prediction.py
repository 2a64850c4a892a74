"""What every backend answers for one crop, and the landmark prior that it may be given. Imports numpy only."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

#: Side of the square crop that every network takes, in pixels.
CROP_SIZE = 256
#: Half the depth range of the 2.5D pose and of the relative root depth, in mm.
DEPTH_RANGE_MM = 200.0


#: Which way depths in mm point: along the camera's axis, as in the paper, or along the view through the crop's centre
#: (`digit.geometry.axis_of`).
DepthAxis = Literal["camera", "crop"]


@dataclass(frozen=True, slots=True, eq=False)
class Prediction:
    """Both hands in one crop. Arrays are read-only."""

    joints_2p5d: np.ndarray  # (42, 3) float32: x, y in crop pixels; z in mm along the depth axis from the own wrist
    confidence: np.ndarray  # (42,) float32: probability that the joint is right (`digit.calibration`)
    part_labels: np.ndarray  # (128, 128) uint8: part class of each cell (`digit.skeleton`)
    handedness: np.ndarray  # (2,) float32: probability that the right, the left hand is in the crop
    root_depth_mm: float  # from the right wrist to the left one along the depth axis
    depth_axis: DepthAxis = "camera"
    #: (42, K, 4) float32: of each place where a joint may be, its probability, and times it the joint's x, y and z
    #: there, as in joints_2p5d, which are the sums. None when nobody may read the joints again (`digit.recall`).
    places: np.ndarray | None = None


#: Where a single-hand landmarker saw the joints: (42, 4) float32, x, y in crop pixels, z in mm relative to the own
#: wrist, weight in [0, 1] (0 = this joint was not seen). All zeros = no prior.
Prior = np.ndarray

#: (256, 256, 3) uint8 RGB crop and an optional prior in, Prediction out.
Backend = Callable[[np.ndarray, Prior | None], Prediction]
