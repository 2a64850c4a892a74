"""``python -m digit.training.average BEFORE AFTER --out FILE``: weights half-way between two of one run.

Weights that learned on from others, here with a trunk that no longer is frozen, win on pictures like those they learned
from and lose some of what the ones before could do elsewhere. On the straight line between both lie weights that keep
most of either (Wortsman et al., Robust fine-tuning of zero-shot models, CVPR 2022, who recommend the middle).
"""

import argparse
import sys
from pathlib import Path

from digit import checkpoint
from digit.errors import UserError, command_line


def average(before: Path, after: Path, out: Path, share: float = 0.5) -> None:
    """Write ``(1 - share) before + share after`` in half precision. Running statistics are averaged as weights are.

    Calibrate the result: it takes no calibration over.

    Raises:
        UserError: a file is missing or damaged, they hold different networks, or ``out`` cannot be written.
    """
    metadata = [checkpoint.read_metadata(path) for path in (before, after)]
    if metadata[0]["model"] != metadata[1]["model"]:
        raise UserError(f"{before} and {after} hold different networks; give two of one run.")
    network, other = checkpoint.load(before), checkpoint.load(after).state_dict()
    mixed = {
        name: tensor.lerp(other[name], share) if tensor.is_floating_point() else other[name]
        for name, tensor in network.state_dict().items()
    }
    network.load_state_dict(mixed)
    recipe = {"average": [each["recipe"] for each in metadata], "share": share}
    checkpoint.save(out, network, recipe, half=True, model=metadata[0]["model"])


@command_line
def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m digit.training.average",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("before", type=Path)
    parser.add_argument("after", type=Path)
    parser.add_argument("--out", type=Path, required=True, metavar="FILE")
    parser.add_argument("--share", type=_share, default=0.5, help="of the second one (default 0.5)")
    args = parser.parse_args(argv)
    average(args.before, args.after, args.out, args.share)


def _share(text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number between 0 and 1")
    return share


if __name__ == "__main__":
    sys.exit(main())
