"""PyTorch, eager and float32, on the CPU: the reference that other backends are compared to."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from digit.backends.export import loaded
from digit.predict import Predictor


class TorchSession:
    """See `digit.backends.Session`."""

    def __init__(self, weights: Path):
        self._predictor: Predictor | None = loaded(weights)

    def start(self, crop: np.ndarray, prior: np.ndarray) -> Callable[[], list[np.ndarray]]:
        assert self._predictor is not None
        with torch.inference_mode():
            outputs = self._predictor(torch.tensor(crop), torch.tensor(prior))
        return lambda: [output.numpy() for output in outputs]

    def close(self) -> None:
        self._predictor = None
