"""What each part of the synthetic engine is worth on real photographs: leave one out at a time, train equally long.

    python -m digit.training.engine_ablation --annotations FILE.jsonl --validation DIR --out OUT --start FILE

For every part (`digit.synth.components`) a set is drawn without it, and a digit-lite learns from that set alone: the
same number of pictures and samples, the same seeds, the trunk frozen, and without the augmentation's own looks, so that
only the engine gives variety. Each is measured on the photographs (never trained on), without a landmark prior, and on
a held-out set of the whole engine. That engine is trained under ``--seeds`` seeds: their spread is what chance does.

From random weights, or behind MediaPipe's trunk alone (``--trunk``), a network needs tens of thousands of samples
before its rows say anything; with ``--start`` a row says what a trained one forgets where the part is missing.

Rows that are there already are not made again, so a command that was stopped goes on. OUT gets table.md and table.json.
"""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from digit.errors import UserError, command_line
from digit.options import amount, positive, whole
from digit.synth.components import COMPONENTS
from digit.training.ablation import read, write

if TYPE_CHECKING:
    from digit.evaluation.annotations import Annotation
    from digit.prediction import Backend
    from digit.training.train import Run

WHOLE = "the whole engine"
#: The set of photographs that the table is about.
SET = "handgraph"


@dataclass(frozen=True, slots=True)
class EngineAblation:
    """What all rows have in common."""

    annotations: Path
    validation: Path
    start: Path | None
    trunk: Path | None
    out: Path
    pictures: int = 2000
    steps: int = 160
    batch: int = 32
    rate: float = 1e-3
    input_size: int = 160
    seed: int = 20
    seeds: int = 3
    threads: int = 2
    workers: int = 1


@dataclass(frozen=True, slots=True)
class Row:
    """One network, measured without a landmark prior."""

    without: str  # `WHOLE` or a name in `COMPONENTS`
    seed: int
    nme: list[float]  # of each hand of `SET`: mean joint error over the box
    mpjpe_mm: float  # there
    sides: float  # share of right sides, all photographs
    renders_mpjpe_mm: float  # on the held-out set


def ablate(ablation: EngineAblation) -> str:
    """Make or resume all rows; returns the table as markdown.

    Raises:
        UserError: a file or set cannot be read, a folder not written, or it holds an ablation with other settings.
    """
    from digit.evaluation.annotations import read_annotations

    photographs = read_annotations(ablation.annotations)
    if not any(photograph.set_name == SET and photograph.hands for photograph in photographs):
        raise UserError(f"{ablation.annotations} has no photographs of the set {SET!r}.")
    _claim(ablation)
    rows = [_row(ablation, photographs, WHOLE, seed) for seed in range(ablation.seeds)]
    for name in COMPONENTS:
        rows.append(_row(ablation, photographs, name, 0))
        _report(ablation, rows)  # a table of the rows so far
    return _report(ablation, rows)


def _claim(ablation: EngineAblation) -> None:
    settings = {k: str(v) for k, v in asdict(ablation).items() if k not in ("out", "threads", "workers", "seeds")}
    file = ablation.out / "plan.json"
    if file.is_file() and read(file) != settings:
        raise UserError(f"{ablation.out} holds an ablation with other settings; give another --out.")
    write(file, json.dumps(settings, indent=1))


def _row(ablation: EngineAblation, photographs: Sequence["Annotation"], name: str, seed: int) -> Row:
    file = ablation.out / "rows" / f"{name.replace(' ', '-')}-{seed}.json"
    if file.is_file():
        return Row(**read(file))
    from digit.synth.generate import generate
    from digit.training.train import train

    started = time.monotonic()
    without = frozenset(() if name == WHOLE else (name,))
    data = ablation.out / "sets" / name.replace(" ", "-")
    generate(data, ablation.pictures, ablation.seed, without=without)
    weights = train(_run(ablation, data, file.with_suffix(""), seed))
    row = _measured(ablation, photographs, name, seed, weights)
    print(f"{name}, seed {seed}: {time.monotonic() - started:.0f} s", file=sys.stderr)
    write(file, json.dumps(asdict(row)))
    return row


