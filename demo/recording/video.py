"""Writes pictures as a video at their own times: a session's ``video.mkv``, and MP4s that play everywhere."""

from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal, Self

import av
import cv2
import numpy as np

#: H.264 where this build of FFmpeg can write it.
_H264 = "libx264" if "libx264" in av.codecs_available else "mpeg4"


@dataclass(frozen=True, slots=True)
class Encoding:
    """How a video is written."""

    container: str
    codec: str
    pixels: str
    ticks_per_s: int
    codec_options: dict[str, str] = field(default_factory=dict[str, str])
    container_options: dict[str, str] = field(default_factory=dict[str, str])
    key_every: int | None = None  # frames
    bit_rate: int | None = None  # where the codec has no constant quality


def _h264(container: str, ticks_per_s: int, options: dict[str, str], **values: Any) -> Encoding:
    if _H264 == "libx264":
        return Encoding(container, _H264, "yuv420p", ticks_per_s, options, **values)
    return Encoding(container, _H264, "yuv420p", ticks_per_s, bit_rate=12_000_000, **values)


Codec = Literal["h264", "mjpeg"]
#: Plays everywhere. The ticks are a common multiple of the usual frame rates.
MP4 = _h264("mp4", 90_000, {"preset": "veryfast", "crf": "20"})
#: Each picture is a cluster of its own and goes to the disk as soon as the next one comes, and no encoder holds one
#: back: what ends the process loses at most the last picture. Matroska counts in milliseconds.
_AT_ONCE = {"cluster_time_limit": "0", "flush_packets": "1"}
SESSION: dict[Codec, Encoding] = {
    "h264": _h264(
        "matroska",
        1000,
        {"preset": "superfast", "tune": "zerolatency", "crf": "20"},
        container_options=_AT_ONCE,
        key_every=15,
    ),
    "mjpeg": Encoding("matroska", "mjpeg", "yuvj420p", 1000, {"q:v": "3", "qmin": "3", "qmax": "3"}, _AT_ONCE, 1),
}


class VideoWriter:
    """Open it with ``with``. The first picture sets the size; one of another size is fitted into it."""

    def __init__(self, path: Path, fps: float | None, encoding: Encoding = MP4) -> None:
        """Raises OSError when the file cannot be written, as do `write` and `close`."""
        self._encoding = encoding
        options = encoding.container_options
        self._container: Any = av.open(str(path.absolute()), "w", format=encoding.container, options=options)
        self._rate = Fraction(fps or 30).limit_denominator(1001)
        self._stream: Any = None  # until the first picture tells its size
        self._size = (0, 0)
        self._first_ns, self._last_pts = 0, -1
        self._failed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Write what the encoder still holds and the file's index."""
        try:
            if self._stream is not None and not self._failed:
                self._mux(None)
        finally:
            self._container.close()

    def write(self, image: np.ndarray, time_ns: int) -> int:
        """Add a (H, W, 3) uint8 RGB picture at its time; answers its presentation time in ticks.

        Times that stand still or go back are moved to the next tick.
        """
        if self._stream is None:
            self._start(image, time_ns)
        picture = self._picture(fitted(image, *self._size))
        ticks = self._encoding.ticks_per_s
        pts = max((time_ns - self._first_ns) * ticks // 1_000_000_000, self._last_pts + 1)
        picture.pts, picture.time_base, self._last_pts = pts, Fraction(1, ticks), pts
        self._mux(picture)
        return pts

    def _picture(self, image: np.ndarray) -> av.VideoFrame:
        if self._encoding.pixels != "yuv420p":
            return av.VideoFrame.from_ndarray(image, format="rgb24")
        # OpenCV takes a fifth of FFmpeg's time for this.
        planes: Any = cv2.cvtColor(image, cv2.COLOR_RGB2YUV_I420)
        return av.VideoFrame.from_ndarray(planes, format="yuv420p")

    def _mux(self, picture: av.VideoFrame | None) -> None:
        """Encode one picture; None takes out what the encoder still holds."""
        try:
            self._container.mux(self._stream.encode(picture))
        except BaseException:
            # Once a write has failed, as on a full disk, a second one crashes inside FFmpeg.
            self._failed = True
            raise

    def _start(self, image: np.ndarray, time_ns: int) -> None:
        # The codecs keep colour for pairs of pixels, so the sides must be even.
        height, width = (side + side % 2 for side in image.shape[:2])
        encoding, self._size, self._first_ns = self._encoding, (width, height), time_ns
        stream = self._container.add_stream(encoding.codec, rate=self._rate)
        stream.width, stream.height, stream.pix_fmt = width, height, encoding.pixels
        stream.time_base = stream.codec_context.time_base = Fraction(1, encoding.ticks_per_s)
        stream.options = encoding.codec_options
        if encoding.key_every:
            stream.gop_size = encoding.key_every
        if encoding.bit_rate:
            stream.bit_rate = encoding.bit_rate
        self._stream = stream


def fitted(image: np.ndarray, width: int, height: int) -> np.ndarray:
    """The picture in a frame of this size: its edge repeated by at most a pixel, or scaled with black bars."""
    down, right = height - image.shape[0], width - image.shape[1]
    if (down, right) == (0, 0):
        return np.ascontiguousarray(image)
    if down in (0, 1) and right in (0, 1):
        return cv2.copyMakeBorder(image, 0, down, 0, right, cv2.BORDER_REPLICATE)
    (fit_width, fit_height), left, top = _place(image.shape[1], image.shape[0], width, height)
    shrinks = fit_width < image.shape[1]
    small = cv2.resize(image, (fit_width, fit_height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    bottom, right = height - fit_height - top, width - fit_width - left
    return cv2.copyMakeBorder(small, top, bottom, left, right, cv2.BORDER_CONSTANT)


def unfitted(picture: np.ndarray, width: int, height: int) -> np.ndarray:
    """The (height, width, 3) picture that `fitted` put into this one."""
    down, right = picture.shape[0] - height, picture.shape[1] - width
    if down in (0, 1) and right in (0, 1):
        return picture[:height, :width]
    (fit_width, fit_height), left, top = _place(width, height, picture.shape[1], picture.shape[0])
    return cv2.resize(picture[top : top + fit_height, left : left + fit_width], (width, height))


def _place(width: int, height: int, into_width: int, into_height: int) -> tuple[tuple[int, int], int, int]:
    """Size of the scaled picture in the frame, and its left and top."""
    scale = min(into_width / width, into_height / height)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return size, (into_width - size[0]) // 2, (into_height - size[1]) // 2
