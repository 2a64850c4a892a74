"""Fits what makes a network's certainties probabilities (`digit.calibration`), and shows how well they hold.

    python -m digit.training.calibration --weights FILE --data FOLDER [--plot FILE.png] [--dry-run]

``--data`` is a set of `digit.synth` that the network did not learn from; real pictures have no place here. Each picture
is asked with and without a landmark prior, and crops without hands join in. Run ``python -m digit.training.seen`` on
the folder first: the prior is then MediaPipe's own, as in the app, and not one drawn from the truth, which errs in
kinder ways. One half of the pictures fits the six numbers. The other half is what the figures and the reliability plot
are made of; it lies beside the weights unless ``--plot`` names another place. The numbers go into the weights' header,
so exports have to be made again afterwards (``python -m digit.backends.export ship``). Takes a minute. Needs the extra
[train].
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

from digit import checkpoint
from digit.calibration import WITHIN, Calibration
from digit.errors import UserError, command_line
from digit.predict import decode, hand_sizes, joint_probability, presence_probability, takes_prior
from digit.prediction import CROP_SIZE
from digit.skeleton import JOINTS_PER_HAND
from digit.training.augment import WEBCAM
from digit.training.dataset import CropDataset, tensors
from digit.training.empty import empty_crop
from digit.training.loader import ready
from digit.training.losses import Batch
from digit.training.optimise import forward
from digit.training.validate import held_out, seen_of, validation_sets

PICTURES, EMPTY = 600, 400
BATCH = 25
BINS = 15
#: A hand with fewer annotated joints has no size to compare errors with.
FEWEST_JOINTS = 10


class Crops(NamedTuple):
    """What a network says of N crops as they come, and what is true."""

    mass: np.ndarray  # (N, 42) heatmap mass at each joint
    sizes: np.ndarray  # (N, 2) of the predicted hands (`digit.predict.hand_sizes`)
    told: np.ndarray  # (N, 42) weights of the landmark prior
    logits: np.ndarray  # (N, 2) of right, left
    right: np.ndarray  # (N, 42) bool: the joint is right (`digit.calibration.WITHIN`)
    judged: np.ndarray  # (N, 42) bool: its hand is there and its true place is known
    hands: np.ndarray  # (N, 2) bool: the hand is there
    group: np.ndarray  # (N,) which picture; the same one with and without a prior falls into the same half

    def half(self, which: int) -> "Crops":
        return Crops(*(column[self.group % 2 == which] for column in self))


class EmptyCrops(Dataset[dict[str, torch.Tensor]]):
    """Crops without hands."""

    def __init__(self, count: int):
        self._count = count

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, i: int) -> dict[str, torch.Tensor]:
        if i >= self._count:
            raise IndexError(i)
        return tensors(empty_crop(np.random.default_rng([7, i])), np.zeros((42, 4), np.float32))


def answers(net: nn.Module, pictures: CropDataset) -> dict[str, Crops]:
    """What a network says of a set without and, where it takes one, with a prior, and of crops without hands."""
    asked: dict[str, Dataset[Any]] = {**validation_sets(pictures, net), "empty": EmptyCrops(EMPTY)}
    if "mediapipe" in asked:
        del asked["drawn"]
    return {name: _asked(net, dataset) for name, dataset in asked.items()}


@torch.inference_mode()
def _asked(net: nn.Module, dataset: "Dataset[Any]") -> Crops:
    columns: list[tuple[np.ndarray, ...]] = []
    for batch in DataLoader(dataset, batch_size=BATCH):
        batch = ready(batch, torch.device("cpu"))
        output = forward(net, batch, "fp32", takes_prior(net), CROP_SIZE)
        decoded = decode(output)
        right, judged = _judged(decoded.joints_2p5d.numpy(), batch)
        sizes = hand_sizes(decoded.joints_2p5d)
        said = (decoded.confidence, sizes, batch["prior"][..., 3], output.handedness_logits.float())
        columns.append((*(tensor.double().numpy() for tensor in said), right, judged, batch["hands"].numpy() > 0.5))
    joined = [np.concatenate(column) for column in zip(*columns, strict=True)]
    return Crops(*joined, group=np.arange(len(joined[0])))


def _judged(joints: np.ndarray, batch: Batch) -> tuple[np.ndarray, np.ndarray]:
    """(B, 42) which joints are right, and of which that can be said."""
    true_px, valid = batch["joints"].numpy()[..., :2], batch["valid"].numpy()
    by_hand, known = true_px.reshape(len(true_px), 2, -1, 2), valid.reshape(len(valid), 2, -1)
    low, high = (np.where(known[..., None], by_hand, fill) for fill in (np.inf, -np.inf))
    size_px = (high.max(axis=2) - low.min(axis=2)).max(axis=2)  # -inf for a hand without joints
    counted = known & (known.sum(axis=2) >= FEWEST_JOINTS)[..., None]
    off_px = np.linalg.norm(joints[..., :2] - true_px, axis=-1)
    return off_px <= WITHIN * np.repeat(size_px, JOINTS_PER_HAND, axis=1), counted.reshape(valid.shape)


def fit(crops: Crops) -> Calibration:
    """Logistic regression. Raises UserError when more certainty would not mean more truth."""
    mass, size, prior, offset = logistic(_joint_features(crops), crops.right[crops.judged])
    presence, presence_offset = logistic(crops.logits.reshape(-1, 1), crops.hands.ravel())
    if not (mass > 0 and presence > 0):
        raise UserError("On these pictures the network's certainty says nothing about the truth; train it longer.")
    return Calibration(*map(float, (mass, size, prior, offset, presence, presence_offset)))


def _joint_features(crops: Crops) -> np.ndarray:
    mass = np.clip(crops.mass, 1e-4, 1 - 1e-4)
    sizes = np.repeat(np.log(crops.sizes), JOINTS_PER_HAND, axis=1)
    return np.stack((np.log(mass / (1 - mass)), sizes, crops.told), axis=-1)[crops.judged]


def logistic(features: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Weights (D + 1,), the offset last, of a logistic regression on (N, D) features and (N,) bool.

    Raises:
        UserError: all is true or nothing is.
    """
    if truth.all() or not truth.any():
        raise UserError("There is nothing to fit: the pictures need joints that are right and wrong, hands and none.")
    x, weights = np.c_[features, np.ones(len(features))], np.zeros(features.shape[1] + 1)
    for _ in range(50):  # Newton's method; a whiff of decay keeps features that separate all from growing endlessly
        p = 1 / (1 + np.exp(-np.clip(x @ weights, -30, 30)))
        slope = x.T @ (truth - p) - 1e-2 * weights
        step = np.linalg.solve((x.T * (p * (1 - p))) @ x + 1e-2 * np.eye(len(weights)), slope)
        weights = weights + step * min(1.0, 5.0 / max(float(np.abs(step).max()), 1e-9))
    return weights