def _run(ablation: EngineAblation, data: Path, out: Path, seed: int) -> "Run":
    from digit.training.recipe import LITE
    from digit.training.schedule import WarmupStableDecay
    from digit.training.train import Run

    recipe = replace(
        LITE,
        rate=ablation.rate,
        batch=ablation.batch,
        optimizer="muon",
        schedule=WarmupStableDecay(warmup=ablation.steps // 10, decay=ablation.steps // 2),
        trunk_rate=0.0 if ablation.start or ablation.trunk else None,
        input_sizes=(ablation.input_size,),
        augmentation=replace(LITE.augmentation, restyle_share=0.0, empty_share=0.0),
    )
    return Run(
        variant="digit-lite",
        recipe=recipe,
        out=out,
        data=(data,),
        steps=ablation.steps,
        start=ablation.start,
        trunk=ablation.trunk,
        precision="fp32",
        seed=seed,
        threads=ablation.threads,
        workers=ablation.workers,
        checkpoint_every_s=60.0,
        curves=False,
    )


def _measured(
    ablation: EngineAblation, photographs: Sequence["Annotation"], name: str, seed: int, weights: Path
) -> Row:
    from digit.evaluation.photographs import measure_network, summary
    from digit.metrics import nme

    results = measure_network(photographs, _backend(ablation, weights), None)
    hands = [hand for result in results for hand in result.hands if hand.set_name == SET]
    found: Any = summary(results)
    per_hand = nme(np.stack([hand.errors_px for hand in hands]), np.array([hand.size_px for hand in hands]))
    return Row(
        name, seed, [round(float(v), 5) for v in per_hand], found["sets"][SET]["mpjpe_mm"],
        found["handedness_accuracy"], _renders_mpjpe_mm(ablation, weights),
    )  # fmt: skip


def _backend(ablation: EngineAblation, weights: Path) -> "Backend":
    from digit.backends.session import LoadedBackend
    from digit.backends.torch import TorchSession

    session = TorchSession(weights, ablation.input_size)
    return LoadedBackend(session, "torch", "digit-lite", "", "the ablation's own")


def _renders_mpjpe_mm(ablation: EngineAblation, weights: Path) -> float:
    import torch

    from digit import checkpoint
    from digit.training.dataset import CropDataset
    from digit.training.recipe import LITE
    from digit.training.validate import held_out, validate

    net: Any = checkpoint.load(weights)
    net.input_size = ablation.input_size
    held = CropDataset(held_out(ablation.validation), augment=LITE.augmentation.still(), prior=False)
    scores, _ = validate(net, {"none": held}, size=256, precision="fp32", device=torch.device("cpu"))
    return float(scores["none"]["mpjpe_mm"])


def _report(ablation: EngineAblation, rows: Sequence[Row]) -> str:
    text = markdown(rows, ablation)
    write(ablation.out / "table.json", json.dumps([asdict(row) for row in rows]))
    write(ablation.out / "table.md", text)
    return text


def markdown(rows: Sequence[Row], ablation: EngineAblation) -> str:
    """The table: each row's median error, and how far it is above the whole engine's first seed, with an interval."""
    first = rows[0]
    lines = [
        "# Each part of the engine left out",
        "",
        f"Errors without a landmark prior on {len(first.nme)} photographs of {SET}, and on held-out renders of the "
        "whole engine. In brackets the 95 % interval of the difference from the first row, by bootstrap over "
        "photographs; how far chance moves a row, the seeds of the whole engine show.",
        "",
        "| without | NME, median | difference | MPJPE, mm | sides | renders: MPJPE, mm |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for row in rows:
        name = row.without if row.without != WHOLE else f"nothing: {WHOLE}, seed {row.seed}"
        cells = (
            name, f"{np.nanmedian(row.nme):.4f}", _difference(first, row), f"{row.mpjpe_mm:.1f}", f"{row.sides:.3f}",
            f"{row.renders_mpjpe_mm:.1f}",
        )  # fmt: skip
        lines.append(f"| {' | '.join(cells)} |")
    start = "" if ablation.start is None else f", starting from {ablation.start.name}"
    trunk = ", the trunk frozen" if ablation.start or ablation.trunk else ""
    steps = f"{ablation.steps} steps of {ablation.batch} samples a row, rate {ablation.rate:g}"
    how = f"{ablation.pictures} pictures and {steps}, {ablation.input_size} pixels{trunk}{start}."
    return "\n".join([*lines, "", how])


def _difference(first: Row, row: Row, draws: int = 2000) -> str:
    if row is first:
        return "-"
    rng = np.random.default_rng(0)
    a, b = np.array(first.nme), np.array(row.nme)
    known = np.isfinite(a) & np.isfinite(b)
    a, b = a[known], b[known]
    picked = rng.integers(0, len(a), (draws, len(a)))
    drawn = np.median(b[picked], axis=1) - np.median(a[picked], axis=1)
    low, high = np.percentile(drawn, (2.5, 97.5))
    return f"{np.median(b) - np.median(a):+.4f} [{low:+.4f}, {high:+.4f}]"


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m digit.training.engine_ablation",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--annotations", type=Path, required=True, metavar="FILE", help="photographs, measuring only")
    parser.add_argument("--validation", type=Path, required=True, metavar="DIR", help="a held-out set of the engine")
    parser.add_argument("--start", type=Path, metavar="FILE", help="weights of digit-lite that every row starts from")
    parser.add_argument("--trunk", type=Path, metavar="FILE", help="MediaPipe's hand_landmark_full.tflite, frozen")
    parser.add_argument("--out", type=Path, required=True, help="folder of the sets, the rows and the table")
    parser.add_argument("--pictures", type=positive, default=2000, help="of each set")
    parser.add_argument("--steps", type=positive, default=160, help="of each row")
    parser.add_argument("--batch", type=positive, default=32)
    parser.add_argument("--rate", type=amount, default=1e-3)
    parser.add_argument("--input-size", type=positive, default=160, help="pixels at which the network sees a crop")
    parser.add_argument("--seed", type=whole, default=20, help="of the pictures")
    parser.add_argument("--seeds", type=positive, default=3, help="of the training with the whole engine")
    parser.add_argument("--threads", type=positive, default=2)
    parser.add_argument("--workers", type=whole, default=1)
    return parser


@command_line
def main(argv: list[str] | None = None) -> None:
    given = vars(arguments().parse_args(argv))
    print(ablate(EngineAblation(**given)))


if __name__ == "__main__":
    sys.exit(main())
