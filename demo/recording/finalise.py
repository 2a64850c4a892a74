"""Ends a session whose recording was killed: closes its table, gives its video an index, completes its info."""

import os
import shutil
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import av
import av.error
import numpy as np

from demo.recording.format import END_OF_STREAM, EVENTS, LOCK, SCENES, THUMBNAIL, VIDEO
from demo.recording.info import write_info
from demo.recording.lock import Lock, is_locked
from demo.recording.reader import Session, read_events, read_session, sessions_in
from demo.recording.table import read_batches
from demo.recording.writer import RESERVE, event_line, write_thumbnail
from digit.errors import UserError

#: What `finalise` cut off a broken table.
CUT_OFF = SCENES + ".rest"
KILLED = "The recording was not ended; what had been written was kept."


def unfinished(sessions: Path) -> list[Path]:
    """The sessions in a folder that a killed recording left, oldest first."""
    if not sessions.is_dir():
        return []
    return [folder for folder in sessions_in(sessions) if (folder / LOCK).exists() and not is_locked(folder)]


def finalise(folder: Path) -> Session:
    """End this session's files; a second call changes nothing.

    Raises UserError when it holds no session, is being written, or the disk does not take it; it stays as readable as
    it was.
    """
    session = read_session(folder)
    try:
        lock = Lock(folder)
    except BlockingIOError as error:
        raise UserError(f"{folder} is being recorded; stop that recording first.") from error
    except OSError as error:
        raise UserError(f"Cannot write to {folder} ({error.strerror}); make that folder writable.") from error
    try:
        (folder / RESERVE).unlink(missing_ok=True)
        _end_table(folder / SCENES)
        _end_events(folder)
        _index_video(folder / VIDEO)
        session = read_session(folder)
        _complete_info(session)
        if not (folder / THUMBNAIL).exists():
            for scene in session.scenes():
                write_thumbnail(folder, scene)
                break
    except (OSError, av.error.FFmpegError) as error:
        os.close(os.open(folder / LOCK, os.O_CREAT))  # it stays unfinished
        raise UserError(f"{folder} could not be finalised ({error}); free some space and try again.") from error
    else:
        lock.release()
    return read_session(folder)


def _end_table(path: Path) -> None:
    """Cut off what cannot be read, and keep it beside the table: whole rows may lie behind a broken one."""
    _, good, ended = read_batches(path)
    if not ended and good:
        with open(path, "r+b") as file:
            file.seek(good)
            if path.stat().st_size > good:
                with open(path.with_name(CUT_OFF), "wb") as rest:
                    shutil.copyfileobj(file, rest)
            file.truncate(good)
            file.seek(good)
            file.write(END_OF_STREAM)


def _end_events(folder: Path) -> None:
    if (folder / EVENTS).exists():
        whole = "".join(map(event_line, read_events(folder)))
        (folder / (EVENTS + ".new")).write_text(whole, encoding="utf-8")
        os.replace(folder / (EVENTS + ".new"), folder / EVENTS)


def _index_video(path: Path) -> None:
    """Write the same packets anew, with the index that makes seeking quick. A video without one stays as it is."""
    new = path.with_name(path.name + ".new")
    if not path.exists() or path.stat().st_size == 0:
        return
    try:
        with av.open(str(path.absolute())) as old, av.open(str(new.absolute()), "w", format="matroska") as indexed:
            source = old.streams.video[0]
            target = indexed.add_stream_from_template(source)
            with suppress(av.error.InvalidDataError):  # the last picture of a killed recording
                for packet in old.demux(source):
                    if packet.dts is not None:
                        packet.stream = target
                        indexed.mux(packet)
    except (av.error.InvalidDataError, IndexError):  # not one picture got into it
        new.unlink(missing_ok=True)
        return
    except BaseException:
        new.unlink(missing_ok=True)
        raise
    os.replace(new, path)


def _complete_info(session: Session) -> None:
    info = replace(session.info, finished=True, rows=len(session), ended_by=session.info.ended_by or KILLED)
    if len(session):
        first, times = session.scene(0), session.times_ns
        present = np.isfinite(session.hands("confidence")[:, :, 0, 0]).mean(axis=0)
        height, width = first.frame.image.shape[:2]
        info = replace(
            info,
            width=width,
            height=height,
            K=tuple(float(value) for value in first.K.reshape(-1)),
            K_origin=first.K_origin,
            started_wall_ns=info.started_wall_ns or int(session.row(0)["wall_ns"]),
            seconds=round((times[-1] - times[0]) / 1e9, 3),
            hands_share=(round(float(present[0]), 4), round(float(present[1]), 4)),
        )
    write_info(session.folder, info)
