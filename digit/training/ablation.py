"""Train and compare the variants of the paper's Table 2 or 7 under one equal budget.

    python -m digit.training.ablation --table 2 --budget 40 --data DIR --validation DIR --out OUT

Every cell (a variant under a seed) trains on equally many samples in the same order. ``--budget`` fixes that number
once: the speed of each variant is measured first, and the samples are as many as all cells together can train on in so
many minutes, evaluation included. The number is kept in OUT/plan.json;
a command that was stopped goes on with it, finished cells are not trained again. On a machine that is busier than while
measuring, the whole takes longer.

A budget of minutes is far from the paper's days, so the cells are small: the lite backbone, crops shrunk to ``--size``,
the paper's ablation schedule (a tenth of the rate after one and two thirds) from a higher rate, no augmentation,
which few samples do not need, and in all rows alike the likelihoods of `digit.training.likelihood` beside the paper's
losses, which alone would hardly begin to learn. OUT/table.md and OUT/table.json get the table, with 95 % intervals by
bootstrap over pictures and seeds, and whether the paper's order appears.
"""

import argparse
import json
import sys
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from digit.errors import UserError, command_line
from digit.options import amount, positive, whole
from digit.training.ablation_table import ROWS, Cell, Row, markdown, summary

if TYPE_CHECKING:
    from digit.interhand import Index
    from digit.training.train import Run

#: What a cell takes beside training on samples and evaluating pictures, in seconds.
CELL_S = 5.0


@dataclass(frozen=True, slots=True)
class Ablation:
    """What the cells have in common."""

    table: int
    data: tuple[Path, ...]
    validation: Path
    out: Path
    budget_min: float
    seeds: int = 1
    backbone: str = "lite"
    trunk: Path | None = None
    size: int = 128
    batch: int = 16
    rate: float = 1e-3
    pictures: int = 300
    threads: int = 2
    workers: int = 1
    device: str = "cpu"


def ablate(ablation: Ablation) -> str:
    """Run or resume all cells; returns the table as markdown.

    Raises:
        UserError: there is no such table, data or validation set, or OUT holds another ablation.
    """
    from digit.training.validate import held_out

    if ablation.table not in ROWS:
        raise UserError(f"There is no ablation of table {ablation.table}; choose one of {', '.join(map(str, ROWS))}.")
    index = held_out(ablation.validation, ablation.pictures)
    if not index.hands.all(axis=1).any():
        raise UserError(f"{ablation.validation} has no picture of two hands; give a set with interacting hands.")
    steps = planned_steps(ablation, len(index))
    cells: dict[Row, list[Cell]] = {row: [] for row in ROWS[ablation.table]}
    for seed in range(ablation.seeds):
        for row, found in cells.items():
            found.append(trained_cell(ablation, row, seed, steps, index))
    about = _about(ablation, steps, cells, len(index))
    text = markdown(ablation.table, cells, about)
    write(ablation.out / "table.json", json.dumps(summary(ablation.table, cells) | {"settings": about}, indent=1))
    write(ablation.out / "table.md", text)
    return text


def planned_steps(ablation: Ablation, pictures: int) -> int:
    """Steps of each cell: of the plan in ``out``, or measured and written there."""
    file = ablation.out / "plan.json"
    settings = {k: str(v) for k, v in asdict(ablation).items() if k not in ("out", "threads", "workers")}
    settings["data"] = ", ".join(map(str, ablation.data))
    if file.is_file():
        plan = read(file)
        if plan["settings"] != settings:
            changed = ", ".join(name for name, v in settings.items() if plan["settings"].get(name) != v)
            raise UserError(f"{ablation.out} holds an ablation with another {changed}; give another --out.")
        return int(plan["steps"])
    started = time.monotonic()
    seconds = {row.variant: seconds_a_sample(_run(ablation, row, 0, 1)) for row in ROWS[ablation.table]}
    # A picture's evaluation, in full precision and without gradients, takes about as long as a sample's training.
    beside = CELL_S * len(seconds) + pictures * sum(seconds.values())
    left = 60 * ablation.budget_min - (time.monotonic() - started) - ablation.seeds * beside
    steps = int(left / (ablation.seeds * ablation.batch * sum(seconds.values())))
    if steps < 3:
        raise UserError(
            f"{ablation.budget_min:g} minutes are too few for {len(seconds)} variants; give a larger --budget."
        )
    write(file, json.dumps({"settings": settings, "steps": steps, "seconds_a_sample": seconds}, indent=1))
    return steps


def seconds_a_sample(run: "Run", steps: int = 2) -> float:
    """Of training, the loading of samples included, mean over the variant's stages."""
    import torch
    from torch.utils.data import default_collate

    from digit.training.loader import ready
    from digit.training.losses import objective
    from digit.training.optimise import optimise
    from digit.training.processes import use_cpu
    from digit.training.train import dataset_of, enter, new_learner
    from digit.variants import find

    use_cpu(run.threads)
    dataset, variant = dataset_of(run), find(run.variant)
    started = time.monotonic()
    samples = [dataset[i] for i in range(run.recipe.batch)]
    loading = (time.monotonic() - started) / max(1, run.workers)
    batch = ready(default_collate(samples), torch.device(run.device))
    learner = new_learner(run, torch.device(run.device))
    training = 0.0
    for stage in variant.stages:
        enter(learner.net, stage, run.recipe)
        for step in range(steps + 1):  # the first one is slower
            started = time.monotonic()
            optimise(
                learner.net, learner.optimizer, learner.scaler, objective(variant, stage, run.likelihood), [batch],
                precision=run.precision, prior=False, size=run.size, clip=None,
            )  # fmt: skip
            training += stage.share * (time.monotonic() - started) / steps if step else 0.0
    return (training + loading) / run.recipe.batch


