"""Writes pictures as a small H.264 file that every player opens."""

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from digit.errors import UserError

FPS = 30


def write_video(path: Path, images: Iterable[np.ndarray], crf: int = 28, preset: str = "slow") -> None:
    """Write (height, width, 3) uint8 RGB pictures, all of one size, as MP4 at `FPS`.

    Raises UserError when it cannot be written.
    """
    import av

    try:
        path.touch()  # libav opens the file late: fail before drawing
        with av.open(str(path), "w", format="mp4", options={"movflags": "faststart"}) as file:
            stream: Any = file.add_stream("libx264", FPS, options={"crf": str(crf), "preset": preset})
            stream.pix_fmt, stream.time_base = "yuv420p", Fraction(1, FPS)
            for n, image in enumerate(images):
                if n == 0:
                    stream.height, stream.width = image.shape[:2]
                file.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
            file.mux(stream.encode())
    except (OSError, ValueError) as error:
        raise UserError(f"Cannot write {path} ({error}); free some space or give another --out.") from error
