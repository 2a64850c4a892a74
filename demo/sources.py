"""Where frames come from: a camera, a video file or a folder of pictures.

A source is iterated once, in the thread that opened it, and closed there. ``stop`` may be called from any thread and
ends the iteration soon. A live source keeps the pace of its timestamps; any other gives every frame as fast as it is
asked.
"""

import math
import os
import threading
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from time import monotonic_ns
from typing import Any, Protocol

import av
import av.container
import av.error
import cv2
import numpy as np

from demo.camera import Camera
from demo.records import Frame
from demo.settings import Settings
from digit.errors import UserError

PICTURE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff")
#: A folder of pictures has no timestamps; its pictures stand this many a second.
PICTURES_FPS = 10
#: A live source that is this late goes on from where it is instead of rushing (a pause, a computer that slept).
LATE_NS = 300_000_000

#: What FFmpeg takes for ITU-R BT.601 with limited range, as OpenCV does: stated so, or not stated.
#: The numbers are those of ITU-T H.273.
_LIMITED, _BT601 = (0, 1), (2, 5, 6)


class Source(Protocol):
    """Frames with growing ``index`` and ``time_ns``."""

    @property
    def name(self) -> str:
        """What a caption calls it."""
        ...

    @property
    def notice(self) -> str:
        """One sentence about what went wrong without ending it; empty when all is well."""
        ...

    @property
    def fps(self) -> float | None:
        """Nominal frame rate, where known."""
        ...

    @property
    def length(self) -> int | None:
        """Number of frames as the file states it, where known."""
        ...

    def __iter__(self) -> Iterator[Frame]: ...

    def stop(self) -> None:
        """End the iteration soon. Any thread may call it."""
        ...

    def close(self) -> None:
        """Give back the device or file. The iterating thread calls it."""
        ...


def open_source(settings: Settings, live: bool = True) -> Source:
    """The source that the settings name. Raises UserError when it cannot be opened."""
    if settings.source == "camera":
        return Camera(settings.camera)
    if settings.path is None:
        raise UserError(
            f"No path was given for the {settings.source}; use --video PATH, --images DIR or --session DIR."
        )
    if settings.source == "session":
        from demo.recording.frames import SessionFrames  # it needs this module

        return SessionFrames(settings.path, live)
    if settings.source == "video":
        return Video(settings.path, live, repeat=settings.repeat and live)
    return Pictures(settings.path, live)


class Pace:
    """Sleeps until a timestamp is due, and gives its place on the monotonic clock."""

    def __init__(self, live: bool) -> None:
        self._live = live
        self._stopped = threading.Event()
        self._start_ns = monotonic_ns()
        self._last_ns = 0

    def wait(self, media_ns: int) -> int:
        """Wait for the media time, counted from the first frame; return the frame's ``time_ns``, always growing."""
        if self._live:
            late_ns = monotonic_ns() - self._start_ns - media_ns
            if late_ns > LATE_NS:
                self._start_ns += late_ns
            elif late_ns < 0:
                self._stopped.wait(-late_ns / 1e9)
        self._last_ns = max(self._start_ns + media_ns, self._last_ns + 1)
        return self._last_ns

    def stop(self) -> None:
        """Wake the sleeper."""
        self._stopped.set()

    @property
    def stopped(self) -> bool:
        """True after `stop`."""
        return self._stopped.is_set()


class Video:
    """A video file, decoded with PyAV, upright and with the file's own timestamps.

    A file that breaks off gives its frames up to there; `notice` then says so.
    """

    def __init__(self, path: Path, live: bool, repeat: bool = False) -> None:
        self.name, self.notice = readable_name(path), ""
        self._path, self._repeat, self._pace = path, repeat, Pace(live)
        self._container, self._stream = _open_video(path)
        rate = self._stream.average_rate
        self.fps = float(rate) if rate else None
        self.length = self._stream.frames or None

    def __iter__(self) -> Iterator[Frame]:
        index, start_ns = 0, 0
        while True:
            media_ns = -1
            for media_ns, image in self._pictures():
                time_ns = self._pace.wait(start_ns + media_ns)
                if self._pace.stopped:
                    return
                yield Frame(index, time_ns, _read_only(image))
                index += 1
            if index == 0:
                raise UserError(f"The video {self._path} holds no readable picture; convert it to MP4 and try again.")
            if not self._repeat or self.notice:
                return
            start_ns += media_ns + int(1e9 / (self.fps or 30))
            self._container.seek(0)

    def stop(self) -> None:
        self._pace.stop()

    def close(self) -> None:
        self._container.close()

    def _pictures(self) -> Iterator[tuple[int, np.ndarray]]:
        """(nanoseconds since the first picture, RGB picture) up to the end or the first break of the file."""
        step = 1 / Fraction(self._stream.average_rate or 30)
        first_s, last_s, count = None, None, 0
        try:
            for picture in self._container.decode(self._stream):
                time_s = _time_s(picture, last_s, step)
                first_s = time_s if first_s is None else first_s
                last_s, count = time_s, count + 1
                yield int((time_s - first_s) * 1_000_000_000), _upright(picture)
        except (av.error.FFmpegError, OSError) as error:
            self._say_cut(count, error.strerror or "unknown format")
            return
        early = self.length is not None and count < self.length
        if early and last_s is not None and "mp4" in self._container.format.name:  # its edit list may hide pictures
            early = last_s + 2 * step < Fraction(self._container.duration or 0, av.time_base)
        if early and not self._pace.stopped:
            self._say_cut(count, f"the file states {self.length}")

    def _say_cut(self, count: int, why: str) -> None:
        self.notice = (
            f"The video {self.name} breaks off after {count} frames ({why}); the frames up to there were used."
        )


