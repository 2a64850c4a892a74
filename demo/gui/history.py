"""The last seconds of what was drawn, as the plots and the HUD show them. Knows nothing of Qt."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import takewhile

import numpy as np

from demo.records import Scene
from demo.stats import percentiles_ms

#: The stage that stands for the whole way from capture to the drawn picture.
CAPTURE_TO_DRAWN = "capture to drawn"
SPAN_S = 30.0
#: Rates and percentiles are taken over this long.
WINDOW_S = 2.0
#: Step of the curves.
STEP_NS = 200_000_000


@dataclass(frozen=True, slots=True)
class Sample:
    """One drawn scene."""

    drawn_ns: int
    index: int  # of its frame
    latency_ms: float  # capture to drawn
    timings_ms: dict[str, float]
    right: float
    left: float


class History:
    """Takes each drawn Scene and answers curves over SPAN_S and figures over WINDOW_S."""

    def __init__(self) -> None:
        self._samples: deque[Sample] = deque()

    def __len__(self) -> int:
        return len(self._samples)

    def add(self, scene: Scene, drawn_ns: int) -> None:
        """Count a Scene that was drawn at this `time.monotonic_ns`. A replay that goes back starts afresh."""
        if self._samples and drawn_ns < self._samples[-1].drawn_ns:
            self.clear()
        latency_ms = (drawn_ns - scene.frame.time_ns) / 1e6
        right, left = (float(p) for p in scene.handedness)
        self._samples.append(Sample(drawn_ns, scene.frame.index, latency_ms, dict(scene.timings_ms), right, left))
        while drawn_ns - self._samples[0].drawn_ns > SPAN_S * 1e9:
            self._samples.popleft()

    def clear(self) -> None:
        """Forget all, as after a change of source."""
        self._samples.clear()

    def fps(self, now_ns: int) -> float:
        """Drawn scenes a second over the window that ends now."""
        times = [sample.drawn_ns for sample in self._recent(now_ns)]
        return (len(times) - 1) / ((times[0] - times[-1]) / 1e9) if len(times) > 1 else 0.0

    def source_fps(self, now_ns: int) -> float:
        """Frames a second that came in over the window, those that were skipped included."""
        indices = [sample.index for sample in self._recent(now_ns)]
        offered = indices[0] - indices[-1] if len(indices) > 1 else 0
        return self.fps(now_ns) * max(offered / (len(indices) - 1), 1.0) if offered > 0 else self.fps(now_ns)

    def latency_ms(self, now_ns: int) -> dict[str, tuple[float, float]]:
        """Stage -> (p50, p95) over the window, with CAPTURE_TO_DRAWN last; empty when nothing was drawn."""
        return percentiles_ms(
            sample.timings_ms | {CAPTURE_TO_DRAWN: sample.latency_ms} for sample in self._recent(now_ns)
        )

    def curves(self, now_ns: int) -> dict[str, np.ndarray]:
        """Columns over the span: ``t`` in seconds up to 0 = now, ``fps``, ``latency``, ``right``, ``left``.

        A row is the mean of STEP_NS; more points than pixels only make the charts slow.
        """
        times_ns = np.array([sample.drawn_ns for sample in self._samples], np.int64)
        steps, starts, counts = np.unique(times_ns // STEP_NS, return_index=True, return_counts=True)
        names = ("latency", "right", "left")
        if not len(steps):
            return {name: np.zeros(0) for name in ("t", "fps", *names)}
        rows = np.array([(s.latency_ms, s.right, s.left) for s in self._samples], float)
        means = np.add.reduceat(rows, starts, axis=0) / counts[:, None]
        t = (steps * STEP_NS + STEP_NS // 2 - now_ns) / 1e9
        return {"t": t, "fps": _rate(times_ns, starts + counts - 1)} | dict(zip(names, means.T, strict=True))

    def _recent(self, now_ns: int) -> Iterator[Sample]:
        """The window's samples, newest first."""
        return takewhile(lambda sample: now_ns - sample.drawn_ns <= WINDOW_S * 1e9, reversed(self._samples))


def _rate(times_ns: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Samples a second over the last second before each sample ``at``; 0 until there is a third of a second."""
    first = np.searchsorted(times_ns, times_ns[at] - 1_000_000_000)
    count, span = at - first, (times_ns[at] - times_ns[first]) / 1e9
    return np.divide(count, span, out=np.zeros(len(at)), where=span > 0.3)
