"""The whole loop on a clip, stage by stage, beside MediaPipe's HandLandmarker on the same clip in the same run.

The loop is measured as people run it, ``launcher.py --headless`` in a process of its own; its table of Scenes tells
what each frame cost. The two take turns.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from digit.bench.cell import memory_mb
from digit.errors import UserError

ROOT = Path(__file__).resolve().parents[2]
#: The first frames load, look around and fill caches.
SKIPPED = 10


@dataclass(frozen=True, slots=True)
class Run:
    """One headless run."""

    wall_s: float  # of the process, from launch to exit
    fps: float  # frames a second of the whole run, overlay video and table included
    backend: str
    rows_ms: list[dict[str, float]]  # of each frame: stage -> ms
    hands: list[int]  # of each frame
    memory_mb: list[float]  # resident, in the course of the run

    @property
    def frame_ms(self) -> list[float]:
        """Sum of each frame's stages: what the loop waits for."""
        return [sum(row.values()) for row in self.rows_ms]


@dataclass(frozen=True, slots=True)
class Loop:
    """The loop against MediaPipe on one clip."""

    clip: str
    options: str
    backend: str
    frames: int
    frame_p50_ms: float
    frame_p95_ms: float
    stages_ms: dict[str, tuple[float, float]]  # stage -> p50, p95
    fps: float  # whole process, overlay video and table of Scenes included
    mediapipe_p50_ms: float
    mediapipe_p95_ms: float
    mediapipe_fps: float  # decoding included
    speed_ratio: float  # MediaPipe's median over the loop's


def run(clip: Path, frames: int, options: Sequence[str] = (), sample_s: float = 0.25) -> Run:
    """Run the headless loop. Raises UserError when it fails."""
    import pyarrow as pa

    with tempfile.TemporaryDirectory() as folder:
        line = [sys.executable, str(ROOT / "launcher.py"), "--video", str(clip), "--headless", "--out", folder]
        line += ["--max-frames", str(frames), *options]
        began = time.perf_counter()
        with (Path(folder) / "errors").open("w+") as errors:
            process = subprocess.Popen(line, cwd=ROOT, stdout=subprocess.PIPE, stderr=errors, text=True)
            memory: list[float] = []
            while process.poll() is None:
                used = memory_mb(process.pid)
                memory += [] if used is None else [used]
                time.sleep(sample_s)
            wall_s = time.perf_counter() - began
            assert process.stdout is not None
            stdout = process.stdout.read()
            errors.seek(0)
            if process.returncode != 0:
                raise UserError(f"The loop failed on {clip}: {(errors.read().strip().splitlines() or ['?'])[-1]}")
        figures = json.loads(stdout.splitlines()[-1])
        with pa.OSFile(str(Path(folder) / "scenes.arrow")) as file, pa.ipc.open_stream(file) as stream:
            table = stream.read_all()
        rows: list[dict[str, float]] = [dict(row) for row in table["timings_ms"].to_pylist()]
        hands: list[int] = [len(row) for row in table["hands"].to_pylist()]
    return Run(wall_s, float(figures["fps"]), str(figures["backend"]), rows, hands, memory)


def by_stage(rows_ms: Sequence[dict[str, float]]) -> dict[str, list[float]]:
    """Stage -> ms of each frame in which it ran."""
    stages: dict[str, list[float]] = {}
    for row in rows_ms:
        for stage, ms in row.items():
            stages.setdefault(stage, []).append(ms)
    return stages


def landmarker(clip: Path, frames: int) -> tuple[list[float], float]:
    """MediaPipe alone: ms of each look, and frames a second with decoding. In a process of its own."""
    line = [sys.executable, "-m", "digit.bench.landmarker", str(clip), str(frames)]
    done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise UserError(f"MediaPipe failed on {clip}: {(done.stderr.strip().splitlines() or ['?'])[-1]}")
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer["ms"], answer["fps"]


def compare(clip: Path, frames: int, options: Sequence[str], turns: int) -> Loop:
    """The loop and MediaPipe on a clip, taking turns."""
    runs: list[Run] = []
    looks_ms: list[float] = []
    looks_fps: list[float] = []
    for _ in range(turns):
        runs.append(run(clip, frames, options))
        ms, fps = landmarker(clip, frames)
        looks_ms += ms[SKIPPED:]
        looks_fps.append(fps)
    totals = np.concatenate([one.frame_ms[SKIPPED:] for one in runs])
    stages = by_stage([row for one in runs for row in one.rows_ms[SKIPPED:]])
    return Loop(
        clip.name,
        " ".join(options) or "as it comes",
        runs[0].backend,
        len(totals),
        _percentile(totals, 50),
        _percentile(totals, 95),
        {name: (_percentile(ms, 50), _percentile(ms, 95)) for name, ms in stages.items()},
        round(float(np.median([one.fps for one in runs])), 2),
        _percentile(looks_ms, 50),
        _percentile(looks_ms, 95),
        round(float(np.median(looks_fps)), 2),
        round(float(np.median(looks_ms) / np.median(totals)), 2),
    )


def _percentile(values: Any, percent: float) -> float:
    return round(float(np.percentile(values, percent)), 2)
