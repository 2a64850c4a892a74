"""Rerun: both hands in 3D with their axes, the picture with the joints, and the signals as curves.

The address is ``viewer`` (opens one on this computer), ``HOST:PORT`` of a viewer that runs, or a file ``NAME.rrd``.
Timelines: ``capture`` (monotonic time) and ``frame``.
"""

import socket
import threading
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np

from demo.overlay import paint
from demo.streams import quaternion
from demo.streams.address import Address, Network, parse_address
from demo.streams.openxr import JOINTS, PARENTS
from demo.streams.packet import Packet, StreamedHand
from demo.streams.signals import FINGERS
from digit.errors import UserError
from digit.skeleton import SIDES

PORT = 9876
_RGB = {"right": (235, 110, 80), "left": (80, 150, 235)}
_AXIS_M = 0.012
#: The picture is the heaviest part; a smaller one does.
_PICTURE_WIDTH = 480
#: So many Scenes may be on their way to the viewer; after that each waits so long, which a close has to wait for too.
_FLUSH_EVERY, _FLUSH_S = 15, 0.2
#: A viewer that takes nothing for so long is given up.
_STUCK_S = 5.0
#: A viewer that goes on takes what is left in much less.
_LEAVE_S = 1.0
_BONES = [(joint, parent) for joint, parent in enumerate(PARENTS) if joint != parent]


class Rerun:
    """One recording."""

    waits = True
    clients = latency_ms = None

    def __init__(self, address: str, network: Network) -> None:
        import rerun as rr

        self._recording = rr.RecordingStream("digit-live")
        self._unflushed = 0
        self._stuck_s: float | None = None  # since when the viewer takes nothing
        self.address = address or "viewer"
        if self.address == "viewer":
            try:
                self._recording.spawn(memory_limit="25%")
            except (RuntimeError, OSError) as error:
                raise UserError(f"The Rerun viewer could not be started ({error}); start `rerun` yourself.") from error
        elif self.address.endswith(".rrd"):
            if not Path(self.address).parent.is_dir():
                raise UserError(f"There is no folder for {self.address}; make it first.")
            self._recording.save(self.address)
        else:
            to = parse_address(self.address, PORT, network)
            _ask(to)
            self._recording.connect_grpc(f"rerun+http://{to}/proxy")
        self._recording.log("hands", rr.ViewCoordinates.RUB, static=True)

    def send(self, packet: Packet) -> None:
        """Log one Scene. Raises UserError when the viewer takes nothing: else what it was sent would pile up here."""
        log_packet(self._recording, packet)
        self._unflushed += 1
        if self._unflushed < _FLUSH_EVERY:
            return
        try:
            self._recording.flush(timeout_sec=_FLUSH_S)
            self._unflushed, self._stuck_s = 0, None
        except (RuntimeError, ValueError, OSError) as error:
            self._stuck_s = self._stuck_s or monotonic()
            if monotonic() - self._stuck_s > _STUCK_S:
                raise UserError(f"The Rerun viewer at {self.address} takes no more; start it again.") from error

    def close(self) -> None:
        """Send what is left; a viewer that hangs is not waited for."""
        leaving = threading.Thread(target=self._recording.disconnect, name="rerun leaves", daemon=True)
        leaving.start()
        leaving.join(None if self.address.endswith(".rrd") else _LEAVE_S)


def _ask(to: Address) -> None:
    """Raises UserError when nobody listens there."""
    try:
        socket.create_connection((to.host, to.port), timeout=3).close()
    except OSError as error:
        raise UserError(
            f"No Rerun viewer listens at {to}; start `rerun`, or give --stream rerun to open one."
        ) from error


def log_packet(recording: Any, packet: Packet) -> None:
    """Log poses, signals and a small painted picture to a `rerun.RecordingStream`."""
    import cv2
    import rerun as rr

    recording.set_time("capture", duration=packet.scene.frame.time_ns / 1e9)
    recording.set_time("frame", sequence=packet.scene.frame.index)
    image = paint(packet.scene.frame.image, packet.scene, packet.overlay)
    height = max(1, image.shape[0] * _PICTURE_WIDTH // image.shape[1])
    recording.log("picture", rr.Image(cv2.resize(image, (_PICTURE_WIDTH, height))).compress(jpeg_quality=75))
    hands = {streamed.pose.side: streamed for streamed in packet.hands}
    for side in SIDES:
        if side in hands:
            _log_hand(recording, f"hands/{side}", hands[side])
        else:
            recording.log(f"hands/{side}", rr.Clear(recursive=True))
    recording.log("signals/touch", rr.Scalars(len(packet.contacts)))


def _log_hand(recording: Any, path: str, streamed: StreamedHand) -> None:
    import rerun as rr

    pose, side = streamed.pose, streamed.pose.side
    recording.log(
        f"{path}/joints",
        rr.Points3D(pose.positions_m, radii=pose.radii_m, colors=_RGB[side], labels=list(JOINTS), show_labels=False),
    )
    bones = [pose.positions_m[[parent, joint]] for joint, parent in _BONES]
    recording.log(f"{path}/bones", rr.LineStrips3D(bones, colors=_RGB[side], radii=0.002))
    axes = quaternion.to_matrix(pose.orientations) * _AXIS_M
    recording.log(
        f"{path}/axes",
        rr.Arrows3D(
            origins=np.repeat(pose.positions_m, 3, axis=0),
            vectors=np.swapaxes(axes, 1, 2).reshape(-1, 3),
            colors=np.tile([[230, 70, 70], [70, 210, 90], [80, 120, 240]], (len(JOINTS), 1)),
            radii=0.0006,
        ),
    )
    signals = streamed.signals
    for finger, strength in zip(FINGERS, signals.pinch, strict=True):
        recording.log(f"signals/{side}/pinch/{finger}", rr.Scalars(strength))
    recording.log(f"signals/{side}/grab", rr.Scalars(signals.grab))
    recording.log(f"signals/{side}/palm_facing", rr.Scalars(signals.palm_facing))


def open_stream(address: str, network: Network) -> Rerun:
    """Raises UserError for a bad address, a viewer that does not start or a file that cannot be written."""
    return Rerun(address, network)
