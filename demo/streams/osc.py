"""Open Sound Control over UDP: bundles with plain names for creative tools.

/digit/frame            sequence, milliseconds since capture
/digit/right            1 or 0: is this hand there?
/digit/right/index_tip  x y z qx qy qz qw (metres, OpenXR's axes), for each joint of `demo.streams.openxr.JOINTS`
/digit/right/uv         u v of the five fingertips in the picture, 0 to 1 from the top left
/digit/right/pinch      index middle ring little, 0 to 1
/digit/right/grab       0 to 1;  /digit/right/pointing, /digit/right/faces_camera: 1 or 0
/digit/right/ray        origin x y z, direction x y z
/digit/touch            how many parts of the two hands touch
"""

import struct
from collections.abc import Iterable
from functools import cache
from time import monotonic_ns

import numpy as np

from demo.records import Side
from demo.streams.address import Network
from demo.streams.datagrams import Datagrams
from demo.streams.openxr import JOINTS
from demo.streams.packet import Packet, StreamedHand
from digit.skeleton import JOINTS as INTERHAND_JOINTS
from digit.skeleton import SIDES

PORT = 9000
_TIPS = [i for i, name in enumerate(INTERHAND_JOINTS) if name.endswith("4")]


def datagrams(packet: Packet) -> list[bytes]:
    """A bundle on the Scene, then one for each hand: small enough for any system's largest datagram."""
    height, width = packet.scene.frame.image.shape[:2]
    size_px = np.array([width, height], float)
    return [bundle(scene_messages(packet)), *(hand_bundle(hand, size_px) for hand in packet.hands)]


def scene_messages(packet: Packet) -> Iterable[bytes]:
    """Which frame, which hands, how many contacts."""
    age_ms = (monotonic_ns() - packet.scene.frame.time_ns) / 1e6
    yield message("/digit/frame", packet.sequence & 0x7FFFFFFF, age_ms)
    there = {streamed.pose.side for streamed in packet.hands}
    for side in SIDES:
        yield message(f"/digit/{side}", int(side in there))
    yield message("/digit/touch", len(packet.contacts))


def hand_bundle(streamed: StreamedHand, size_px: np.ndarray) -> bytes:
    """One hand, as this module's head lists it; ``size_px`` is the picture's width and height."""
    pose, signals = streamed.pose, streamed.signals
    blank, slots = _blank_bundle(pose.side)
    values = np.concatenate(
        [
            np.concatenate([pose.positions_m, pose.orientations], 1).ravel(),
            ((streamed.hand.joints_px.take(_TIPS, 0) + 0.5) / size_px).ravel(),
            (*signals.pinch, signals.grab),
            signals.ray_origin_m,
            signals.ray_direction,
        ]
    ).astype(">f4")
    words = blank.copy()
    words[slots[:-2]] = values.view(">i4")
    words[slots[-2:]] = signals.pointing, signals.faces_camera
    return words.tobytes()


@cache
def _blank_bundle(side: Side) -> tuple[np.ndarray, np.ndarray]:
    """The bundle of a hand as words of four bytes, and which of them take its values: only they change."""
    messages: list[bytes] = []
    slots: list[int] = []
    words = 4  # of the bundle's head
    for name, types in _HAND_MESSAGES.items():
        messages.append(message(f"/digit/{side}/{name}", *(0 if kind == "i" else 0.0 for kind in types)))
        words += 1 + len(messages[-1]) // 4  # with its length before it
        slots.extend(range(words - len(types), words))
    return np.frombuffer(bundle(messages), ">i4"), np.array(slots)


_HAND_MESSAGES = {
    **dict.fromkeys(JOINTS, "fffffff"),
    "uv": "ffffffffff",
    "pinch": "ffff",
    "grab": "f",
    "ray": "ffffff",
    "pointing": "i",
    "faces_camera": "i",
}


def message(address: str, *values: str | float) -> bytes:
    """One message; whole numbers go as int32, others as float32 (OSC 1.0)."""
    types = "".join("s" if isinstance(v, str) else "i" if isinstance(v, int) else "f" for v in values)
    head = _head(address, types)
    if "s" not in types:
        return head + struct.pack(f">{types}", *values)
    return head + b"".join(_string(v) if isinstance(v, str) else struct.pack(">f", v) for v in values)


@cache
def _head(address: str, types: str) -> bytes:
    return _string(address) + _string("," + types)


def _string(text: str) -> bytes:
    """Ended by a zero and filled to a multiple of four."""
    data = text.encode("ascii")
    return data + bytes(4 - len(data) % 4)


def bundle(parts: Iterable[bytes]) -> bytes:
    """All messages in one datagram, to be taken at once."""
    return b"#bundle\0" + struct.pack(">Q", 1) + b"".join(struct.pack(">i", len(part)) + part for part in parts)


def open_stream(address: str, network: Network) -> Datagrams:
    """Raises UserError for a bad address."""
    return Datagrams(address, PORT, network, datagrams)
