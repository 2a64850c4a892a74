"""Train any network of the DIGIT family; the same command resumes a run that was stopped or killed.

    python -m digit.training --variant digit --data DIR [DIR ...] --out RUN
    python -m digit.training --variant baseline/lite --synth --steps 20000 --out RUN
    torchrun --nproc-per-node 4 -m digit.training --variant digit --data DIR --out RUN --device cuda

Each variant has its recipe: the paper's (section 4.1: Adam 1e-4, batch 64, 50 epochs, a tenth of the rate from epoch
40 on), ResNet-50's, InterNet's or digit-lite's. Options change single values of it. RUN gets state.pt (to resume),
weights.safetensors (for digit.evaluate), log.jsonl and, for TensorBoard, curves. Several GPUs or machines share a batch
through torchrun; the result is that of one process with the same --micro-batch, but for
digit-lite, whose processes each draw their own cells for the part loss.
"""

import argparse
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from digit.errors import UserError, command_line
from digit.options import amount, positive, whole
from digit.variants import BACKBONES, VARIANTS, find

if TYPE_CHECKING:
    from digit.training.recipe import Recipe


@command_line
def main(argv: list[str] | None = None) -> None:
    args = arguments().parse_args(argv)
    from digit.training.train import Run, train

    variant = find(args.variant, args.backbone).name
    given: dict[str, Any] = {name: getattr(args, name) for name in Run.__slots__ if hasattr(args, name)}
    given |= {"variant": variant, "recipe": recipe(args), "data": tuple(args.data)}
    weights = train(Run(**given))
    if args.export is not None:
        _export(weights, args.export)


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m digit.training", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--variant", default="digit-lite", help=f"default digit-lite; one of {', '.join(VARIANTS)}")
    parser.add_argument("--backbone", choices=BACKBONES, help="another backbone than the variant's own")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--data", type=Path, nargs="+", default=[], metavar="DIR", help="sets in its layout")
    source.add_argument("--synth", action="store_true", help="render each sample in the worker processes instead")
    parser.add_argument("--validation", type=Path, metavar="DIR", help="a held-out set")
    parser.add_argument("--out", type=Path, required=True, metavar="RUN", help="the run's folder; one there is resumed")
    changed = parser.add_argument_group("the recipe (each default: the variant's own)")
    changed.add_argument("--steps", type=positive, help="length, instead of the recipe's epochs")
    changed.add_argument("--ablation", action="store_true", help="the paper's ablations: 30 epochs, drops at 10 and 20")
    changed.add_argument("--batch", type=positive, help="samples of a step, over all processes")
    changed.add_argument("--rate", type=amount, help="first learning rate")
    changed.add_argument("--optimizer", choices=("adam", "adamw", "muon"))
    changed.add_argument("--trunk-rate", type=amount, help="that of the backbone's trunk; 0 freezes it")
    changed.add_argument("--trunk-from", type=int, choices=range(5), help="a lite trunk's first stage that learns")
    changed.add_argument("--trunk-pull", type=amount, help="weight decay of a learning lite trunk towards --pull-to")
    changed.add_argument(
        "--pull-to", type=Path, metavar="FILE", help="MediaPipe's hand_landmark_full.tflite, see --trunk-pull"
    )
    changed.add_argument("--decay", type=whole, help="digit-lite: last steps, over which the rate falls to zero")
    changed.add_argument("--no-augment", dest="augment", action="store_false", help="the same crops in each epoch")
    changed.add_argument(
        "--likelihood",
        action="store_true",
        help="also learn from the likelihood of heatmaps and root-depth bins, which the paper does not: for short runs",
    )
    changed.add_argument("--size", type=_size, default=256, help="pixels to a side that crops are shrunk to")
    changed.add_argument(
        "--trunk",
        type=Path,
        metavar="FILE",
        help="published weights to start the backbone from: HRNet-W32 or ResNet-50 for ImageNet (.pth), "
        "MediaPipe's hand_landmark_full.tflite for lite",
    )
    changed.add_argument("--start", type=Path, metavar="FILE", help="weights of the variant to start from")
    changed.add_argument("--seed", type=whole, default=0)
    machine = parser.add_argument_group("the machine")
    machine.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    machine.add_argument("--precision", choices=("bf16", "fp16", "fp32"), default="bf16")
    machine.add_argument("--micro-batch", type=positive, help="samples at once (default: a process's whole share)")
    machine.add_argument("--threads", type=positive, default=2)
    machine.add_argument("--workers", type=whole, default=1, help="processes that load or render")
    machine.add_argument("--checkpoint-every", dest="checkpoint_every_s", type=amount, default=180.0, metavar="S")
    machine.add_argument("--validate-every", dest="validate_every_s", type=amount, default=900.0, metavar="S")
    machine.add_argument("--no-curves", dest="curves", action="store_false", help="do without TensorBoard")
    parser.add_argument("--export", type=Path, metavar="FILE", help="also write the final weights in half precision")
    return parser


def recipe(args: argparse.Namespace) -> "Recipe":
    """The variant's recipe with what the command line changes.

    Raises:
        UserError: the recipe has no such value.
    """
    from digit.training.recipe import ABLATION, recipe_of
    from digit.training.schedule import WarmupStableDecay

    found = recipe_of(find(args.variant, args.backbone))
    if args.ablation:
        found = replace(found, schedule=ABLATION.schedule)
    if args.decay is not None:
        if not isinstance(found.schedule, WarmupStableDecay):
            raise UserError(f"--decay belongs to digit-lite's recipe; {args.variant} drops its rate in steps.")
        found = replace(found, schedule=replace(found.schedule, decay=args.decay))
    names = ("batch", "rate", "optimizer", "trunk_rate", "trunk_from", "trunk_pull")
    changes: dict[str, Any] = {name: getattr(args, name) for name in names}
    return replace(found, **{name: v for name, v in changes.items() if v is not None})


def _export(weights: Path, out: Path) -> None:
    from digit import checkpoint

    metadata = checkpoint.read_metadata(weights)
    checkpoint.save(out, checkpoint.load(weights), metadata["recipe"], half=True, model=metadata["model"])


def _size(text: str) -> int:
    if not text.isdecimal() or not 64 <= int(text) <= 256 or int(text) % 64:
        raise argparse.ArgumentTypeError(f"{text!r} is not 64, 128, 192 or 256")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
