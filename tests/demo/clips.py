"""Small videos, made on the spot."""

from collections.abc import Iterable
from pathlib import Path

import av
import numpy as np

from tests.demo.scripted import draw_hands


def two_hands(frames: int = 20, height: int = 180, width: int = 320) -> list[np.ndarray]:
    """Two discs that drift."""
    return [draw_hands(height, width, right=(100 + i, 90), left=(210 + i, 80)) for i in range(frames)]


def write_clip(path: Path, images: Iterable[np.ndarray], fps: int = 20) -> Path:
    """Every picture is a key frame, so that a cut loses none before it."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=fps)
        stream.pix_fmt, stream.bit_rate, stream.gop_size = "yuv420p", 4_000_000, 1
        for i, image in enumerate(images):
            if i == 0:
                stream.height, stream.width = image.shape[:2]
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())
    return path


def truncated(path: Path, share: float) -> Path:
    """A copy that stops after this share of the bytes."""
    data = path.read_bytes()
    cut = path.with_name("cut_" + path.name)
    cut.write_bytes(data[: int(len(data) * share)])
    return cut
