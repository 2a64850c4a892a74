"""The live recorder: takes Scenes from the loop through one bounded queue and writes them in a thread of its own."""

import queue
import shutil
import threading
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, monotonic_ns

from demo.recording.format import INFO, Event
from demo.recording.info import Info
from demo.recording.writer import WRITE_ERRORS, SessionWriter, why_not
from demo.records import Scene

#: Scenes that may wait for the writer: a second and a half at 30 frames a second, 125 MB at 720p.
QUEUE_SCENES = 45
#: How often the folder and the free space are looked at.
_LOOK_EVERY_S = 1.0
#: Recording stops before the disk is so full that the rest of the computer suffers.
LEAVE_FREE_BYTES = 64 << 20


@dataclass(frozen=True, slots=True)
class RecorderState:
    """What the window shows of a recording."""

    folder: Path
    running: bool = True
    rows: int = 0
    dropped: int = 0
    bytes: int = 0
    free_bytes: int = 0
    seconds: float = 0.0
    error: str = ""  # what ended it early


class Recorder:
    """Runs from its making to `stop`, or until the disk takes no more. `put` and `mark` never wait."""

    def __init__(
        self, folder: Path, info: Info, queue_scenes: int = QUEUE_SCENES, leave_free: int = LEAVE_FREE_BYTES
    ) -> None:
        self._folder, self._info, self._leave_free = folder, info, leave_free
        self._queue: queue.Queue[Scene | Event] = queue.Queue(queue_scenes)
        self._stopping = threading.Event()
        self._dropped = 0
        self._started_s = monotonic()
        self._state = RecorderState(folder)
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)
        self._thread.start()

    @property
    def state(self) -> RecorderState:
        """How it does."""
        return self._state

    def put(self, scene: Scene) -> None:
        """Take a Scene; a full queue drops and counts it."""
        if self._stopping.is_set():
            return
        try:
            self._queue.put_nowait(scene)
        except queue.Full:
            self._dropped += 1

    def mark(self, label: str) -> Event:
        """Set a marker at this moment."""
        event = Event(monotonic_ns(), label)
        try:
            self._queue.put_nowait(event)
        except queue.Full:
            self._dropped += 1
        return event

    def stop(self, timeout_s: float | None = None) -> RecorderState:
        """Write what is queued, end the session and answer how it ended."""
        self._stopping.set()
        self._thread.join(timeout_s)
        return self._state

    @property
    def ended(self) -> bool:
        """All is written, or nothing more can be."""
        return not self._thread.is_alive()

    def _run(self) -> None:
        error = ""
        try:
            writer = SessionWriter(self._folder, self._info)
        except WRITE_ERRORS as failure:
            self._tell(None, error=why_not(self._folder, failure), running=False)
            return
        try:
            self._write(writer)
        except _Gone as gone:
            error = str(gone)
        except WRITE_ERRORS as failure:
            error = why_not(self._folder, failure)
        except Exception as failure:
            error = f"The recording stopped on a fault ({type(failure).__name__}: {failure})."
        self._stopping.set()
        try:
            writer.close(error, self._dropped)
        except WRITE_ERRORS as failure:
            error = why_not(self._folder, failure)
        self._tell(writer, error=error, running=False)

    def _write(self, writer: SessionWriter) -> None:
        looked_s = 0.0
        while not (self._stopping.is_set() and self._queue.empty()):
            if monotonic() - looked_s > _LOOK_EVERY_S:
                looked_s = monotonic()
                self._look(writer)
            try:
                item = self._queue.get(timeout=0.1)
            except queue.Empty:
                self._tell(writer)
                continue
            if isinstance(item, Event):
                writer.mark(item)
            else:
                writer.write(item)
            self._tell(writer)

    def _look(self, writer: SessionWriter) -> None:
        if not (writer.folder / INFO).exists():
            raise _Gone(f"The folder {writer.folder} is gone, so the recording stopped; choose another folder.")
        free = shutil.disk_usage(writer.folder).free
        self._tell(writer, free_bytes=free)
        if free < self._leave_free:
            raise _Gone(
                f"The disk of {writer.folder} is full ({free >> 20} MB left), so the recording stopped; "
                "free some space."
            )

    def _tell(
        self, writer: SessionWriter | None, error: str = "", running: bool = True, free_bytes: int | None = None
    ) -> None:
        self._state = RecorderState(
            self._folder,
            running,
            writer.info.rows if writer else 0,
            self._dropped,
            writer.size if writer else 0,
            self._state.free_bytes if free_bytes is None else free_bytes,
            monotonic() - self._started_s,
            error,
        )


class _Gone(Exception):
    """Where it was written to is not there any more, or is full."""
