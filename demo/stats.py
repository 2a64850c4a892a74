"""Frame rate, skipped frames and latency by stage, over the last seconds or over a whole run."""

import threading
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from time import monotonic_ns

import numpy as np

from demo.records import Scene

#: The stage that stands for the whole way from capture to the finished Scene.
END_TO_END = "capture to scene"


@dataclass(frozen=True, slots=True)
class Stats:
    """Figures of a stretch of time."""

    fps: float = 0.0  # scenes a second
    skipped: float = 0.0  # share of the source's frames that no scene was made of
    latency_ms: Mapping[str, tuple[float, float]] = field(default_factory=dict[str, tuple[float, float]])  # p50, p95


class Meter:
    """Takes every Scene and answers `Stats` over a sliding window. Any thread may call either."""

    def __init__(self, window_s: float = 3.0) -> None:
        self._window_ns = int(window_s * 1e9)
        self._lock = threading.Lock()
        self._rows: deque[tuple[int, int, dict[str, float]]] = deque()

    def add(self, scene: Scene) -> None:
        """Count a Scene that was just finished."""
        timings_ms = dict(scene.timings_ms) | {END_TO_END: (scene.emitted_ns - scene.frame.time_ns) / 1e6}
        with self._lock:
            self._rows.append((scene.emitted_ns, scene.frame.index, timings_ms))
            self._forget(scene.emitted_ns)

    def stats(self, now_ns: int | None = None) -> Stats:
        """The figures of the window that ends now; zero and empty when nothing came."""
        with self._lock:
            self._forget(monotonic_ns() if now_ns is None else now_ns)
            rows = list(self._rows)
        span_ns = rows[-1][0] - rows[0][0] if rows else 0
        fps = (len(rows) - 1) / (span_ns / 1e9) if span_ns > 0 else 0.0
        offered = rows[-1][1] - rows[0][1] if rows else 0
        skipped = 1 - (len(rows) - 1) / offered if offered > 0 else 0.0
        return Stats(fps, skipped, percentiles_ms(timings for _, _, timings in rows))

    def _forget(self, now_ns: int) -> None:
        while self._rows and now_ns - self._rows[0][0] > self._window_ns:
            self._rows.popleft()


def percentiles_ms(timings: Iterable[Mapping[str, float]]) -> dict[str, tuple[float, float]]:
    """Stage -> (p50, p95) in ms. A stage counts over the frames in which it ran."""
    by_stage: dict[str, list[float]] = {}
    for row in timings:
        for stage, ms in row.items():
            by_stage.setdefault(stage, []).append(ms)
    return {stage: tuple(map(float, np.percentile(ms, [50, 95]))) for stage, ms in by_stage.items()}  # type: ignore[misc]
