"""Does a backend answer as it should? One stored input, the reference's stored answer, and stated tolerances.

The reference is torch, float32, on the CPU. Its answer to the first crop of `digit.backends.samples` is written when a
network is exported and lies beside the export; each backend is asked the same when it is loaded.
"""

import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

FILE = "reference.npz"
#: Names of a session's outputs, in order (`digit.predict.PredictionTensors`).
OUTPUTS = ("joints_2p5d", "confidence", "part_labels", "handedness", "root_depth_mm", "places")
#: Joints that the reference itself is not sure about may lie elsewhere: their heatmaps have no single peak.
SURE = 0.3


class Tolerance(NamedTuple):
    """How far an answer may be from the reference's."""

    joint_px: float  # mean distance of the sure joints, crop pixels, also as their places tell them
    depth_mm: float  # mean difference of their depths
    probability: float  # largest difference of a handedness
    root_mm: float
    labels: float  # share of the cells with another part


TOLERANCES = {
    "fp32": Tolerance(joint_px=0.05, depth_mm=0.1, probability=0.005, root_mm=0.25, labels=0.003),
    "fp16": Tolerance(joint_px=0.5, depth_mm=1.0, probability=0.03, root_mm=2.0, labels=0.01),
    "int8": Tolerance(joint_px=4.0, depth_mm=6.0, probability=0.25, root_mm=10.0, labels=0.06),
}


class Reference(NamedTuple):
    """One input and what torch answers."""

    crop: np.ndarray  # (1, 256, 256, 3) uint8
    prior: np.ndarray  # (1, 42, 4) float32
    outputs: tuple[np.ndarray, ...]  # in the order of OUTPUTS


def write(folder: Path, reference: Reference) -> None:
    """Keep a reference in a folder."""
    answers = dict(zip(OUTPUTS, reference.outputs, strict=True))
    np.savez_compressed(folder / FILE, crop=reference.crop, prior=reference.prior, **answers)


def read(folder: Path) -> Reference:
    """The reference of a folder.

    Raises:
        OSError: there is none, or it is damaged.
    """
    try:
        with (folder / FILE).open("rb") as file, np.load(file) as arrays:
            return Reference(arrays["crop"], arrays["prior"], tuple(arrays[name] for name in OUTPUTS))
    except (ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise OSError(f"{folder / FILE} is damaged") from error


def fault(outputs: Sequence[np.ndarray], reference: Reference, precision: str) -> str:
    """What is wrong with an answer to the reference's input, in a few words; empty when it is within tolerance."""
    allowed = TOLERANCES[precision]
    wrong = [
        f"{name} off by {found:.3g}, allowed {limit:g}"
        for name, found, limit in zip(Tolerance._fields, differences(outputs, reference), allowed, strict=True)
        if not found <= limit
    ]
    return "; ".join(wrong)


def differences(outputs: Sequence[np.ndarray], reference: Reference) -> Tolerance:
    """How far an answer is from the reference's; nan where a number is none."""
    joints, _, labels, handedness, root_mm, places = outputs
    joints_ref, confidence_ref, labels_ref, handedness_ref, root_ref, _ = reference.outputs
    sure = confidence_ref >= min(SURE, float(np.median(confidence_ref)))
    told = np.asarray(places, np.float64)[..., 1:].sum(axis=-2)
    off = np.stack([np.asarray(joints, np.float64), told]) - joints_ref
    return Tolerance(
        joint_px=float(np.linalg.norm(off[:, sure][..., :2], axis=-1).mean(axis=1).max()),
        depth_mm=float(np.abs(off[:, sure][..., 2]).mean(axis=1).max()),
        probability=float(np.abs(np.asarray(handedness, np.float64) - handedness_ref).max()),
        root_mm=float(np.abs(np.asarray(root_mm, np.float64) - root_ref).max()),
        labels=float((np.asarray(labels) != labels_ref).mean()),
    )
