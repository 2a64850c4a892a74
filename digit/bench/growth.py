"""How the loop's cost grows: with the size of the frames, with the number of hands, with running time."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np

from digit.bench.loop import SKIPPED, Run, by_stage, run

_LAPS = 4
SIZES = {"480p": (854, 480), "720p": (1280, 720), "1080p": (1920, 1080), "4K": (3840, 2160)}


@dataclass(frozen=True, slots=True)
class Step:
    """The loop at one size or with one number of hands."""

    at: str
    frames: int
    p50_ms: float
    p95_ms: float
    stages_p50_ms: dict[str, float]


@dataclass(frozen=True, slots=True)
class Endurance:
    """A long run."""

    frames: int
    options: str
    memory_start_mb: float | None  # after the first tenth
    memory_end_mb: float | None
    p95_start_ms: float  # of the second to fifth time through the clip, from Scene to Scene
    p95_end_ms: float  # of the last four whole times through it: the same pictures
    p95_fresh_ms: float  # of a new process right after it, again on these: what of the drift is the computer's own


def with_size(clip: Path, folder: Path, frames: int) -> list[Step]:
    """The loop on the same clip in several sizes."""
    steps: list[Step] = []
    for name, (width, height) in SIZES.items():
        resized = folder / f"{name}.mp4"
        rescale(clip, resized, width, height, frames)
        steps.append(_step(name, [run(resized, frames)], None))
    return steps


def with_hands(clip: Path, folder: Path, frames: int) -> list[Step]:
    """The loop's frames by the number of hands that it found; a black clip gives those without."""
    black = folder / "black.mp4"
    rescale(clip, black, 1280, 720, frames, dark=True)
    runs = [run(black, frames), run(clip, frames)]
    counts = sorted({count for one in runs for count in one.hands[SKIPPED:]})
    return [_step(f"{count} hands", runs, count) for count in counts]


def with_time(clip: Path, folder: Path, frames: int, options: Sequence[str]) -> Endurance:
    """One run over many frames: the clip again and again. A fresh run after it goes through the clip five times."""
    long = folder / "long.mp4"
    length = repeated(clip, long, frames)
    one = run(long, frames, options, sample_s=1.0)
    fresh = run(long, min(frames, (1 + _LAPS) * length + 1), options, sample_s=1.0)
    memory = one.memory_mb
    samples = max(len(memory) // 10, 1)
    start_ms, end_ms = _ends(one.frame_ms, length)
    return Endurance(
        len(one.rows_ms),
        " ".join(options) or "as it comes",
        round(float(np.median(memory[samples : 2 * samples])), 1) if len(memory) >= 10 else None,
        round(float(np.median(memory[-samples:-1] or memory[-1:])), 1) if len(memory) >= 10 else None,
        *(round(float(np.percentile(ms, 95)), 2) for ms in (start_ms, end_ms, _ends(fresh.frame_ms, length)[1])),
    )


def _ends(ms: Sequence[float], length: int) -> tuple[Sequence[float], Sequence[float]]:
    """The first and the last `_LAPS` whole times through a clip of this length, but for the very first time."""
    lap = max(min(length, len(ms) // (1 + _LAPS)), 1)
    last = len(ms) // lap * lap
    return ms[lap : (1 + _LAPS) * lap], ms[last - _LAPS * lap : last]


def rescale(clip: Path, out: Path, width: int, height: int, frames: int, dark: bool = False) -> None:
    """The first frames of a clip in another size, or as many black ones."""
    with av.open(str(clip)) as source, av.open(str(out), "w") as target:
        stream: Any = target.add_stream("libx264", rate=30, options={"preset": "ultrafast", "crf": "20"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for i, frame in enumerate(source.decode(video=0)):
            if i == frames:
                break
            picture = frame.to_ndarray(format="rgb24", width=width, height=height)
            fresh = av.VideoFrame.from_ndarray(picture * 0 if dark else picture, format="rgb24")
            target.mux(stream.encode(fresh))
        target.mux(stream.encode(None))


def repeated(clip: Path, out: Path, frames: int) -> int:
    """A clip end to end until there are so many frames, without encoding anew. Returns the frames of the clip."""
    with av.open(str(out), "w") as target:
        stream: Any = None
        written, offset, length = 0, 0, 0
        while written < frames:
            with av.open(str(clip)) as source:
                video = source.streams.video[0]
                stream = stream or target.add_stream_from_template(video)
                end = offset
                for packet in source.demux(video):
                    if packet.dts is None or packet.pts is None:
                        continue
                    packet.pts, packet.dts = packet.pts + offset, packet.dts + offset
                    end = max(end, packet.pts + (packet.duration or 1))
                    packet.stream = stream
                    target.mux(packet)
                    written += 1
                offset, length = end, length or written
    return length


def _step(at: str, runs: Sequence[Run], hands: int | None) -> Step:
    rows = [
        row
        for one in runs
        for row, count in list(zip(one.rows_ms, one.hands, strict=True))[SKIPPED:]
        if hands in (None, count)
    ]
    totals = [sum(row.values()) for row in rows]
    stages = {name: round(float(np.median(ms)), 2) for name, ms in by_stage(rows).items()}
    p50_ms, p95_ms = (round(float(np.percentile(totals, percent)), 2) for percent in (50, 95))
    return Step(at, len(rows), p50_ms, p95_ms, stages)
