"""OpenVINO IR in int8: NNCF's post-training quantisation, calibrated on synthetic crops (`samples`).

    python -m digit.backends.quantize FOLDER OUT                from an fp32 export; OUT gets the int8 IR
    python -m digit.backends.quantize FOLDER OUT --unchecked N  from N crops, for timing only

Only convolutions and the sums of residuals become int8. Everything that carries a coordinate or a probability
(soft-argmax, the prior's Gaussians, the resizing of logits) stays float32, in int8 these alone move the joints by 20
pixels; so do the layers on vectors. Ranges come from histograms; with the default, least and greatest value, depths
lose 0.9 mm. Weights take half of int8's range, depthwise ones aside, which add up no neighbours: CPUs without VNNI add
two products in 16 bits, which saturate with the whole of it. Activations have no zero point: with one a crop takes 5 %
longer, a look of MediaPipe's landmark network 12 %, and neither is clearly nearer to float.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from digit.backends import check, samples
from digit.backends.export import IR
from digit.backends.openvino import OpenVinoSession
from digit.backends.rewrite import take_small_crops
from digit.backends.samples import Samples
from digit.errors import UserError, command_line, first_line
from digit.metrics import miou, part_confusion
from digit.skeleton import PART_CLASSES, ROOTS

FLOAT_TYPES = (
    "Multiply", "Subtract", "Divide", "Exp", "Power", "Softmax", "ReduceSum", "ReduceMean", "Squeeze", "Unsqueeze",
    "Split", "Concat", "Interpolate",
)  # fmt: skip
#: Parts that stay float32 as well, tried in this order until int8 is accurate enough: nothing, the first layers of
#: digit-lite's trunk, all of it.
FLOAT_PARTS: tuple[tuple[str, ...], ...] = ((), (r".*trunk\.(stem|stages\.[01])\b.*",), (r".*trunk.*",))
CALIBRATION = 96
#: What int8 may cost on the check crops before `ship` refuses it.
WORST_MPJPE_MM, WORST_MIOU_POINTS = 0.3, 0.5


class Accuracy(NamedTuple):
    """Scores against the truth."""

    mpjpe_mm: float  # mean distance of the joints, wrists aligned; pixels counted at the hands' scale
    miou_points: float  # mean IoU of the parts that occur, background left out, in percent


def int8_ir(floats: Path, out: Path) -> str:
    """Write the int8 IR of an fp32 export, with its reference; returns one line on what it costs.

    Raises:
        UserError: nncf is missing, or int8 costs more than WORST_MPJPE_MM or WORST_MIOU_POINTS.
    """
    check.write(out, check.read(floats))
    calibration, truth = samples.read("calibrate", CALIBRATION), samples.read("check")
    before = accuracy(floats, truth)
    report = ""
    for parts in FLOAT_PARTS:
        _quantize(floats, out, calibration, parts)
        after = accuracy(out, truth)
        report = comparison(len(truth), before, after)
        lost_mm, lost_points = after.mpjpe_mm - before.mpjpe_mm, before.miou_points - after.miou_points
        if lost_mm <= WORST_MPJPE_MM and lost_points <= WORST_MIOU_POINTS:
            return report + (f", with {parts[0]} in float" if parts else "")
    raise UserError(f"int8 costs too much accuracy ({report}); run fp32 instead.")


def comparison(crops: int, floats: Accuracy, int8: Accuracy) -> str:
    """What int8 costs, in one line."""
    return (
        f"int8 on {crops} synthetic crops: MPJPE {floats.mpjpe_mm:.2f} -> {int8.mpjpe_mm:.2f} mm, "
        f"part mIoU {floats.miou_points:.2f} -> {int8.miou_points:.2f} points"
    )


def accuracy(folder: Path, truth: Samples) -> Accuracy:
    """How good an export is on labelled crops."""
    session = OpenVinoSession(folder)
    roots = list(ROOTS)
    errors: list[np.ndarray] = []
    confusion = np.zeros((PART_CLASSES, PART_CLASSES), np.int64)
    for i in range(len(truth)):
        outputs = session.start(truth.images[i : i + 1], truth.priors[i : i + 1])()
        to_mm = np.array([truth.mm_per_px[i], truth.mm_per_px[i], 1.0])
        found, real = outputs[0][0] * to_mm, truth.joints_2p5d[i] * to_mm
        off = (found - found[roots]) - (real - real[roots])
        errors.append(np.linalg.norm(off[truth.valid[i]], axis=-1))
        confusion += part_confusion(outputs[2][0], truth.parts[i])
    session.close()
    return Accuracy(float(np.concatenate(errors).mean()), 100 * miou(confusion))


def _quantize(floats: Path, out: Path, calibration: Samples, parts: Sequence[str], quick: bool = False) -> None:
    import openvino

    core: Any = openvino.Core()
    model = core.read_model(floats / IR[0])
    wanted = {port.get_any_name() for port in model.inputs}
    fed = [
        {name: array for name, array in (("crop", crop[None]), ("prior", prior[None])) if name in wanted}
        for crop, prior in zip(calibration.images, calibration.priors, strict=True)
    ]
    quantized = post_training(model, fed, FLOAT_TYPES, _on_vectors(model), parts, quick)
    take_small_crops(quantized)
    openvino.save_model(quantized, out / IR[0], compress_to_fp16=True)


def _on_vectors(model: Any) -> list[str]:
    """Names of the layers on vectors instead of maps: they take no time, and the root depth comes from them."""
    ranks = {op.get_friendly_name(): op.get_output_partial_shape(0).rank for op in model.get_ops() if op.outputs()}
    return [name for name, rank in ranks.items() if rank.is_static and rank.get_length() < 4]


def post_training(
    model: Any,
    fed: Sequence[Any],
    types: Sequence[str],
    names: Sequence[str] = (),
    patterns: Sequence[str] = (),
    quick: bool = False,
) -> Any:
    """The int8 form of an `openvino.Model`, calibrated on these inputs.

    Args:
        types, names, patterns: kinds of layers, their names, and patterns of names, that stay float.

    Raises:
        UserError: nncf is missing.
    """
    try:
        import nncf
    except ImportError as error:
        raise UserError(
            "There is no int8 form of these weights yet and making one needs NNCF; install it with "
            "pip install 'digit-live[int8]' or use the backend openvino."
        ) from error
    import logging

    from nncf.quantization.advanced_parameters import AdvancedQuantizationParameters, OverflowFix
    from nncf.quantization.range_estimator import RangeEstimatorParametersSet

    nncf.set_log_level(logging.ERROR)
    # Bias correction layer by layer: the fast one leaves depths 0.5 mm worse.
    return nncf.quantize(
        model,
        nncf.Dataset(list(fed)),
        preset=nncf.QuantizationPreset.PERFORMANCE,
        subset_size=len(fed),
        fast_bias_correction=quick,
        ignored_scope=nncf.IgnoredScope(list(names), list(patterns), list(types), validate=False),
        advanced_parameters=AdvancedQuantizationParameters(
            overflow_fix=OverflowFix.ENABLE, activations_range_estimator_params=RangeEstimatorParametersSet.HISTOGRAM
        ),
    )


@command_line
def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m digit.backends.quantize",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("floats", type=Path, metavar="FOLDER", help="with an fp32 export")
    parser.add_argument("out", type=Path, metavar="OUT", help="folder that gets the int8 IR")
    parser.add_argument("--unchecked", type=int, metavar="N", help="calibrate on N crops and check nothing")
    args = parser.parse_args(argv)
    try:
        if not (args.floats / IR[0]).is_file():
            raise UserError(f"{args.floats} holds no fp32 export; make one with 'python -m digit.backends.export'.")
        args.out.mkdir(parents=True, exist_ok=True)
        if args.unchecked is not None:
            _quantize(args.floats, args.out, samples.read("calibrate", args.unchecked), (), quick=True)
        else:
            print(int8_ir(args.floats, args.out))
    except (OSError, RuntimeError) as error:  # what OpenVINO cannot read, or write
        raise UserError(first_line(error)) from error


if __name__ == "__main__":
    sys.exit(main())
