"""``python -m digit.evaluate``: errors on annotated photographs, steadiness on clips, the paper's protocol on sets.

Prints tables or one line of JSON. ``--data DIR --weights A [B …] --table N`` prints the paper's table N beside the
paper's own figures; ``--figures DIR`` draws what its figures show.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

from tqdm import tqdm

from digit.backends import load
from digit.errors import UserError, command_line
from digit.evaluation import command
from digit.evaluation.annotations import read_annotations
from digit.evaluation.clips import clip_paths, measure_clip, total_of_clips
from digit.evaluation.photographs import measure_landmarker, measure_network, summary
from digit.landmarker import Landmarker


@command_line
def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command; the exit code is 2 after bad input."""
    options = _parser().parse_args(arguments)
    figures, text = _measured(options)
    print(json.dumps(figures) if options.json else text)


def _measured(options: argparse.Namespace) -> tuple[dict[str, Any], str]:
    """Figures for JSON, and as text."""
    if options.data is not None or (options.table and not (options.annotations or options.clips)):
        return command.evaluate_data(options)
    if not (options.annotations or options.clips):
        raise UserError("Nothing to measure was given; name --data, --annotations or --clips.")
    if options.table or options.figures:
        raise UserError("The paper's tables and figures are made from a set; give its folder with --data.")
    if options.weights and len(options.weights) > 1:
        raise UserError("Photographs and clips are measured with one network; give one file with --weights.")
    figures = evaluate_clips(options) if options.clips else evaluate_photographs(options)
    return figures, _table(figures)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m digit.evaluate",
        description="Measure networks on sets in InterHand2.6M's layout and on annotated photographs, or the whole "
        "live loop on clips.",
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--data", type=Path, metavar="DIR", help="InterHand2.6M, or a set of digit.synth")
    what.add_argument("--annotations", type=Path, metavar="FILE", help="JSON Lines file beside its pictures")
    what.add_argument("--clips", type=Path, metavar="DIR", help="folder of video files, or one file")
    parser.add_argument("--json", action="store_true", help="print one line of JSON instead of a table")
    parser.add_argument("--backend", default="auto", help="auto, openvino, torch or cuda (default: auto)")
    parser.add_argument("--model", default="digit-lite", help="which network (default: digit-lite)")
    parser.add_argument(
        "--weights",
        type=Path,
        nargs="+",
        metavar="FILE",
        help="weights, several with --data (default: the shipped ones)",
    )
    parser.add_argument(
        "--prior",
        choices=("mediapipe", "none"),
        help="MediaPipe's hands as the landmark prior, or none to measure the plain network "
        "(default: none with --data, else mediapipe)",
    )
    parser.add_argument("--detector-only", action="store_true", help="photographs: measure MediaPipe itself instead")
    parser.add_argument("--hand-model", type=Path, metavar="FILE", help="your own MediaPipe hand_landmarker.task")
    parser.add_argument(
        "--as-live", action="store_true", help="clips: MediaPipe answers a frame late, as it does in the window"
    )
    parser.add_argument("--max-frames", type=int, metavar="N", help="only the first N frames of each clip")
    command.add_options(parser)
    return parser


def evaluate_photographs(options: argparse.Namespace) -> dict[str, Any]:
    """Figures by set, see `digit.evaluation.photographs.summary`."""
    annotations = read_annotations(options.annotations)
    if not any(annotation.hands for annotation in annotations):
        raise UserError(f"{options.annotations} names no joint as valid, so there is nothing to measure; mend it.")
    with ExitStack() as opened, tqdm(annotations, unit="picture", desc="measuring", leave=False) as bar:
        if options.detector_only:
            return summary(measure_landmarker(bar, opened.enter_context(_landmarker(options, bar))))
        loaded = load(options.backend, options.model, _weights(options), bar.set_postfix_str)
        backend = opened.enter_context(closing(loaded))
        see_hands = opened.enter_context(_landmarker(options, bar)) if options.prior != "none" else None
        bar.set_postfix_str("")
        return summary(measure_network(bar, backend, see_hands))


def _weights(options: argparse.Namespace) -> Path | None:
    return options.weights[0] if options.weights else None


def _landmarker(options: argparse.Namespace, bar: "tqdm[Any]") -> Landmarker:
    return Landmarker("image", options.hand_model, progress=bar.set_postfix_str)


def evaluate_clips(options: argparse.Namespace) -> dict[str, Any]:
    """Figures by clip, see `digit.evaluation.clips.clip_figures`, and of all frames together."""
    if options.max_frames is not None and options.max_frames < 1:
        raise UserError(f"--max-frames {options.max_frames} leaves nothing to measure; give 1 or more.")
    # Everything that changes the result is said, so that the person's saved settings do not.
    launcher_options = ["--backend", options.backend, "--model", options.model, "--smooth"]
    launcher_options += ["--prior" if options.prior != "none" else "--no-prior"]
    launcher_options += ["--weights", str(_weights(options))] if options.weights else []
    launcher_options += ["--as-live"] if options.as_live else []
    launcher_options += ["--hand-model", str(options.hand_model)] if options.hand_model else []
    figures = {
        path.name: measure_clip(path, launcher_options, options.hand_model, options.max_frames)
        for path in tqdm(clip_paths(options.clips), unit="clip", desc="clips", leave=False)
    }
    return {"clips": figures, "all": total_of_clips(list(figures.values()))}


def _table(figures: dict[str, Any]) -> str:
    """The figures as aligned columns, one row a set or clip."""
    rows = dict(figures.get("sets") or figures.get("clips") or {})
    if "all" in figures:
        rows["all"] = figures["all"]
    columns = list(dict.fromkeys(column for row in rows.values() for column in row))
    cells = [["", *columns], *([name, *(_cell(row.get(column)) for column in columns)] for name, row in rows.items())]
    widths = [max(len(row[k]) for row in cells) for k in range(len(columns) + 1)]
    lines = ["  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]) for row in cells]
    if "handedness_accuracy" in figures:
        lines.append(f"handedness accuracy {_cell(figures['handedness_accuracy'])}")
    return "\n".join(lines)


def _cell(value: float | int | None) -> str:
    return "-" if value is None else f"{value:g}"


if __name__ == "__main__":
    sys.exit(main())
