"""Numbers for analysis: CSV, Parquet, NumPy arrays and JSON Lines. Joints as shown, raw ones beside them."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from demo.recording.export import Progress
from demo.recording.reader import Session
from digit.skeleton import JOINTS, SIDES

#: How often progress is told, in rows.
_TELL_EVERY = 64

CSV_COLUMNS = (
    "index", "time_ns", "wall_ns", "side", "score", "joint", "confidence",
    "x_px", "y_px", "x_mm", "y_mm", "z_mm",
    "raw_x_px", "raw_y_px", "raw_x_mm", "raw_y_mm", "raw_z_mm",
)  # fmt: skip


def write_csv(session: Session, target: Path, progress: Progress) -> None:
    """One line a joint: a frame with two hands has 42 lines, one without hands none."""
    with open(target, "w", newline="", encoding="utf-8") as file:
        lines = csv.writer(file)
        lines.writerow(CSV_COLUMNS)
        for i in range(len(session)):
            row = session.row(i)
            raws = {hand["side"]: hand for hand in row["hands_raw"]}
            for hand in row["hands"]:
                points = [_points(hand), _points(raws[hand["side"]])] if hand["side"] in raws else [_points(hand)]
                for j, joint in enumerate(JOINTS):
                    head = [row["index"], row["time_ns"], row["wall_ns"], hand["side"], _short(hand["score"]), joint]
                    values = [_short(value) for rows in points for value in rows[j]]
                    lines.writerow([*head, _short(hand["confidence"][j]), *values])
            _tell(progress, i, len(session))


def write_parquet(session: Session, target: Path, progress: Progress) -> None:
    """All columns of the session, with their units in the fields' metadata."""
    with pq.ParquetWriter(target, session.table.schema, compression="zstd") as writer:
        step = max(len(session) // 20, 1)
        for start in range(0, len(session), step):
            writer.write_table(session.table.slice(start, step))
            progress(min((start + step) / len(session), 1.0))


def write_npz(session: Session, target: Path, progress: Progress) -> None:
    """Arrays of N frames: joints_px (N, 2, 21, 2), joints_mm (N, 2, 21, 3), their raw ones, confidence (N, 2, 21),
    handedness (N, 2), index, time_ns, K (N, 3, 3), image_from_crop (N, 2, 3), names. nan where there is no hand."""
    affine = session.table["image_from_crop"].to_pylist()
    arrays: dict[str, Any] = {
        "index": session.column("index"),
        "time_ns": session.times_ns,
        "joints_px": session.hands("joints_px"),
        "joints_mm": session.hands("joints_mm"),
        "joints_raw_px": session.hands("joints_px", raw=True),
        "joints_raw_mm": session.hands("joints_mm", raw=True),
        "confidence": session.hands("confidence")[..., 0],
        "handedness": session.column("handedness").astype(np.float32),
        "K": session.column("K").reshape(-1, 3, 3),
        "image_from_crop": np.array([[np.nan] * 6 if a is None else a for a in affine]).reshape(-1, 2, 3),
        "joint_names": np.array(JOINTS),
        "sides": np.array(SIDES),
    }
    progress(0.5)
    with open(target, "wb") as file:
        np.savez_compressed(file, **arrays)


def write_jsonl(session: Session, target: Path, progress: Progress) -> None:
    """One object a frame: the row's columns, part labels left out, joints as lists of points."""
    with open(target, "w", encoding="utf-8") as file:
        for i in range(len(session)):
            row = session.row(i)
            for seen in (row, *(row.get("own_crops") or ())):
                seen.pop("part_labels")
            for name in ("hands", "hands_raw"):
                for hand in row[name]:
                    for quantity, width in (("joints_px", 2), ("joints_mm", 3)):
                        hand[quantity] = [[_short(v) for v in p] for p in np.reshape(hand[quantity], (-1, width))]
            row["timings_ms"] = dict(row["timings_ms"])
            file.write(json.dumps(row, allow_nan=False) + "\n")
            _tell(progress, i, len(session))


def _points(hand: dict[str, Any]) -> list[list[float]]:
    """(21, 5) pixels and millimetres."""
    return [
        [*px, *mm]
        for px, mm in zip(np.reshape(hand["joints_px"], (-1, 2)), np.reshape(hand["joints_mm"], (-1, 3)), strict=True)
    ]


def _short(value: float) -> float:
    """The shortest decimal that reads back as the same float32."""
    return float(str(np.float32(value)))


def _tell(progress: Progress, i: int, total: int) -> None:
    if i % _TELL_EVERY == 0:
        progress(i / total)
