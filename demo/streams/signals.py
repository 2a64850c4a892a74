"""What hands do, beside where they are: pinch, grab, point, palm to the camera, and hands that touch each other.

Names follow Ultraleap and OpenXR's hand-tracking aim extension. Strengths lie in [0, 1]. Each yes or no has two
thresholds, so that it does not flicker.
"""

from dataclasses import dataclass

import numpy as np

from demo.records import Side
from demo.streams.openxr import JOINTS, PALM, TIPS, HandPose

#: Fingers that can pinch against the thumb, grab and point.
FINGERS = ("index", "middle", "ring", "little")
#: What of a hand can touch the other one.
CONTACT_PARTS = ("thumb", *FINGERS, "palm")

#: (on at, off below) of each yes or no.
PINCHING, GRABBING, POINTING, FACING = (0.8, 0.6), (0.7, 0.5), (0.6, 0.45), (0.6, 0.45)
#: Skin to skin in metres: on below, off above. Wide, because the depth between two hands is the least certain figure.
TOUCHING_M = (0.010, 0.022)
#: The distance along the line of sight counts this much for touch.
_DEPTH_WEIGHT = 0.5
#: Gap between thumb and finger as a share of the hand's length at which a pinch begins and ends.
_PINCH_GAP = (0.06, 0.35)
#: Bend of a finger over its three joints in degrees at which a grab begins and ends.
_CURL_DEG = (40.0, 190.0)
#: The palm's pad as a ball, in radii of the palm joint (which reaches from the bone to the skin).
_PALM_RADII = 1.6

_TIPS = np.array(TIPS)
_METACARPAL = np.array([JOINTS.index(f"{finger}_metacarpal") for finger in FINGERS])
_INDEX = JOINTS.index("index_proximal")
_MIDDLE = JOINTS.index("middle_proximal")


@dataclass(frozen=True, slots=True, eq=False)
class Signals:
    """Of one hand."""

    pinch: tuple[float, ...]  # strength of `FINGERS` against the thumb
    pinching: tuple[bool, ...]
    grab: float
    grabbing: bool
    ray_origin_m: np.ndarray  # (3,) the tip of the index finger
    ray_direction: np.ndarray  # (3,) unit, along the index finger
    pointing: bool
    palm_facing: float  # cosine between the palm's normal and the way to the camera
    faces_camera: bool


@dataclass(frozen=True, slots=True)
class Contact:
    """The right hand touches the left one."""

    right: str  # one of CONTACT_PARTS
    left: str
    gap_m: float  # between the skins; below 0 they press


class SignalTrack:
    """Remembers what was on, for the hysteresis. A hand that leaves forgets."""

    def __init__(self) -> None:
        self._on: dict[Side, np.ndarray] = {}
        self._touching = np.zeros((len(CONTACT_PARTS), len(CONTACT_PARTS)), bool)

    def __call__(self, poses: tuple[HandPose, ...]) -> tuple[tuple[Signals, ...], tuple[Contact, ...]]:
        """Signals of each pose, in the same order, and the contacts between two hands."""
        on, self._on = self._on, {}
        signals: list[Signals] = []
        for pose in poses:
            values = np.array([*pinch_strengths(pose), *_fist(pose), palm_facing(pose)])
            self._on[pose.side] = held(on.get(pose.side, np.zeros(len(values), bool)), values, *_THRESHOLDS)
            signals.append(_signals(pose, values, self._on[pose.side]))
        return tuple(signals), self._contacts({pose.side: pose for pose in poses})

    def _contacts(self, poses: dict[Side, HandPose]) -> tuple[Contact, ...]:
        if len(poses) < 2:
            self._touching[:] = False
            return ()
        gap_m = gaps_m(poses["right"], poses["left"])
        self._touching = held(self._touching, -gap_m, -TOUCHING_M[0], -TOUCHING_M[1])
        return tuple(
            Contact(CONTACT_PARTS[r], CONTACT_PARTS[s], float(gap_m[r, s])) for r, s in np.argwhere(self._touching)
        )


def held(on: np.ndarray, values: np.ndarray, on_at: np.ndarray | float, off_below: np.ndarray | float) -> np.ndarray:
    """What is on: stays on down to ``off_below``, comes on from ``on_at``."""
    return np.where(on, values >= off_below, values >= on_at)


