from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from demo.records import Hand
from demo.smoothing import GAP_S, OneEuro, Smoothing, Tuning
from digit.geometry import intrinsics_from_fov, project, unproject
from tests.demo.scripted import SHAPE

TUNING = Tuning(min_cutoff_hz=1.0, beta=1.0)
K = intrinsics_from_fov(1280, 720, 65)
STEP_NS = 33_000_000
values = st.floats(-1e4, 1e4)
steps_ns = st.integers(1_000_000, int(GAP_S * 1e9))


def scalar_one_euro(samples: list[float], times_ns: list[int]) -> list[float]:
    """Casiez et al., as in their listing, one number at a time."""

    def alpha(cutoff: float, dt: float) -> float:
        return 1 / (1 + 1 / (2 * np.pi * cutoff * dt))

    value, speed, out = samples[0], 0.0, [samples[0]]
    for sample, now, before in zip(samples[1:], times_ns[1:], times_ns, strict=False):
        dt = (now - before) / 1e9
        a = alpha(TUNING.speed_cutoff_hz, dt)
        speed = a * (sample - value) / dt + (1 - a) * speed
        a = alpha(TUNING.min_cutoff_hz + TUNING.beta * abs(speed), dt)
        value = a * sample + (1 - a) * value
        out.append(value)
    return out


@given(st.lists(st.tuples(values, steps_ns), min_size=1, max_size=30))
def test_equals_the_paper_on_one_number(samples: list[tuple[float, int]]) -> None:
    numbers = [value for value, _ in samples]
    times_ns = np.cumsum([step for _, step in samples]).tolist()
    one_euro = OneEuro(TUNING)
    filtered = [float(one_euro(np.array([[x]]), t)[0, 0]) for x, t in zip(numbers, times_ns, strict=True)]
    assert filtered == pytest.approx(scalar_one_euro(numbers, times_ns), rel=1e-6, abs=1e-6)


@given(st.lists(st.tuples(values, steps_ns), min_size=2, max_size=30))
def test_stays_between_what_it_has_seen(samples: list[tuple[float, int]]) -> None:
    one_euro, time_ns = OneEuro(TUNING), 0
    seen = [value for value, _ in samples]
    for value, step in samples:
        time_ns += step
        filtered = float(one_euro(np.array([[value]]), time_ns)[0, 0])
        assert min(seen) - 1e-6 <= filtered <= max(seen) + 1e-6


@given(values, st.lists(steps_ns, min_size=1, max_size=20))
def test_a_constant_stays_itself(value: float, steps: list[int]) -> None:
    one_euro = OneEuro(TUNING)
    for time_ns in np.cumsum(steps).tolist():
        assert one_euro(np.full((3, 2), value), time_ns) == pytest.approx(np.full((3, 2), value))


def test_points_do_not_touch_each_other() -> None:
    rng = np.random.default_rng(0)
    signal = rng.normal(size=(20, 5, 2))
    together, alone = OneEuro(TUNING), OneEuro(TUNING)
    for i, frame in enumerate(signal):
        assert together(frame, i * STEP_NS)[2] == pytest.approx(alone(frame[2:3], i * STEP_NS)[0])


def test_calms_noise_and_follows_quick_moves() -> None:
    rng = np.random.default_rng(0)
    still, one_euro = rng.normal(0, 0.02, (200, 1, 1)), OneEuro(TUNING)
    filtered = np.array([one_euro(x, i * STEP_NS).item() for i, x in enumerate(still)])
    assert filtered[50:].std() < 0.5 * still[50:].std()
    lag = {}
    for beta in (0.0, 4.0):
        one_euro = OneEuro(Tuning(min_cutoff_hz=1.0, beta=beta))
        ramp = 3.0 * np.arange(60) * STEP_NS / 1e9
        lag[beta] = ramp[-1] - [one_euro(np.array([[x]]), i * STEP_NS).item() for i, x in enumerate(ramp)][-1]
    assert lag[4.0] < 0.2 * lag[0.0]


@pytest.mark.parametrize("gap_ns", [int(GAP_S * 1e9) + 1, 0, -STEP_NS])
def test_gaps_and_times_that_do_not_grow_start_afresh(gap_ns: int) -> None:
    one_euro = OneEuro(TUNING)
    one_euro(np.zeros((1, 1)), 10**9)
    assert one_euro(np.ones((1, 1)), 10**9 + gap_ns) == 1


def hand(x_px: float, depth_mm: float = 500.0) -> Hand:
    joints_px = (100 * SHAPE + (x_px, 300)).astype(np.float32)
    joints_mm = unproject(joints_px, np.full(21, depth_mm), K).astype(np.float32)
    return Hand("right", 0.9, joints_px, joints_mm, np.ones(21, np.float32))


def test_smoothed_joints_still_project_onto_their_pixels() -> None:
    smoothing, rng = Smoothing(), np.random.default_rng(0)
    for i in range(10):
        (smoothed,) = smoothing((hand(300 + rng.normal(0, 3), 500 + rng.normal(0, 20)),), i * STEP_NS, K)
    assert project(smoothed.joints_mm, K) == pytest.approx(smoothed.joints_px, abs=1e-2)
    assert not smoothed.joints_px.flags.writeable


def test_an_uncertain_hand_is_followed_more_slowly() -> None:
    moved = {}
    for confidence in (1.0, 0.8, 0.5, 0.2, 0.0):
        smoothing = Smoothing()
        certain = np.full(21, confidence, np.float32)
        smoothing((replace(hand(300), confidence=certain),), 0, K)
        (after,) = smoothing((replace(hand(310), confidence=certain),), STEP_NS, K)
        moved[confidence] = float((after.joints_px - hand(300).joints_px)[:, 0].mean())
    assert moved[1.0] == moved[0.8] > 1.5 * moved[0.5] > 1.5 * 1.5 * moved[0.2] > 1.5 * 1.5 * moved[0.0] > 0


def test_an_uncertain_point_goes_along_with_its_body() -> None:
    trust = np.ones((21, 1))
    trust[4] = 0.01
    errors = {}
    for together in (True, False):
        one_euro, rng = OneEuro(TUNING, together), np.random.default_rng(0)
        far = []
        for i in range(60):
            body = SHAPE + np.array([0.05 * i, 0])
            seen = body.copy()
            seen[4] += rng.normal(0, 0.1, 2)
            far.append(np.linalg.norm(one_euro(seen, i * STEP_NS, trust=trust) - body, axis=1))
        errors[together] = np.mean(far[30:], axis=0)
    assert errors[True][4] < errors[False][4] / 3
    others = np.arange(21) != 4
    assert errors[True][others] == pytest.approx(errors[False][others], rel=0.1)


def test_one_point_moves_as_its_body() -> None:
    together, alone = OneEuro(TUNING, together=True), OneEuro(TUNING)
    for i, value in enumerate(np.random.default_rng(0).normal(size=(20, 1, 2))):
        assert together(value, i * STEP_NS, trust=0.5) == pytest.approx(alone(value, i * STEP_NS, trust=0.5))


def test_a_hand_that_appears_again_starts_afresh() -> None:
    smoothing = Smoothing()
    smoothing((hand(100),), 0, K)
    assert smoothing((), STEP_NS, K) == ()
    (back,) = smoothing((hand(600),), 2 * STEP_NS, K)
    assert back.joints_px == pytest.approx(hand(600).joints_px)
