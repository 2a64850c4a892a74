"""One optimiser step over micro-batches: mixed precision, gradient accumulation, several processes."""

from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.amp.grad_scaler import GradScaler
from torch.nn.parallel import DistributedDataParallel
from torch.optim import Optimizer

from digit.training.losses import Batch, Objective

Precision = Literal["bf16", "fp16", "fp32"]
_TYPES = {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": torch.float32}


def forward(net: nn.Module, batch: Batch, precision: Precision, prior: bool, size: int) -> Any:
    """The network's output for a batch of `digit.training.dataset`, in crops of ``size`` pixels to a side."""
    image = batch["image"].permute(0, 3, 1, 2).float().div(255)
    if size != image.shape[-1]:
        image = F.interpolate(image, size=(size, size), mode="area")
    image = image.contiguous(memory_format=torch.channels_last)
    with torch.autocast(image.device.type, dtype=_TYPES[precision], enabled=precision != "fp32"):
        return net(image, batch["prior"]) if prior else net(image)


def optimise(
    net: nn.Module,
    optimizer: Optimizer,
    scaler: GradScaler,
    objective: Objective,
    batches: Sequence[Batch],
    *,
    precision: Precision,
    prior: bool,
    size: int,
    clip: float | None,
) -> dict[str, Tensor]:
    """Step on the mean loss of the micro-batches; their mean ``loss`` and its unweighted terms, detached.

    Each micro-batch is normalised by itself (batch norm, counts of valid joints), whichever process it falls to. So
    the step is the same for any number of processes, but not for another micro-batch size, nor for digit-lite, whose
    processes each draw their own cells for the part loss.
    """
    optimizer.zero_grad(set_to_none=True)
    means: dict[str, Tensor] = {}
    for i, batch in enumerate(batches):
        with net.no_sync() if isinstance(net, DistributedDataParallel) and i + 1 < len(batches) else nullcontext():
            loss = objective(forward(net, batch, precision, prior, size), batch)
            scaler.scale(loss.total / len(batches)).backward()
        for name, term in (("loss", loss.total), *loss.terms.items()):
            share = term.detach() / len(batches)
            means[name] = means[name] + share if name in means else share
    if clip is not None:
        scaler.unscale_(optimizer)
        nn.utils.clip_grad_norm_([p for p in net.parameters() if p.grad is not None], clip)
    scaler.step(optimizer)
    scaler.update()
    return means


@torch.no_grad()
def average(averaged: Sequence[Tensor], current: Sequence[Tensor], count: Tensor | int) -> None:
    """Exponential moving average with a decay of 0.998, less at the start so that random weights are soon forgotten."""
    share = max(0.002, 9 / (10 + int(count)))
    for mean, new in zip(averaged, current, strict=True):
        if mean.is_floating_point():
            mean.lerp_(new, share)
        else:
            mean.copy_(new)
