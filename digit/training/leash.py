"""Pull a learning trunk back to the weights that learned on real hands.

Weight decay towards those instead of towards zero (Li et al., "Explicit inductive bias for transfer learning with
convolutional networks", ICML 2018: L2-SP), decoupled from the gradient as AdamW's is: what renders teach has to be
worth the way.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True, eq=False)
class Leash:
    """Learning parameters and where each is pulled to."""

    learning: Sequence[Tensor]
    anchors: Sequence[Tensor]
    share: float  # of the way back, in a step at the full learning rate

    @torch.no_grad()
    def __call__(self, factor: float) -> None:
        """After a step at this share of the full rate."""
        for parameter, anchor in zip(self.learning, self.anchors, strict=True):
            parameter.lerp_(anchor, min(1.0, factor * self.share))
