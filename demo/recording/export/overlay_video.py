"""The session as a video that plays everywhere, hands and parts painted over it."""

from pathlib import Path

import av.error

from demo.overlay import paint
from demo.recording.export import Progress
from demo.recording.reader import Session
from demo.recording.video import VideoWriter


def write_mp4(session: Session, target: Path, progress: Progress) -> None:
    """At the session's own times; frames without a picture are left out. Raises UserError when none has one."""
    try:
        with VideoWriter(target, session.info.fps) as video:
            for i, scene in session.pictured():
                video.write(paint(scene.frame.image, scene), scene.frame.time_ns)
                progress((i + 1) / len(session))
    except av.error.FFmpegError as error:
        raise OSError(error.errno, str(error)) from error
