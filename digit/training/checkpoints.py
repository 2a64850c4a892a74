"""A run's state on disk, whole or not at all."""

import os
import pickle
from pathlib import Path
from typing import Any

import torch
from torch.optim import Optimizer

from digit.errors import UserError
from digit.training.muon import Muon, is_dense_kernel


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


def load_moments(optimizer: Optimizer, kept: dict[int, Any]) -> None:
    """Go on with the moments in a checkpoint, by the weight's number, as far as those weights still learn.

    Raises:
        ValueError: they are another optimiser's, or other weights learnt.
    """
    weights = [p for group in optimizer.param_groups for p in group["params"]]
    found = {i: moment for i, moment in kept.items() if i < len(weights)}
    for i, moment in found.items():
        kernel = isinstance(optimizer, Muon) and is_dense_kernel(weights[i])
        for name in ("momentum",) if kernel else ("exp_avg", "exp_avg_sq"):
            if name not in moment or moment[name].shape != weights[i].shape:
                raise ValueError("it learned with another optimizer or trunk")
    optimizer.load_state_dict(optimizer.state_dict() | {"state": found})
