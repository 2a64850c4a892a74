"""A lock on a session's folder: whoever writes it holds it, and the system frees it when that process ends."""

import os
import sys
from pathlib import Path

from demo.recording.format import LOCK


class Lock:
    """Raises BlockingIOError when somebody holds it, OSError when the folder cannot be written."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / LOCK
        self._file = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            _lock(self._file)
        except OSError as error:
            os.close(self._file)
            raise BlockingIOError(f"{folder} is being written") from error

    def release(self) -> None:
        """Free it and take its file away."""
        if sys.platform != "win32":  # there an open file cannot be removed
            self._path.unlink(missing_ok=True)
        os.close(self._file)
        self._path.unlink(missing_ok=True)


def is_locked(folder: Path) -> bool:
    """True while somebody writes this session."""
    if not (folder / LOCK).exists():
        return False
    try:
        file = os.open(folder / LOCK, os.O_RDWR)
    except OSError:
        return False
    try:
        _lock(file)
    except OSError:
        return True
    finally:
        os.close(file)
    return False


def _lock(file: int) -> None:
    if sys.platform == "win32":
        import msvcrt

        msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
