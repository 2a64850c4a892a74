"""The pictures of a session as a source, so that a loop can run over them again."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from demo.recording.reader import read_session
from demo.records import Frame
from demo.sources import Pace
from digit.errors import UserError


class SessionFrames:
    """Every recorded picture with its own index. Times are the recorded ones; a live source keeps their pace.

    Raises UserError when the folder holds no session or the session no picture.
    """

    def __init__(self, folder: Path, live: bool) -> None:
        self.session = read_session(folder)
        self.name, self.notice = folder.name, ""
        self.fps, self.length = self.session.info.fps, len(self.session)
        self._live, self._pace = live, Pace(live)

    def __iter__(self) -> Iterator[Frame]:
        count = 0
        with closing(self.session.scenes()) as scenes:
            for i, scene in enumerate(scenes):
                frame = scene.frame
                if self._live:
                    time_ns = self._pace.wait(frame.time_ns - int(self.session.times_ns[0]))
                    frame = Frame(frame.index, time_ns, frame.image)
                if self._pace.stopped:
                    return
                if self.session.video_ms[i] >= 0:
                    count += 1
                    yield frame
        if count == 0:
            raise UserError(f"The session {self.name} holds no picture, so nothing can be run over it.")

    def stop(self) -> None:
        """End the iteration soon."""
        self._pace.stop()

    def close(self) -> None:
        """The video is closed when the iteration ends."""
