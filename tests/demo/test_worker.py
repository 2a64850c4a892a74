"""The two threads, on a generated clip and on sources that fail."""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from demo.approach import InTurn
from demo.pipeline import Pipeline
from demo.records import Frame, Scene
from demo.settings import Settings
from demo.sources import Source, Video, open_source
from demo.stats import END_TO_END
from demo.worker import Worker
from digit.errors import UserError
from digit.prediction import Prediction
from tests.demo.clips import two_hands, write_clip
from tests.demo.scripted import ColourBackend, ColourDetector

DEADLINE_S = 30


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    assert set(threading.enumerate()) - before == set()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(source="video", path=write_clip(tmp_path / "clip.mp4", two_hands(12), fps=60))


def colour_pipeline(settings: Settings, tell: Callable[[str], None]) -> Pipeline:
    tell("Loading the colours")
    return Pipeline(settings, ColourBackend(), InTurn(ColourDetector()))


def scenes_until(worker: Worker, enough: Callable[[list[Scene]], bool]) -> list[Scene]:
    """Poll like the window until there are enough Scenes or the loop ends."""
    scenes: list[Scene] = []
    deadline = time.monotonic() + DEADLINE_S
    while not enough(scenes) and not worker.ended:
        assert time.monotonic() < deadline, "the loop hangs"
        scene = worker.poll()
        if scene is not None:
            scenes.append(scene)
        time.sleep(0.002)
    return scenes


def never(scenes: list[Scene]) -> bool:
    return False


def test_to_the_end_of_a_clip(settings: Settings) -> None:
    worker = Worker(settings, open_pipeline=colour_pipeline).start()
    scenes = scenes_until(worker, never)
    assert worker.stop()
    assert scenes[-1].frame.index == 11  # the last picture is never dropped
    indices = [scene.frame.index for scene in scenes]
    assert indices == sorted(set(indices))
    assert len(scenes[-1].hands) == 2
    assert worker.loaded is not None
    assert (worker.loaded.backend, worker.loaded.model) == ("colour", "discs")
    assert worker.status == ""
    assert worker.poll() is None


def test_a_file_waits_while_the_network_loads(settings: Settings) -> None:
    began = threading.Event()

    class Watched(Video):
        def __iter__(self) -> Iterator[Frame]:
            began.set()
            return super().__iter__()

    def slow(settings: Settings, tell: Callable[[str], None]) -> Pipeline:
        assert not began.wait(0.2)
        return colour_pipeline(settings, tell)

    assert settings.path is not None
    source = Watched(settings.path, live=True)
    worker = Worker(settings, lambda _: source, slow).start()
    scenes = scenes_until(worker, never)
    assert worker.stop()
    assert scenes and began.is_set()


def test_statistics(settings: Settings) -> None:
    worker = Worker(replace(settings, repeat=True), open_pipeline=colour_pipeline).start()
    scenes_until(worker, lambda scenes: len(scenes) > 8)
    stats = worker.stats()
    assert worker.stop()
    assert stats.fps > 0
    assert {END_TO_END, "predict"} <= set(stats.latency_ms)
    p50, p95 = stats.latency_ms[END_TO_END]
    assert 0 < p50 <= p95


@pytest.mark.parametrize("fault", [UserError("the lens cap is on"), RuntimeError("a fault of ours")])
def test_errors_of_either_thread_reach_poll_once(settings: Settings, fault: Exception) -> None:
    def broken(*_: object) -> Pipeline:
        raise fault

    def broken_source(settings: Settings) -> Source:
        raise fault

    for worker in (Worker(settings, open_pipeline=broken), Worker(settings, broken_source, colour_pipeline)):
        worker.start()
        with pytest.raises(type(fault), match=str(fault)):
            scenes_until(worker, never)
        assert worker.ended
        assert worker.poll() is None
        assert worker.stop()


def test_stop_during_a_repeating_clip_closes_everything(settings: Settings) -> None:
    opened: list[Pipeline] = []

    def remembered(settings: Settings, tell: Callable[[str], None]) -> Pipeline:
        opened.append(colour_pipeline(settings, tell))
        return opened[-1]

    worker = Worker(replace(settings, repeat=True), open_pipeline=remembered).start()
    scenes_until(worker, lambda scenes: len(scenes) > 2)
    assert worker.stop()
    backend = opened[0].backend
    assert isinstance(backend, ColourBackend)
    assert backend.closed


def test_stop_before_start_and_twice(settings: Settings) -> None:
    worker = Worker(settings, open_pipeline=colour_pipeline)
    assert worker.stop()
    assert worker.stop()


def test_pause_holds_the_clip(settings: Settings) -> None:
    worker = Worker(replace(settings, repeat=True), open_pipeline=colour_pipeline).start()
    scenes_until(worker, lambda scenes: len(scenes) > 2)
    worker.pause(True)
    assert worker.paused
    time.sleep(0.2)  # what was under way comes through
    worker.poll()
    time.sleep(0.1)
    assert worker.poll() is None
    worker.pause(False)
    scenes_until(worker, lambda scenes: len(scenes) > 0)
    assert worker.stop()


def test_settings_change_on_the_fly(settings: Settings) -> None:
    worker = Worker(replace(settings, repeat=True), open_pipeline=colour_pipeline).start()
    scenes_until(worker, lambda scenes: len(scenes) > 1)
    worker.apply(replace(settings, repeat=True, focal_px=777.0))
    scenes = scenes_until(worker, lambda scenes: bool(scenes) and scenes[-1].K_origin == "focal")
    assert scenes[-1].K[0, 0] == 777
    with pytest.raises(ValueError, match="new worker"):
        worker.apply(replace(settings, camera=3))
    assert worker.stop()


def test_a_slow_pipeline_skips_to_the_newest_frame(settings: Settings) -> None:
    class Slow(ColourBackend):
        def __call__(self, crop: np.ndarray, prior: np.ndarray | None = None) -> Prediction:
            time.sleep(0.1)
            return super().__call__(crop, prior)

    def slow_pipeline(settings: Settings, tell: Callable[[str], None]) -> Pipeline:
        return Pipeline(settings, Slow(), InTurn(ColourDetector()))

    worker = Worker(settings, open_pipeline=slow_pipeline).start()
    scenes = scenes_until(worker, never)
    assert worker.stop()
    assert scenes[-1].frame.index == 11
    assert len(scenes) < 12


def test_the_sources_warning_is_passed_on(settings: Settings) -> None:
    class Warned:
        name, notice, fps, length = "warned", "The film broke.", 30.0, None

        def __init__(self, source: Source) -> None:
            self.source = source

        def __iter__(self) -> Iterator[Frame]:
            return iter(self.source)

        def stop(self) -> None:
            self.source.stop()

        def close(self) -> None:
            self.source.close()

    worker = Worker(settings, lambda settings: Warned(open_source(settings)), colour_pipeline).start()
    scenes_until(worker, never)
    assert worker.notice == "The film broke."
    assert worker.stop()
