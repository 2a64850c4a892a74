"""The table of an ablation: its rows, a cell's errors, intervals, and what the paper claims."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from digit.errors import UserError
from digit.evaluation.paper import ROWS_OF_VARIANT, TABLES
from digit.skeleton import JOINTS_PER_HAND, WRIST
from digit.training.intervals import Interval, Ratio, difference, interval

if TYPE_CHECKING:
    from digit.evaluation.protocol import Results

Cells = Mapping["Row", Sequence["Cell"]]


@dataclass(frozen=True, slots=True)
class Row:
    """One system; the paper's figures are those of interacting hands in its validation set, mm."""

    name: str
    variant: str
    mpjpe_mm: float
    mrrpe_mm: float | None = None
    better_than: tuple[str, ...] = ()  # variants, by the paper's MPJPE


def _row(table: str, variant: str, *better_than: str) -> Row:
    """The row of the paper's table that is this variant's."""
    rows = TABLES[table].rows
    name = next(name for name in ROWS_OF_VARIANT[variant] if name in rows)
    mpjpe_mm, *others = (cell for cell in rows[name] if isinstance(cell, float))
    return Row(name, variant, mpjpe_mm, others[0] if table == "2" else None, better_than)


ROWS: dict[int, tuple[Row, ...]] = {
    2: (
        _row("2", "baseline"),
        _row("2", "baseline-bl", "baseline"),
        _row("2", "baseline-bl-sl", "baseline-bl"),
        _row("2", "sf-unsupervised"),
        _row("2", "digit-w32", "baseline-bl-sl", "sf-unsupervised"),
    ),
    7: (
        _row("7", "segm-to-pose", "lr-probabilistic", "segm-to-pose-two-stage"),
        _row("7", "lr-probabilistic", "lr-mask"),
        _row("7", "lr-mask"),
        Row("Part labels (sec. 4.3)", "segm-to-pose-hard", 25.49),
        Row("Two stages (sec. 4.3)", "segm-to-pose-two-stage", 23.52, None, ("segm-to-pose-hard",)),
    ),
}


class Cell(NamedTuple):
    """One trained variant on N held-out pictures."""

    joint_mm: np.ndarray  # (N, 42) root-relative error, nan where not judged
    root_mm: np.ndarray  # (N,) error of the left wrist seen from the right one, nan unless both are known
    miou: np.ndarray  # (N,) of parts; nan without part segmentation
    interacting: np.ndarray  # (N,) bool
    minutes: float

    @classmethod
    def of(cls, results: "Results", minutes: float) -> "Cell":
        right, left = WRIST, JOINTS_PER_HAND + WRIST
        apart = (p[:, left] - p[:, right] for p in (results.predicted_mm, results.truth_mm))
        root_mm = np.linalg.norm(np.subtract(*apart), axis=1)
        both = results.joint_valid[:, [right, left]].all(axis=1) & results.interacting
        return cls(results.errors_mm, np.where(both, root_mm, np.nan), results.miou, results.interacting, minutes)

    @classmethod
    def read(cls, path: Path) -> "Cell":
        with path.open("rb") as file, np.load(file) as found:
            cell = cls(**{name: found[name] for name in cls._fields})
        return cell._replace(minutes=float(cell.minutes))

    def write(self, path: Path) -> None:
        """Whole or not at all. Raises UserError when it cannot be written."""
        part = path.with_suffix(".part")
        try:
            with part.open("wb") as file:
                np.savez(file, **self._asdict())
                os.fsync(file.fileno())
            part.replace(path)
        except OSError as error:
            raise UserError(f"Cannot write {path} ({error.strerror}); free some space.") from error

    @property
    def mpjpe(self) -> Ratio:
        """Of interacting hands, each joint weighing the same."""
        return _mean(np.where(self.interacting[:, None], self.joint_mm, np.nan))

    @property
    def mrrpe(self) -> Ratio:
        return _mean(self.root_mm[:, None])

    @property
    def part_miou(self) -> Ratio:
        return _mean(self.miou[:, None])


METRICS = ("mpjpe", "mrrpe", "part_miou")


