"""What MediaPipe sees on a set's pictures, so that training meets the very mistakes that the app's prior will have.

    python -m digit.training.seen DIR [DIR ...] [--split train] [--workers N]

Writes ``DIR/annotations/SPLIT/landmarks-0000.npz`` and so on, which `digit.training` finds. A run that was stopped
goes on, and a set that has grown is looked at where it is new.
"""

import argparse
import sys
import zipfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
from tqdm import tqdm

from digit import interhand
from digit.errors import UserError, command_line
from digit.interhand import read_picture
from digit.landmarker import Landmarker, prior_from_hands

CHUNK = 500
#: As `demo.detector` asks MediaPipe.
FOUND_AT = 0.3
_AS_IT_IS = np.eye(2, 3)
_DAMAGED = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile)


class Seen:
    """Landmark priors in picture pixels, by picture."""

    def __init__(self, priors: dict[str, np.ndarray]) -> None:
        self._priors = priors

    def __len__(self) -> int:
        return len(self._priors)

    def __call__(self, image: Path) -> np.ndarray | None:
        """(42, 4) float32 as `digit.prediction.Prior`, but in picture pixels; None for a picture nobody looked at."""
        return self._priors.get(str(image))


def read(folders: Sequence[Path], split: str = "train") -> Seen:
    """What was written for these sets; nothing for those without. Raises UserError for a damaged file."""
    priors: dict[str, np.ndarray] = {}
    for folder in folders:
        for file in sorted((folder / "annotations" / split).glob("landmarks-*.npz")):
            try:
                # Opened here: numpy leaves a file open that is not a whole zip.
                with file.open("rb") as opened, np.load(opened) as data:
                    names = [str(folder / name) for name in data["files"].tolist()]
                    priors.update(zip(names, data["priors"], strict=True))
            except _DAMAGED as error:
                raise UserError(f"{file} is damaged ({error}); delete it and run digit.training.seen again.") from error
    return Seen(priors)


def write(folder: Path, split: str = "train", workers: int = 1) -> int:
    """Look at every picture of a split; returns how many there are. Raises UserError where one cannot be read."""
    index = interhand.read(folder, split)
    images = [Path(name.decode()) for name in index.images]
    out = folder / "annotations" / split
    chunks = [images[start : start + CHUNK] for start in range(0, len(images), CHUNK)]
    todo = [(folder, chunk, out / f"landmarks-{n:04d}.npz") for n, chunk in enumerate(chunks)]
    todo = [job for job in todo if not _done(job)]
    with ProcessPoolExecutor(workers) as pool, tqdm(total=sum(len(job[1]) for job in todo), unit="picture") as bar:
        for count in pool.map(_look_through, todo):
            bar.update(count)
    return len(images)


def _done(job: tuple[Path, list[Path], Path]) -> bool:
    """Whether its file is whole and of these very pictures: a set may have grown since."""
    folder, images, file = job
    try:
        with file.open("rb") as opened, np.load(opened) as data:
            return data["files"].tolist() == _names(folder, images) and len(data["priors"]) == len(images)
    except _DAMAGED:
        return False


def _names(folder: Path, images: Sequence[Path]) -> list[str]:
    return [str(image.relative_to(folder)) for image in images]


def _look_through(job: tuple[Path, list[Path], Path]) -> int:
    folder, images, out = job
    priors = np.stack(list(_priors(images)))
    part = out.with_suffix(".part.npz")
    try:
        np.savez_compressed(part, files=np.array(_names(folder, images)), priors=priors)
        part.replace(out)
    except OSError as error:
        raise UserError(f"Cannot write {out} ({error.strerror}); free some space.") from error
    return len(images)


def _priors(images: Sequence[Path]) -> Iterator[np.ndarray]:
    with Landmarker("image", found_at=FOUND_AT) as landmarker:
        for image in images:
            yield prior_from_hands(landmarker(read_picture(image)), _AS_IT_IS)


@command_line
def main(argv: list[str] | None = None) -> None:
    """Returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m digit.training.seen", description="MediaPipe's hands on a set.")
    parser.add_argument("folders", type=Path, nargs="+", metavar="DIR", help="sets in InterHand2.6M's layout")
    parser.add_argument("--split", default="train", choices=interhand.SPLITS)
    parser.add_argument("--workers", type=int, default=2, help="processes (default 2)")
    args = parser.parse_args(argv)
    for folder in args.folders:
        print(f"{folder}: {write(folder, args.split, max(1, args.workers))} pictures")


if __name__ == "__main__":
    sys.exit(main())
