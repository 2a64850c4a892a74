"""PyTorch, eager and float32, on the CPU: the reference that other backends are compared to."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from digit.backends.export import loaded
from digit.lite import DigitLite
from digit.predict import Predictor


class TorchSession:
    """See `digit.backends.Session`."""

    at_once = 1

    def __init__(self, weights: Path, input_size: int | None = None):
        """``input_size`` is for digit-lite: pixels at which it sees a crop, if not its own."""
        self._predictor: Predictor | None = loaded(weights)
        if input_size is not None:
            assert isinstance(self._predictor.network, DigitLite)
            self._predictor.network.input_size = input_size

    def start(self, crop: np.ndarray, prior: np.ndarray) -> Callable[[], list[np.ndarray]]:
        assert self._predictor is not None
        with torch.inference_mode():
            outputs = self._predictor(torch.tensor(crop), torch.tensor(prior))
        return lambda: [output.numpy() for output in outputs]

    def close(self) -> None:
        self._predictor = None
