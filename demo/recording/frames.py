"""The pictures of a session as a source, so that a loop can run over them again."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from demo.recording.info import Info
from demo.recording.reader import read_session
from demo.records import Frame
from demo.sources import Pace, readable_name
from digit.errors import UserError


class SessionFrames:
    """Every recorded picture with its own index. Times are the recorded ones; a live source keeps their pace.

    Raises UserError when the folder holds no session or the session no picture.
    """

    def __init__(self, folder: Path, live: bool) -> None:
        self.session = session = read_session(folder)
        self.name, self.notice = readable_name(folder), ""
        if not session.video.exists():
            raise UserError(f"The session {self.name} holds no picture, so nothing can be run over it.")
        self.fps, self.length = session.info.fps, len(session)
        self._live, self._pace = live, Pace(live)
        columns = (session.column("index"), session.times_ns, session.video_ms, session.column("wall_ns"))
        self._recorded = {(int(i), int(t)): (int(ms), int(wall)) for i, t, ms, wall in zip(*columns, strict=True)}

    def __iter__(self) -> Iterator[Frame]:
        count = 0
        with closing(self.session.pictured()) as scenes:
            for _, scene in scenes:
                frame = scene.frame
                if self._live:
                    time_ns = self._pace.wait(frame.time_ns - int(self.session.times_ns[0]))
                    frame = Frame(frame.index, time_ns, frame.image)
                if self._pace.stopped:
                    return
                count += 1
                yield frame
        if count < self.length:
            self.notice = f"{self.length - count} of the {self.length} frames have no picture and were left out."

    def recorded(self, frame: Frame) -> tuple[int, int]:
        """The ``video_ms`` and the ``wall_ns`` of a frame with its recorded time."""
        return self._recorded[frame.index, frame.time_ns]

    def dated(self, info: Info) -> Info:
        """This info with the recording's start, on whose clock the frames are."""
        old = self.session.info
        return replace(info, started_wall_ns=old.started_wall_ns, started_monotonic_ns=old.started_monotonic_ns)

    def stop(self) -> None:
        """End the iteration soon."""
        self._pace.stop()

    def close(self) -> None:
        """The video is closed when the iteration ends."""
