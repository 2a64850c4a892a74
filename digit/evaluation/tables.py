"""The paper's tables from `Results`: its layout, its own figures, and ours below them."""

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from digit import metrics
from digit.errors import UserError
from digit.evaluation.paper import MIOU_EDGES, ROWS_OF_VARIANT, TABLES, Cell, PaperTable
from digit.evaluation.protocol import Results

#: Edges of the ranges of Fig. 8 and Fig. 15; the IoU of 0 stands alone.
IOU_EDGES = (0.0, 1e-9, 1 / 6, 2 / 6, 3 / 6, 4 / 6, 5 / 6, 1.0)
MEASURED = "measured here"


class Evaluated(NamedTuple):
    """One weights file on all splits that were measured."""

    name: str
    variant: str  # key of `digit.variants.VARIANTS`, from the weights' metadata
    by_split: dict[str, Results]

    def label(self, known: Collection[str] = ()) -> str:
        """What it is called in a table: its file, and its variant, in the paper's words where ``known`` has them."""
        backbone = self.variant.partition("/")[2]
        row = next((row for row in ROWS_OF_VARIANT.get(self.variant.partition("/")[0], ()) if row in known), None)
        called = self.variant if row is None else row + (f", {backbone}" if backbone else "")
        return self.name if called == self.name else f"{self.name} ({called})"


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under columns, ready to print; a row named `MEASURED` and without cells is a heading."""

    title: str
    corner: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Cell, ...]], ...]
    notes: tuple[str, ...] = ()

    def text(self) -> str:
        body = [[name, *map(_text, cells)] for name, cells in self.rows]
        body = [row + [""] * (len(self.columns) + 1 - len(row)) for row in body]
        lines = [[self.corner, *self.columns], *body]
        widths = [max(len(line[k]) for line in lines) for k in range(len(self.columns) + 1)]
        aligned = ["  ".join([line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])]) for line in lines]
        rule = "-" * len(aligned[0])
        return "\n".join([self.title, rule, aligned[0], rule, *(a.rstrip() for a in aligned[1:]), rule, *self.notes])

    def figures(self) -> dict[str, object]:
        """The same for JSON."""
        rows = {name: dict(zip(self.columns, map(_plain, cells), strict=True)) for name, cells in self.rows if cells}
        return {"title": self.title, "rows": rows, "notes": list(self.notes)}


def table(name: str, evaluated: Sequence[Evaluated]) -> Table:
    """The paper's table "1" to "7", "tzionas", "fig8" or "fig15" with what was measured.

    Raises:
        UserError: the data or the weights lack what the table needs.
    """
    if name in ("fig8", "fig15"):
        return figure_8(evaluated) if name == "fig8" else figure_15(evaluated)
    build: dict[str, Callable[[PaperTable, Sequence[Evaluated]], Table]] = {
        "3": _by_miou,
        "4": _absolute,
        "5": _single,
    }
    return build.get(name, _interacting)(TABLES[name], evaluated)


def _interacting(paper: PaperTable, evaluated: Sequence[Evaluated]) -> Table:
    _need(any(r.interacting.any() for e in evaluated for r in e.by_split.values()), paper, "pictures of two hands")
    figures: dict[str, Callable[[Results], float]] = {"MPJPE": lambda r: r.mpjpe.interacting_mm}
    if any(column.startswith("MRRPE") for column in paper.columns):
        figures["MRRPE"] = lambda r: r.mrrpe_mm
    return _by_method(paper, evaluated, figures, lambda r: r.interacting)


def _single(paper: PaperTable, evaluated: Sequence[Evaluated]) -> Table:
    _need(any((~r.interacting).any() for e in evaluated for r in e.by_split.values()), paper, "pictures of one hand")
    return _by_method(paper, evaluated, {"MPJPE": lambda r: r.mpjpe.single_mm}, lambda r: ~r.interacting)


def _by_method(
    paper: PaperTable,
    evaluated: Sequence[Evaluated],
    figures: dict[str, Callable[[Results], float]],
    subset: Callable[[Results], np.ndarray],
) -> Table:
    """Tables with a row a method and the columns "figure split"."""
    splits = list(dict.fromkeys(split for e in evaluated for split in e.by_split))
    extra = tuple(
        f"{figure} {split.capitalize()}" for split in splits if split not in ("val", "test") for figure in figures
    )
    columns = paper.columns + extra
    measured: list[tuple[str, tuple[Cell, ...]]] = []
    for one in evaluated:
        values = {
            f"{figure} {split.capitalize()}": measure(results)
            for split, results in one.by_split.items()
            for figure, measure in figures.items()
        }
        measured.append((one.label(paper.rows), tuple(values.get(column) for column in columns)))
    if len(measured) > 1:
        first, last = measured[0][1], measured[-1][1]
        gain = tuple(map(_improvement, first, last))
        measured.append((f"% in improvement of {evaluated[-1].name} over {evaluated[0].name}", gain))
    return _beside_paper(
        paper, columns, measured, (*_handedness(paper, evaluated), *_tests(evaluated, subset), *_about(evaluated))
    )


def _absolute(paper: PaperTable, evaluated: Sequence[Evaluated]) -> Table:
    """Rows are splits, columns methods."""
    splits = list(dict.fromkeys(split for e in evaluated for split in e.by_split))
    columns = paper.columns + tuple(e.label(paper.columns) for e in evaluated)
    rows: list[tuple[str, tuple[Cell, ...]]] = []
    for split in dict.fromkeys(["val", "test", *splits]):
        ours = tuple(_single_and_interacting(e.by_split.get(split)) for e in evaluated)
        theirs = paper.rows.get(split.capitalize(), (None,) * len(paper.columns))
        rows.append((split.capitalize(), theirs + ours))
    return Table(paper.title, paper.corner, columns, tuple(rows), (*_notes(paper), *_about(evaluated)))


def _single_and_interacting(results: Results | None) -> str | None:
    if results is None:
        return None
    errors = results.absolute_mpjpe
    return f"{_text(errors.single_mm)}/{_text(errors.interacting_mm)}"


def _by_miou(paper: PaperTable, evaluated: Sequence[Evaluated]) -> Table:
    """The mIoU is that of the last weights with a part segmentation; all methods are split by it."""
    measured: list[tuple[str, tuple[Cell, ...]]] = []
    segmenting = [e for e in evaluated if any(r.has_parts for r in e.by_split.values())]
    _need(bool(segmenting), paper, "part masks (DIR/masks) and weights that segment parts")
    split = next(split for split, r in segmenting[-1].by_split.items() if r.has_parts)
    keys = segmenting[-1].by_split[split].miou
    ranges = {e.label(paper.rows): metrics.by_range(e.by_split[split].picture_mm, keys, MIOU_EDGES) for e in evaluated}
    for label, found in ranges.items():
        measured.append((label, tuple(_mean_and_std(r) for r in found)))
    if len(ranges) > 1:
        first, last = next(iter(ranges.values())), list(ranges.values())[-1]
        differences = [
            f"{a.mean - b.mean:.1f} ± {a.std - b.std:.1f}" if a.count and b.count else None
            for a, b in zip(first, last, strict=True)
        ]
        measured.append(("Difference", tuple(differences)))
    measured.append(("pictures", tuple(str(r.count) for r in list(ranges.values())[-1])))
    note = f"Split {split}; mIoU of {segmenting[-1].name}."
    return _beside_paper(paper, paper.columns, measured, (note, *_about(evaluated)))


def figure_8(evaluated: Sequence[Evaluated]) -> Table:
    """Fig. 8 in figures: MPJPE by the IoU of the hands' full masks."""
    title = "Fig. 8. MPJPE (mm, mean ± std) by the degree of interaction: IoU of the hands' true full masks"
    return _by_overlap(title, evaluated, lambda r: r.picture_mm, "{:.1f} ± {:.1f}")


