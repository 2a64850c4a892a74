"""The synthetic crops that ship with the program, so that int8 can be calibrated and checked without a data set.

    python -m digit.training.samples --calibrate FOLDER --check FOLDER [--count N]    writes assets/calibration.npz
    python -m digit.training.samples --check FOLDER [--count N]    what int8 costs digit-lite on more crops than ship

Both folders hold sets that `digit.synth` drew. Real pictures have no place here.
"""

import argparse
import sys
from pathlib import Path

import cv2
import numpy as np

from digit import checkpoint
from digit.backends import exports
from digit.backends.quantize import accuracy, comparison
from digit.backends.samples import PATH, Samples, write
from digit.errors import UserError, command_line
from digit.interhand import Sample
from digit.skeleton import ROOTS
from digit.training.augment import WEBCAM, Crop, draw_warp
from digit.training.dataset import CropDataset, read_index
from digit.training.prior import draw_prior

JPEG_QUALITY = 90


def draw(folder: Path, count: int, *, augment: bool, seed: int) -> Samples:
    """``count`` random crops of a set with drawn priors. Raises UserError when the set cannot be read."""
    dataset = CropDataset(read_index([folder]), augment=augment)
    rng = np.random.default_rng(seed)
    chosen = rng.permutation(len(dataset))[:count]
    augmentation = WEBCAM if augment else WEBCAM.still()
    crops = [dataset.crop(int(i), draw_warp(rng, augmentation)) for i in chosen]
    return Samples(
        images=np.stack([_as_jpeg(crop.image) for crop in crops]),
        priors=np.stack([draw_prior(crop, rng) for crop in crops]),
        joints_2p5d=np.stack([crop.joints_2p5d for crop in crops]),
        valid=np.stack([crop.joint_valid for crop in crops]),
        parts=np.stack([crop.parts for crop in crops]),
        mm_per_px=np.array([_mm_per_px(dataset.index[int(i)], c) for i, c in zip(chosen, crops, strict=True)]),
    )


def cost_of_int8(truth: Samples) -> str:
    """What the shipped digit-lite loses in int8, in one line. Raises UserError when it has no export."""
    weights = checkpoint.weights_path("digit-lite")
    folders = [exports.shipped(weights, checkpoint.sha256(weights), precision) for precision in ("fp32", "int8")]
    if None in folders:
        raise UserError(f"{weights} has no exports beside it; make them with python -m digit.backends.export ship.")
    floats, int8 = (accuracy(folder, truth) for folder in folders if folder)
    return comparison(len(truth), floats, int8)


def _as_jpeg(image: np.ndarray) -> np.ndarray:
    """The picture as it will be read back."""
    _, jpeg = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    return np.asarray(cv2.imdecode(jpeg, cv2.IMREAD_COLOR_RGB))


def _mm_per_px(sample: Sample, crop: Crop) -> float:
    """Size of a crop pixel at the hands: spread of the joints around their wrists, in mm over in pixels."""
    roots = list(ROOTS)
    valid = crop.joint_valid
    mm = (sample.joints_mm - sample.joints_mm[roots])[valid, :2]
    if crop.flipped:
        raise ValueError("a flipped crop has its joints in another order")
    px = (crop.joints_2p5d - crop.joints_2p5d[roots])[valid, :2]
    return float(np.sqrt((mm**2).sum() / max((px**2).sum(), 1e-9)))


@command_line
def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m digit.training.samples", description=__doc__)
    parser.add_argument("--calibrate", type=Path, help="a set that the network learns from; without it only measure")
    parser.add_argument("--check", type=Path, required=True, help="a set that it does not learn from")
    parser.add_argument("--count", type=int, default=96, help="crops of each (default 96)")
    args = parser.parse_args(argv)
    check = draw(args.check, args.count, augment=False, seed=4)
    if args.calibrate is None:
        print(cost_of_int8(check))
        return
    calibrate = draw(args.calibrate, args.count, augment=False, seed=3)
    write(PATH, calibrate, check, JPEG_QUALITY)
    print(f"wrote {PATH}: {PATH.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    sys.exit(main())
