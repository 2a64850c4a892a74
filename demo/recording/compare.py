"""Compares two sessions of one video: ``python -m demo.recording.compare A B [--out both.mp4] [--json]``.

Exit codes: 0 done, 2 bad input (one sentence on stderr), 130 Ctrl-C.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import av.error
import cv2
import numpy as np
from tqdm import tqdm

from demo.overlay import paint
from demo.recording.reader import Session, read_session
from demo.recording.video import VideoWriter
from demo.recording.writer import why_not
from demo.records import Scene
from digit.errors import UserError, command_line
from digit.skeleton import JOINTS, WRIST


@dataclass(frozen=True, slots=True)
class Comparison:
    """Distances between the same joints of the same frames, over hands that both sessions have. None: no such hand."""

    frames: int  # that both have
    both_share: float  # of the hands of either that both have
    absolute_mm: float | None  # mean, in camera space
    wrist_aligned_mm: float | None  # mean, after each hand's wrist was laid on the other's
    p95_mm: float | None  # of the wrist-aligned distances
    picture_px: float | None  # mean, in the picture
    by_joint_mm: dict[str, float]  # wrist-aligned, mean
    by_frame_mm: tuple[float | None, ...]  # wrist-aligned, mean over the frame's hands


def matching_rows(a: Session, b: Session) -> tuple[np.ndarray, np.ndarray]:
    """Rows of both that show the same frame. Raises UserError when there is none."""
    _, rows_a, rows_b = np.intersect1d(a.column("index"), b.column("index"), return_indices=True)
    if not len(rows_a):
        raise UserError(f"{a.folder.name} and {b.folder.name} share no frame; compare sessions of the same video.")
    return rows_a, rows_b


def compare(a: Session, b: Session) -> Comparison:
    """How far two sessions of one video lie apart."""
    rows_a, rows_b = matching_rows(a, b)
    mm_a, mm_b = (s.hands("joints_mm")[rows].astype(float) for s, rows in ((a, rows_a), (b, rows_b)))
    px = np.linalg.norm(a.hands("joints_px")[rows_a] - b.hands("joints_px")[rows_b], axis=-1)
    absolute = np.linalg.norm(mm_a - mm_b, axis=-1)
    aligned = np.linalg.norm((mm_a - mm_a[:, :, [WRIST]]) - (mm_b - mm_b[:, :, [WRIST]]), axis=-1)
    has_a, has_b = np.isfinite(mm_a[:, :, 0, 0]), np.isfinite(mm_b[:, :, 0, 0])
    either, both = (has_a | has_b).sum(), has_a & has_b
    by_frame = [float(np.nanmean(row[seen])) if seen.any() else None for row, seen in zip(aligned, both, strict=True)]
    return Comparison(
        frames=len(rows_a),
        both_share=round(float(both.sum() / either), 4) if either else 1.0,
        absolute_mm=_mean(absolute[both]),
        wrist_aligned_mm=_mean(aligned[both]),
        p95_mm=round(float(np.percentile(aligned[both], 95)), 4) if both.any() else None,
        picture_px=_mean(px[both]),
        by_joint_mm={name: round(float(aligned[both][:, j].mean()), 4) for j, name in enumerate(JOINTS)}
        if both.any()
        else {},
        by_frame_mm=tuple(None if value is None else round(value, 4) for value in by_frame),
    )


def write_side_by_side(a: Session, b: Session, target: Path) -> None:
    """Both overlays beside each other, with each frame's difference in mm. Raises UserError."""
    rows_a, rows_b = matching_rows(a, b)
    differences = compare(a, b).by_frame_mm
    scenes_a, scenes_b = _scenes_of(a, rows_a), _scenes_of(b, rows_b)
    try:
        with VideoWriter(target, a.info.fps) as video:
            pairs = zip(scenes_a, scenes_b, differences, strict=True)
            for left, right, difference in tqdm(pairs, total=len(rows_a), unit="frame", desc=target.name):
                sides = [
                    _titled(paint(scene.frame.image, scene), session.folder.name)
                    for scene, session in ((left, a), (right, b))
                ]
                if sides[1].shape != sides[0].shape:
                    sides[1] = cv2.resize(sides[1], sides[0].shape[1::-1])
                image = np.concatenate(sides, axis=1)
                said = "no hand in both" if difference is None else f"{difference:.1f} mm"
                _write_text(image, said, image.shape[1] // 2 - 60, image.shape[0] - 16)
                video.write(image, left.frame.time_ns)
    except (OSError, av.error.FFmpegError) as error:
        raise UserError(why_not(target.parent, error)) from error


def _scenes_of(session: Session, rows: np.ndarray) -> Iterator[Scene]:
    wanted = set(rows.tolist())
    return (scene for i, scene in enumerate(session.scenes()) if i in wanted)


def _titled(image: np.ndarray, title: str) -> np.ndarray:
    _write_text(image, title, 16, 32)
    return image


def _write_text(image: np.ndarray, text: str, x: int, y: int) -> None:
    plain = text.encode("ascii", "replace").decode()  # OpenCV's font has no more
    for rgb, width in (((0, 0, 0), 4), ((255, 255, 255), 1)):
        cv2.putText(image, plain, (x, y), cv2.FONT_HERSHEY_SIMPLEX, 0.7, rgb, width, cv2.LINE_AA)


def _mean(values: np.ndarray) -> float | None:
    return round(float(values.mean()), 4) if values.size else None


def said(comparison: Comparison) -> str:
    """The figures in a few lines."""
    if comparison.absolute_mm is None:
        return f"{comparison.frames} frames; no hand is in both sessions"
    return (
        f"{comparison.frames} frames, {comparison.both_share:.1%} of the hands in both\n"
        f"difference: {comparison.wrist_aligned_mm:.2f} mm with wrists aligned (p95 {comparison.p95_mm:.2f}), "
        f"{comparison.absolute_mm:.2f} mm in camera space, {comparison.picture_px:.2f} px in the picture"
    )


@command_line
def main(argv: list[str] | None = None) -> None:
    """Run with these arguments (default: the process's); returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m demo.recording.compare", description="Compare two sessions.")
    parser.add_argument("sessions", nargs=2, type=Path, metavar="DIR", help="sessions of one video")
    parser.add_argument("--out", type=Path, metavar="FILE.mp4", help="write both overlays side by side")
    parser.add_argument("--json", action="store_true", help="print all figures as JSON")
    arguments = parser.parse_args(argv)
    a, b = (read_session(folder) for folder in arguments.sessions)
    comparison = compare(a, b)
    print(json.dumps(asdict(comparison)) if arguments.json else said(comparison))
    if arguments.out:
        write_side_by_side(a, b, arguments.out)


if __name__ == "__main__":
    sys.exit(main())
