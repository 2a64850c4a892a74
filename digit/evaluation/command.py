"""The ``--data`` part of `digit.evaluate`: measure weights on a set, print the paper's tables, draw its figures."""

import argparse
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from digit import checkpoint, interhand
from digit.backends import available
from digit.errors import UserError
from digit.evaluation import protocol, summary, tables
from digit.evaluation.paper import TABLES
from digit.evaluation.protocol import RootDepths
from digit.evaluation.tables import Evaluated, Table
from digit.interhand import Index
from digit.landmarker import Landmarker

TABLE_NAMES = (*TABLES, "fig8", "fig15")


def add_options(parser: argparse.ArgumentParser) -> None:
    """What only ``--data`` takes."""
    group = parser.add_argument_group("sets in InterHand2.6M's layout")
    group.add_argument("--table", nargs="+", choices=TABLE_NAMES, default=[], help="print these tables of the paper")
    group.add_argument("--figures", type=Path, metavar="DIR", help="draw the paper's Fig. 5, 7, 8, 15, 17, 18, 19 here")
    group.add_argument("--split", nargs="+", metavar="NAME", help="default: val and test, or whatever is there")
    group.add_argument("--subset", choices=("all", "human", "machine"), default="all", help="which annotations")
    group.add_argument("--parts", type=Path, metavar="DIR", help="part masks, instead of those in the set")
    group.add_argument("--root-depths", metavar="FILE", help="RootNet's result file, or 'true' for the true depths")
    group.add_argument("--skeleton", type=Path, metavar="FILE", help="skeleton map from digit.evaluation.tzionas")
    group.add_argument("--limit", type=int, metavar="N", help="measure only N pictures, evenly over the split")
    group.add_argument("--worst", action="store_true", help="in the figures: the last network's worst pictures")
    group.add_argument("--pictures", type=int, default=8, metavar="N", help="pictures in the figures (default: 8)")
    group.add_argument(
        "--joint", metavar="NAME", help="whose heatmaps are drawn, like 'right ring3' (default: unsure ones)"
    )
    group.add_argument("--batch", type=int, default=16, metavar="N", help="pictures at once (default: 16)")
    group.add_argument("--workers", type=int, default=2, metavar="N", help="threads that load pictures (default: 2)")


def evaluate_data(options: argparse.Namespace) -> tuple[dict[str, Any], str]:
    """Figures for JSON and the same as text.

    Raises:
        UserError: bad options, or data or weights that lack what was asked for.
    """
    for name in ("limit", "pictures", "batch"):
        if getattr(options, name) is not None and getattr(options, name) < 1:
            raise UserError(f"--{name} {getattr(options, name)} leaves nothing to do; give 1 or more.")
    if options.workers < 0:
        raise UserError(f"--workers {options.workers} are no threads; give 0 or more.")
    for package, needed in (("matplotlib", options.figures is not None), ("scipy", len(options.weights or ()) > 1)):
        if needed and find_spec(package) is None:
            raise UserError(f"This needs {package}; install it with: pip install -e '.[train]'.")
    paths: list[Path] = options.weights or [checkpoint.weights_path(options.model)]
    names = _names(paths)
    networks = {name: checkpoint.load_as_trained(path) for name, path in zip(names, paths, strict=True)}
    printed: list[Table] = []
    figures: dict[str, Any] = {}
    wanted = [name for name in options.table if name != "8"]
    if "8" in options.table:
        from digit.evaluation.cost import table_8

        printed.append(table_8(networks))
    evaluated: list[Evaluated] = []
    indices: dict[str, Index] = {}
    if options.data is not None:
        indices = read_splits(options)
        if wanted or options.figures or not options.table:
            variants = [str(checkpoint.read_metadata(path)["model"]) for path in paths]
            evaluated = _measure(options, networks, variants, indices)
        figures["splits"] = {e.name: {s: summary.figures(r) for s, r in e.by_split.items()} for e in evaluated}
    elif wanted or options.figures:
        raise UserError("Tables other than 8 and figures need pictures; give a set with --data.")
    printed += [tables.table(name, evaluated) for name in wanted]
    if not options.table and evaluated:
        printed.append(summary.summary_table(evaluated))
    if options.table:
        figures["tables"] = {table.title: table.figures() for table in printed}
    text = "\n\n".join(table.text() for table in printed)
    if options.figures is not None:
        written = _draw(options, networks, next(iter(indices.values())), evaluated)
        figures["figures"] = [str(path) for path in written]
        text += "\n\nwrote " + ", ".join(map(str, written))
    return figures, text.strip()