def calibrated(crops: Crops, by: Calibration) -> tuple[np.ndarray, np.ndarray]:
    """Confidence (N, 42) and handedness (N, 2) as every backend gives them."""
    mass, sizes, told, logits = map(torch.from_numpy, (crops.mass, crops.sizes, crops.told, crops.logits))
    return joint_probability(mass, sizes, by, told).numpy(), presence_probability(logits, by).double().numpy()


class Reliability(NamedTuple):
    """Probabilities by bin beside how often they came true. Bins without any are left out."""

    said: np.ndarray  # (K,) mean probability
    true: np.ndarray  # (K,) share
    weight: np.ndarray  # (K,) share of all

    @property
    def ece(self) -> float:
        """Expected calibration error."""
        return float((np.abs(self.said - self.true) * self.weight).sum())


def reliability(probability: np.ndarray, truth: np.ndarray) -> Reliability:
    """``BINS`` equally wide bins of (N,) probabilities and (N,) bool."""
    bins = np.minimum((probability * BINS).astype(int), BINS - 1)
    count = np.bincount(bins, minlength=BINS)
    said, true = (np.bincount(bins, values, BINS)[count > 0] for values in (probability, truth.astype(float)))
    count = count[count > 0]
    return Reliability(said / count, true / count, count / count.sum())


def report(by_source: dict[str, Crops], by: Calibration) -> tuple[dict[str, Any], dict[str, Reliability]]:
    """Figures of the given crops, and the curves to plot."""
    crops = joined(by_source)
    confidence, handedness = calibrated(crops, by)
    raw = 1 / (1 + np.exp(-crops.logits))
    right = crops.right[crops.judged]
    curves = {
        "joints, before": reliability(crops.mass[crops.judged], right),
        "joints, calibrated": reliability(confidence[crops.judged], right),
        "presence, before": reliability(raw.ravel(), crops.hands.ravel()),
        "presence, calibrated": reliability(handedness.ravel(), crops.hands.ravel()),
    }
    figures: dict[str, Any] = {f"ece of {name}": round(curve.ece, 4) for name, curve in curves.items()}
    for name, part in by_source.items():
        figures[name] = _source_figures(part, by)
    return figures, curves


