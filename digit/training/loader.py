"""Micro-batches for this process, from folders or rendered on the fly."""

import os
import signal
from collections.abc import Iterator
from multiprocessing.util import Finalize
from typing import Any

import torch
from torch.utils.data import DataLoader, Dataset

from digit.errors import UserError
from digit.training.losses import UNKNOWN_PART, Batch
from digit.training.processes import Process
from digit.training.stream import SampleStream


def micro_batches(
    dataset: Dataset[Batch], stream: SampleStream, process: Process, workers: int, spawn: bool
) -> Iterator[Batch]:
    """Batches on this process's device, without end. ``spawn`` starts clean worker processes: they may draw.

    Raises:
        UserError: a sample cannot be made.
    """
    options: dict[str, Any] = {"multiprocessing_context": "spawn"} if spawn and workers else {}
    loader = DataLoader(
        dataset,
        batch_sampler=stream,
        num_workers=workers,
        persistent_workers=workers > 0,
        pin_memory=process.device.type == "cuda",
        worker_init_fn=begin_worker,
        **options,
    )
    told = ""
    try:
        for batch in loader:
            yield ready(batch, process.device)
    except UserError as error:  # a worker's comes with its traceback
        told = str(error).rpartition("UserError: ")[2].strip()
        error.__traceback__ = None  # it holds on to the workers, for which the process would wait at its end
    if told:
        raise UserError(told)


def ready(batch: Batch, device: torch.device) -> Batch:
    """On the device, with what nobody annotated marked as `digit.training.losses` wants it."""
    batch = {name: tensor.to(device, non_blocking=True) for name, tensor in batch.items()}
    unknown = ~batch["parts_valid"][:, None, None]
    return batch | {
        "parts": batch["parts"].masked_fill(unknown, UNKNOWN_PART),
        "hands": batch["hands"].masked_fill(~batch["hands_valid"][:, None], -1.0),
    }


def begin_worker(_: int) -> None:
    """A key press, or a scheduler, may signal all processes; the workers end with the one that they serve.

    They end without C++'s destructors, in which one in many aborted: a driver that drew may still have threads then.
    """
    Finalize(None, os._exit, args=(0,), exitpriority=-100)  # after all that multiprocessing itself still has to do
    for told in (signal.SIGINT, signal.SIGTERM):
        signal.signal(told, signal.SIG_IGN)
    torch.set_num_threads(1)
