"""Weights to the form that the CPU's path runs; the one place of that path that imports torch.

    python -m digit.backends.export WEIGHTS FOLDER [--half]    OpenVINO's IR and the reference answer
    python -m digit.backends.export ship [WEIGHTS]             fp32 and int8 beside the weights, as they are committed

`digit.export` writes ONNX and OpenVINO files for others, with any batch size.
"""

import argparse
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from digit import checkpoint
from digit.backends import check, exports, samples
from digit.backends.rewrite import rewrite
from digit.errors import UserError, command_line

if TYPE_CHECKING:
    from digit.predict import Predictor

IR = ("predictor.xml", "predictor.bin")


def openvino_ir(weights: Path, folder: Path, half: bool = False) -> None:
    """Write OpenVINO's IR of a weights file and torch's reference answer. Imports torch.

    Args:
        half: keep the constants as float16, half the size; they compute in float32.

    Raises:
        UserError: the weights cannot be loaded.
    """
    import openvino
    import torch

    predictor = loaded(weights)
    crop, prior = reference_input()
    example = (torch.from_numpy(crop), torch.from_numpy(prior))
    # Traced: torch.export gives the same numbers and takes 5 s more, which the first start of the app would wait for.
    with torch.inference_mode():
        model = openvino.convert_model(predictor, example_input=example)
    # Fixed shapes, so that OpenVINO plans memory and kernels once.
    shapes = {"crop": list(crop.shape), "prior": list(prior.shape)}
    model.reshape({port.get_any_name(): shapes[port.get_any_name()] for port in model.inputs})
    rewrite(model)
    openvino.save_model(model, folder / IR[0], compress_to_fp16=half)
    check.write(folder, reference(predictor))


def loaded(weights: Path) -> "Predictor":
    """The network of a weights file with its input and output stages, float32. Imports torch."""
    from digit.predict import Predictor

    return Predictor(checkpoint.load_as_trained(weights), checkpoint.calibration(weights)).eval()


def reference_input() -> tuple[np.ndarray, np.ndarray]:
    """(1, 256, 256, 3) uint8 crop and (1, 42, 4) prior that every backend is checked on."""
    first = samples.read("check", 1)
    return first.images, first.priors


def reference(predictor: "Predictor") -> check.Reference:
    """What a network on the CPU answers to the reference input."""
    import torch

    crop, prior = reference_input()
    with torch.inference_mode():
        outputs = predictor(torch.from_numpy(crop), torch.from_numpy(prior))
    return check.Reference(crop, prior, tuple(output.numpy() for output in outputs))


def ship(weights: Path) -> str:
    """Write both exports beside the weights; returns what int8 costs, in one line.

    Raises:
        UserError: the weights cannot be loaded, or int8 costs too much accuracy.
    """
    from digit.backends.quantize import int8_ir

    digest = checkpoint.sha256(weights)
    with tempfile.TemporaryDirectory() as scratch:
        for precision in ("fp32", "int8"):
            (Path(scratch) / precision).mkdir()
        floats, ints = Path(scratch) / "fp32", Path(scratch) / "int8"
        openvino_ir(weights, floats, half=True)
        report = int8_ir(floats, ints)
        target = exports.beside(weights, "fp32").parent
        for folder in (floats, ints):
            exports.replace(target / folder.name, folder, digest)
    return report


def _export(weights: Path, folder: Path, half: bool) -> None:
    """`openvino_ir`, into a folder that need not be there. Raises UserError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        openvino_ir(weights, folder, half)
    except OSError as error:
        raise UserError(f"The export cannot be written to {folder}: {error.strerror or error}.") from error


@command_line
def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m digit.backends.export",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("weights", help="a weights file, or the word ship")
    parser.add_argument("out", type=Path, nargs="?", help="the folder to write, or the weights to ship")
    parser.add_argument("--half", action="store_true", help="keep the IR's constants as float16")
    args = parser.parse_args(argv)
    if args.weights == "ship":
        print(ship(args.out or checkpoint.weights_path("digit-lite")))
    elif args.out is None:
        raise UserError("Name a folder to write behind the weights.")
    else:
        _export(Path(args.weights), args.out, args.half)


if __name__ == "__main__":
    sys.exit(main())
