"""Whoever is slow, the newest frame reaches the screen and nothing piles up."""

import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import pairwise
from time import monotonic, monotonic_ns, sleep

import numpy as np
import pytest

from demo.approach import Ahead, InTurn
from demo.detector import NOWHERE, BackgroundDetector, Sighting, Whereabouts
from demo.latest import Latest
from demo.pipeline import Pipeline
from demo.records import Frame, Scene
from demo.settings import Settings
from demo.worker import SETTLING_SCENES, Worker
from digit.prediction import Prediction
from tests.demo.scripted import ColourBackend, ColourDetector, draw_hands

PICTURE = draw_hands(90, 160, right=(50, 45), left=(110, 45))


class Camera:
    """Endless frames, as fast as a slow machine makes them; counts those that are still held by anyone."""

    name, notice, fps, length = "camera", "", 500.0, None

    def __init__(self, frames: int = 10**9) -> None:
        self.given, self.most_alive, self._frames = 0, 0, frames
        self._alive: weakref.WeakValueDictionary[int, np.ndarray] = weakref.WeakValueDictionary()
        self._stopped = threading.Event()

    def __iter__(self) -> Iterator[Frame]:
        while self.given < self._frames and not self._stopped.wait(0.002):
            image = PICTURE.copy()
            self._alive[self.given] = image
            self.most_alive = max(self.most_alive, len(self._alive))
            self.given += 1
            yield Frame(self.given - 1, monotonic_ns(), image)

    def stop(self) -> None:
        self._stopped.set()

    def close(self) -> None:
        self._stopped.set()


class SlowBackend(ColourBackend):
    def __call__(self, crop: np.ndarray, prior: np.ndarray | None = None) -> Prediction:
        sleep(0.03)
        return super().__call__(crop, prior)


class SlowDetector(ColourDetector):
    def __call__(self, frame: Frame, look: bool = True, near: Whereabouts = NOWHERE) -> Sighting | None:
        sleep(0.2)
        return super().__call__(frame, look, near)


def fast(settings: Settings, tell: Callable[[str], None]) -> Pipeline:
    return Pipeline(settings, ColourBackend(), InTurn(ColourDetector()))


def with_slow_backend(settings: Settings, tell: Callable[[str], None]) -> Pipeline:
    return Pipeline(settings, SlowBackend(), InTurn(ColourDetector()))


def with_slow_detector(settings: Settings, tell: Callable[[str], None]) -> Pipeline:
    return Pipeline(settings, ColourBackend(), InTurn(BackgroundDetector(SlowDetector)))


@pytest.mark.parametrize(
    ("open_pipeline", "poll_s"), [(fast, 0.1), (with_slow_detector, 0.005), (with_slow_backend, 0.005)],
    ids=["slow consumer", "slow detector", "slow backend"],
)  # fmt: skip
def test_the_newest_frame_is_shown_and_nothing_grows(
    open_pipeline: Callable[[Settings, Callable[[str], None]], Pipeline], poll_s: float
) -> None:
    camera = Camera(frames=400)
    worker = Worker(Settings(), lambda _: camera, open_pipeline).start()
    shown: list[int] = []
    scene: Scene | None = None
    deadline = monotonic() + 60
    while not worker.ended:
        assert monotonic() < deadline, "the loop hangs"
        scene = worker.poll()
        if scene is not None:
            shown.append(scene.frame.index)
        sleep(poll_s)
    assert worker.stop()
    assert shown[-1] == 399  # the last that there was
    assert shown == sorted(set(shown))
    # One each: captured, waiting, at the detector, in the network, being finished, waiting for the screen, shown.
    assert camera.most_alive <= 9


def test_a_slow_detector_does_not_slow_the_loop() -> None:
    camera, detector, scenes = Camera(frames=300), SlowDetector(), list[int]()
    pipeline = Pipeline(Settings(), ColourBackend(), InTurn(BackgroundDetector(lambda: detector)))
    worker = Worker(Settings(), lambda _: camera, lambda *_: pipeline)
    worker.tap = lambda scene: scenes.append(scene.frame.index)
    worker.start()
    deadline = monotonic() + 60
    while not worker.ended and monotonic() < deadline:
        worker.poll()
        sleep(0.002)
    assert worker.stop()
    assert len(scenes) > 3 * detector.looks


