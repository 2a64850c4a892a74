"""Everything that is measured of some weights on a split, in one table or as JSON."""

from collections.abc import Sequence

import numpy as np

from digit import metrics
from digit.evaluation.paper import MIOU_EDGES, Cell
from digit.evaluation.protocol import Results
from digit.evaluation.tables import Evaluated, Table, average_precision, by_overlap, handedness_accuracy
from digit.skeleton import JOINTS, SIDES

COLUMNS = (
    "MPJPE all", "MPJPE single", "MPJPE interacting", "MRRPE", "handedness AP %", "handedness acc. %", "mIoU",
    "absolute MPJPE", "L-R bone diff.",
)  # fmt: skip


def summary_table(evaluated: Sequence[Evaluated]) -> Table:
    """A row for each weights file and split; mm unless said otherwise."""
    rows: list[tuple[str, tuple[Cell, ...]]] = []
    for one in evaluated:
        for split, results in one.by_split.items():
            rows.append((f"{one.name}, {split}", tuple(_cells(results))))
    sources = sorted({r.root_depths for e in evaluated for r in e.by_split.values()})
    return Table("Summary (mm)", "", COLUMNS, tuple(rows), (f"Root depths: {', '.join(sources)}.",))


def _cells(results: Results) -> list[float]:
    errors = results.mpjpe
    return [
        errors.all_mm,
        errors.single_mm,
        errors.interacting_mm,
        results.mrrpe_mm,
        100 * average_precision(results),
        100 * handedness_accuracy(results),
        metrics.miou(results.confusion),
        results.absolute_mpjpe.all_mm,
        metrics.bone_length_difference_mm(results.predicted_mm, results.interacting),
    ]


def figures(results: Results) -> dict[str, object]:
    """All figures of one split for JSON; None where there was nothing to measure."""
    errors, absolute = results.mpjpe, results.absolute_mpjpe
    joints = [f"{side} {joint}" for side in SIDES for joint in JOINTS]
    return {
        "pictures": len(results),
        "interacting": int(results.interacting.sum()),
        "root_depths": results.root_depths,
        "mpjpe_mm": _rounded(errors.all_mm),
        "mpjpe_single_mm": _rounded(errors.single_mm),
        "mpjpe_interacting_mm": _rounded(errors.interacting_mm),
        "mpjpe_per_joint_mm": {n: _rounded(v) for n, v in zip(joints, errors.per_joint_mm, strict=True)},
        "absolute_mpjpe_single_mm": _rounded(absolute.single_mm),
        "absolute_mpjpe_interacting_mm": _rounded(absolute.interacting_mm),
        "mrrpe_mm": _rounded(results.mrrpe_mm),
        "handedness_ap": _rounded(average_precision(results)),
        "handedness_accuracy": _rounded(handedness_accuracy(results)),
        "part_miou": _rounded(metrics.miou(results.confusion)),
        "bone_length_difference_mm": _rounded(
            metrics.bone_length_difference_mm(results.predicted_mm, results.interacting)
        ),
        "mpjpe_by_mask_iou_mm": _ranges(by_overlap(results, results.picture_mm)),
        "miou_by_mask_iou": _ranges(by_overlap(results, results.miou)),
        "mpjpe_by_miou_mm": _ranges(
            {f"{r.low:.1f}-{r.high:.1f}": r for r in metrics.by_range(results.picture_mm, results.miou, MIOU_EDGES)}
        ),
    }


def _ranges(ranges: dict[str, metrics.Range]) -> dict[str, dict[str, float | int | None]]:
    return {
        name: {"pictures": found.count, "mean": _rounded(found.mean), "std": _rounded(found.std)}
        for name, found in ranges.items()
    }


def _rounded(value: float) -> float | None:
    return None if np.isnan(value) else round(float(value), 4)
