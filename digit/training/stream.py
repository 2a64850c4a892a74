"""The order of training samples: a shuffled stream without end, shared out in micro-batches."""

from collections.abc import Iterator
from itertools import count as count_from

import torch
from torch.utils.data import Sampler


class SampleStream(Sampler[list[int]]):
    """Indices of one process's micro-batches, from any step of the run on.

    The stream is one for all processes and cut into micro-batches of ``micro`` samples; of each step's ``batch``
    samples, process ``rank`` of ``count`` takes every ``count``-th micro-batch. So a run may be resumed with more or
    fewer processes and sees the same batches. The epoch travels in the index (epoch * size + i), so that each pass
    draws new augmentation without shared state. Samples that are drawn one by one need no shuffling.
    """

    def __init__(
        self,
        size: int,
        seed: int,
        step: int,
        batch: int,
        micro: int,
        rank: int = 0,
        count: int = 1,
        shuffled: bool = True,
    ) -> None:
        self.size, self.seed, self.start = size, seed, step * batch
        self.micro, self.rank, self.count, self.shuffled = micro, rank, count, shuffled

    def __iter__(self) -> Iterator[list[int]]:
        stream = self._indices()
        while True:
            for rank in range(self.count):
                found = [next(stream) for _ in range(self.micro)]
                if rank == self.rank:
                    yield found

    def _indices(self) -> Iterator[int]:
        if not self.shuffled:
            yield from count_from(self.start)
        epoch, offset = divmod(self.start, self.size)
        while True:
            order = torch.randperm(self.size, generator=torch.Generator().manual_seed(self.seed + epoch)).tolist()
            yield from (epoch * self.size + i for i in order[offset:])
            epoch, offset = epoch + 1, 0
