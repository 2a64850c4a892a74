"""Plays a session into the window, which asks it as it asks the live `demo.worker.Worker`.

A thread decodes the video and puts Scenes where `poll` takes them; another, shorter one makes the timeline's small
pictures. No network, detector or camera is touched.
"""

import threading
from collections.abc import Callable, Generator
from dataclasses import replace
from pathlib import Path
from time import monotonic

import av.error
import cv2
import numpy as np

from demo.latest import Latest
from demo.recording.reader import Session, read_session
from demo.records import Loaded, Scene
from demo.settings import Settings, needs_restart
from demo.stats import Stats
from digit.errors import UserError

SPEEDS = (0.1, 0.25, 0.5, 1.0, 2.0, 4.0)
THUMBNAILS, THUMBNAIL_WIDTH = 48, 176
#: A recording that pauses, as over a computer's sleep, is played as if it went on after this long.
GAP_NS = 1_000_000_000


class Player:
    """Runs until `stop`. Any thread may call any method; none waits but `stop`."""

    def __init__(self, settings: Settings) -> None:
        self.tap: Callable[[Scene], None] | None = None  # as `Worker.tap`
        self.session: Session | None = None  # once it is read
        self.thumbnails: dict[int, np.ndarray] = {}  # row -> (h, THUMBNAIL_WIDTH, 3) uint8 RGB
        self.notice = ""
        self._settings = settings
        self._scenes: Latest[Scene] = Latest()
        self._changed = threading.Condition()
        self._row, self._shown = 0, -1
        self._speed, self._paused, self._loop = 1.0, False, settings.repeat
        self._moved = True  # a person moved the place: the clock starts from there
        self._again = False  # show the same row anew
        self._stopping = False
        self._status = "Reading the session"
        self._threads = (
            threading.Thread(target=self._run, name="player", daemon=True),
            threading.Thread(target=self._make_thumbnails, name="thumbnails", daemon=True),
        )

    def start(self) -> "Player":
        """Start to play and return at once."""
        self._threads[0].start()
        return self

    def poll(self) -> Scene | None:
        """The Scene to show now, each once. Raises, once, what ended the player."""
        return self._scenes.take()

    @property
    def ended(self) -> bool:
        """False until it was stopped: at the session's end a player waits to be moved."""
        return self._scenes.ended

    @property
    def status(self) -> str:
        """What is being read; empty once Scenes come."""
        return self._status

    @property
    def loaded(self) -> Loaded | None:
        """What the session was recorded with."""
        if self.session is None or not self.session.info.model:
            return None
        info = self.session.info
        return Loaded(info.backend, info.model, f"recorded with weights {info.weights_sha256[:12]}")

    def stats(self) -> Stats:
        """A player has no speed of its own."""
        return Stats()

    @property
    def row(self) -> int:
        """The row that is shown."""
        return max(self._shown, 0)

    @property
    def speed(self) -> float:
        """1 is as it was recorded."""
        return self._speed

    @property
    def loop(self) -> bool:
        """True when it starts again at the end."""
        return self._loop

    @property
    def paused(self) -> bool:
        """True while it stands."""
        return self._paused

    def pause(self, paused: bool) -> None:
        """Stand, or go on; at the end, go on from the start."""
        with self._changed:
            if not paused and self.session is not None and self._row >= len(self.session) - 1:
                self._row = 0
            self._paused, self._moved = paused, True
            self._changed.notify_all()

    def seek(self, row: int) -> None:
        """Show this row and go on from there. Rows outside are the first and the last."""
        with self._changed:
            last = len(self.session) - 1 if self.session is not None else row
            self._row, self._moved = min(max(row, 0), max(last, 0)), True
            self._changed.notify_all()

    def step(self, rows: int) -> None:
        """Stand, this many rows further."""
        with self._changed:
            self._paused = True
            self.seek(self._row + rows)

    def set_speed(self, speed: float) -> None:
        """Play this many times as fast, 0.1 to 4."""
        with self._changed:
            self._speed, self._moved = min(max(speed, SPEEDS[0]), SPEEDS[-1]), True
            self._changed.notify_all()

    def set_loop(self, loop: bool) -> None:
        """Start again at the end, or stand there."""
        with self._changed:
            self._loop = loop
            self._changed.notify_all()

    def apply(self, settings: Settings) -> None:
        """Take new settings. Raises ValueError where they need a new player."""
        if needs_restart(self._settings, settings):
            raise ValueError("these settings need a new player")
        with self._changed:
            self._settings, self._again = settings, True
            self._changed.notify_all()

    def stop(self, timeout_s: float = 5.0) -> bool:
        """End the threads. True when they have ended."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        for thread in self._threads:
            if thread.ident is not None:
                thread.join(timeout_s)
        return not any(thread.is_alive() for thread in self._threads)

    def _run(self) -> None:
        try:
            session = read_session(self._settings.path or _no_path())
            if len(session) == 0:
                raise UserError(f"The session {session.folder.name} holds no frame; choose another one.")
            if not session.ended:
                self.notice = "This recording was not ended; all that had been written is here."
            elif session.info.ended_by:
                self.notice = session.info.ended_by
            self.session = session
            self._threads[1].start()
            self._play(session)
        except Exception as error:
            self._scenes.close(error)
        finally:
            self._status = ""
            self._scenes.close()

    def _play(self, session: Session) -> None:
        times_ns = playing_times_ns(session.times_ns)
        pictures = Pictures(session)
        start_s, start_ns = monotonic(), 0
        try:
            while not self._stopping:
                with self._changed:
                    if self._moved:
                        start_s, start_ns, self._moved = monotonic(), int(times_ns[self._row]), False
                    elif not self._paused:
                        due_ns = start_ns + int((monotonic() - start_s) * 1e9 * self._speed)
                        self._row = max(self._row, int(np.searchsorted(times_ns, due_ns, "right")) - 1)
                        self._at_end(session)
                    row, again = self._row, self._again
                    self._again = False
                if row != self._shown or again:
                    self._show(session.scene(row, pictures(row)))
                    self._shown = row
                with self._changed:
                    if not (self._stopping or self._moved or self._again):
                        self._changed.wait(self._wait_s(times_ns, start_s, start_ns))
        finally:
            pictures.close()

    def _at_end(self, session: Session) -> None:
        if self._row >= len(session) - 1:
            self._row = len(session) - 1
            if self._loop and self._shown == self._row:
                self._row, self._moved = 0, True
            elif not self._loop:
                self._paused = True

    def _wait_s(self, times_ns: np.ndarray, start_s: float, start_ns: int) -> float | None:
        """Seconds until the next row is due; None while it stands."""
        if self._paused:
            return None
        following = min(self._row + 1, len(times_ns) - 1)
        due_s = start_s + (int(times_ns[following]) - start_ns) / 1e9 / self._speed
        return min(max(due_s - monotonic(), 0.001), 1.0)

    def _show(self, scene: Scene) -> None:
        if not self._settings.smooth:
            scene = replace(scene, hands=scene.hands_raw)
        if self.tap is not None:
            self.tap(scene)
        self._status = ""
        self._scenes.put(scene)

    def _make_thumbnails(self) -> None:
        session = self.session
        if session is None:
            return
        pictures = Pictures(session)
        try:
            for row in np.unique(np.linspace(0, len(session) - 1, THUMBNAILS).round().astype(int)):
                picture = None if self._stopping else pictures(int(row))
                if picture is None:
                    continue
                height = max(1, round(picture.shape[0] * THUMBNAIL_WIDTH / picture.shape[1]))
                self.thumbnails[int(row)] = cv2.resize(picture, (THUMBNAIL_WIDTH, height), interpolation=cv2.INTER_AREA)
        except (UserError, av.error.FFmpegError) as error:  # the timeline does without
            self.notice = self.notice or str(error)
        finally:
            pictures.close()


class Pictures:
    """The picture of any row: the next one is decoded on, another one is sought."""

    #: A row this near is reached sooner by decoding on than by seeking.
    NEAR = 12

    def __init__(self, session: Session) -> None:
        self._session = session
        self._decoding: Generator[tuple[int, np.ndarray | None]] | None = None
        self._last: tuple[int, np.ndarray | None] = (-1, None)

    def __call__(self, row: int) -> np.ndarray | None:
        """The (H, W, 3) uint8 RGB picture of a row; None where the video has none."""
        at = self._last[0]
        if row == at:
            return self._last[1]
        if self._decoding is None or not at < row <= at + self.NEAR:
            self.close()
            self._decoding = self._session.pictures(row)
        for found, picture in self._decoding:
            self._last = found, picture
            if found == row:
                return picture
        return None

    def close(self) -> None:
        """Close the video."""
        if self._decoding is not None:
            self._decoding.close()
            self._decoding = None


def playing_times_ns(times_ns: np.ndarray) -> np.ndarray:
    """(N,) capture times from 0 on, growing, without the long gaps."""
    steps = np.clip(np.diff(times_ns, prepend=times_ns[:1]), 0, GAP_NS)
    return np.cumsum(steps)


def _no_path() -> Path:
    raise UserError("No session was given; use --session DIR.")
