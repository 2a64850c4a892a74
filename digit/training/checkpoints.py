"""A run's state on disk, whole or not at all."""

import os
import pickle
from pathlib import Path
from typing import Any

import torch

from digit.errors import UserError


def write(path: Path, content: object) -> None:
    """Save tensors so that ``path`` holds either the old content or all of the new, also after a power cut.

    Raises:
        UserError: the disk is full or cannot be written; the old file is kept.
    """
    part = path.with_name(path.name + ".part")
    try:
        with part.open("wb") as file:
            torch.save(content, file)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except (OSError, RuntimeError) as error:
        part.unlink(missing_ok=True)
        reason = error.strerror if isinstance(error, OSError) else str(error).splitlines()[0]
        kept = " The last checkpoint is kept." if path.exists() else ""
        raise UserError(
            f"Cannot write {path} ({reason}); free some space, then run the same command again.{kept}"
        ) from error


def read(path: Path) -> dict[str, Any]:
    """The content of a file of `write`, on the CPU. Nothing but tensors and plain values is ever unpickled.

    Raises:
        UserError: it cannot be read.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError, ValueError, KeyError) as error:
        raise UserError(f"Cannot resume from {path}, which is damaged or no checkpoint; give another --out.") from error
    if not isinstance(content, dict):
        raise UserError(f"Cannot resume from {path}, which is no checkpoint; give another --out.")
    return content
