"""Which of a network's modules learn in a stage of its training."""

from torch import nn

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
