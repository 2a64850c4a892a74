"""What hands do, beside where they are: pinch, grab, point, palm to the camera, and hands that touch each other.

Names follow Ultraleap and OpenXR's hand-tracking aim extension. Strengths lie in [0, 1]. Each yes or no has two
thresholds, so that it does not flicker.
"""

from dataclasses import dataclass

import numpy as np

from demo.records import Side
from demo.streams import quaternion
from demo.streams.openxr import JOINTS, PALM, TIPS, WRIST, HandPose
from demo.streams.solver import Solution
from demo.streams.vectors import dot, length, unit

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
#: Bend of a finger over its three joints at which a grab begins and ends.
_CURL_RAD = (np.radians(40.0), np.radians(190.0))
#: The palm's pad as a ball, in radii of the palm joint (which reaches from the bone to the skin).
_PALM_RADII = 1.6

_TIPS, _PARTS = np.array(TIPS), np.array([*TIPS, PALM])
#: (4, 4) joints of each finger, metacarpal to distal; (2,) those between which a hand's length lies.
_CHAINS = np.array([JOINTS.index(f"{finger}_metacarpal") for finger in FINGERS])[:, None] + np.arange(4)
_LENGTH = np.array([JOINTS.index("middle_proximal"), WRIST])
_INDEX, _INDEX_TIP = JOINTS.index("index_proximal"), TIPS[1]


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
        contacts = self._contacts({pose.side: pose for pose in poses})
        if not poses:
            self._on = {}
            return (), contacts
        hands = Solution(*(np.array([getattr(pose, name) for pose in poses]) for name in Solution.__slots__))
        values = np.empty((len(poses), len(_OFF)))
        values[:, :4] = pinch_strengths(hands)
        values[:, 4], values[:, 5] = _fist(hands)
        values[:, 6] = palm_facing(hands)
        before = np.array([self._on.get(pose.side, _OFF) for pose in poses])
        on = held(before, values, *_THRESHOLDS)
        self._on = {pose.side: each for pose, each in zip(poses, on, strict=True)}
        rays = zip(*_rays(hands), strict=True)
        return tuple(map(_signals, values.tolist(), on.tolist(), rays)), contacts

    def _contacts(self, poses: dict[Side, HandPose]) -> tuple[Contact, ...]:
        if len(poses) < 2:
            self._touching[:] = False
            return ()
        gap_m = gaps_m(poses["right"], poses["left"])
        self._touching = held(self._touching, -gap_m, -TOUCHING_M[0], -TOUCHING_M[1])
        return tuple(
            Contact(CONTACT_PARTS[r], CONTACT_PARTS[s], float(gap_m[r, s]))
            for r, row in enumerate(self._touching.tolist())
            for s, touches in enumerate(row)
            if touches
        )


def held(on: np.ndarray, values: np.ndarray, on_at: np.ndarray | float, off_below: np.ndarray | float) -> np.ndarray:
    """What is on: stays on down to ``off_below``, comes on from ``on_at``."""
    return (values >= on_at) | (on & (values >= off_below))


def pinch_strengths(hands: HandPose | Solution) -> np.ndarray:
    """(..., 4) strengths: 1 where a fingertip touches the thumb's, 0 where the gap is a third of the hand."""
    tips, radii = hands.positions_m.take(_TIPS, -2), hands.radii_m.take(_TIPS, -1)
    gap_m = length(tips[..., 1:, :] - tips[..., :1, :])[..., 0] - radii[..., 1:] - radii[..., :1]
    ends = hands.positions_m.take(_LENGTH, -2)
    closed, opened = _PINCH_GAP
    shares = gap_m / np.maximum(length(ends[..., 0, :] - ends[..., 1, :]), 1e-3)
    return _strength((opened - shares) / (opened - closed))


def curls(hands: HandPose | Solution) -> np.ndarray:
    """(..., 4) how far each finger is bent in, 0 straight to 1 as in a fist."""
    z = quaternion.axis(hands.orientations.take(_CHAINS, -2), 2)
    cosines = np.vecdot(z[..., 1:, :], z[..., :-1, :])
    bends = np.arccos(np.minimum(np.maximum(cosines, -1), 1))
    straight, fist = _CURL_RAD
    return _strength((bends[..., 0] + bends[..., 1] + bends[..., 2] - straight) / (fist - straight))


def _strength(shares: np.ndarray) -> np.ndarray:
    return np.minimum(np.maximum(shares, 0), 1)


def palm_facing(hands: HandPose | Solution) -> np.ndarray:
    """(...) 1 when the palm looks straight into the camera, -1 when its back does."""
    up = quaternion.axis(hands.orientations[..., PALM, :], 1)
    place = hands.positions_m[..., PALM, :]
    return np.vecdot(up, place) / np.maximum(length(place)[..., 0], 1e-6)


def gaps_m(right: HandPose, left: HandPose) -> np.ndarray:
    """(6, 6) gaps between the skins of `CONTACT_PARTS` of two hands; depth counts `_DEPTH_WEIGHT`."""
    (a, a_radius), (b, b_radius) = _balls(right), _balls(left)
    between, sight = a[:, None] - b, a[:, None] + b
    sight = sight / np.maximum(length(sight), 1e-6)
    between = between - (1 - _DEPTH_WEIGHT) * dot(between, sight) * sight
    return length(between)[..., 0] - a_radius[:, None] - b_radius


def _balls(pose: HandPose) -> tuple[np.ndarray, np.ndarray]:
    return pose.positions_m.take(_PARTS, 0), pose.radii_m.take(_PARTS) * _BALL_RADII


_BALL_RADII = np.array([1.0] * len(TIPS) + [_PALM_RADII])


def _fist(hands: Solution) -> tuple[np.ndarray, np.ndarray]:
    """Grab strength, and how much the hand points with its index finger alone; both (N,)."""
    curl = curls(hands)
    index, middle, ring, little = (curl[:, finger] for finger in range(4))
    return (index + middle + ring + little) / 4, (1 - index) * np.minimum(np.minimum(middle, ring), little)


def _rays(hands: Solution) -> tuple[np.ndarray, np.ndarray]:
    """Origins (N, 3) and unit directions (N, 3)."""
    tips = hands.positions_m[:, _INDEX_TIP]
    return tips, unit(tips - hands.positions_m[:, _INDEX], -quaternion.axis(hands.orientations[:, _INDEX], 2))


#: (on at) and (off below) of pinching x 4, grabbing, pointing, facing.
_THRESHOLDS = tuple(np.array([PINCHING, PINCHING, PINCHING, PINCHING, GRABBING, POINTING, FACING]).T)
_OFF = np.zeros(len(_THRESHOLDS[0]), bool)


def _signals(values: list[float], on: list[bool], ray: tuple[np.ndarray, np.ndarray]) -> Signals:
    return Signals(
        pinch=tuple(values[:4]),
        pinching=tuple(on[:4]),
        grab=values[4],
        grabbing=on[4],
        ray_origin_m=ray[0],
        ray_direction=ray[1],
        pointing=on[5],
        palm_facing=values[6],
        faces_camera=on[6],
    )
