"""A report for people: the same numbers as its JSON, in plain tables."""

from collections.abc import Sequence
from typing import Any


def table(report: dict[str, Any]) -> str:
    """Tables of all sections that the report has."""
    load = report["load_average"]
    busy = "" if load is None or load <= 0.5 else f"; BUSY (load {load}): read ratios, not milliseconds"
    parts = [f"{report['machine']}, {report['system']}, {report['started']}{busy}"]
    if report["networks"]:
        rows = [
            (
                r["model"], r["backend"], r["precision"], r["p50_ms"], r["p95_ms"], r["crops_per_s"], r["load_s"],
                r["memory_mb"], r["torch_ratio"],
            )
            for r in report["networks"]
        ]  # fmt: skip
        heads = ("network", "backend", "", "p50 ms", "p95 ms", "crops/s", "load s", "MB", "x torch")
        parts.append(_grid(heads, rows))
    if report["profiles"]:
        rows = [
            (r["model"], r["precision"], r["gflop"], r["network_ms"], r["gflops"], f"{100 * r['of_peak']:.0f} %",
             _list(r["parts_ms"]))
            for r in report["profiles"]
        ]  # fmt: skip
        parts.append(f"matrix product, float32: {report['gemm_gflops']} GFLOP/s")
        parts.append(_grid(("network", "", "GFLOP", "ms", "GFLOP/s", "of peak", "ms by part"), rows))
    for r in report["loops"]:
        parts.append(
            f"loop on {r['clip']} ({r['options']}, {r['backend']}, {r['frames']} frames): p50 {r['frame_p50_ms']} ms, "
            f"p95 {r['frame_p95_ms']} ms a frame; {r['fps']} fps, {r['fps_with_files']} fps with all files written\n"
            f"  MediaPipe alone: p50 {r['mediapipe_p50_ms']} ms, p95 {r['mediapipe_p95_ms']} ms, "
            f"{r['mediapipe_fps']} fps; the loop has {r['speed_ratio']} x its frame rate\n"
            f"  by stage, p50: {_list({stage: ms[0] for stage, ms in r['stages_ms'].items()})}"
        )
    if report["launch_s"] is not None:
        parts.append(f"launch to the exit of a run of five frames: {report['launch_s']} s")
    for name in ("sizes", "hands"):
        if report[name]:
            rows = [(r["at"], r["frames"], r["p50_ms"], r["p95_ms"], _list(r["stages_p50_ms"])) for r in report[name]]
            parts.append(_grid((name, "frames", "p50 ms", "p95 ms", "by stage"), rows))
    long = report["endurance"]
    if long is not None:
        parts.append(
            f"{long['frames']} frames in one run ({long['options']}): memory {long['memory_start_mb']} -> "
            f"{long['memory_end_mb']} MB, p95 {long['p95_start_ms']} -> {long['p95_end_ms']} ms, "
            f"{long['p95_fresh_ms']} ms in a new process right after it"
        )
    return "\n\n".join(parts)


def _grid(heads: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    cells = [list(heads), *([("-" if cell is None else str(cell)) for cell in row] for row in rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(heads))]
    return "\n".join("  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in cells)


def _list(ms: dict[str, float]) -> str:
    return ", ".join(f"{name} {value}" for name, value in ms.items())
