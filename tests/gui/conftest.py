"""The window on a real worker, a real clip and the scripted network, and the check that nothing is left behind."""

import gc
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import av
import pytest
from PyQt6 import sip
from PyQt6.QtCore import QEvent, QTimer
from PyQt6.QtWidgets import QApplication, QWidget

from demo.approach import InTurn
from demo.gui import theme
from demo.gui.startup import Choices, Startup
from demo.gui.window import Window
from demo.pipeline import Pipeline
from demo.settings import Settings
from demo.sources import open_source
from demo.worker import OpenSource, Worker
from tests.demo.scripted import ColourBackend, ColourDetector, draw_hands

CHOICES = Choices(
    ((0, "Front camera"), (2, "Desk camera")), {"openvino": "", "cuda": "no NVIDIA GPU"}, {"digit-lite": ""}
)


@pytest.fixture(autouse=True)
def nothing_left_behind(qapp: QApplication) -> Iterator[None]:
    """After each test: no new top-level widget, thread or running timer."""
    theme.apply(qapp)
    widgets, threads, timers = _widgets(), _threads(), _timers()
    yield
    for _ in range(3):
        qapp.processEvents()
        qapp.sendPostedEvents(None, QEvent.Type.DeferredDelete)
        gc.collect()
    assert _widgets() - widgets == set()
    assert _threads() - threads == set()
    assert _timers() - timers == set()


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A second of two discs that drift, 320×180 at 20 frames a second."""
    path = tmp_path_factory.mktemp("clip") / "two_hands.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=20)
        stream.width, stream.height, stream.pix_fmt, stream.bit_rate = 320, 180, "yuv420p", 4_000_000
        for i in range(20):
            image = draw_hands(180, 320, right=(110 + i, 90), left=(200 + i, 80))
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())
    return path


@pytest.fixture
def settings(clip: Path) -> Settings:
    """The clip, over and over, on the scripted network."""
    return Settings(source="video", path=clip, repeat=True, smooth=False)


def start_scripted(settings: Settings, open_source: OpenSource = open_source) -> Worker:
    """A real worker on a real source; only the network and the detector are scripted."""
    return Worker(settings, open_source, lambda s, _: Pipeline(s, ColourBackend(), InTurn(ColourDetector()))).start()


@pytest.fixture
def open_window(qtbot, settings: Settings) -> Iterator[Callable[..., Window]]:
    """Opens a shown Window; ``changes`` are to the settings. Closes it at the end of the test."""
    windows = []

    def open_window(start_worker=start_scripted, notice: str = "", **changes: object) -> Window:
        window = Window(replace(settings, **changes), notice, start_worker, startup=Startup(find=lambda: CHOICES))
        windows.append(window)
        window.show()
        with qtbot.waitActive(window):  # shortcuts work in the active window only
            window.activateWindow()
        qtbot.waitUntil(lambda: window.plots is not None)
        return window

    yield open_window
    for window in windows:
        window.close()
        window.deleteLater()
    windows.clear()


@pytest.fixture
def playing(qtbot, open_window: Callable[..., Window]) -> Window:
    """A window in which Scenes with two hands come in."""
    window = open_window()
    qtbot.waitUntil(lambda: window.scene is not None and len(window.scene.hands) == 2 and len(window.history) > 2)
    return window


def _widgets() -> set[QWidget]:
    return set(QApplication.topLevelWidgets())


def _threads() -> set[str]:
    return {f"{thread.name} {thread.ident}" for thread in threading.enumerate()}


def _timers() -> set[int]:
    return {id(timer) for timer in gc.get_objects() if type(timer) is QTimer and _active(timer)}


def _active(timer: QTimer) -> bool:
    return not sip.isdeleted(timer) and timer.isActive()
