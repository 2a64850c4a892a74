"""Writes painted frames as an MP4 that plays everywhere, at the frames' own times."""

from fractions import Fraction
from pathlib import Path
from typing import Any, Self

import av
import cv2
import numpy as np

#: Ticks of the timestamps; a common multiple of the usual frame rates.
_TICKS_PER_S = 90_000
#: H.264 where this build of FFmpeg can write it.
_CODEC = "libx264" if "libx264" in av.codecs_available else "mpeg4"


class OverlayVideo:
    """Open it with ``with``. The first frame sets the size; a frame of another size is fitted into it."""

    def __init__(self, path: Path, fps: float | None) -> None:
        """Raises OSError when the file cannot be written, as do `write` and leaving the ``with``."""
        self._container: Any = av.open(str(path), "w", format="mp4")
        self._rate = Fraction(fps or 30).limit_denominator(1001)
        self._stream: Any = None  # until the first frame tells its size
        self._size = (0, 0)
        self._first_ns, self._last_pts = 0, -1
        self._failed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, error_type: type[BaseException] | None, *_: object) -> None:
        try:
            if self._size != (0, 0) and not self._failed:
                self._mux(None)
        finally:
            self._container.close()

    def write(self, image: np.ndarray, time_ns: int) -> None:
        """Add a (H, W, 3) uint8 RGB picture at its time, which grows from call to call."""
        if self._size == (0, 0):
            self._start(image, time_ns)
        picture = av.VideoFrame.from_ndarray(fitted(image, *self._size), format="rgb24")
        pts = max((time_ns - self._first_ns) * _TICKS_PER_S // 1_000_000_000, self._last_pts + 1)
        picture.pts, picture.time_base, self._last_pts = pts, Fraction(1, _TICKS_PER_S), pts
        self._mux(picture)

    def _mux(self, picture: av.VideoFrame | None) -> None:
        """Encode one picture; None takes out what the encoder still holds."""
        try:
            self._container.mux(self._stream.encode(picture))
        except BaseException:
            # Once a write has failed, as on a full disk, a second one crashes inside FFmpeg.
            self._failed = True
            raise

    def _start(self, image: np.ndarray, time_ns: int) -> None:
        # Both codecs keep colour for pairs of pixels, so the sides must be even.
        height, width = (max(2, side - side % 2) for side in image.shape[:2])
        self._size, self._first_ns = (width, height), time_ns
        self._stream = self._container.add_stream(_CODEC, rate=self._rate)
        self._stream.width, self._stream.height, self._stream.pix_fmt = width, height, "yuv420p"
        self._stream.time_base = self._stream.codec_context.time_base = Fraction(1, _TICKS_PER_S)
        if _CODEC == "libx264":
            self._stream.options = {"preset": "veryfast", "crf": "20"}
        else:
            self._stream.bit_rate = 8_000_000


def fitted(image: np.ndarray, width: int, height: int) -> np.ndarray:
    """The picture in a frame of this size: cropped by at most a pixel, or scaled with black bars."""
    if 0 <= image.shape[0] - height <= 1 and 0 <= image.shape[1] - width <= 1:
        return np.ascontiguousarray(image[:height, :width])
    scale = min(width / image.shape[1], height / image.shape[0])
    size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    top, left = (height - size[1]) // 2, (width - size[0]) // 2
    return cv2.copyMakeBorder(small, top, height - size[1] - top, left, width - size[0] - left, cv2.BORDER_CONSTANT)
