"""The One-Euro filter (Casiez et al., CHI 2012) on whole hands, driven by the frames' own timestamps.

An uncertain joint jumps about, so it is followed more slowly, the less certain the slower. In the picture it would stay
behind a hand that moves: there all joints first go where the hand goes, as its certain joints show, and each then
follows its own way from there (`assets/digit-lite.history.md` has the figures).
"""

from dataclasses import dataclass, replace

import numpy as np

from demo.records import Hand, Side
from digit.geometry import unproject
from digit.skeleton import WRIST

#: A longer gap between two frames starts the filter afresh.
GAP_S = 0.5


@dataclass(frozen=True, slots=True)
class Tuning:
    """How a One-Euro filter trades jitter for lag."""

    min_cutoff_hz: float  # of a still signal: lower is calmer
    beta: float  # Hz of cutoff per unit and second of speed: higher follows quick moves sooner
    speed_cutoff_hz: float = 1.5  # of the speed estimate


#: Speed counts in hand sizes a second in the picture, and in decimetres a second in depth.
PICTURE = Tuning(min_cutoff_hz=2.0, beta=12.0)
RELATIVE_DEPTH = Tuning(min_cutoff_hz=1.0, beta=2.0)
ROOT_DEPTH = Tuning(min_cutoff_hz=0.6, beta=0.7)
_MM_PER_UNIT = 100.0
#: Joints at or above the first confidence have the whole cutoff. Below, it shrinks with the confidence, to the power of
#: the second number, down to the third number's share. Depths gain nothing from more than that.
PICTURE_TRUST, DEPTH_TRUST = (0.8, 3, 0.01), (0.5, 1, 0.2)


class OneEuro:
    """Filters (N, D) arrays; the N points have one cutoff each, from their speed over all D."""

    def __init__(self, tuning: Tuning, together: bool = False) -> None:
        """``together``: the points are of one body, whose movement is filtered first, and theirs on it after that."""
        self._tuning, self._together = tuning, together
        self._own, self._shared = _Pace(tuning), _Pace(tuning)
        self._time_ns: int | None = None
        self._value = np.zeros((0, 0))

    def __call__(
        self, value: np.ndarray, time_ns: int, unit: float = 1.0, trust: float | np.ndarray = 1.0
    ) -> np.ndarray:
        """The filtered (N, D) value at a time that grows from call to call.

        Args:
            unit: one unit of speed's length.
            trust: (N, 1) or one number for all in (0, 1]: share of the cutoff that a point gets. The body moves as its
                points do on average, weighted by trust, and has the largest.
        """
        dt_s = 0.0 if self._time_ns is None else (time_ns - self._time_ns) / 1e9
        if self._time_ns is None or not 0 < dt_s <= GAP_S or value.shape != self._value.shape:
            self._value = value.astype(np.float64)
            self._own, self._shared = _Pace(self._tuning), _Pace(self._tuning)
        else:
            way = value - self._value
            if self._together:
                weight = np.broadcast_to(trust, (len(way), 1))
                shared = (way * weight).sum(axis=0, keepdims=True) / weight.sum()
                self._value = self._value + self._shared(shared, dt_s, unit, weight.max())
                way = way - shared
            self._value = self._value + self._own(way, dt_s, unit, trust)
        self._time_ns = time_ns
        return self._value


class _Pace:
    """How far to go of the ways (N, D) from the filtered to the new points: the quicker they move, the farther."""

    def __init__(self, tuning: Tuning) -> None:
        self._tuning = tuning
        self._speed: float | np.ndarray = 0.0

    def __call__(self, way: np.ndarray, dt_s: float, unit: float, trust: float | np.ndarray) -> np.ndarray:
        self._speed = self._speed + _alpha(self._tuning.speed_cutoff_hz, dt_s) * (way / (dt_s * unit) - self._speed)
        speeds = np.linalg.norm(self._speed, axis=1, keepdims=True)
        return _alpha((self._tuning.min_cutoff_hz + self._tuning.beta * speeds) * trust, dt_s) * way


def _alpha(cutoff_hz: float | np.ndarray, dt_s: float) -> float | np.ndarray:
    """Share of the new value in an exponential filter with this cutoff."""
    turn = 2 * np.pi * cutoff_hz * dt_s
    return turn / (turn + 1)


def _trust(confidence: np.ndarray, whole_at: float, power: float, least: float) -> np.ndarray:
    """(N, 1) shares of the cutoff, of confidences (N,)."""
    return np.clip((confidence / whole_at) ** power, least, 1.0)[:, None]


class HandFilter:
    """The three filters of one hand: place in the picture, depth relative to the wrist, and the wrist's depth."""

    def __init__(self) -> None:
        self._px = OneEuro(PICTURE, together=True)
        self._relative_mm, self._root_mm = OneEuro(RELATIVE_DEPTH), OneEuro(ROOT_DEPTH)

    def __call__(self, hand: Hand, time_ns: int, K: np.ndarray) -> Hand:
        """The hand, smoothed; its camera-space joints still project onto its pixels."""
        depth_mm = hand.joints_mm[:, 2:]
        root_mm = depth_mm[WRIST:]
        size_px = max(float(np.ptp(hand.joints_px, axis=0).max()), 1.0)
        px = self._px(hand.joints_px, time_ns, size_px, _trust(hand.confidence, *PICTURE_TRUST))
        trust = _trust(hand.confidence, *DEPTH_TRUST)
        relative_mm = self._relative_mm(depth_mm - root_mm, time_ns, _MM_PER_UNIT, trust)
        root_mm = self._root_mm(root_mm, time_ns, _MM_PER_UNIT)
        joints_mm = unproject(px, (relative_mm + root_mm)[:, 0], K).astype(np.float32)
        px = px.astype(np.float32)
        px.flags.writeable = joints_mm.flags.writeable = False
        return replace(hand, joints_px=px, joints_mm=joints_mm)


class Smoothing:
    """One `HandFilter` a side; a hand that appears starts with a fresh one."""

    def __init__(self) -> None:
        self._filters: dict[Side, HandFilter] = {}

    def __call__(self, hands: tuple[Hand, ...], time_ns: int, K: np.ndarray) -> tuple[Hand, ...]:
        """The hands of one frame, smoothed."""
        self._filters = {hand.side: self._filters.get(hand.side) or HandFilter() for hand in hands}
        return tuple(self._filters[hand.side](hand, time_ns, K) for hand in hands)

    def reset(self) -> None:
        """Start afresh, as after the toggle was off."""
        self._filters = {}
