"""Webcams: their names, and one of them as a source that can never hang the loop."""

import os
import sys
import threading
from collections.abc import Callable, Iterator
from time import monotonic_ns
from typing import Protocol

import cv2
import numpy as np

from demo.latest import Latest
from demo.records import Frame
from digit.errors import UserError

# cv2 points Qt at its own plugins when it is imported; PyQt6 must not find those.
os.environ.pop("QT_QPA_PLATFORM_PLUGIN_PATH", None)
# A camera that is not there is told in our own words.
cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)

#: A camera that gives no picture for so long has failed.
WATCHDOG_S = 5.0
WIDTH, HEIGHT, FPS = 1280, 720, 30
_CHOOSE = "choose another with --camera N, or a file with --video PATH."


class Capture(Protocol):
    """What is used of ``cv2.VideoCapture``."""

    def isOpened(self) -> bool: ...
    def read(self) -> tuple[bool, np.ndarray | None]: ...
    def release(self) -> None: ...


def cameras() -> list[tuple[int, str]]:
    """(index, name) of each camera of this computer; empty when there is none."""
    from cv2_enumerate_cameras import enumerate_cameras

    return [(camera.index, camera.name) for camera in enumerate_cameras(_api())]


def open_capture(index: int) -> Capture:
    """OpenCV's camera, asked for 720p at 30 frames a second with the shortest queue it has."""
    capture = cv2.VideoCapture(index, _api())
    capture.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*"MJPG"))  # raw 720p does not fit through USB 2
    capture.set(cv2.CAP_PROP_FRAME_WIDTH, WIDTH)
    capture.set(cv2.CAP_PROP_FRAME_HEIGHT, HEIGHT)
    capture.set(cv2.CAP_PROP_FPS, FPS)
    capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
    return capture


def _api() -> int:
    systems = {"linux": cv2.CAP_V4L2, "win32": cv2.CAP_DSHOW, "darwin": cv2.CAP_AVFOUNDATION}
    return systems.get(sys.platform, cv2.CAP_ANY)


class Camera:
    """One camera. A thread of its own opens, reads and releases it, because a driver may block in any of these.

    Iterating gives the newest picture. No picture for ``watchdog_s`` raises UserError, as does a camera that cannot be
    opened or vanishes.
    """

    notice = ""
    fps: float | None = None
    length: int | None = None

    def __init__(
        self, index: int, open_capture: Callable[[int], Capture] = open_capture, watchdog_s: float = WATCHDOG_S
    ) -> None:
        self.name = f"Camera {index}"
        self._index, self._open_capture, self._watchdog_s = index, open_capture, watchdog_s
        self._slot: Latest[Frame] = Latest()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._read, name=self.name, daemon=True)
        self._thread.start()

    def __iter__(self) -> Iterator[Frame]:
        while not self._slot.ended:
            frame = self._slot.wait(self._watchdog_s)
            if frame is not None:
                yield frame
            elif not self._slot.ended:
                raise UserError(
                    f"{self.name} gave no picture for {self._watchdog_s:g} s; close other programs that use it, "
                    f"plug it in again or {_CHOOSE}"
                )

    def as_they_come(self) -> Iterator[Frame | None]:
        """Like iterating, with None after a picture while the next one is not there yet."""
        for frame in self:
            newest: Frame | None = frame
            while newest is not None:
                yield newest
                newest = self._slot.take()
            yield None

    def stop(self) -> None:
        self._stopping.set()
        self._slot.close()

    def close(self) -> None:
        """Release the device. A driver that hangs keeps only its own daemon thread."""
        self.stop()
        self._thread.join(timeout=2.0)

    def _read(self) -> None:
        capture: Capture | None = None
        try:
            capture = self._open_capture(self._index)
            if not capture.isOpened():
                raise UserError(f"{self.name} cannot be opened; plug it in or {_CHOOSE}")
            index = 0
            while not self._stopping.is_set():
                read, bgr = capture.read()
                if not read or bgr is None:
                    raise UserError(f"{self.name} stopped giving pictures; plug it in again or {_CHOOSE}")
                image = cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)
                image.setflags(write=False)
                self._slot.put(Frame(index, monotonic_ns(), image))
                index += 1
        except Exception as error:
            self._slot.close(error)
        finally:
            if capture is not None:
                capture.release()
            self._slot.close()
