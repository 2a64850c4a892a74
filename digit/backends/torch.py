"""PyTorch, eager and float32, on the CPU or on an NVIDIA GPU: the reference that other backends are compared to."""

from pathlib import Path

import numpy as np
import torch

from digit import checkpoint
from digit.predict import Predictor


class TorchSession:
    """See `digit.backends.Session`."""

    def __init__(self, weights: Path, device: str):
        self._device = torch.device(device)
        if device == "cuda":
            # TF32 convolutions keep 10 bits: not the same numbers as the CPU's.
            torch.backends.cudnn.allow_tf32 = False
        self._predictor: Predictor | None = Predictor(checkpoint.load(weights)).eval().to(self._device)

    def run(self, crop: np.ndarray, prior: np.ndarray) -> list[np.ndarray]:
        assert self._predictor is not None
        with torch.inference_mode():
            inputs = (torch.tensor(array, device=self._device) for array in (crop, prior))
            return [output.cpu().numpy() for output in self._predictor(*inputs)]

    def close(self) -> None:
        self._predictor = None
        if self._device.type == "cuda":
            torch.cuda.empty_cache()
