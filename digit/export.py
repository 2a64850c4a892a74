"""A trained network for other runtimes, as ONNX or in OpenVINO's form: the whole `digit.predict.Predictor`.

    python -m digit.export WEIGHTS OUT.onnx    or OUT.xml; --half: the network in float16

digit-lite's depths point along the view through the crop's centre (`digit.geometry.axis_of`).
The graph takes ``crop`` (B, 256, 256, 3) uint8 RGB, and ``prior`` (B, 42, 4) float32 where the network takes one. It
answers the fields of `digit.predict.PredictionTensors`, by name. What was written is run once and compared to PyTorch.
"""

import argparse
import json
import sys
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import openvino
import torch

from digit import checkpoint
from digit.backends.half import halved
from digit.errors import UserError, command_line
from digit.predict import PredictionTensors, Predictor
from digit.prediction import CROP_SIZE
from digit.skeleton import ROOTS

INPUTS = ("crop", "prior")
OUTPUTS = PredictionTensors._fields


def example(batch: int = 1, size: int = CROP_SIZE) -> tuple[torch.Tensor, torch.Tensor]:
    """Random crops with a prior, the same on each call."""
    rng = torch.Generator().manual_seed(0)
    crop = torch.randint(0, 256, (batch, size, size, 3), dtype=torch.uint8, generator=rng)
    return crop, torch.rand(batch, len(ROOTS), 4, generator=rng)


def write_onnx(predictor: Predictor, path: Path, size: int = CROP_SIZE) -> None:
    """ONNX for any batch of crops of ``size`` px."""
    with torch.inference_mode(), warnings.catch_warnings():
        # The exporter built on torch.export gives the same numbers; it takes ten times as long and one more package.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            predictor,
            example(size=size),
            str(path),
            dynamo=False,
            input_names=list(INPUTS),
            output_names=list(OUTPUTS),
            dynamic_axes={name: {0: "batch"} for name in (*INPUTS, *OUTPUTS)},
        )


def write_openvino(predictor: Predictor, path: Path, size: int = CROP_SIZE) -> None:
    """OpenVINO's .xml with its .bin beside it, float32, for any batch of crops of ``size`` px."""
    with tempfile.TemporaryDirectory() as scratch:
        # By way of ONNX: quicker than OpenVINO's own reading of PyTorch, and every name comes along.
        through = Path(scratch) / "predictor.onnx"
        write_onnx(predictor, through, size)
        core: Any = openvino.Core()
        openvino.save_model(core.read_model(str(through)), path, compress_to_fp16=False)


WRITERS: dict[str, Callable[[Predictor, Path], None]] = {".onnx": write_onnx, ".xml": write_openvino}


def run(path: Path, crop: torch.Tensor, prior: torch.Tensor) -> PredictionTensors:
    """What a written graph answers, on the CPU in float32."""
    core: Any = openvino.Core()
    compiled = core.compile_model(str(path), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    given = dict(zip(INPUTS, (crop.numpy(), prior.numpy()), strict=True))
    # A network without a prior has lost that input.
    answers = compiled({port.get_any_name(): given[port.get_any_name()] for port in compiled.inputs})
    return PredictionTensors(*(torch.from_numpy(np.array(answers[name])) for name in OUTPUTS))


def export(weights: Path, out: Path, half: bool = False) -> dict[str, float]:
    """Write a weights file's network to ``out``; the largest difference to PyTorch in float32 of each answer.

    Args:
        half: the network's layers compute in float16 (`digit.backends.half`).

    Raises:
        UserError: the weights cannot be loaded, ``out`` names no known form or cannot be written.
    """
    if out.suffix not in WRITERS:
        raise UserError(f"{out} has no ending that names a form; end it in {' or '.join(WRITERS)}.")
    predictor = Predictor(checkpoint.load_as_trained(weights), checkpoint.calibration(weights)).eval()
    given = example()
    with torch.inference_mode():
        wanted = predictor(*given)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        WRITERS[out.suffix](halved(predictor) if half else predictor, out)
    except (OSError, RuntimeError) as error:
        raise UserError(f"{out} cannot be written: {str(error).splitlines()[0]}.") from error
    pairs = zip(OUTPUTS, run(out, *given), wanted, strict=True)
    return {name: float((ours.float() - theirs.float()).abs().max()) for name, ours, theirs in pairs}


@command_line
def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m digit.export", description="A network for other runtimes.")
    parser.add_argument("weights", type=Path, help="a weights file of any variant")
    parser.add_argument("out", type=Path, help="OUT.onnx, or OUT.xml for OpenVINO")
    parser.add_argument("--half", action="store_true", help="the network's layers in float16")
    args = parser.parse_args(argv)
    differences = export(args.weights, args.out, args.half)
    print(json.dumps({"wrote": str(args.out), "largest_difference_to_torch": differences}))


if __name__ == "__main__":
    sys.exit(main())
