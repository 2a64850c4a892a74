"""Bootstrap intervals against cases with a known answer."""

import numpy as np
import pytest

from digit.training.intervals import Ratio, difference, interval, value


def test_a_metric_is_the_mean_over_classes_of_ratios_of_sums() -> None:
    ratio = Ratio(np.array([[1.0, 0, 5], [2, 4, 0]]), np.array([[1.0, 0, 0], [1, 8, 0]]))
    assert value(ratio) == pytest.approx((3 / 2 + 4 / 8) / 2)  # the third class never occurs


def test_the_interval_of_a_mean_is_that_of_the_normal_distribution() -> None:
    rng = np.random.default_rng(0)
    errors = rng.normal(20, 5, (400, 1))
    found = interval([Ratio(errors, np.ones_like(errors))])
    half = 1.96 * errors.std() / 20
    assert found.value == pytest.approx(errors.mean())
    assert found.high - found.low == pytest.approx(2 * half, rel=0.1)
    assert found.low < errors.mean() < found.high


def test_seeds_that_differ_widen_the_interval() -> None:
    errors = np.random.default_rng(0).normal(20, 1, (400, 1))
    alike = interval([Ratio(errors, np.ones_like(errors))] * 2)
    apart = interval([Ratio(errors + shift, np.ones_like(errors)) for shift in (-2, 2)])
    assert apart.value == pytest.approx(alike.value)
    assert apart.high - apart.low > 3 > alike.high - alike.low


def test_differences_are_paired() -> None:
    """Pictures of very unlike difficulty, of which each is better by the same amount."""
    errors = np.random.default_rng(1).uniform(1, 60, (50, 1))
    ones = np.ones_like(errors)
    found = difference([Ratio(errors, ones)], [Ratio(errors - 1, ones)])
    assert found == pytest.approx((-1, -1, -1))


def test_unlike_pictures_are_not_paired() -> None:
    with pytest.raises(ValueError, match="same pictures"):
        difference([Ratio(np.ones((3, 1)), np.ones((3, 1)))], [Ratio(np.ones((4, 1)), np.ones((4, 1)))])


def test_nothing_to_measure_is_nan() -> None:
    assert np.isnan(interval([Ratio(np.zeros((3, 2)), np.zeros((3, 2)))])).all()
