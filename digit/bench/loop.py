"""The whole loop on a clip, stage by stage, beside MediaPipe's HandLandmarker on the same clip in the same run.

The loop is measured as people run it, ``launcher.py --headless`` in a process of its own, once with all its files
written and once with none, as MediaPipe writes none either. They take turns.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
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
    fps: float  # frames a second of the whole run, overlay video and table included; nan of a few frames
    backend: str
    rows_ms: list[dict[str, float]]  # of each frame: stage -> ms
    frame_ms: list[float]  # from the Scene before to each but the first: decoding and waiting for files included
    hands: list[int]  # of each frame
    memory_mb: list[float]  # resident, in the course of the run


@dataclass(frozen=True, slots=True)
class Loop:
    """The loop against MediaPipe on one clip."""

    clip: str
    options: str
    backend: str
    frames: int
    frame_p50_ms: float  # from Scene to Scene, decoding included, nothing written
    frame_p95_ms: float
    stages_ms: dict[str, tuple[float, float]]  # stage -> p50, p95 of what the loop waits for in it
    fps: float  # decoding included, nothing written
    fps_with_files: float  # overlay video, session's video and table of Scenes written
    mediapipe_p50_ms: float
    mediapipe_p95_ms: float
    mediapipe_fps: float  # decoding included
    speed_ratio: float  # the loop's frame rate over MediaPipe's, nothing written


def run(clip: Path, frames: int, options: Sequence[str] = (), sample_s: float = 0.25) -> Run:
    """Run the headless loop with all its files. Raises UserError when it fails."""
    import pyarrow as pa

    with tempfile.TemporaryDirectory() as folder:
        line = [sys.executable, str(ROOT / "launcher.py"), "--video", str(clip), "--headless", "--out", folder]
        line += ["--max-frames", str(frames), *options]
        began = time.perf_counter()
        with (
            (Path(folder) / "errors").open("w+") as errors,
            subprocess.Popen(line, cwd=ROOT, stdout=subprocess.PIPE, stderr=errors, text=True) as process,
        ):
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
        frame_ms: list[float] = (np.diff(table["emitted_ns"].to_numpy()) / 1e6).tolist()
        hands: list[int] = [len(row) for row in table["hands"].to_pylist()]
    return Run(wall_s, float(figures["fps"] or "nan"), str(figures["backend"]), rows, frame_ms, hands, memory)


def figures(clip: Path, frames: int, options: Sequence[str] = ()) -> dict[str, Any]:
    """The headless loop's own figures of a run that writes no file. Raises UserError when it fails."""
    line = [sys.executable, str(ROOT / "launcher.py"), "--video", str(clip), "--headless", "--no-files"]
    line += ["--max-frames", str(frames), *options]
    done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise UserError(f"The loop failed on {clip}: {(done.stderr.strip().splitlines() or ['?'])[-1]}")
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def count_frames(clip: Path, most: int) -> int:
    """How many frames a clip has, counted up to ``most``. Raises UserError when it is no video."""
    import av
    import av.error

    try:
        with av.open(str(clip)) as video:
            return sum(1 for _ in islice(video.decode(video=0), most))
    except (av.error.FFmpegError, IndexError) as error:  # no video file, or one of sound alone
        raise UserError(f"{clip} is no video that can be read; give another with --clip.") from error


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
    plain: list[dict[str, Any]] = []
    written: list[float] = []
    looks_ms: list[float] = []
    looks_fps: list[float] = []
    for _ in range(turns):
        plain.append(figures(clip, frames, options))
        ms, fps = landmarker(clip, frames)
        written.append(run(clip, frames, options).fps)
        looks_ms += ms[SKIPPED:]
        looks_fps.append(fps)
    fps, mediapipe_fps = (float(np.median(rates)) for rates in ([one["fps"] for one in plain], looks_fps))
    stages = {stage: (_over(plain, stage, "p50"), _over(plain, stage, "p95")) for stage in plain[0]["latency_ms"]}
    return Loop(
        clip.name,
        " ".join(options) or "as it comes",
        plain[0]["backend"],
        sum(one["frames"] for one in plain),
        round(float(np.median([one["frame_ms"]["p50"] for one in plain])), 2),
        round(float(np.median([one["frame_ms"]["p95"] for one in plain])), 2),
        stages,
        round(fps, 2),
        round(float(np.median(written)), 2),
        _percentile(looks_ms, 50),
        _percentile(looks_ms, 95),
        round(mediapipe_fps, 2),
        round(fps / mediapipe_fps, 2),
    )


def _over(runs: Sequence[dict[str, Any]], stage: str, percentile: str) -> float:
    """The median over the runs in which the stage ran."""
    known = [one["latency_ms"][stage][percentile] for one in runs if stage in one["latency_ms"]]
    return round(float(np.median(known)), 2)


def _percentile(values: Any, percent: float) -> float:
    return round(float(np.percentile(values, percent)), 2)