def figure_15(evaluated: Sequence[Evaluated]) -> Table:
    """Fig. 15 in figures: mIoU of the parts by the IoU of the hands' full masks."""
    segmenting = [e for e in evaluated if any(r.has_parts for r in e.by_split.values())]
    if not segmenting:
        raise UserError("Fig. 15 needs part masks (DIR/masks) and weights that segment parts.")
    title = "Fig. 15. mIoU of the parts (mean ± std) by the degree of interaction: IoU of the hands' true full masks"
    return _by_overlap(title, segmenting, lambda r: r.miou, "{:.3f} ± {:.3f}")


def by_overlap(results: Results, values: np.ndarray) -> dict[str, metrics.Range]:
    """Values (N,) of single hands (SH), and of interacting ones (IH) by the IoU of the hands' full masks."""
    single, two = ~results.interacting, results.interacting
    ranges = {"SH": metrics.by_range(values[single], np.zeros(int(single.sum())), (0.0, 1.0))[0]}
    for found in metrics.by_range(values[two], results.overlap[two], IOU_EDGES):
        ranges["IH 0" if found.high < 0.01 else f"IH {found.low:.2f}-{found.high:.2f}"] = found
    return ranges


def _by_overlap(
    title: str, evaluated: Sequence[Evaluated], values: Callable[[Results], np.ndarray], form: str
) -> Table:
    split = next(iter(evaluated[0].by_split))
    found = {e.label(): by_overlap(e.by_split[split], values(e.by_split[split])) for e in evaluated}
    first = next(iter(found.values()))
    rows = [(label, tuple(_spread(r, form) for r in ranges.values())) for label, ranges in found.items()]
    rows.append(("pictures", tuple(str(r.count) for r in first.values())))
    notes = (
        f"Split {split}. Full masks are drawn from the true joints (digit.evaluation.silhouettes), not from meshes.",
        *_about(evaluated),
    )
    return Table(title, "Methods", tuple(first), tuple(rows), notes)


