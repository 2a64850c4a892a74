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


@dataclass(frozen=True, slots=True)
class Sample:
    """One drawn scene."""

    drawn_ns: int
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
        """Count a Scene that was drawn at this `time.monotonic_ns`."""
        latency_ms = (drawn_ns - scene.frame.time_ns) / 1e6
        right, left = (float(p) for p in scene.handedness)
        self._samples.append(Sample(drawn_ns, latency_ms, dict(scene.timings_ms), right, left))
        while drawn_ns - self._samples[0].drawn_ns > SPAN_S * 1e9:
            self._samples.popleft()

    def clear(self) -> None:
        """Forget all, as after a change of source."""
        self._samples.clear()

    def fps(self, now_ns: int) -> float:
        """Drawn scenes a second over the window that ends now."""
        times = [sample.drawn_ns for sample in self._recent(now_ns)]
        return (len(times) - 1) / ((times[0] - times[-1]) / 1e9) if len(times) > 1 else 0.0

    def latency_ms(self, now_ns: int) -> dict[str, tuple[float, float]]:
        """Stage -> (p50, p95) over the window, with CAPTURE_TO_DRAWN last; empty when nothing was drawn."""
        return percentiles_ms(
            sample.timings_ms | {CAPTURE_TO_DRAWN: sample.latency_ms} for sample in self._recent(now_ns)
        )

    def curves(self, now_ns: int) -> dict[str, np.ndarray]:
        """Columns over the span: ``t`` in seconds up to 0 = now, ``fps``, ``latency``, ``right``, ``left``."""
        t = (np.array([sample.drawn_ns for sample in self._samples], np.int64) - now_ns) / 1e9
        columns = {
            "latency": [sample.latency_ms for sample in self._samples],
            "right": [sample.right for sample in self._samples],
            "left": [sample.left for sample in self._samples],
        }
        return {"t": t, "fps": _rate(t)} | {name: np.array(values, float) for name, values in columns.items()}

    def _recent(self, now_ns: int) -> Iterator[Sample]:
        """The window's samples, newest first."""
        return takewhile(lambda sample: now_ns - sample.drawn_ns <= WINDOW_S * 1e9, reversed(self._samples))


def _rate(t: np.ndarray) -> np.ndarray:
    """Samples a second over the last second before each sample; the first ones count what there is."""
    if len(t) < 2:
        return np.zeros(len(t))
    first = np.searchsorted(t, t - 1.0)
    count, span = np.arange(len(t)) - first, t - t[first]
    return np.divide(count, span, out=np.zeros(len(t)), where=span > 0)
