"""Writes a session: one Scene after the other, in the thread that calls."""

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path
from time import monotonic_ns, strftime, time_ns
from typing import Self

import av.error
import cv2

from demo.overlay import paint
from demo.recording.format import EVENTS, SCENES, THUMBNAIL, VIDEO, Event, row_from_scene
from demo.recording.info import Info, write_info
from demo.recording.lock import Lock
from demo.recording.table import Table
from demo.recording.video import SESSION, VideoWriter
from demo.records import Scene

#: What `SessionWriter` raises when the disk does not take more.
WRITE_ERRORS = (OSError, av.error.FFmpegError)
THUMBNAIL_WIDTH, THUMBNAIL_TALLEST = 320, 1280  # JPEG itself has a limit
#: Kept free for the end of the files on a disk that is full.
RESERVE, _RESERVED_BYTES = ".reserve", 1 << 19


class SessionWriter:
    """Each Scene is on disk when `write` returns. Open it with ``with``."""

    def __init__(self, folder: Path, info: Info, video: Path | None = None) -> None:
        """Write into this folder, which is made. ``video`` is the session's video where it exists already.

        Raises BlockingIOError when somebody else writes there, and WRITE_ERRORS, as does `write`.
        """
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.info = folder, info
        self._lock = Lock(folder)
        self._events, self._video, self._thumbnail_hands = None, None, -1
        self._hands = [0, 0]
        self._first_ns = self._last_ns = 0
        try:
            (folder / RESERVE).write_bytes(os.urandom(_RESERVED_BYTES))
            write_info(folder, info)
            self._events = open(folder / EVENTS, "w", encoding="utf-8", buffering=1)  # noqa: SIM115
            self._table = Table(folder / SCENES)
            if video is None:
                self._video = VideoWriter(folder / VIDEO, info.fps, SESSION[info.codec])
            elif video.resolve() != (folder / VIDEO).resolve():
                shutil.copyfile(video, folder / VIDEO)
        except BaseException:
            if self._events is not None:
                self._events.close()
            self._lock.release()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        self.close("" if error is None else str(error) or type(error).__name__)

    @property
    def size(self) -> int:
        """Bytes on disk."""
        video = self.folder / VIDEO
        return self._table.size + (video.stat().st_size if video.exists() else 0)

    def write(self, scene: Scene, video_ms: int | None = None, wall_ns: int | None = None) -> None:
        """Add a Scene; ``video_ms`` is its place in a video that exists already, ``wall_ns`` when it was captured."""
        frame = scene.frame
        if self.info.rows == 0:
            self._begin(scene)
        if self._video is not None:
            video_ms = self._video.write(frame.image, frame.time_ns)
        if wall_ns is None:
            wall_ns = time_ns() - (monotonic_ns() - frame.time_ns)
        self._table.write(row_from_scene(scene, video_ms, wall_ns))
        self._last_ns = frame.time_ns
        for hand in scene.hands:
            self._hands[hand.side == "left"] += 1
        self.info = replace(self.info, rows=self.info.rows + 1)
        if len(scene.hands) > self._thumbnail_hands:
            self._thumbnail_hands = len(scene.hands)
            write_thumbnail(self.folder, scene)

    def mark(self, event: Event) -> None:
        """Add a marker."""
        if self._events is not None:
            self._events.write(event_line(event))

    def close(self, ended_by: str = "", dropped: int = 0) -> None:
        """End the files as well as the disk allows. What cannot be written then is left for `finalise`."""
        (self.folder / RESERVE).unlink(missing_ok=True)
        rows = max(self.info.rows, 1)
        self.info = replace(
            self.info,
            finished=True,
            ended_by=ended_by,
            dropped=dropped,
            seconds=round((self._last_ns - self._first_ns) / 1e9, 3),
            hands_share=(round(self._hands[0] / rows, 4), round(self._hands[1] / rows, 4)),
        )
        failures: list[Exception] = []
        ends = [self._table.close, self._video.close if self._video else None]
        ends += [self._events.close if self._events else None]
        for end in (*ends, lambda: write_info(self.folder, self.info), self._lock.release):
            try:
                if end is not None:
                    end()
            except WRITE_ERRORS as error:
                failures.append(error)
        if failures and not ended_by:
            raise failures[0]

    def _begin(self, scene: Scene) -> None:
        height, width = scene.frame.image.shape[:2]
        K = tuple(float(value) for value in scene.K.reshape(-1))
        self._first_ns = scene.frame.time_ns
        self.info = replace(self.info, width=width, height=height, K=K, K_origin=scene.K_origin)
        write_info(self.folder, self.info)


def event_line(event: Event) -> str:
    """One line of ``events.jsonl``."""
    return json.dumps({"time_ns": event.time_ns, "label": event.label}, ensure_ascii=False) + "\n"


def write_thumbnail(folder: Path, scene: Scene) -> None:
    """A small painted picture of this Scene."""
    image = paint(scene.frame.image, scene)
    height = round(image.shape[0] * THUMBNAIL_WIDTH / image.shape[1])
    height = min(max(1, height), THUMBNAIL_TALLEST)
    small = cv2.resize(image, (THUMBNAIL_WIDTH, height), interpolation=cv2.INTER_AREA)
    encoded = cv2.imencode(".jpg", small[..., ::-1])[1]
    (folder / THUMBNAIL).write_bytes(encoded.tobytes())


def new_folder(sessions: Path) -> Path:
    """A fresh folder named by the time; two in one second get different names. Raises OSError."""
    sessions.mkdir(parents=True, exist_ok=True)
    name, n = strftime("%Y-%m-%d %H-%M-%S"), 1
    while True:
        folder = sessions / (name if n == 1 else f"{name} ({n})")
        try:
            folder.mkdir()
            return folder
        except FileExistsError:
            n += 1


def why_not(folder: Path, error: Exception) -> str:
    """One sentence on what kept a session from being written, and what to do."""
    why = getattr(error, "strerror", None) or error
    return f"Cannot write to the folder {folder} ({why}); free some space or choose another folder (--out, --record)."
