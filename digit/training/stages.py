"""Which of a network's modules learn in a stage of its training, and at which size it sees a step's crops."""

from collections.abc import Sequence

import numpy as np
from torch import nn

from digit.lite import DigitLite
from digit.variants import Stage


def enter(network: nn.Module, stage: Stage) -> None:
    """Put the network into training mode for this stage.

    Modules that do not learn get no gradients, and their batch norms keep the statistics that they have.
    """
    network.train()
    for name, module in network.named_children():
        learns = not stage.learns or name in stage.learns
        module.train(learns)
        module.requires_grad_(learns)


def resize(network: nn.Module, sizes: Sequence[int], seed: int, step: int) -> None:
    """Draw the ``input_size`` of a network that takes several; the same for a step in every process and every run."""
    if isinstance(network, DigitLite) and sizes:
        network.input_size = int(np.random.default_rng([seed, step]).choice(np.asarray(sizes)))
