from dataclasses import replace

import numpy as np
import pytest

from demo.gui.history import CAPTURE_TO_DRAWN, History
from demo.gui.hud import hud_line
from demo.settings import Settings
from tests.gui import hands

SECOND = 1_000_000_000


def filled(frames: int, fps: int, latency_ms: float = 20.0) -> tuple[History, int]:
    history, scene = History(), hands.scene(image=np.zeros((4, 4, 3), np.uint8))
    for i in range(frames):
        captured = i * SECOND // fps
        drawn = captured + int(latency_ms * 1e6)
        history.add(replace(scene, frame=replace(scene.frame, time_ns=captured)), drawn)
    return history, drawn


def test_rate_and_latency_of_an_even_stream() -> None:
    history, now = filled(100, 25, latency_ms=33.0)
    assert history.fps(now) == pytest.approx(25)
    assert history.latency_ms(now)[CAPTURE_TO_DRAWN] == pytest.approx((33.0, 33.0))
    assert history.latency_ms(now)["predict"] == (12.0, 12.0)
    assert history.curves(now)["fps"][-1] == pytest.approx(25)


def test_old_samples_leave() -> None:
    history, now = filled(40 * 10, 10)
    assert history.curves(now)["t"].min() >= -30.2
    assert history.fps(now + 10 * SECOND) == 0
    assert history.latency_ms(now + 10 * SECOND) == {}


def test_empty() -> None:
    history = History()
    assert history.fps(0) == 0
    assert all(len(column) == 0 for column in history.curves(0).values())


def test_skipped_frames_count_in_the_sources_rate() -> None:
    history, scene = History(), hands.scene(image=np.zeros((4, 4, 3), np.uint8))
    for i in range(40):
        frame = replace(scene.frame, index=3 * i, time_ns=i * SECOND // 10)
        history.add(replace(scene, frame=frame), i * SECOND // 10)
    now = 39 * SECOND // 10
    assert history.fps(now) == pytest.approx(10)
    assert history.source_fps(now) == pytest.approx(30)
    assert "10.0 of 30 fps" in hud_line(history, now, None, "", Settings())
    even, now = filled(100, 25)
    assert even.source_fps(now) == pytest.approx(25)
    assert "25.0 fps" in hud_line(even, now, None, "", Settings())


def test_a_replay_that_goes_back_starts_afresh() -> None:
    history, now = filled(50, 25)
    scene = hands.scene(image=np.zeros((4, 4, 3), np.uint8))
    history.add(scene, now - SECOND)
    assert len(history) == 1