def _open_video(path: Path) -> tuple[av.container.InputContainer, av.VideoStream]:
    if not path.is_file():
        raise UserError(f"There is no video file {path}; check the path given with --video.")
    try:
        container = av.open(str(path.absolute()), metadata_errors="replace")
    except (av.error.FFmpegError, OSError) as error:
        why = error.strerror or "unknown format"
        raise UserError(f"Cannot read the video {path} ({why}); convert it to MP4 and try again.") from error
    if not container.streams.video:
        container.close()
        raise UserError(f"{path} holds no video; give a video file with --video PATH.")
    stream = container.streams.video[0]
    stream.thread_type = "AUTO"
    return container, stream


def _time_s(picture: av.VideoFrame, last_s: Fraction | None, step_s: Fraction) -> Fraction:
    """Presentation time, or one step after the last picture where the file has none or it does not grow."""
    if picture.pts is not None and picture.time_base is not None:
        time_s = picture.pts * picture.time_base
        if last_s is None or time_s > last_s:
            return time_s
    return Fraction(0) if last_s is None else last_s + step_s


def _upright(picture: av.VideoFrame) -> np.ndarray:
    """RGB, turned as the phone that filmed it says, but not mirrored: that would make a left hand of a right one."""
    image, matrix = _rgb(picture), picture.side_data.get("DISPLAYMATRIX")
    if matrix is None:
        return image
    a, b, _, c, d = np.frombuffer(matrix, np.int32)[:5].tolist()  # (x, y) is shown at (ax + cy, bx + dy)
    turned = math.atan2(-b, -a if a * d < b * c else a)
    return np.rot90(image, round(turned / (math.pi / 2)) % 4)


def _rgb(picture: av.VideoFrame) -> np.ndarray:
    """(H, W, 3). The usual kind of picture goes through OpenCV, which takes a third of FFmpeg's time for it."""
    usual = picture.format.name == "yuv420p" and picture.color_range in _LIMITED and picture.colorspace in _BT601
    if usual and picture.width % 2 == 0 and picture.height % 2 == 0:
        luma, *chroma = (_plane(plane) for plane in picture.planes)
        return cv2.cvtColorTwoPlane(luma, cv2.merge(chroma), cv2.COLOR_YUV2RGB_NV12)
    return picture.to_ndarray(format="rgb24")


def _plane(plane: Any) -> np.ndarray:
    """(H, W) uint8: a view of one plane of a picture, without what pads its rows."""
    return np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)[:, : plane.width]


class Pictures:
    """Every picture of a folder, sorted by name. Unreadable ones are left out and named in `notice`."""

    def __init__(self, folder: Path, live: bool) -> None:
        if not folder.is_dir():
            raise UserError(f"There is no folder {folder}; check the path given with --images.")
        self._paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in PICTURE_SUFFIXES)
        if not self._paths:
            raise UserError(f"The folder {folder} holds no pictures; give one with .jpg or .png files.")
        self.name, self.notice = readable_name(folder), ""
        self.fps, self.length = float(PICTURES_FPS), len(self._paths)
        self._folder, self._pace = folder, Pace(live)

    def __iter__(self) -> Iterator[Frame]:
        unreadable: list[str] = []
        index = 0
        for path in self._paths:
            bgr = _read_picture(path)
            if bgr is None:
                unreadable.append(readable_name(path))
                self.notice = f"Left out, because it cannot be read: {_listed(unreadable)}."
                continue
            time_ns = self._pace.wait(index * 1_000_000_000 // PICTURES_FPS)
            if self._pace.stopped:
                return
            yield Frame(index, time_ns, _read_only(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)))
            index += 1
        if index == 0:
            raise UserError(
                f"No picture in {self._folder} can be read ({_listed(unreadable)}); convert them to JPEG or PNG."
            )

    def stop(self) -> None:
        self._pace.stop()

    def close(self) -> None:
        """Nothing stays open between two pictures."""


def _read_picture(path: Path) -> np.ndarray | None:
    """BGR, upright; None when the file is no picture.

    OpenCV gets the bytes, as a name that is not UTF-8 would crash it.
    """
    try:
        return cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_COLOR)
    except (OSError, cv2.error):  # an empty file, or a picture beyond OpenCV's largest
        return None


def readable_name(path: Path) -> str:
    """The name as UTF-8 can write it, of whatever bytes it is."""
    return os.fsencode(path.name).decode(errors="replace")


def _listed(names: Iterable[str], at_most: int = 5) -> str:
    names = list(names)
    more = f" and {len(names) - at_most} more" if len(names) > at_most else ""
    return ", ".join(names[:at_most]) + more


def _read_only(image: np.ndarray) -> np.ndarray:
    image.setflags(write=False)
    return image
