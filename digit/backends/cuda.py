"""An NVIDIA GPU through PyTorch: float16, channels last, one CUDA graph, pinned memory, a stream of its own.

Two copies a crop cross the bus: the crop and its prior in, the six small answers out.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from digit.backends.export import loaded
from digit.backends.half import halved
from digit.predict import Predictor
from digit.prediction import CROP_SIZE
from digit.skeleton import ROOTS

WARM_UP = 3


class CudaSession:
    """See `digit.backends.Session`."""

    at_once = 1

    def __init__(self, predictor: Predictor):
        """``predictor`` is on the GPU; its network may be a compiled one. Raises RuntimeError when it cannot run."""
        self._predictor: Predictor | None = predictor
        self._stream = torch.cuda.Stream()
        shapes = ((1, CROP_SIZE, CROP_SIZE, 3), torch.uint8), ((1, len(ROOTS), 4), torch.float32)
        self._given = [torch.zeros(shape, dtype=kind, pin_memory=True) for shape, kind in shapes]
        self._inputs = [torch.zeros_like(given, device="cuda") for given in self._given]
        self._graph: torch.cuda.CUDAGraph | None = None
        with torch.inference_mode(), torch.cuda.stream(self._stream):
            for _ in range(WARM_UP):
                self._outputs = predictor(*self._inputs)
            self._stream.synchronize()
            self._capture(predictor)
            self._answers = [torch.empty(output.shape, dtype=output.dtype, pin_memory=True) for output in self._outputs]
        self._done = torch.cuda.Event()

    def _capture(self, predictor: Predictor) -> None:
        """One launch instead of hundreds. What cannot be captured runs launch by launch."""
        graph = torch.cuda.CUDAGraph()
        try:
            with torch.cuda.graph(graph, stream=self._stream):
                outputs = predictor(*self._inputs)
        except RuntimeError:
            self._stream.synchronize()
            return
        self._graph, self._outputs = graph, outputs

    def start(self, crop: np.ndarray, prior: np.ndarray) -> Callable[[], list[np.ndarray]]:
        for given, array in zip(self._given, (crop, prior), strict=True):
            given.numpy()[...] = array
        with torch.inference_mode(), torch.cuda.stream(self._stream):
            _copy(self._given, self._inputs)
            if self._graph is not None:
                self._graph.replay()
            else:
                assert self._predictor is not None
                self._outputs = self._predictor(*self._inputs)
            _copy(self._outputs, self._answers)
            self._done.record(self._stream)

        def wait() -> list[np.ndarray]:
            self._done.synchronize()
            return [answer.numpy() for answer in self._answers]

        return wait

    def close(self) -> None:
        self._stream.synchronize()
        self._graph = self._predictor = None
        self._outputs, self._inputs = (), []
        torch.cuda.empty_cache()


def open_session(weights: Path) -> CudaSession:
    """The plain CUDA backend. Raises UserError for unusable weights, RuntimeError when the GPU cannot run them."""
    torch.backends.cudnn.benchmark = True  # one fixed shape: the first crops find the fastest kernels
    predictor: Any = halved(loaded(weights))
    return CudaSession(predictor.to(device="cuda", memory_format=torch.channels_last))


def _copy(sources: "list[Tensor] | tuple[Tensor, ...]", targets: list[Tensor]) -> None:
    for source, target in zip(sources, targets, strict=True):
        target.copy_(source, non_blocking=True)