def pinch_strengths(pose: HandPose) -> np.ndarray:
    """(4,) strengths: 1 where a fingertip touches the thumb's, 0 where the gap is a third of the hand."""
    tips, radii = pose.positions_m[_TIPS], pose.radii_m[_TIPS]
    gap_m = np.linalg.norm(tips[1:] - tips[0], axis=1) - radii[1:] - radii[0]
    length_m = np.linalg.norm(pose.positions_m[_MIDDLE] - pose.positions_m[1])
    closed, opened = _PINCH_GAP
    return np.clip((opened - gap_m / max(float(length_m), 1e-3)) / (opened - closed), 0, 1)


def curls(pose: HandPose) -> np.ndarray:
    """(4,) how far each finger is bent in, 0 straight to 1 as in a fist."""
    chain = _z_axes(pose.orientations[_METACARPAL[:, None] + np.arange(4)])  # metacarpal to distal
    bend = np.degrees(np.arccos(np.clip((chain[:, 1:] * chain[:, :-1]).sum(-1), -1, 1))).sum(1)
    straight, fist = _CURL_DEG
    return np.clip((bend - straight) / (fist - straight), 0, 1)


def palm_facing(pose: HandPose) -> float:
    """1 when the palm looks straight into the camera, -1 when its back does."""
    x, y, z, w = pose.orientations[PALM]
    up = np.array([2 * (x * y - z * w), 1 - 2 * (x * x + z * z), 2 * (y * z + x * w)])
    place = pose.positions_m[PALM]
    return float(up @ place / max(float(np.linalg.norm(place)), 1e-6))


def gaps_m(right: HandPose, left: HandPose) -> np.ndarray:
    """(6, 6) gaps between the skins of `CONTACT_PARTS` of two hands; depth counts `_DEPTH_WEIGHT`."""
    (a, a_radius), (b, b_radius) = _balls(right), _balls(left)
    between = a[:, None] - b
    sight = (a[:, None] + b) / 2
    sight = sight / np.maximum(np.linalg.norm(sight, axis=-1, keepdims=True), 1e-6)
    depth = (between * sight).sum(-1, keepdims=True) * sight
    between = between - (1 - _DEPTH_WEIGHT) * depth
    return np.linalg.norm(between, axis=-1) - a_radius[:, None] - b_radius


def _balls(pose: HandPose) -> tuple[np.ndarray, np.ndarray]:
    parts = [*TIPS, PALM]
    radii = pose.radii_m[parts].copy()
    radii[-1] *= _PALM_RADII
    return pose.positions_m[parts], radii


def _fist(pose: HandPose) -> tuple[float, float]:
    """Grab strength, and how much the hand points with its index finger alone."""
    curl = curls(pose)
    return float(curl.mean()), float((1 - curl[0]) * curl[1:].min())


def _z_axes(q: np.ndarray) -> np.ndarray:
    """(..., 3) third columns of the rotations (..., 4)."""
    x, y, z, w = q[..., 0], q[..., 1], q[..., 2], q[..., 3]
    axes = np.empty((*x.shape, 3))
    axes[..., 0], axes[..., 1], axes[..., 2] = 2 * (x * z + y * w), 2 * (y * z - x * w), 1 - 2 * (x * x + y * y)
    return axes


#: (on at) and (off below) of pinching x 4, grabbing, pointing, facing.
_THRESHOLDS = tuple(np.array([PINCHING, PINCHING, PINCHING, PINCHING, GRABBING, POINTING, FACING]).T)


def _signals(pose: HandPose, values: np.ndarray, on: np.ndarray) -> Signals:
    tip = pose.positions_m[TIPS[1]]
    ray = tip - pose.positions_m[_INDEX]
    length = float(np.linalg.norm(ray))
    ray = ray / length if length > 1e-6 else -_z_axes(pose.orientations[_INDEX])
    return Signals(
        pinch=tuple(float(v) for v in values[:4]),
        pinching=tuple(bool(v) for v in on[:4]),
        grab=float(values[4]),
        grabbing=bool(on[4]),
        ray_origin_m=tip,
        ray_direction=ray,
        pointing=bool(on[5]),
        palm_facing=float(values[6]),
        faces_camera=bool(on[6]),
    )
