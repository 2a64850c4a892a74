"""The sessions of a folder: what each is, and what can be done with it as a whole."""

import os
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

from platformdirs import user_videos_dir

from demo.recording.finalise import unfinished
from demo.recording.format import SCENES, THUMBNAIL, VIDEO
from demo.recording.info import Info, read_info, write_info
from demo.recording.lock import is_locked
from demo.recording.reader import sessions_in
from digit.errors import UserError

_NOT_IN_NAMES = '<>:"/\\|?*'


@dataclass(frozen=True, slots=True)
class Entry:
    """One session of the list."""

    folder: Path
    info: Info
    bytes: int
    thumbnail: Path | None
    unfinished: bool  # a killed recording left it
    recording: bool  # it is being written now


def sessions_folder(chosen: Path | None = None) -> Path:
    """Where recordings go: the chosen folder, or "Digit Live" among the user's videos."""
    return chosen or Path(user_videos_dir()) / "Digit Live"


def entries(sessions: Path) -> list[Entry]:
    """The sessions of a folder, newest first. A folder that is not there has none."""
    try:
        folders = sessions_in(sessions)
    except OSError:
        return []
    left = set(unfinished(sessions))
    return sorted((_entry(folder, folder in left) for folder in folders), key=_started, reverse=True)


def rename(folder: Path, name: str) -> Path:
    """Give a session another name; answers its folder. Raises UserError when that cannot be."""
    name = name.strip().rstrip(".")
    if not name or name.startswith(".") or any(c in _NOT_IN_NAMES or ord(c) < 32 for c in name):
        raise UserError(f"{name!r} cannot be a folder's name; leave out {_NOT_IN_NAMES} and a dot at the start.")
    target = folder.with_name(name)
    if target == folder:
        return folder
    if is_locked(folder):
        raise UserError(f"{folder.name} is being recorded; stop that first.")
    if target.exists():
        raise UserError(f"There is already a session called {name}; choose another name.")
    try:
        folder.rename(target)
    except OSError as error:
        raise UserError(f"{folder.name} could not be renamed ({error.strerror}); close what uses it.") from error
    return target


def write_notes(folder: Path, notes: str) -> None:
    """Keep what a person says about a session. Raises UserError when it cannot be written."""
    try:
        write_info(folder, replace(read_info(folder), notes=notes))
    except OSError as error:
        raise UserError(f"The notes of {folder.name} could not be saved ({error.strerror}).") from error


def to_trash(folder: Path) -> None:
    """Move a session to the system's trash, never delete it. Raises UserError when there is no trash for it."""
    from send2trash import send2trash

    if is_locked(folder):
        raise UserError(f"{folder.name} is being recorded; stop that first.")
    try:
        send2trash(folder)
    except OSError as error:
        raise UserError(f"{folder.name} could not go to the trash ({error}); delete its folder yourself.") from error


def free_bytes(sessions: Path) -> int:
    """Room on the disk of a folder that may not be there yet; 0 when unknown."""
    for folder in (sessions, *sessions.parents):
        try:
            return shutil.disk_usage(folder).free
        except OSError:
            continue
    return 0


def _entry(folder: Path, left: bool) -> Entry:
    thumbnail = folder / THUMBNAIL
    return Entry(
        folder,
        read_info(folder),
        sum(_size(folder / name) for name in (SCENES, VIDEO)),
        thumbnail if thumbnail.exists() else None,
        left,
        is_locked(folder),
    )


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _started(entry: Entry) -> tuple[int, str]:
    started = entry.info.started_wall_ns or int(os.path.getmtime(entry.folder) * 1e9)
    return started, entry.folder.name
