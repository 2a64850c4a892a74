"""Muon beside AdamW: convolution kernels step along the orthogonalised momentum of their gradient.

A convolution's gradient has few strong directions; AdamW hardly moves along the others. Muon (Jordan et al., 2024)
gives all directions of a kernel, read as a matrix of outputs by inputs times cells, the same length. Its step is scaled
to the size of one of AdamW's (Liu et al., "Muon is scalable for LLM training", 2025, sec. 2.2), so that one learning
rate serves both. All that is no such matrix (biases, batch norms, depthwise kernels, linear layers) steps by AdamW.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.optim import AdamW

MOMENTUM = 0.95
#: Root mean square of a step of AdamW, in learning rates (Liu et al.).
_RMS = 0.2
#: Of the quintic Newton-Schulz iteration (Jordan et al.): quick for small singular values, then within 0.7 to 1.2.
_QUINTIC, _TURNS = (3.4445, -4.7750, 2.0315), 5


class Muon(AdamW):
    """As AdamW, but for kernels of dense convolutions (out, in > 1, height, width)."""

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:  # type: ignore[override]
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None and is_dense_kernel(p):
                    self._step_kernel(p, p.grad, group["lr"], group["weight_decay"])
                    p.grad = None
        super().step()
        return loss

    def _step_kernel(self, kernel: Tensor, gradient: Tensor, rate: float, decay: float) -> None:
        state = self.state[kernel]
        if "momentum" not in state:
            state["step"] = torch.zeros(())  # AdamW wants one in every state that it loads
            state["momentum"] = torch.zeros_like(kernel)
        state["step"] += 1
        momentum: Tensor = state["momentum"].lerp_(gradient, 1 - MOMENTUM)
        ahead = gradient.lerp(momentum, MOMENTUM).flatten(1)
        way = orthogonalised(ahead).view(kernel.shape)
        kernel.mul_(1 - rate * decay).add_(way, alpha=-rate * _RMS * max(ahead.shape) ** 0.5)


def is_dense_kernel(p: Tensor) -> bool:
    """Whether a parameter is the kernel of a convolution over more than one channel."""
    return p.ndim == 4 and p.shape[1] > 1


def orthogonalised(matrix: Tensor) -> Tensor:
    """The nearest matrix (M, N) whose singular values are all about 1, of a matrix that is not zero."""
    a, b, c = _QUINTIC
    x = matrix.bfloat16()
    x = x.T if x.shape[0] > x.shape[1] else x
    x = x / (x.norm() + 1e-7)
    for _ in range(_TURNS):
        gram = x @ x.T
        x = torch.addmm(x, torch.addmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    x = x.T if matrix.shape[0] > matrix.shape[1] else x
    return x.to(matrix.dtype)