def intervals(cells: Cells) -> dict[Row, dict[str, Interval]]:
    """Each row's metrics with their 95 % intervals."""
    return {row: {m: interval([getattr(cell, m) for cell in found]) for m in METRICS} for row, found in cells.items()}


def claims(cells: Cells) -> list[tuple[Row, Row, Interval]]:
    """(better, worse, MPJPE of the worse one minus that of the better one) for each order that the paper has."""
    by_variant = {row.variant: row for row in cells}
    return [
        (row, by_variant[worse], difference([c.mpjpe for c in found], [c.mpjpe for c in cells[by_variant[worse]]]))
        for row, found in cells.items()
        for worse in row.better_than
    ]


def verdict(cells: Cells) -> list[str]:
    """A sentence for each of the paper's orders, and one for all of them."""
    sentences: list[str] = []
    found = claims(cells)
    for better, worse, gap in found:
        paper = worse.mpjpe_mm - better.mpjpe_mm
        seen = "appears" if gap.low > 0 else "is reversed" if gap.high < 0 else "is not decided"
        sentences.append(
            f"{better.name} before {worse.name}: {seen}, by {gap.value:+.2f} mm [{gap.low:+.2f}, {gap.high:+.2f}] "
            f"(paper {paper:+.2f})."
        )
    means = sum(gap.value > 0 for _, _, gap in found)
    sure = sum(gap.low > 0 for _, _, gap in found)
    sentences.append(
        f"The paper's order {'appears' if means == len(found) else 'does not appear'} in the means: {means} of "
        f"{len(found)} pairs stand as in the paper, {sure} of them beyond the interval."
    )
    return sentences


def summary(table: int, cells: Cells) -> dict[str, Any]:
    """All figures as plain values; nan is null."""

    def plain(i: Interval) -> list[float | None]:
        return [round(float(v), 4) if np.isfinite(v) else None for v in i]

    return {
        "table": table,
        "rows": {
            row.name: {
                "variant": row.variant,
                "paper": {"mpjpe_mm": row.mpjpe_mm, "mrrpe_mm": row.mrrpe_mm},
                **{metric: plain(found) for metric, found in metrics.items()},
                "by_seed": [plain(interval([cell.mpjpe]))[0] for cell in cells[row]],
                "minutes": [round(cell.minutes, 2) for cell in cells[row]],
            }
            for row, metrics in intervals(cells).items()
        },
        "claims": [
            {"better": b.name, "worse": w.name, "paper_mm": round(w.mpjpe_mm - b.mpjpe_mm, 2), "mm": plain(gap)}
            for b, w, gap in claims(cells)
        ],
    }


def markdown(table: int, cells: Cells, about: Mapping[str, Any]) -> str:
    """The table, its settings and what the paper claims."""
    seeds = len(next(iter(cells.values())))
    lines = [
        f"# Table {table} under an equal budget",
        "",
        "MPJPE and MRRPE in mm of interacting hands on held-out pictures, root-relative, given the true root depths; "
        "mIoU of parts, mean over pictures; in brackets 95 % intervals by bootstrap over pictures"
        + (f" and {seeds} seeds." if seeds > 1 else "; one seed, so the spread between trainings is not in them."),
        "",
        "| system | paper MPJPE | paper MRRPE | MPJPE | MRRPE | mIoU |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for row, found in intervals(cells).items():
        paper = (f"{row.mpjpe_mm:.2f}", "-" if row.mrrpe_mm is None else f"{row.mrrpe_mm:.2f}")
        ours = (_cell(found["mpjpe"], 2), _cell(found["mrrpe"], 2), _cell(found["part_miou"], 3))
        lines.append("| " + " | ".join((row.name, *paper, *ours)) + " |")
    lines += ["", *(f"- {sentence}" for sentence in verdict(cells)), ""]
    lines += [f"{name}: {value}  " for name, value in about.items()]
    return "\n".join(lines)


def _cell(found: Interval, digits: int) -> str:
    if not np.isfinite(found.value):
        return "-"
    return f"{found.value:.{digits}f} [{found.low:.{digits}f}, {found.high:.{digits}f}]"


def _mean(values: np.ndarray) -> Ratio:
    known = np.isfinite(values)
    return Ratio(np.where(known, values, 0.0), known.astype(np.float64))
