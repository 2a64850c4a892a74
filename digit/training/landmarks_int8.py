"""MediaPipe's landmark network in int8, which `digit.follower` runs: half of float32's time on a CPU without bfloat16.

    python -m digit.training.landmarks_int8 --data DIR

Calibrated on a rendered set that no figure is taken from, on the squares in which the follower sees its hands. The last
products, which give the joints in millimetres, stay float: in int8 they alone move a joint by 3 mm instead of 1.
"""

import argparse
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from digit import follower
from digit.backends import exports
from digit.backends.quantize import post_training
from digit.errors import command_line
from digit.interhand import Sample, read_picture
from digit.landmarker import model_file, sha256
from digit.skeleton import JOINTS_PER_HAND
from digit.training.validate import held_out

PICTURES = 250
CALIBRATION = 300
#: Hands with fewer visible joints are passed over.
_FEWEST_JOINTS = 18
#: A hand lies about so far from where it is looked for, in hand sizes.
_AWAY = 0.03


class Moved(NamedTuple):
    """What int8 changes, over the hands that the network sees in float."""

    landmarks: float  # median distance of the joints in hand sizes
    relative_mm: float  # mean difference of a coordinate of the joints in mm
    presence: float  # share of the hands that are seen by one of the two only
    sides: float  # share of the hands with another side


def squares(folder: Path, pictures: int, seed: int) -> np.ndarray:
    """(N, 224, 224, 3) uint8 RGB: what the follower would cut out around the hands of a set.

    Raises:
        UserError: the set cannot be read.
    """
    rng, index = np.random.default_rng(seed), held_out(folder, pictures)
    return np.stack([square for i in range(len(index)) for square in _of_picture(index[i], rng)])


def _of_picture(sample: Sample, rng: np.random.Generator) -> Iterator[np.ndarray]:
    picture = read_picture(sample.image_path)
    valid = sample.joint_valid.reshape(2, JOINTS_PER_HAND).sum(axis=1)
    for joints_px in sample.joints_px.reshape(2, JOINTS_PER_HAND, 2)[sample.hands & (valid >= _FEWEST_JOINTS)]:
        away = rng.normal(0, _AWAY * np.ptp(joints_px, axis=0).max(), 2)
        yield follower.cut(picture, follower.region(joints_px + away))


def quantized(task: Path, calibration: np.ndarray) -> Any:
    """The int8 `openvino.Model` of the landmark network in a ``hand_landmarker.task``.

    Raises:
        UserError: nncf is missing, or the file is none.
    """
    model = _with_plain_weights(follower.float_model(follower.network_of(task)))
    return post_training(model, [square[None] for square in calibration[:CALIBRATION]], types=["MatMul"])


def _with_plain_weights(model: Any) -> Any:
    """The file widens and turns its float16 weights; behind such steps NNCF leaves depthwise layers in float."""
    from openvino import opset13
    from openvino.passes import ConstantFolding, Manager

    for node in model.get_ordered_ops():
        if node.get_type_name() == "Convert" and node.input_value(0).get_node().get_type_name() == "Constant":
            weights = opset13.constant(node.input_value(0).get_node().data.astype(np.float32))
            for target in list(node.output(0).get_target_inputs()):
                target.replace_source_output(weights.output(0))
    folding = Manager()
    folding.register_pass(ConstantFolding())
    folding.run_passes(model)
    return model


def moved(floats: Any, ints: Any, images: np.ndarray) -> Moved:
    """Compare two `openvino.Model`s on squares that the second was not calibrated on."""
    said = [_answers(model, images) for model in (floats, ints)]
    (at, there, right, mm), (at8, there8, right8, mm8) = said
    seen = there > follower.PRESENT_AT
    size = np.ptp(at, axis=1).max(axis=1)
    apart = np.linalg.norm(at - at8, axis=-1).mean(axis=-1) / size
    return Moved(
        landmarks=round(float(np.median(apart[seen])), 4),
        relative_mm=round(float(np.abs(mm - mm8)[seen].mean()), 2),
        presence=round(float((seen != (there8 > follower.PRESENT_AT)).mean()), 4),
        sides=round(float(((right > 0.5) != (right8 > 0.5))[seen].mean()), 4),
    )


def _answers(model: Any, images: np.ndarray) -> tuple[np.ndarray, ...]:
    """(N, 21, 2) joints in pixels, (N,) presence, (N,) right, (N, 21, 3) mm."""
    request = follower.compiled(model, hands=1)
    rows = [[np.array(output) for output in request.infer([image[None]]).values()] for image in images]
    landmarks, present, right, world = (np.concatenate(column) for column in zip(*rows, strict=True))
    joints = landmarks.reshape(-1, JOINTS_PER_HAND, 3)[..., :2]
    return joints, present[:, 0], right[:, 0], 1000 * world.reshape(-1, JOINTS_PER_HAND, 3)


@command_line
def main(argv: list[str] | None = None) -> None:
    """Returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m digit.training.landmarks_int8",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--data", type=Path, required=True, help="a rendered set (python -m digit.synth)")
    parser.add_argument("--check", type=Path, help="another one, to compare with float on")
    parser.add_argument("--pictures", type=int, default=PICTURES, help=f"of each (default {PICTURES})")
    parser.add_argument("--out", type=Path, default=follower.INT8, help="folder to write (default: in assets)")
    args = parser.parse_args(argv)
    import openvino

    task = model_file()
    ints = quantized(task, squares(args.data, args.pictures, seed=0))
    with tempfile.TemporaryDirectory() as scratch:
        openvino.save_model(ints, Path(scratch) / follower.IR, compress_to_fp16=True)
        exports.replace(args.out, Path(scratch), sha256(follower.network_of(task)))
    if args.check:
        floats = follower.float_model(follower.network_of(task))
        print(moved(floats, ints, squares(args.check, args.pictures, seed=1)))


if __name__ == "__main__":
    sys.exit(main())
