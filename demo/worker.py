"""The live loop's two threads: source -> [Latest] -> pipeline -> [Latest] -> `Worker.poll`.

While the network works on a frame, the inference thread finishes and hands out the one before it; more than these two
are never under way. A computer that is too slow for its camera takes the newest frame each time it is free, at its own
steady pace, so the frames that it skips lie evenly between those it shows; `Worker.notice` says so.

The window calls `poll` sixty times a second; it never waits. Each thread opens and closes what it owns, and what ends a
thread (an error, or the source's last frame) travels down the same slots as the data. To change the source or the
backend, stop the worker and start a new one (`demo.settings.needs_restart`).
"""

import threading
from collections.abc import Callable, Generator
from contextlib import closing
from time import monotonic

from demo.latest import Latest
from demo.pipeline import Pipeline, open_pipeline
from demo.records import Frame, Loaded, Scene
from demo.settings import Settings, needs_restart
from demo.sources import Source, open_source
from demo.stats import Meter, Stats

#: Opens the source of the settings, paced as it plays live.
OpenSource = Callable[[Settings], Source]
#: Loads backend and detector of the settings, telling each step in a few words.
OpenPipeline = Callable[[Settings, Callable[[str], None]], Pipeline]


WAITING = "Waiting for the first picture"
#: A share of skipped frames that is worth a notice.
MUCH_SKIPPED = 0.1
#: So many scenes come first: loading and the first look leave frames behind on any computer.
SETTLING_SCENES = 60


class Worker:
    """Runs source and pipeline until `stop`, the source's end or an error.

    ``open_source`` is called in the capture thread, ``open_pipeline`` in the inference thread.
    """

    def __init__(
        self, settings: Settings, open_source: OpenSource = open_source, open_pipeline: OpenPipeline = open_pipeline
    ) -> None:
        #: Called in the inference thread with every Scene; must not wait. May be set at any time.
        self.tap: Callable[[Scene], None] | None = None
        self._settings = settings
        self._open_source, self._open_pipeline = open_source, open_pipeline
        self._frames: Latest[Frame] = Latest()
        self._scenes: Latest[Scene] = Latest()
        self._stopping, self._playing, self._ready = threading.Event(), threading.Event(), threading.Event()
        self._playing.set()
        self._meter = Meter()
        self._source: Source | None = None
        self._pipeline: Pipeline | None = None
        self._slow_notice = ""
        self._made = 0  # Scenes so far
        self._status = "Starting"
        self._threads = (
            threading.Thread(target=self._capture, name="capture", daemon=True),
            threading.Thread(target=self._infer, name="inference", daemon=True),
        )

    def start(self) -> "Worker":
        """Start both threads and return at once."""
        for thread in self._threads:
            thread.start()
        return self

    def poll(self) -> Scene | None:
        """The newest Scene, each once; None when there is nothing new. Never waits.

        Raises what ended the loop, once: a UserError to show, or a fault. After the end it answers None (`ended`).
        """
        return self._scenes.take()

    @property
    def ended(self) -> bool:
        """Nothing more will come: the source's last frame is through, or an error was raised by `poll`."""
        return self._scenes.ended

    @property
    def status(self) -> str:
        """What is being loaded, for a progress message; empty once Scenes come."""
        return self._status

    @property
    def notice(self) -> str:
        """The source's warning, such as a video that breaks off, or that frames are skipped; empty when all is well."""
        return (self._source.notice if self._source is not None else "") or self._slow_notice

    @property
    def loaded(self) -> Loaded | None:
        """Backend and model, once they are loaded. The backend may change by itself when a faster one is built."""
        return self._pipeline.loaded if self._pipeline is not None else None

    @property
    def source_name(self) -> str:
        """What a caption calls the source; empty until it is open."""
        return "" if self._source is None else self._source.name

    @property
    def source_fps(self) -> float | None:
        """The source's nominal frame rate, where known."""
        return None if self._source is None else self._source.fps

    def stats(self) -> Stats:
        """Frame rate and latency over the last seconds."""
        return self._meter.stats()

    @property
    def paused(self) -> bool:
        """True between ``pause(True)`` and ``pause(False)``."""
        return not self._playing.is_set()

    def pause(self, paused: bool) -> None:
        """Hold the source, or go on. A video goes on where it stood, a camera with its newest picture."""
        if paused:
            self._playing.clear()
        else:
            self._playing.set()

    def apply(self, settings: Settings) -> None:
        """Take new settings from the next frame on. Raises ValueError where they need a new worker."""
        if needs_restart(self._settings, settings):
            raise ValueError("these settings need a new worker")
        self._settings = settings

    def stop(self, timeout_s: float = 5.0) -> bool:
        """End both threads and wait for them, together at most ``timeout_s``. True when both have ended."""
        self._halt()
        deadline = monotonic() + timeout_s
        for thread in self._threads:
            if thread.ident is not None:
                thread.join(max(0.0, deadline - monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def _capture(self) -> None:
        try:
            with closing(self._open_source(self._settings)) as source:
                self._source = source
                if self._stopping.is_set():  # `stop` came before there was a source to stop
                    return
                if self._settings.source != "camera":  # a file begins with its first frame
                    self._ready.wait()
                for frame in source:
                    self._playing.wait()
                    if self._stopping.is_set():
                        break
                    self._frames.put(frame)
        except Exception as error:  # told at once, even while the network is still being loaded
            self._scenes.close(error)
        finally:
            self._frames.close()

    def _infer(self) -> None:
        try:
            with closing(self._open_pipeline(self._settings, self._tell)) as pipeline:
                self._pipeline = pipeline
                self._status = WAITING
                self._ready.set()
                for scene in pipeline.scenes_in_turn(self._newest(pipeline)):
                    self._hand_out(scene)
        except Exception as error:
            self._scenes.close(error)
        finally:
            self._status = ""
            self._halt()
            self._scenes.close()

    def _newest(self, pipeline: Pipeline) -> Generator[Frame | None]:
        """The newest frame each time, or None. After a frame a Scene is to be handed out: then there is no waiting."""
        frame: Frame | None = None
        while not (self._stopping.is_set() or self._frames.ended):
            frame = self._frames.wait(timeout_s=0.5) if frame is None else self._frames.take()
            pipeline.settings = self._settings
            yield None if self._stopping.is_set() else frame

    def _hand_out(self, scene: Scene) -> None:
        if self.tap is not None:
            self.tap(scene)
        self._meter.add(scene)
        self._scenes.put(scene)
        if self._status == WAITING:
            self._status = ""
        self._made += 1
        if self._made % SETTLING_SCENES == 0 and not self._slow_notice:
            stats = self._meter.stats()
            if stats.skipped > MUCH_SKIPPED:
                self._slow_notice = (
                    f"This computer takes {stats.fps:.0f} of the {stats.fps / (1 - stats.skipped):.0f} frames a second "
                    "that come in; the others are skipped evenly."
                )

    def _halt(self) -> None:
        """Wake whoever waits, to end."""
        for event in (self._stopping, self._playing, self._ready):
            event.set()
        self._frames.close()
        if self._source is not None:
            self._source.stop()

    def _tell(self, text: str) -> None:
        self._status = text
