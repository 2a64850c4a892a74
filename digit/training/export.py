"""Averaged weights of a run to the file that ships: ``assets/digit-lite.safetensors``."""

from pathlib import Path

import torch

from digit.checkpoint import save
from digit.errors import UserError
from digit.lite import DigitLite
from digit.training.train import TrainConfig, describe


def export(weights: Path, out: Path, config: TrainConfig) -> None:
    """Write ``weights`` (``ema.pt`` of `digit.training.train`) in half precision with the run as its recipe.

    Raises:
        UserError: the weights do not fit digit-lite, or the file cannot be written.
    """
    network = DigitLite()
    try:
        network.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True))
    except (OSError, RuntimeError) as error:
        raise UserError(f"{weights} does not hold digit-lite's weights; train again with this version.") from error
    save(out, network, describe(config), half=True)