def _beside_paper(
    paper: PaperTable,
    columns: tuple[str, ...],
    measured: Sequence[tuple[str, tuple[Cell, ...]]],
    notes: tuple[str, ...],
) -> Table:
    """The paper's rows, then ours; the paper says nothing in columns that it does not have."""
    blank = (None,) * (len(columns) - len(paper.columns))
    theirs = [(name, cells + blank) for name, cells in paper.rows.items()]
    return Table(paper.title, paper.corner, columns, (*theirs, (MEASURED, ()), *measured), (*_notes(paper), *notes))


def _notes(paper: PaperTable) -> tuple[str, ...]:
    return (paper.note,) if paper.note else ()


def _tests(evaluated: Sequence[Evaluated], subset: Callable[[Results], np.ndarray]) -> tuple[str, ...]:
    """A line for each split: paired t-test of the pictures' MPJPE, first against last weights."""
    if len(evaluated) < 2:
        return ()
    first, last = evaluated[0], evaluated[-1]
    lines: list[str] = []
    for split, results in first.by_split.items():
        chosen = subset(results)
        test = metrics.paired_t_test(results.picture_mm[chosen], last.by_split[split].picture_mm[chosen])
        lines.append(
            f"Paired t-test, {split}: {first.name} - {last.name} = {test.difference:.2f} mm over {test.count} "
            f"pictures, t = {test.t:.2f}, p = {test.p:.2g}."
        )
    return tuple(lines)


def _about(evaluated: Sequence[Evaluated]) -> tuple[str, ...]:
    """What was measured, where it is not what the paper measured."""
    lines: list[str] = []
    for split, results in evaluated[0].by_split.items():
        two = int(results.interacting.sum())
        lines.append(
            f"Measured on the split {split}: {len(results) - two} pictures of one hand, {two} of two; root depths: "
            + ("RootNet's." if results.root_depths == "rootnet" else "the true ones, as no RootNet result is there.")
        )
    return tuple(lines)


def _handedness(paper: PaperTable, evaluated: Sequence[Evaluated]) -> tuple[str, ...]:
    """Beside Table 1 the paper also says how well the hands are told apart: its "AP" is the share told right."""
    if paper is not TABLES["1"]:
        return ()
    return tuple(
        f"Handedness accuracy, {split}: {one.name} {100 * handedness_accuracy(results):.2f} %."
        for one in evaluated
        for split, results in one.by_split.items()
    )


def handedness_accuracy(results: Results) -> float:
    """Over the pictures whose hands were annotated."""
    known = results.hands_valid
    return metrics.handedness_accuracy(results.handedness[known], results.hands[known])


def average_precision(results: Results) -> float:
    """Handedness AP over the pictures whose hands were annotated."""
    known = results.hands_valid
    return metrics.handedness_ap(results.handedness[known], results.hands[known])


def _need(there: bool, paper: PaperTable, what: str) -> None:
    if not there:
        raise UserError(f"{paper.title.split('.')[0]} needs {what}, and the data has none; give another --data.")


def _improvement(before: Cell, after: Cell) -> float | None:
    """Per cent; None unless both cells are numbers."""
    if not (isinstance(before, float) and isinstance(after, float)) or math.isnan(before) or math.isnan(after):
        return None
    return 100 * (1 - after / before)


def _mean_and_std(found: metrics.Range) -> str | None:
    return _spread(found, "{:.1f} ± {:.1f}")


def _spread(found: metrics.Range, form: str) -> str | None:
    return form.format(found.mean, found.std) if found.count else None


def _text(cell: Cell) -> str:
    if cell is None or (isinstance(cell, float) and math.isnan(cell)):
        return "-"
    return cell if isinstance(cell, str) else f"{cell:.2f}"


def _plain(cell: Cell) -> Cell:
    return None if isinstance(cell, float) and math.isnan(cell) else round(cell, 4) if isinstance(cell, float) else cell