def _source_figures(crops: Crops, by: Calibration) -> dict[str, Any]:
    confidence, handedness = calibrated(crops, by)
    there = crops.hands.any(axis=1)
    certain = confidence.reshape(len(confidence), 2, -1).mean(axis=2)
    figures: dict[str, Any] = {"crops": len(crops.hands), "handedness above 0.5, 0.9": {}}
    for what, chosen in (("hands there", crops.hands), ("hands absent", ~crops.hands)):
        if chosen.any():
            above = [round(float((handedness[chosen] > limit).mean()), 3) for limit in (0.5, 0.9)]
            figures["handedness above 0.5, 0.9"][what] = above
    figures["mean confidence of the surer hand"] = _quantiles(certain.max(axis=1))
    if there.any():
        figures["mean confidence of the hands there"] = _quantiles(certain[crops.hands])
        right = crops.right[crops.judged]
        figures["joints"] = len(right)
        figures["right"] = round(float(right.mean()), 3)
        figures["ece"] = round(reliability(confidence[crops.judged], right).ece, 4)
    return figures


def _quantiles(values: np.ndarray) -> dict[str, float]:
    return {f"{share:.0%} lie below": round(float(np.quantile(values, share)), 4) for share in (0.01, 0.05, 0.5, 0.95)}


def joined(by_source: dict[str, Crops]) -> Crops:
    return Crops(*(np.concatenate(column) for column in zip(*by_source.values(), strict=True)))


def plot(curves: dict[str, Reliability], path: Path) -> None:
    """The reliability plot. Raises UserError when it cannot be drawn or written."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise UserError("The plot needs matplotlib; install it with pip install 'digit-live[train]'.") from error
    figure = Figure(figsize=(8, 4), layout="constrained")
    for axes, what in zip(figure.subplots(1, 2), ("joints", "presence"), strict=True):
        axes.plot([0, 1], [0, 1], color="0.8", linewidth=1)
        for name, colour in (("before", "tab:gray"), ("calibrated", "tab:blue")):
            curve = curves[f"{what}, {name}"]
            label = f"{name}, ECE {curve.ece:.3f}"
            axes.plot(curve.said, curve.true, color=colour, label=label)
            axes.scatter(curve.said, curve.true, s=300 * curve.weight + 4, color=colour)
        titles = {"joints": f"joint within {WITHIN:g} of the hand's size", "presence": "hand is there"}
        axes.set(title=titles[what], xlabel="said", ylabel="came true", xlim=(0, 1), ylim=(0, 1))
        axes.legend(loc="upper left", frameon=False)
    try:
        figure.savefig(path, dpi=100)
    except OSError as error:
        raise UserError(f"The plot cannot be written to {path}: {error.strerror or error}.") from error


def calibrate(
    weights: Path, folder: Path, count: int = PICTURES
) -> tuple[Calibration, dict[str, Any], dict[str, Reliability]]:
    """The numbers for a weights file, and figures and curves of the half that they were not fitted on.

    Raises:
        UserError: weights or pictures cannot be read, or nothing can be fitted.
    """
    net = checkpoint.load(weights)
    pictures = CropDataset(held_out(folder, count), augment=WEBCAM.still(), seed=1, seen=seen_of(folder))
    said = answers(net, pictures)
    fitted = fit(joined({name: crops.half(0) for name, crops in said.items()}))
    return fitted, *report({name: crops.half(1) for name, crops in said.items()}, fitted)


@command_line
def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m digit.training.calibration",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--weights", type=Path, help="weights to calibrate (default: the shipped digit-lite)")
    parser.add_argument("--data", type=Path, required=True, help="a rendered set that the network did not learn from")
    parser.add_argument("--count", type=int, default=PICTURES, help=f"pictures of it (default {PICTURES})")
    parser.add_argument("--plot", type=Path, help="where to draw the reliability plot")
    parser.add_argument("--dry-run", action="store_true", help="leave the weights file as it is")
    args = parser.parse_args(argv)
    weights = args.weights or checkpoint.weights_path("digit-lite")
    fitted, figures, curves = calibrate(weights, args.data, args.count)
    plot(curves, args.plot or weights.with_suffix(".reliability.png"))
    if not args.dry_run:
        checkpoint.write_calibration(weights, fitted)
    print(json.dumps({"calibration": fitted.as_dict(), **figures}, indent=1))


if __name__ == "__main__":
    sys.exit(main())
