"""Train digit-lite: one loop, resumable at any step, on a CPU or a GPU.

The learning rate warms up, stays, and falls to zero over the last ``decay`` steps, so that a run whose length is not
known beforehand can be ended well: resume it with a smaller ``--steps``. Weights are averaged (EMA) for evaluation.
"""

import json
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.optim import AdamW
from torch.optim.swa_utils import AveragedModel
from torch.utils.data import DataLoader, Sampler

from digit.errors import UserError
from digit.lite import DigitLite
from digit.training.dataset import CropDataset, read_index
from digit.training.losses import Losses, losses, total
from digit.training.validate import validate


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """One run."""

    data: tuple[Path, ...]
    validation: Path | None
    out: Path
    steps: int = 10_000
    decay: int = 1_500
    warmup: int = 200
    batch: int = 32
    rate: float = 2e-3
    trunk_rate: float = 0.0  # of the pretrained trunk; 0 keeps it frozen
    weight_decay: float = 1e-2
    seed: int = 0
    threads: int = 2
    workers: int = 1
    checkpoint_every_s: float = 180.0
    validate_every_s: float = 900.0
    device: str = "cpu"


class EndlessSampler(Sampler[int]):
    """Shuffled indices for ever; starts at any sample of the stream, so that a resumed run sees what follows."""

    def __init__(self, size: int, seed: int, start: int):
        self.size, self.seed, self.start = size, seed, start

    def __iter__(self) -> Iterator[int]:
        epoch, offset = divmod(self.start, self.size)
        while True:
            order = torch.randperm(self.size, generator=torch.Generator().manual_seed(self.seed + epoch)).tolist()
            # The epoch travels in the index, so each pass draws new augmentation without shared state.
            yield from (epoch * self.size + i for i in order[offset:])
            epoch, offset = epoch + 1, 0


def rate_at(step: int, config: TrainConfig) -> float:
    """Factor of the learning rate at a step, in [0, 1]."""
    rise = min(1.0, (step + 1) / config.warmup)
    fall = min(1.0, max(0.0, (config.steps - step) / max(1, config.decay)))
    return rise * (0.5 - 0.5 * math.cos(math.pi * fall))


