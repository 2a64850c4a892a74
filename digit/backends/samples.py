"""Synthetic crops with truth that come with the program (`digit.training.samples` drew them), in one file.

Half of them calibrate int8 networks, the other half, which no network learned from, measures what int8 costs. The first
of these is also what every backend is checked on when it is loaded (`digit.backends.check`).
"""

import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from digit.errors import UserError

PATH = Path(__file__).resolve().parents[2] / "assets" / "calibration.npz"


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """N crops."""

    images: np.ndarray  # (N, 256, 256, 3) uint8 RGB
    priors: np.ndarray  # (N, 42, 4) float32, `digit.prediction.Prior`
    joints_2p5d: np.ndarray  # (N, 42, 3) float32: crop pixels, mm relative to the own wrist
    valid: np.ndarray  # (N, 42) bool
    parts: np.ndarray  # (N, 128, 128) uint8
    mm_per_px: np.ndarray  # (N,) float64: size of a crop pixel at the hands

    def __len__(self) -> int:
        return len(self.images)


def write(path: Path, calibrate: Samples, check: Samples, jpeg_quality: int) -> None:
    """Keep both halves, pictures as JPEG."""
    import cv2

    columns: dict[str, Any] = {}
    for half, samples in (("calibrate", calibrate), ("check", check)):
        options = [cv2.IMWRITE_JPEG_QUALITY, jpeg_quality]
        jpegs = [cv2.imencode(".jpg", image[..., ::-1], options)[1] for image in samples.images]
        columns[f"{half}_jpeg"] = np.concatenate(jpegs)
        columns[f"{half}_ends"] = np.cumsum([len(jpeg) for jpeg in jpegs])
        for name in ("priors", "joints_2p5d", "valid", "parts", "mm_per_px"):
            columns[f"{half}_{name}"] = getattr(samples, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        np.savez_compressed(file, **columns)


def read(half: str, count: int | None = None, path: Path | None = None) -> Samples:
    """The first ``count`` crops of "calibrate" or "check".

    Raises:
        UserError: the file is missing or damaged.
    """
    import cv2

    path = path or PATH
    try:
        with path.open("rb") as file, np.load(file) as columns:
            ends = columns[f"{half}_ends"][:count]
            jpegs = np.split(columns[f"{half}_jpeg"], ends)[: len(ends)]
            rest = {name: columns[f"{half}_{name}"][:count] for name in Samples.__slots__ if name != "images"}
        images = np.stack([np.asarray(cv2.imdecode(jpeg, cv2.IMREAD_COLOR_RGB)) for jpeg in jpegs])
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, cv2.error) as error:
        raise UserError(f"{path} is missing or damaged; fetch the repository's assets folder again.") from error
    return Samples(images, **rest)
