"""Metrics as ratios of sums over pictures, and bootstrap intervals of them and of their differences."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

DRAWS = 2000


class Ratio(NamedTuple):
    """A metric that is the mean over K classes of (sum over pictures of ``part``) / (sum over pictures of ``whole``).

    MPJPE: a joint's errors over its valid occurrences, K = 42. MRRPE: K = 1. mIoU: a class's intersection over its
    union, in cells. A class that never occurs is left out.
    """

    part: np.ndarray  # (N, K)
    whole: np.ndarray  # (N, K)


class Interval(NamedTuple):
    """A metric with its 95 % interval; all nan where there is nothing to measure."""

    value: float
    low: float
    high: float


def value(ratio: Ratio) -> float:
    """The metric over all pictures."""
    return float(_values(np.ones((1, len(ratio.part))), ratio)[0])


def interval(seeds: Sequence[Ratio]) -> Interval:
    """Mean over training seeds, with an interval over pictures and, from two seeds on, over seeds as well."""
    return _interval(np.mean([value(ratio) for ratio in seeds]), draws(seeds))


def difference(first: Sequence[Ratio], second: Sequence[Ratio]) -> Interval:
    """Second minus first, paired: both are drawn with the same pictures and the same seeds.

    Raises:
        ValueError: they were not measured on the same pictures and seeds.
    """
    if [len(r.part) for r in first] != [len(r.part) for r in second]:
        raise ValueError("paired metrics need the same pictures and seeds")
    between = np.mean([value(ratio) for ratio in second]) - np.mean([value(ratio) for ratio in first])
    return _interval(between, draws(second) - draws(first))


def draws(seeds: Sequence[Ratio]) -> np.ndarray:
    """(DRAWS,) bootstrap values: seeds and pictures drawn with replacement, always by the same random numbers."""
    rng = np.random.default_rng(0)
    pictures, count = len(seeds[0].part), len(seeds)
    weights = rng.multinomial(pictures, np.full(pictures, 1 / pictures), DRAWS).astype(np.float64)
    picked = rng.multinomial(count, np.full(count, 1 / count), DRAWS) / count
    return (np.stack([_values(weights, ratio) for ratio in seeds], axis=1) * picked).sum(axis=1)


def _values(weights: np.ndarray, ratio: Ratio) -> np.ndarray:
    """(D,) metric under (D, N) weights of the pictures."""
    part, whole = weights @ ratio.part, weights @ ratio.whole
    occurs = whole > 0
    shares = np.where(occurs, part / np.where(occurs, whole, 1), 0).sum(axis=1)
    classes = occurs.sum(axis=1)
    return np.where(classes > 0, shares / np.maximum(classes, 1), np.nan)


def _interval(centre: np.floating[Any], drawn: np.ndarray) -> Interval:
    if not np.isfinite(drawn).any():
        return Interval(np.nan, np.nan, np.nan)
    low, high = np.nanpercentile(drawn, (2.5, 97.5))
    return Interval(float(centre), float(low), float(high))