def trained_cell(ablation: Ablation, row: Row, seed: int, steps: int, index: "Index") -> Cell:
    """Train, evaluate and keep one cell, or read what an earlier try kept."""
    from digit import checkpoint
    from digit.evaluation import protocol
    from digit.training.train import train

    run = _run(ablation, row, seed, steps)
    kept = run.out / "cell.npz"
    if kept.is_file():
        return Cell.read(kept)
    started = time.monotonic()
    weights = train(run)
    print(f"{row.name}, seed {seed}: trained in {time.monotonic() - started:.0f} s", file=sys.stderr)
    results = protocol.run(
        checkpoint.load_as_trained(weights),
        row.name,
        index,
        "held out",
        device=ablation.device,
        root_depths_from="true",
    )
    cell = Cell.of(results, (time.monotonic() - started) / 60)
    cell.write(kept)
    return cell


def _run(ablation: Ablation, row: Row, seed: int, steps: int) -> "Run":
    from digit.training.recipe import ABLATION
    from digit.training.train import Run

    recipe = replace(
        ABLATION, rate=ablation.rate, batch=ablation.batch, trunk_rate=0.0 if ablation.trunk is not None else None
    )
    return Run(
        variant=f"{row.variant}/{ablation.backbone}",
        recipe=recipe,
        out=ablation.out / "cells" / f"{row.variant}-{seed}",
        data=ablation.data,
        steps=steps,
        size=ablation.size,
        augment=False,
        likelihood=True,
        trunk=ablation.trunk,
        seed=seed,
        device=ablation.device,
        threads=ablation.threads,
        workers=ablation.workers,
        checkpoint_every_s=60.0,
        curves=False,
    )


def _about(ablation: Ablation, steps: int, cells: dict[Row, list[Cell]], pictures: int) -> dict[str, Any]:
    return {
        "budget, minutes": ablation.budget_min,
        "taken, minutes": round(sum(cell.minutes for found in cells.values() for cell in found), 1),
        "seeds": ablation.seeds,
        "steps": steps,
        "samples a cell": steps * ablation.batch,
        "batch": ablation.batch,
        "rate": ablation.rate,
        "backbone": ablation.backbone + (", MediaPipe's trunk, frozen" if ablation.trunk else ", from random weights"),
        "crop, pixels": ablation.size,
        "data": ", ".join(folder.name for folder in ablation.data),
        "held-out pictures": f"{pictures} of {ablation.validation.name}",
    }


def write(path: Path, text: str) -> None:
    """A text file of an ablation, whole or not at all. Raises UserError when it cannot be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(path.name + ".part")
        part.write_text(text + "\n", encoding="utf-8")
        part.replace(path)
    except OSError as error:
        raise UserError(f"Cannot write {path} ({error.strerror}); free some space or give another --out.") from error


def read(path: Path) -> Any:
    """What `write` wrote as JSON. Raises UserError when it is damaged."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{path} is damaged ({error}); delete it or give another --out.") from error


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m digit.training.ablation",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--table", type=int, choices=tuple(ROWS), required=True)
    parser.add_argument("--budget", type=amount, required=True, metavar="MINUTES", help="of all cells together")
    parser.add_argument("--data", type=Path, nargs="+", required=True, metavar="DIR", help="sets to train on")
    parser.add_argument("--validation", type=Path, required=True, metavar="DIR", help="a held-out set, with masks")
    parser.add_argument("--out", type=Path, required=True, help="folder of the cells and the table")
    parser.add_argument(
        "--seeds", type=positive, default=1, help="default 1; two or more tell the training's own spread"
    )
    parser.add_argument("--backbone", choices=("lite", "resnet-50", "hrnet-w32"), default="lite")
    parser.add_argument("--trunk", type=Path, metavar="FILE", help="MediaPipe's hand_landmark_full.tflite, frozen")
    parser.add_argument("--size", type=int, choices=(64, 128, 192, 256), default=128, help="of the crops, pixels")
    parser.add_argument("--batch", type=positive, default=16)
    parser.add_argument("--rate", type=amount, default=1e-3)
    parser.add_argument("--pictures", type=positive, default=300, help="held-out pictures, at most")
    parser.add_argument("--threads", type=positive, default=2)
    parser.add_argument("--workers", type=whole, default=1)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    return parser


@command_line
def main(argv: list[str] | None = None) -> None:
    given = vars(arguments().parse_args(argv))
    given["budget_min"], given["data"] = given.pop("budget"), tuple(given["data"])
    print(ablate(Ablation(**given)))


if __name__ == "__main__":
    sys.exit(main())
