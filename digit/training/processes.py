"""One process or many: what ``torchrun`` started, on one machine or several; and how one uses its CPU."""

import ctypes
import os
import signal
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
import torch.distributed as dist
from torch import Tensor

from digit.errors import UserError

#: Of glibc's malloc.h.
_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4


class Process(NamedTuple):
    """This process among all that train together."""

    rank: int
    size: int  # of them all
    device: torch.device

    @property
    def first(self) -> bool:
        """Whether it is the one that writes files and shows progress."""
        return self.rank == 0


@contextmanager
def joined(device: str) -> Generator[Process]:
    """Join the processes that torchrun started (NCCL on CUDA, else Gloo), or be alone.

    Raises:
        UserError: the device is not there.
    """
    local = int(os.environ.get("LOCAL_RANK", "0"))
    if device == "cuda" and torch.cuda.device_count() <= local:
        raise UserError(f"GPU {local} is not there (torch sees {torch.cuda.device_count()}); train with --device cpu.")
    place = torch.device("cuda", local) if device == "cuda" else torch.device(device)
    if "WORLD_SIZE" not in os.environ:
        yield Process(0, 1, place)
        return
    if place.type == "cuda":
        torch.cuda.set_device(place)
    dist.init_process_group("nccl" if place.type == "cuda" else "gloo")
    try:
        yield Process(dist.get_rank(), dist.get_world_size(), place)
    finally:
        dist.destroy_process_group()


def use_cpu(threads: int) -> None:
    """Compute in so many threads, and keep the memory that a step frees for the next one, where glibc is the allocator.

    By default glibc gives large arrays back to the system, which then clears each page again: a third of a step.
    """
    torch.set_num_threads(threads)
    try:
        mallopt: Any = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):
        return
    mallopt(_M_MMAP_MAX, 0)
    mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)


def from_first(process: Process, value: Any) -> Any:
    """The first process's value, in every process; so only the first needs the disk."""
    if process.size == 1:
        return value
    box = [value]
    dist.broadcast_object_list(box, src=0)
    return box[0]


def mean_over(process: Process, value: Tensor) -> Tensor:
    """Mean of a tensor over all processes."""
    if process.size == 1:
        return value
    value = value.clone()
    dist.all_reduce(value)
    return value / process.size


def agreed(process: Process, flag: bool) -> bool:
    """Whether any process says so."""
    return flag if process.size == 1 else bool(mean_over(process, torch.tensor(float(flag), device=process.device)) > 0)


@contextmanager
def stopping() -> Generator[Callable[[], bool]]:
    """Let the step in hand end after a first SIGINT or SIGTERM; a second SIGINT breaks off at once."""
    told: list[int] = []

    def tell(number: int, _: object) -> None:
        if told and number == signal.SIGINT:
            raise KeyboardInterrupt
        told.append(number)

    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    old = {number: signal.signal(number, tell) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: bool(told)
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)