def read_splits(options: argparse.Namespace) -> dict[str, Index]:
    """The samples of each split asked for: by default val and test, else what is there."""
    there = interhand.splits_of(options.data)
    splits = options.split or [s for s in there if s != "train"] or there
    if not splits:
        raise UserError(
            f"{options.data} holds no annotations of any split; give the folder of InterHand2.6M or of digit.synth."
        )
    rootnet = None if options.root_depths in (None, "true") else Path(options.root_depths)
    indices = {split: interhand.read(options.data, split, options.subset, options.parts, rootnet) for split in splits}
    if options.limit is None:
        return indices
    return {split: index.take(_evenly(len(index), options.limit)) for split, index in indices.items()}


def _evenly(length: int, count: int) -> np.ndarray:
    return np.unique(np.linspace(0, length - 1, min(count, length)).astype(int))


def _names(paths: Sequence[Path]) -> list[str]:
    """What the weights are called: the file's name, with its folder's where two are the same."""
    stems = [path.stem for path in paths]
    names = [s if stems.count(s) == 1 else f"{p.resolve().parent.name}/{s}" for s, p in zip(stems, paths, strict=True)]
    if len(set(names)) < len(names):
        raise UserError("The same weights were given twice with --weights; name each file once.")
    return names


def device_of(options: argparse.Namespace) -> str:
    """cuda or cpu: tables read a network's raw output, so they run on torch whatever the live backends are."""
    reasons = available()
    if options.backend not in ("auto", "torch", "cuda"):
        raise UserError(f"Sets are measured with torch or cuda, not with '{options.backend}'; leave --backend away.")
    if options.backend == "cuda" and reasons["cuda"]:
        raise UserError(f"The backend 'cuda' does not run here: {reasons['cuda']}.")
    return "cpu" if options.backend == "torch" or reasons["cuda"] else "cuda"


def _measure(
    options: argparse.Namespace, networks: dict[str, Any], variants: Sequence[str], indices: dict[str, Index]
) -> list[Evaluated]:
    device = device_of(options)
    map_skeleton = None
    if options.skeleton is not None:
        from digit.evaluation import tzionas

        map_skeleton = tzionas.mapper(tzionas.load(options.skeleton))
    evaluated: list[Evaluated] = []
    with _landmarker(options) as see_hands:
        for (name, network), variant in zip(networks.items(), variants, strict=True):
            by_split = {
                split: protocol.run(
                    network,
                    name,
                    index,
                    split,
                    device=device,
                    batch=options.batch,
                    workers=options.workers,
                    see_hands=see_hands,
                    root_depths_from=_root_depths(options),
                )
                for split, index in indices.items()
            }
            if map_skeleton is not None:
                by_split = {s: protocol.on_other_skeleton(r, map_skeleton) for s, r in by_split.items()}
            evaluated.append(Evaluated(name, variant, by_split))
    return evaluated


def _landmarker(options: argparse.Namespace) -> AbstractContextManager[Landmarker | None]:
    """What sees the hands of the prior; None where there is to be no prior."""
    if options.prior != "mediapipe":
        return nullcontext()
    return Landmarker("image", options.hand_model, progress=_say)


def _root_depths(options: argparse.Namespace) -> RootDepths | None:
    return "true" if options.root_depths == "true" else None


def _say(sentence: str) -> None:
    tqdm.write(sentence, file=sys.stderr)


def _draw(
    options: argparse.Namespace, networks: dict[str, Any], index: Index, evaluated: Sequence[Evaluated]
) -> list[Path]:
    from digit.evaluation import figures

    joint = None if options.joint is None else figures.joint_number(options.joint)
    rows = figures.choose(index, options.pictures)
    if options.worst:
        measured = next(iter(evaluated[-1].by_split.values()))
        if len(measured) != len(index):
            raise UserError("Some pictures cannot be read, so the worst ones are not known; mend the set first.")
        rows = figures.choose_worst(measured.picture_mm, options.pictures)
    with _landmarker(options) as see_hands:
        shown = figures.examples(
            list(networks.values()), index.take(rows), joint, device_of(options), see_hands, _root_depths(options)
        )
    return figures.draw_all(options.figures, shown, list(networks), evaluated)
