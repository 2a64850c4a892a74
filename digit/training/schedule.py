"""The learning rate over a run, as a factor of its first value."""

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Drops:
    """Constant, and a tenth of it after each drop (DIGIT, 4.1). A run of another length drops at the same shares."""

    epochs: float
    at: tuple[float, ...]  # epochs

    def factor(self, step: int, steps: int) -> float:
        """At a step of 0..steps-1."""
        return 0.1 ** sum(step >= round(drop / self.epochs * steps) for drop in self.at)


@dataclass(frozen=True, slots=True)
class WarmupStableDecay:
    """Rises, stays, and falls to zero over the last steps.

    A run whose length is not known beforehand ends well so: resume it with fewer steps.
    """

    warmup: int  # steps
    decay: int  # steps

    def factor(self, step: int, steps: int) -> float:
        """At a step of 0..steps-1."""
        rise = min(1.0, (step + 1) / max(1, self.warmup))
        fall = min(1.0, max(0.0, (steps - step) / max(1, self.decay)))
        return rise * (0.5 - 0.5 * math.cos(math.pi * fall))