def train(config: TrainConfig, trunk_from: Path | None = None) -> Path:
    """Run or resume; returns the path of the averaged weights, ``out/ema.pt``.

    Raises:
        UserError: no data, or a checkpoint that does not fit.
    """
    torch.set_num_threads(config.threads)
    torch.manual_seed(config.seed)
    config.out.mkdir(parents=True, exist_ok=True)
    net = DigitLite()
    if trunk_from is not None:
        from digit.training.pretrained import load_hand_trunk

        load_hand_trunk(net.trunk, trunk_from)
    net = net.to(config.device, memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    for p in net.trunk.parameters():
        p.requires_grad_(config.trunk_rate > 0)
    ema = AveragedModel(net, multi_avg_fn=average, use_buffers=True)
    optimizer = AdamW(groups(net, config), weight_decay=config.weight_decay, betas=(0.9, 0.98))
    state = config.out / "state.pt"
    step = restore(state, net, ema, optimizer) if state.exists() else 0

    dataset = CropDataset(read_index(list(config.data)), augment=True, seed=config.seed)
    loader = DataLoader(
        dataset,
        batch_size=config.batch,
        sampler=EndlessSampler(len(dataset), config.seed, step * config.batch),
        num_workers=config.workers,
        persistent_workers=config.workers > 0,
        pin_memory=config.device != "cpu",
    )
    saved = logged = validated = time.monotonic()
    seen = step
    sums: list[float] = [0.0] * len(Losses._fields)
    batches = iter(loader)
    while step < config.steps:
        for group in optimizer.param_groups:
            group["lr"] = group["base"] * rate_at(step, config)
        batch = {k: v.to(config.device, non_blocking=True) for k, v in next(batches).items()}
        terms = train_step(net, optimizer, batch, config.device)
        ema.update_parameters(net)
        step += 1
        sums = [s + float(t) for s, t in zip(sums, terms, strict=True)]
        if step % 100 == 0 or step == config.steps:
            n, now = step - seen, time.monotonic()
            log(config, step, now - logged, n * config.batch, [s / n for s in sums], None)
            logged, seen, sums = now, step, [0.0] * len(sums)
        if time.monotonic() - saved > config.checkpoint_every_s or step == config.steps:
            save_state(state, net, ema, optimizer, step)
            saved = time.monotonic()
        if config.validation is not None and (
            time.monotonic() - validated > config.validate_every_s or step == config.steps
        ):
            log(config, step, 0.0, 0, [], validate(ema.module, config.validation, device=config.device))
            validated = time.monotonic()
    return config.out / "ema.pt"


@torch.no_grad()
def average(averaged: Sequence[Tensor], current: Sequence[Tensor], count: Tensor | int) -> None:
    """Exponential moving average with a decay of 0.998, less at the start so that random weights are soon forgotten."""
    share = max(0.002, 9 / (10 + int(count)))
    for mean, new in zip(averaged, current, strict=True):
        if mean.is_floating_point():
            mean.lerp_(new, share)
        else:
            mean.copy_(new)


def groups(net: DigitLite, config: TrainConfig) -> list[dict[str, object]]:
    trunk = list(net.trunk.parameters())
    known = {id(p) for p in trunk}
    rest = [p for p in net.parameters() if id(p) not in known]
    found: list[dict[str, object]] = [{"params": rest, "base": config.rate}]
    if config.trunk_rate > 0:
        found.append({"params": trunk, "base": config.trunk_rate})
    return found


def train_step(net: nn.Module, optimizer: AdamW, batch: dict[str, Tensor], device: str) -> Losses:
    net.train()
    image = batch["image"].permute(0, 3, 1, 2).float().div_(255).contiguous(memory_format=torch.channels_last)
    with torch.autocast(device.split(":")[0], dtype=torch.bfloat16):
        output = net(image, batch["prior"])
    terms = losses(output, batch)
    optimizer.zero_grad(set_to_none=True)
    total(terms).backward()
    nn.utils.clip_grad_norm_([p for p in net.parameters() if p.requires_grad], 5.0)
    optimizer.step()
    return Losses(*(t.detach() for t in terms))


def save_state(path: Path, net: nn.Module, ema: AveragedModel, optimizer: AdamW, step: int) -> None:
    """Write everything that a resumed run needs, whole or not at all; the averaged weights stand beside it."""
    for target, what in (
        (path, {"net": net.state_dict(), "ema": ema.state_dict(), "optimizer": optimizer.state_dict(), "step": step}),
        (path.with_name("ema.pt"), ema.module.state_dict()),
    ):
        part = target.with_suffix(".part")
        torch.save(what, part)
        part.replace(target)


def restore(path: Path, net: nn.Module, ema: AveragedModel, optimizer: AdamW) -> int:
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        net.load_state_dict(state["net"])
        ema.load_state_dict(state["ema"])
        if len(state["optimizer"]["param_groups"]) == len(optimizer.param_groups):
            bases = [group["base"] for group in optimizer.param_groups]
            optimizer.load_state_dict(state["optimizer"])
            for group, base in zip(optimizer.param_groups, bases, strict=True):
                group["base"] = base
        return int(state["step"])
    except (RuntimeError, KeyError, ValueError) as error:
        raise UserError(f"Cannot resume from {path} ({error}); give another --out.") from error


def log(config: TrainConfig, step: int, seconds: float, samples: int, means: list[float], scores: object) -> None:
    """Append a line of JSON to ``out/log.jsonl`` and print it."""
    row: dict[str, object] = {"step": step}
    if means:
        row |= {"samples_per_s": round(samples / max(seconds, 1e-9), 1)}
        row |= {name: round(v, 4) for name, v in zip(Losses._fields, means, strict=True)}
    if scores is not None:
        row["validation"] = scores
    line = json.dumps(row)
    print(line, flush=True)
    with (config.out / "log.jsonl").open("a") as file:
        file.write(line + "\n")


def describe(config: TrainConfig) -> dict[str, object]:
    """The run as plain values, for a checkpoint's metadata."""
    return {k: str(v) if isinstance(v, Path | tuple) else v for k, v in asdict(config).items()}
