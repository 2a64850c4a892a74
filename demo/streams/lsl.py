"""Lab Streaming Layer: one MoCap stream of float32 channels, stamped with the time of capture.

Channels are ``right_index_tip_x`` and so on: x y z qx qy qz qw confidence of 26 joints of the right, then of the left
hand, and after each hand its pinch of index and its grab. A hand that is not there is NaN. LSL answers whoever asks in
the local network, so it needs the network to be allowed.
"""

from time import monotonic_ns
from typing import Any

import numpy as np

from demo.streams.address import Network
from demo.streams.openxr import JOINTS
from demo.streams.packet import Packet
from digit.errors import UserError
from digit.skeleton import SIDES

NAME = "DigitLive"
VALUES = ("x", "y", "z", "qx", "qy", "qz", "qw", "confidence")
#: Unit, and type as the XDF format's MoCap streams name it, where a quaternion is w x y z.
_KINDS = (
    *(("m", f"Position{axis}") for axis in "XYZ"),
    *(("1", f"Orientation{axis}") for axis in "BCDA"),
    ("1", "Confidence"),
)
#: Name, unit and type of each channel.
CHANNELS = tuple(
    channel
    for side in SIDES
    for channel in (
        *((f"{side}_{joint}_{v}", *kind) for joint in JOINTS for v, kind in zip(VALUES, _KINDS, strict=True)),
        (f"{side}_pinch_index", "1", "Misc"),
        (f"{side}_grab", "1", "Misc"),
    )
)


class Lsl:
    """An outlet whose consumers the library serves."""

    waits = True
    latency_ms = None

    def __init__(self, name: str, network: Network) -> None:
        import pylsl

        if not network.allowed:
            raise UserError(
                "Lab Streaming Layer listens on every network of this computer; "
                "add --stream-network (or tick “Other computers”) to start it."
            )
        self.address = name or NAME
        info = pylsl.StreamInfo(
            self.address, "MoCap", len(CHANNELS), pylsl.IRREGULAR_RATE, pylsl.cf_float32, "digit-live"
        )
        _describe(info)
        self._outlet = pylsl.StreamOutlet(info, max_buffered=10)
        # LSL's clock against ours: both are monotonic, but need not start together.
        self._offset_s = pylsl.local_clock() - monotonic_ns() / 1e9

    @property
    def clients(self) -> int:
        """0 or 1: the library says only whether anybody listens."""
        return int(self._outlet.have_consumers())

    def send(self, packet: Packet) -> None:
        """Push one sample."""
        self._outlet.push_sample(sample(packet).tolist(), packet.scene.frame.time_ns / 1e9 + self._offset_s)

    def close(self) -> None:
        """End the stream for its consumers."""
        del self._outlet


def sample(packet: Packet) -> np.ndarray:
    """(len(CHANNELS),) float32 of one Scene."""
    hands = {streamed.pose.side: streamed for streamed in packet.hands}
    parts: list[np.ndarray] = []
    for side in SIDES:
        if (streamed := hands.get(side)) is None:
            parts.append(np.full(len(CHANNELS) // 2, np.nan))
            continue
        pose, signals = streamed.pose, streamed.signals
        parts.append(np.c_[pose.positions_m, pose.orientations, streamed.confidence].ravel())
        parts.append(np.array([signals.pinch[0], signals.grab]))
    return np.concatenate(parts).astype(np.float32)


def _describe(info: Any) -> None:
    """Names, units and types, as the XDF format's readers look for them."""
    channels = info.desc().append_child("channels")
    for label, unit, kind in CHANNELS:
        channel = channels.append_child("channel")
        channel.append_child_value("label", label)
        channel.append_child_value("unit", unit)
        channel.append_child_value("type", kind)


def open_stream(address: str, network: Network) -> Lsl:
    """Raises UserError unless the network is allowed."""
    return Lsl(address, network)