def test_skipping_is_told() -> None:
    camera = Camera()
    worker = Worker(Settings(), lambda _: camera, with_slow_backend).start()
    deadline = monotonic() + 60
    while not worker.notice and monotonic() < deadline:
        worker.poll()
        sleep(0.01)
    assert worker.stop()
    assert worker.notice.startswith("This computer takes ")
    assert "frames a second that come in; the others are skipped evenly." in worker.notice


def test_a_loop_that_keeps_up_says_nothing() -> None:
    class Waits(Camera):
        """Gives a frame when the last one has become a Scene."""

        ready = threading.Semaphore(1)

        def __iter__(self) -> Iterator[Frame]:
            for frame in super().__iter__():
                self.ready.acquire(timeout=5)
                yield frame

    camera = Waits(frames=SETTLING_SCENES + 5)
    worker = Worker(Settings(), lambda _: camera, fast)
    worker.tap = lambda _: camera.ready.release()
    worker.start()
    deadline = monotonic() + 60
    while not worker.ended and monotonic() < deadline:
        worker.poll()
        sleep(0.002)
    assert worker.stop()
    assert worker.stats().skipped == 0
    assert worker.notice == ""


@pytest.mark.parametrize("work", [0.4, 1.3, 1.5, 2.0, 2.7, 5.1])
def test_skipped_frames_lie_evenly(work: float) -> None:
    """A loop that needs ``work`` frame times a frame, on a clock of its own: the gaps differ by one at most."""
    slot: Latest[int] = Latest()
    taken: list[int] = []
    free_at = 0.0
    for index in range(200):
        while free_at < index:  # before this frame came
            newest = slot.take()
            if newest is None:
                free_at = index
                break
            taken.append(newest)
            free_at = max(free_at, newest) + work
        slot.put(index)
    gaps = {after - before for before, after in pairwise(taken[3:])}
    assert max(gaps) - min(gaps) <= 1
    assert max(gaps) <= int(np.ceil(work))


def test_the_pipelines_overlap_loses_no_frame_and_repeats() -> None:
    """However long looks and crops take, and whatever thread looks."""
    frames = [Frame(i, 33_000_000 * i, np.roll(PICTURE, i, axis=1)) for i in range(14)]
    frames[5:8] = [Frame(i, 33_000_000 * i, np.zeros_like(PICTURE)) for i in range(5, 8)]
    quick, slow = ColourDetector(), SlowDetector()
    runs: list[list[Scene]] = []
    for backend, approaching in (
        (ColourBackend(), InTurn(quick)),
        (SlowBackend(), Ahead(lambda: quick)),
        (ColourBackend(), Ahead(lambda: slow)),
    ):
        quick.seen = None
        with closing(Pipeline(Settings(), backend, approaching)) as pipeline:
            runs.append(list(pipeline.scenes(frames)))
    for scenes in runs:
        assert [scene.frame.index for scene in scenes] == list(range(14))
        assert [len(scene.hands) for scene in scenes[:4]] == [2] * 4
        assert [len(scene.hands) for scene in scenes[-2:]] == [2] * 2
        for scene, other in zip(scenes, runs[0], strict=True):
            assert (scene.crop_origin, len(scene.hands)) == (other.crop_origin, len(other.hands))
            for hand, same in zip(scene.hands, other.hands, strict=True):
                assert np.array_equal(hand.joints_mm, same.joints_mm)


def test_the_next_frame_waits_at_the_network_and_the_one_before_is_finished_meanwhile() -> None:
    told: list[str] = []

    class Told(ColourBackend):
        def start(self, crop: np.ndarray, prior: np.ndarray | None = None) -> Callable[[], Prediction]:
            told.append("start")
            return lambda: told.append("answer") or self(crop, prior)

    near = draw_hands(90, 160, right=(60, 45), left=(79, 45))  # hands apart would have a crop each
    pipeline = Pipeline(Settings(prior=False), Told(), InTurn(ColourDetector()))  # and with a prior a witness at times
    for scene in pipeline.scenes(Frame(i, 33_000_000 * i, near) for i in range(3)):
        told.append(f"scene {scene.frame.index}")
    assert told == ["start", "start", "answer", "start", "scene 0", "answer", "scene 1", "answer", "scene 2"]
    told.clear()
    for scene in pipeline.scenes_in_turn(Frame(i, 33_000_000 * i, near) for i in range(3, 6)):
        told.append(f"scene {scene.frame.index}")
    assert told == ["start", "answer", "start", "scene 3", "answer", "start", "scene 4", "answer", "scene 5"]
