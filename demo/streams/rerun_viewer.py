"""Rerun: both hands in 3D with their axes, the picture with the joints, and the signals as curves.

The address is ``viewer`` (opens one on this computer, unless one runs), ``HOST:PORT`` of a viewer that runs, or a file
``NAME.rrd``. Timelines: ``capture`` (monotonic time) and ``frame``.
"""

import os
import socket
import subprocess
import sys
import threading
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import numpy as np

from demo.overlay import paint
from demo.streams import quaternion
from demo.streams.address import LOOPBACK, Address, Network, outward_host, parse_address
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
#: A viewer that does not listen after so long has not started.
_START_S = 20.0
_SAYS_WHY = f"`python -m rerun --bind {LOOPBACK}` says why"
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
        self._viewer: subprocess.Popen[bytes] | None = None  # if it was started here
        if address.endswith(".rrd"):
            self.address = address
            self._save()
        else:
            to = Address(LOOPBACK, PORT) if address in ("", "viewer") else parse_address(address, PORT, network)
            self.address = str(to)
            if not _listens(to):
                if address not in ("", "viewer"):
                    raise UserError(f"No Rerun viewer listens at {to}; give --stream rerun to open one.")
                self._viewer = _start_viewer(to)
            if to.local and not network.allowed and (host := outward_host()) and _listens(Address(host, to.port)):
                raise UserError(
                    f"The Rerun viewer at {to} listens to other computers too; "
                    f"start it as `rerun --bind {LOOPBACK}`, or add --stream-network."
                )
            self._recording.connect_grpc(f"rerun+http://{to}/proxy")
        self._recording.log("hands", rr.ViewCoordinates.RUB, static=True)

    def _save(self) -> None:
        if not Path(self.address).parent.is_dir():
            raise UserError(f"There is no folder for {self.address}; make it first.")
        try:
            self._recording.save(self.address)
        except (RuntimeError, OSError) as error:
            raise UserError(f"Cannot write {self.address} ({error}).") from error

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
            if self._viewer is not None and self._viewer.poll() is not None:
                raise UserError(f"The Rerun viewer has ended; start it again, or {_SAYS_WHY}.") from error
            self._stuck_s = self._stuck_s or monotonic()
            if monotonic() - self._stuck_s > _STUCK_S:
                raise UserError(f"The Rerun viewer at {self.address} takes no more; start it again.") from error

    def close(self) -> None:
        """Send what is left; a viewer that hangs is not waited for."""
        leaving = threading.Thread(target=self._recording.disconnect, name="rerun leaves", daemon=True)
        leaving.start()
        leaving.join(None if self.address.endswith(".rrd") else _LEAVE_S)


def _listens(to: Address) -> bool:
    try:
        socket.create_connection((to.host, to.port), timeout=3).close()
    except OSError:
        return False
    return True


def _start_viewer(to: Address) -> "subprocess.Popen[bytes]":
    """A viewer that outlives this program, once it listens at ``to``. Raises UserError when it does not start."""
    # Not the SDK's spawn: that one looks for `rerun` in PATH only, and its viewer listens to every network.
    command = [sys.executable, "-m", "rerun_cli", "--bind", to.host, "--port", str(to.port)]
    command += ["--memory-limit", "25%", "--expect-data-soon"]
    quiet = subprocess.DEVNULL  # else who reads this program's output waits for the viewer's end
    env = os.environ | {"RERUN_APP_ONLY": "true"}  # as the SDK's spawn does
    try:
        viewer = subprocess.Popen(command, stdin=quiet, stdout=quiet, stderr=quiet, env=env, start_new_session=True)
    except OSError as error:
        raise UserError(f"The Rerun viewer could not be started ({error}).") from error
    deadline_s = monotonic() + _START_S
    while not _listens(to):
        if viewer.poll() is not None or monotonic() > deadline_s:
            raise UserError(f"The Rerun viewer could not be started; {_SAYS_WHY}.")
        sleep(0.05)
    threading.Thread(target=viewer.wait, name="rerun viewer", daemon=True).start()  # it leaves no zombie when it ends
    return viewer


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
