"""What the streams send: the poses and signals of one Scene, as a record and as bytes.

The bytes are one `HEADER` and then one `HAND` for each hand, little-endian, so that ``np.frombuffer`` reads them in a
line. `demo.streams.message` has the JSON.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from time import monotonic_ns

import numpy as np

from demo.records import Hand, Scene
from demo.settings import OverlayOptions
from demo.streams import quaternion
from demo.streams.openxr import FROM_INTERHAND, JOINTS, METACARPALS, PALM, WRIST, HandPose
from demo.streams.signals import CONTACT_PARTS, Contact, Signals, SignalTrack
from demo.streams.solver import poses_of
from digit.skeleton import JOINTS_PER_HAND

VERSION = 1
MAGIC = b"DGTL"
#: A longer gap between two frames gives no velocity.
_GAP_S = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class StreamedHand:
    """One active hand with all that is sent of it. Arrays in the order of `demo.streams.openxr.JOINTS`."""

    hand: Hand
    pose: HandPose
    confidence: np.ndarray  # (26,) in [0, 1]; of a joint that was made up: the least of its neighbours
    linear_m_s: np.ndarray  # (26, 3) velocities
    angular_rad_s: np.ndarray  # (26, 3)
    signals: Signals


@dataclass(frozen=True, slots=True, eq=False)
class Packet:
    """One Scene as it is sent."""

    sequence: int  # counts Scenes since the start; gaps are Scenes that were skipped
    scene: Scene
    hands: tuple[StreamedHand, ...]
    contacts: tuple[Contact, ...]
    overlay: OverlayOptions = field(default_factory=OverlayOptions)  # how streams that carry the picture paint it


class Packing:
    """Makes packets of Scenes; remembers the last one for velocities and hysteresis."""

    def __init__(self) -> None:
        self._signals = SignalTrack()
        self._last: Packet | None = None

    def __call__(self, sequence: int, scene: Scene, overlay: OverlayOptions | None = None) -> Packet:
        """The packet of the next Scene."""
        poses = poses_of(scene.hands)
        signals, contacts = self._signals(poses)
        moving = velocities(self._last, poses, scene.frame.time_ns)
        hands = tuple(map(StreamedHand, scene.hands, poses, _confidences(scene.hands), *moving, signals))
        self._last = Packet(sequence, scene, hands, contacts, overlay or OverlayOptions())
        return self._last


def velocities(last: Packet | None, poses: Sequence[HandPose], time_ns: int) -> tuple[np.ndarray, np.ndarray]:
    """Linear (N, 26, 3) m/s and angular (N, 26, 3) rad/s since the last packet; zero for a hand that just appeared."""
    dt_s = 0.0 if last is None else (time_ns - last.scene.frame.time_ns) / 1e9
    if last is None or not poses or not 0 < dt_s <= _GAP_S:
        still = np.zeros((len(poses), len(JOINTS), 3))
        return still, still
    before = {streamed.pose.side: streamed.pose for streamed in last.hands}
    pairs = [(before.get(pose.side, pose), pose) for pose in poses]
    old, new = (np.array([pose.positions_m for pose in each]) for each in zip(*pairs, strict=True))
    was, turned = (np.array([pose.orientations for pose in each]) for each in zip(*pairs, strict=True))
    turn = quaternion.multiply(turned, quaternion.inverse(was))
    return (new - old) / dt_s, quaternion.rotation_vector(turn) / dt_s


_N = len(JOINTS)
HEADER = np.dtype(
    [
        ("magic", "S4"),
        ("version", "<u2"),
        ("hands", "<u2"),
        ("sequence", "<u8"),
        ("frame", "<i8"),
        ("capture_ns", "<i8"),
        ("emitted_ns", "<i8"),
        ("sent_ns", "<i8"),
        ("contacts", "<u8"),  # bit 6 r + l: part r of the right hand touches part l of the left (`CONTACT_PARTS`)
    ]
)
HAND = np.dtype(
    [
        ("left", "u1"),  # 0 right, 1 left
        ("on", "u1"),  # bits: pinching index, middle, ring, little, grabbing, pointing, faces_camera
        ("flags", "u1", _N),
        ("score", "<f4"),
        ("pinch", "<f4", 4),
        ("grab", "<f4"),
        ("palm_facing", "<f4"),
        ("ray_origin", "<f4", 3),
        ("ray_direction", "<f4", 3),
        ("positions", "<f4", (_N, 3)),
        ("orientations", "<f4", (_N, 4)),
        ("radii", "<f4", _N),
        ("confidence", "<f4", _N),
        ("linear_velocities", "<f4", (_N, 3)),
        ("angular_velocities", "<f4", (_N, 3)),
    ]
)


def to_bytes(packet: Packet, sent_ns: int | None = None) -> bytes:
    """The packet as `HEADER` and `HAND`s."""
    scene = packet.scene
    contacts = sum(1 << (6 * CONTACT_PARTS.index(c.right) + CONTACT_PARTS.index(c.left)) for c in packet.contacts)
    sent_ns = monotonic_ns() if sent_ns is None else sent_ns
    times = (scene.frame.index, scene.frame.time_ns, scene.emitted_ns, sent_ns)
    header = np.array((MAGIC, VERSION, len(packet.hands), packet.sequence, *times, contacts), HEADER)
    return header.tobytes() + b"".join(_hand_bytes(streamed) for streamed in packet.hands)


def _hand_bytes(streamed: StreamedHand) -> bytes:
    pose, signals = streamed.pose, streamed.signals
    on = (*signals.pinching, signals.grabbing, signals.pointing, signals.faces_camera)
    values = (
        pose.side == "left",
        sum(1 << bit for bit, set_ in enumerate(on) if set_),
        pose.flags,
        streamed.hand.score,
        signals.pinch,
        signals.grab,
        signals.palm_facing,
        signals.ray_origin_m,
        signals.ray_direction,
        pose.positions_m,
        pose.orientations,
        pose.radii_m,
        streamed.confidence,
        streamed.linear_m_s,
        streamed.angular_rad_s,
    )
    return np.array(values, HAND).tobytes()


def _confidences(hands: Sequence[Hand]) -> np.ndarray:
    """(N, 26) float64. The palm and the made-up metacarpals stand on the wrist and their knuckles."""
    joints = np.array([hand.confidence for hand in hands], float).reshape(-1, JOINTS_PER_HAND)
    return np.minimum(joints.take(_ONE, 1), joints.take(_OTHER, 1))


def _confident() -> tuple[np.ndarray, np.ndarray]:
    """(26,) and (26,) the InterHand2.6M joints of which the less certain one stands for each joint."""
    one, other = np.array(FROM_INTERHAND), np.array(FROM_INTERHAND)
    for joint in METACARPALS[1:]:
        one[joint], other[joint] = FROM_INTERHAND[joint + 1], FROM_INTERHAND[WRIST]
    one[PALM], other[PALM] = one[METACARPALS[2]], other[METACARPALS[2]]
    return one, other


_ONE, _OTHER = _confident()
