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

from collections.abc import Iterable
from time import monotonic_ns
from typing import TYPE_CHECKING

import numpy as np

from demo.streams.address import Network
from demo.streams.datagrams import Datagrams
from demo.streams.openxr import JOINTS
from demo.streams.packet import Packet, StreamedHand
from digit.skeleton import JOINTS as INTERHAND_JOINTS
from digit.skeleton import SIDES

if TYPE_CHECKING:
    from pythonosc.osc_message import OscMessage

PORT = 9000
_TIPS = [i for i, name in enumerate(INTERHAND_JOINTS) if name.endswith("4")]


def datagrams(packet: Packet) -> list[bytes]:
    """A bundle on the Scene, then one for each hand: small enough for any system's largest datagram."""
    height, width = packet.scene.frame.image.shape[:2]
    size_px = np.array([width, height], float)
    return [bundle(scene_messages(packet)), *(bundle(hand_messages(hand, size_px)) for hand in packet.hands)]


def scene_messages(packet: Packet) -> Iterable["OscMessage"]:
    """Which frame, which hands, how many contacts."""
    age_ms = (monotonic_ns() - packet.scene.frame.time_ns) / 1e6
    yield message("/digit/frame", packet.sequence & 0x7FFFFFFF, age_ms)
    there = {streamed.pose.side for streamed in packet.hands}
    for side in SIDES:
        yield message(f"/digit/{side}", int(side in there))
    yield message("/digit/touch", len(packet.contacts))


def hand_messages(streamed: StreamedHand, size_px: np.ndarray) -> Iterable["OscMessage"]:
    """One hand, as this module's head lists it; ``size_px`` is the picture's width and height."""
    pose, signals = streamed.pose, streamed.signals
    prefix = f"/digit/{pose.side}"
    values = np.concatenate([pose.positions_m, pose.orientations], axis=1).tolist()
    for name, joint in zip(JOINTS, values, strict=True):
        yield message(f"{prefix}/{name}", *joint)
    yield message(f"{prefix}/uv", *((streamed.hand.joints_px[_TIPS] + 0.5) / size_px).ravel().tolist())
    yield message(f"{prefix}/pinch", *signals.pinch)
    yield message(f"{prefix}/grab", signals.grab)
    yield message(f"{prefix}/pointing", int(signals.pointing))
    yield message(f"{prefix}/faces_camera", int(signals.faces_camera))
    yield message(f"{prefix}/ray", *signals.ray_origin_m.tolist(), *signals.ray_direction.tolist())


def message(address: str, *values: str | float) -> "OscMessage":
    """One message; whole numbers go as int32, others as float32."""
    from pythonosc.osc_message_builder import OscMessageBuilder

    builder = OscMessageBuilder(address)
    for value in values:
        builder.add_arg(value)
    return builder.build()


def bundle(parts: Iterable["OscMessage"]) -> bytes:
    """All messages in one datagram, to be taken at once."""
    from pythonosc.osc_bundle_builder import IMMEDIATELY, OscBundleBuilder

    builder = OscBundleBuilder(IMMEDIATELY)
    for part in parts:
        builder.add_content(part)
    return builder.build().dgram


def open_stream(address: str, network: Network) -> Datagrams:
    """Raises UserError for a bad address."""
    return Datagrams(address, PORT, network, datagrams)
