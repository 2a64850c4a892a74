"""What the streams send: the poses and signals of one Scene, as a record, as JSON and as bytes.

The JSON message is documented by ``examples/message.schema.json``; the bytes are one `HEADER` and then one `HAND` for
each hand, little-endian, so that ``np.frombuffer`` reads them in a line.
"""

import json
from dataclasses import dataclass, field
from time import monotonic_ns
from typing import Any

import numpy as np

from demo.records import Hand, Scene
from demo.settings import OverlayOptions
from demo.streams import openxr, quaternion
from demo.streams.openxr import FROM_INTERHAND, JOINTS, HandPose
from demo.streams.signals import CONTACT_PARTS, FINGERS, Contact, Signals, SignalTrack
from demo.streams.solver import poses_of

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
        before = {} if self._last is None else {streamed.pose.side: streamed.pose for streamed in self._last.hands}
        dt_s = 0.0 if self._last is None else (scene.frame.time_ns - self._last.scene.frame.time_ns) / 1e9
        hands = tuple(
            StreamedHand(hand, pose, _confidence(hand), *velocities(before.get(pose.side), pose, dt_s), own)
            for hand, pose, own in zip(scene.hands, poses, signals, strict=True)
        )
        self._last = Packet(sequence, scene, hands, contacts, overlay or OverlayOptions())
        return self._last


def velocities(before: HandPose | None, now: HandPose, dt_s: float) -> tuple[np.ndarray, np.ndarray]:
    """Linear (26, 3) m/s and angular (26, 3) rad/s between two poses; zero for a hand that has just appeared."""
    if before is None or not 0 < dt_s <= _GAP_S:
        return np.zeros((len(JOINTS), 3)), np.zeros((len(JOINTS), 3))
    turn = quaternion.multiply(now.orientations, quaternion.inverse(before.orientations))
    return (now.positions_m - before.positions_m) / dt_s, quaternion.rotation_vector(turn) / dt_s


def hello() -> dict[str, Any]:
    """The first message of a WebSocket: what does not change from frame to frame."""
    return {
        "type": "hello",
        "version": VERSION,
        "app": "Digit Live",
        "joints": JOINTS,
        "parents": openxr.PARENTS,
        "webxr_joints": dict(zip(openxr.WEBXR_JOINTS, openxr.WEBXR, strict=True)),
        "fingers": FINGERS,
        "space": "x right, y up, z backward, from the camera",
    }


def to_json(packet: Packet, sent_ns: int | None = None) -> str:
    """The packet as one line of JSON."""
    scene = packet.scene
    height, width = scene.frame.image.shape[:2]
    message = {
        "type": "hands",
        "version": VERSION,
        "sequence": packet.sequence,
        "frame": scene.frame.index,
        "clock": "monotonic",
        "capture_ns": scene.frame.time_ns,
        "emitted_ns": scene.emitted_ns,
        "sent_ns": monotonic_ns() if sent_ns is None else sent_ns,
        "units": "m",
        "image": [width, height],
        "hands": [_hand_json(streamed) for streamed in packet.hands],
        "contacts": [{"right": c.right, "left": c.left, "gap_m": round(c.gap_m, 5)} for c in packet.contacts],
    }
    return json.dumps(message, separators=(",", ":"))


def _hand_json(streamed: StreamedHand) -> dict[str, Any]:
    pose, signals = streamed.pose, streamed.signals
    return {
        "handedness": pose.side,
        "score": round(streamed.hand.score, 4),
        "positions": _rounded(pose.positions_m),
        "orientations": _rounded(pose.orientations),
        "radii": _rounded(pose.radii_m),
        "confidence": _rounded(streamed.confidence),
        "flags": pose.flags.tolist(),
        "linear_velocities": _rounded(streamed.linear_m_s, 4),
        "angular_velocities": _rounded(streamed.angular_rad_s, 4),
        "pinch": dict(zip(FINGERS, _rounded(np.array(signals.pinch)), strict=True)),
        "pinching": [finger for finger, on in zip(FINGERS, signals.pinching, strict=True) if on],
        "grab": round(signals.grab, 5),
        "grabbing": signals.grabbing,
        "ray": {"origin": _rounded(signals.ray_origin_m), "direction": _rounded(signals.ray_direction)},
        "pointing": signals.pointing,
        "palm_facing": round(signals.palm_facing, 5),
        "faces_camera": signals.faces_camera,
    }


def _rounded(values: np.ndarray, digits: int = 5) -> list[Any]:
    return np.round(values.astype(float), digits).tolist()


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


def _confidence(hand: Hand) -> np.ndarray:
    """(26,) float64. The palm and the made-up metacarpals stand on the wrist and their knuckles."""
    source = np.array(FROM_INTERHAND)
    confidence = hand.confidence[source].astype(float)
    knuckles = [_N_INDEX[f"{finger}_proximal"] for finger in FINGERS]
    for joint, knuckle in zip([_N_INDEX[f"{finger}_metacarpal"] for finger in FINGERS], knuckles, strict=True):
        confidence[joint] = min(confidence[knuckle], confidence[openxr.WRIST])
    confidence[openxr.PALM] = confidence[_N_INDEX["middle_metacarpal"]]
    return confidence


_N_INDEX = {name: i for i, name in enumerate(JOINTS)}
