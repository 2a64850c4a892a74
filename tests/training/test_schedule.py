"""Rates over a run, and the order of samples."""

from itertools import islice

import numpy as np
import pytest

from digit.training.recipe import ABLATION, PAPER
from digit.training.schedule import Drops, WarmupStableDecay
from digit.training.stream import SampleStream


def test_the_papers_rate_falls_to_a_tenth_at_epoch_40_of_50() -> None:
    rates = [PAPER.rate * PAPER.schedule.factor(step, 500) for step in range(500)]
    np.testing.assert_allclose(rates, [1e-4] * 400 + [1e-5] * 100)


def test_an_ablations_rate_falls_twice_whatever_its_length() -> None:
    for steps in (30, 300, 77):
        rates = np.array([ABLATION.schedule.factor(step, steps) for step in range(steps)])
        np.testing.assert_allclose(np.unique(rates), [0.01, 0.1, 1.0])
        np.testing.assert_allclose([np.mean(rates == rate) for rate in (1.0, rates[-1])], 1 / 3, atol=1 / steps)


def test_the_rate_rises_stays_and_falls() -> None:
    schedule = WarmupStableDecay(warmup=10, decay=100)
    rates = np.array([schedule.factor(step, 1000) for step in range(1001)])
    assert rates[0] < 0.2 and np.all(rates[10:900] == 1.0) and rates[-1] == 0 and np.all(np.diff(rates[900:]) <= 0)


def test_a_drop_at_the_very_start_counts() -> None:
    assert Drops(10, at=(0,)).factor(0, 5) == pytest.approx(0.1)


def flat(batches: list[list[int]]) -> list[int]:
    return [i for batch in batches for i in batch]


def test_the_stream_goes_on_where_it_stopped_and_each_epoch_has_every_sample_once() -> None:
    whole = flat(list(islice(SampleStream(6, seed=3, step=0, batch=4, micro=2), 12)))
    for epoch in range(4):
        assert sorted(i - 6 * epoch for i in whole[6 * epoch : 6 * epoch + 6]) == list(range(6))
    later = flat(list(islice(SampleStream(6, seed=3, step=4, batch=4, micro=2), 4)))
    assert later == whole[16:]


def test_processes_share_each_steps_batch() -> None:
    alone = list(islice(SampleStream(7, seed=1, step=2, batch=8, micro=2), 8))
    shares = [list(islice(SampleStream(7, 1, 2, 8, 2, rank, 2), 4)) for rank in range(2)]
    assert shares[0] == alone[::2] and shares[1] == alone[1::2]
