"""Train any variant: one loop, resumable at any step to the same weights, on CPU or GPU, by one process or many.

Everything random is a function of the seed and the sample or step number, so a resumed run needs no state of a random
generator: which samples a batch has and how they are augmented (`stream`, `dataset`), and dropout (seeded each step).
On a CPU a run that was killed and resumed ends with the very bytes of one that was not.
"""

import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.amp.grad_scaler import GradScaler
from torch.nn.parallel import DistributedDataParallel
from torch.optim import Adam, AdamW
from torch.optim.swa_utils import AveragedModel

from digit import checkpoint
from digit.crops import PART_SIZE
from digit.errors import UserError, first_line
from digit.interhand import Index
from digit.predict import takes_prior
from digit.prediction import CROP_SIZE
from digit.training import checkpoints, seen, stages
from digit.training.dataset import CropDataset, read_index
from digit.training.leash import Leash
from digit.training.loader import micro_batches
from digit.training.losses import objective
from digit.training.muon import Muon
from digit.training.optimise import Precision, average, optimise
from digit.training.processes import Process, agreed, from_first, joined, stopping, use_cpu
from digit.training.progress import Progress
from digit.training.recipe import Recipe
from digit.training.schedule import Drops
from digit.training.stream import SampleStream
from digit.training.validate import held_out, seen_of, tell_if_learnt, validate, validation_sets
from digit.trunk import HandTrunk
from digit.variants import Stage, build, find


@dataclass(frozen=True, slots=True)
class Run:
    """What to train, from what, where."""

    variant: str
    recipe: Recipe
    out: Path
    data: tuple[Path, ...] = ()  # empty: every sample is rendered on the fly
    validation: Path | None = None
    steps: int | None = None  # None: the recipe's epochs
    micro_batch: int | None = None  # samples of one forward pass; None: all of a step's, shared by the processes
    size: int = CROP_SIZE  # pixels to a side that crops are shrunk to
    augment: bool = True
    likelihood: bool = False  # also learn from the likelihood of heatmaps and root-depth bins: for short runs
    trunk: Path | None = None  # published weights that a new run's backbone starts from
    start: Path | None = None  # weights that a new run starts from
    pull_to: Path | None = None  # published weights that a learning trunk is pulled back to
    precision: Precision = "bf16"
    seed: int = 0
    device: str = "cpu"
    threads: int = 2
    workers: int = 1
    checkpoint_every_s: float = 180.0
    validate_every_s: float = 900.0
    curves: bool = True


class Stopped(KeyboardInterrupt):
    """The run was told to stop and has written its checkpoint."""


@dataclass(slots=True)
class Learner:
    """All that changes in a run."""

    net: nn.Module
    averaged: AveragedModel | None
    optimizer: Adam | AdamW
    scaler: GradScaler
    step: int = 0

    @property
    def best(self) -> nn.Module:
        """The network to validate and to ship."""
        return self.net if self.averaged is None else self.averaged.module


def train(run: Run) -> Path:
    """Run or resume; returns the weights, ``out/weights.safetensors``.

    Raises:
        UserError: no data, a checkpoint that does not fit, options that do not, or a disk that cannot be written.
        Stopped: after SIGINT or SIGTERM.
    """
    use_cpu(run.threads)
    with joined(run.device) as process, stopping() as told_to_stop:
        recipe, variant = run.recipe, find(run.variant)
        dataset = dataset_of(run)
        steps = _steps(run, None if not run.data else len(dataset))
        micro = _micro_batch(run, process)
        learner = _learner(run, process)
        leash = _leash(run, learner)
        plan = list(_plan(variant.stages, steps))
        progress = Progress(process, run.out, learner.step, steps, recipe.batch, run.curves)
        stream = SampleStream(
            len(dataset), run.seed, learner.step, recipe.batch, micro, process.rank, process.size, bool(run.data)
        )
        batches = micro_batches(dataset, stream, process, run.workers, spawn=not run.data)
        judged = _validation_sets(run, learner.net) if process.first else {}
        clock = _Clock(run)
        entered: Stage | None = None
        shared: nn.Module = learner.net
        try:
            while learner.step < steps:
                stage, first, length = next(part for part in plan if learner.step < part[1] + part[2])
                enter(learner.net, stage, recipe)
                stages.resize(learner.net, recipe.input_sizes, run.seed, learner.step)
                if stage is not entered:
                    shared, entered = _shared(learner.net, process), stage
                factor = recipe.schedule.factor(learner.step - first, length)
                for group in learner.optimizer.param_groups:
                    group["lr"] = group["base"] * factor
                taken = list(islice(batches, recipe.batch // (micro * process.size)))
                # Only now: the first batch after a start draws random numbers of its own.
                torch.manual_seed((run.seed * 1_000_003 + learner.step) * 1_009 + process.rank)
                terms = optimise(
                    shared, learner.optimizer, learner.scaler, objective(variant, stage, run.likelihood), taken,
                    precision=run.precision, prior=takes_prior(learner.net), size=run.size, clip=recipe.clip,
                )  # fmt: skip
                if leash is not None:
                    leash(factor)
                if learner.averaged is not None:
                    learner.averaged.update_parameters(learner.net)
                learner.step += 1
                progress(learner.step, terms, recipe.rate * factor)
                last, stop = learner.step == steps, agreed(process, told_to_stop())
                if process.first and (clock.checkpoint_due() or last or stop):
                    _save(run, learner)
                if stop and not last:
                    raise Stopped("Stopped; run the same command again to go on.")
                if judged and (clock.validation_due() or last):
                    scores, picture = validate(
                        learner.best, judged, size=run.size, precision=run.precision, device=process.device
                    )
                    progress.scores(learner.step, scores, picture)
        finally:
            progress.close()
            broken = len(dataset.broken) if run.data and process.first else 0
            if broken:
                print(f"{broken} pictures of the sets could not be read and were left out.", file=sys.stderr)
    return run.out / "weights.safetensors"


def describe(run: Run) -> dict[str, Any]:
    """The run as plain values, for its weights' metadata."""
    plain = {k: str(v) if isinstance(v, Path) else v for k, v in asdict(run).items()}
    return plain | {"data": [folder.name for folder in run.data] or "rendered on the fly"}


class _Clock:
    """When the next checkpoint and the next validation are due."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._saved = self._validated = time.monotonic()

    def checkpoint_due(self) -> bool:
        due = time.monotonic() - self._saved >= self._run.checkpoint_every_s
        self._saved = time.monotonic() if due else self._saved
        return due

    def validation_due(self) -> bool:
        due = time.monotonic() - self._validated >= self._run.validate_every_s
        self._validated = time.monotonic() if due else self._validated
        return due


def dataset_of(run: Run) -> Any:
    """The samples that a run learns from.

    Raises:
        UserError: they cannot be read.
    """
    how = run.recipe.augmentation if run.augment else run.recipe.augmentation.still()
    if run.data:
        return CropDataset(
            _index(run.data), augment=how, seed=run.seed, seen=seen.read(run.data), part_size=_part_size(run)
        )
    from digit.training.rendered import RenderedDataset

    return RenderedDataset(augment=how, seed=run.seed, part_size=_part_size(run))


def _part_size(run: Run) -> int:
    segmentation = find(run.variant).segmentation
    return PART_SIZE if segmentation is None else segmentation.size


def _validation_sets(run: Run, net: nn.Module) -> dict[str, CropDataset]:
    if run.validation is None:
        return {}
    tell_if_learnt(run.validation, run.data)
    how = run.recipe.augmentation.still()
    held = CropDataset(held_out(run.validation), augment=how, seen=seen_of(run.validation), part_size=_part_size(run))
    return validation_sets(held, net)


def _steps(run: Run, samples: int | None) -> int:
    if run.steps is not None:
        return run.steps
    if samples is None or not isinstance(run.recipe.schedule, Drops):
        raise UserError("This run has no length of its own; give --steps.")
    return max(1, round(run.recipe.schedule.epochs * samples / run.recipe.batch))


def _micro_batch(run: Run, process: Process) -> int:
    micro = run.micro_batch or run.recipe.batch // process.size
    if micro < 1 or run.recipe.batch % (micro * process.size):
        raise UserError(
            f"A batch of {run.recipe.batch} cannot be shared by {process.size} processes in micro-batches of {micro}; "
            "give a --batch that is a multiple of both."
        )
    return micro


def _plan(parts: tuple[Stage, ...], steps: int) -> Iterator[tuple[Stage, int, int]]:
    """Each stage with its first step and its number of steps."""
    first, share = 0, 0.0
    for stage in parts:
        share += stage.share
        end = round(share * steps)
        yield stage, first, end - first
        first = end


def _learner(run: Run, process: Process) -> Learner:
    """A new network or the run's last checkpoint."""
    torch.manual_seed(run.seed)
    net = build(run.variant)
    state = run.out / "state.pt"
    resumed = None
    if process.first:
        try:
            run.out.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(f"Cannot make the folder {run.out} ({error.strerror}); give another --out.") from error
        resumed = checkpoints.read(state) if state.exists() else None
        if resumed is None:
            _begin(net, run)
    resumed = from_first(process, resumed)
    learner = new_learner(run, process.device, net, process.size > 1)
    if resumed is not None:
        _restore(learner, resumed, run)
    return learner


def new_learner(run: Run, device: torch.device, net: nn.Module | None = None, shared: bool = False) -> Learner:
    """A network, by default with random weights, and its optimiser. ``shared``: by several processes."""
    placed: Any = build(run.variant) if net is None else net
    placed = placed.to(device, memory_format=torch.channels_last)
    if shared and device.type == "cuda":
        # Elsewhere there is no such layer: each micro-batch is normalised by itself, running statistics are the first
        # process's.
        placed = nn.SyncBatchNorm.convert_sync_batchnorm(placed)
    averaged = AveragedModel(placed, multi_avg_fn=average, use_buffers=True) if run.recipe.averaged else None
    optimizer = _OPTIMIZERS[run.recipe.optimizer](
        _groups(placed, run.recipe), betas=run.recipe.betas, weight_decay=run.recipe.weight_decay
    )
    for group in optimizer.param_groups:
        group["lr"] = group["base"]
    return Learner(placed, averaged, optimizer, GradScaler(device.type, enabled=run.precision == "fp16"))


_OPTIMIZERS = {"adam": Adam, "adamw": AdamW, "muon": Muon}


@lru_cache(maxsize=1)
def _index(folders: tuple[Path, ...]) -> Index:
    """Read once, as runs that follow each other often learn from the same."""
    return read_index(folders)


def _begin(net: nn.Module, run: Run) -> None:
    """What a new run starts from."""
    if run.start is not None:
        found = checkpoint.load(run.start)
        if found.state_dict().keys() != net.state_dict().keys():
            raise UserError(f"{run.start} holds weights of another variant than {run.variant}.")
        net.load_state_dict(found.state_dict())
    if run.trunk is not None:
        from digit.training.pretrained import load_hand_trunk
        from digit.training.published import load_backbone

        trunk = _trunk(net)
        if isinstance(trunk, HandTrunk):
            load_hand_trunk(trunk, run.trunk)
        else:
            load_backbone(net, run.trunk)


def _trunk(net: nn.Module) -> nn.Module:
    """The pretrained part of a network's backbone."""
    found = next((m for m in net.modules() if isinstance(m, HandTrunk)), None)
    return found if found is not None else net.get_submodule("backbone")


def _groups(net: nn.Module, recipe: Recipe) -> list[dict[str, Any]]:
    if recipe.trunk_rate is None:
        return [{"params": list(net.parameters()), "base": recipe.rate}]
    trunk = _trunk(net)
    known = {id(p) for p in trunk.parameters()}
    found = [{"params": [p for p in net.parameters() if id(p) not in known], "base": recipe.rate}]
    frozen = {id(p) for part in _frozen(trunk, recipe) for p in part.parameters()}
    learning = [p for p in trunk.parameters() if id(p) not in frozen]
    return [*found, {"params": learning, "base": recipe.trunk_rate}] if learning else found


def _frozen(trunk: nn.Module, recipe: Recipe) -> list[nn.Module]:
    """The parts of a trunk that do not learn."""
    if recipe.trunk_rate == 0:
        return [trunk]
    return (
        [trunk.stem, *trunk.stages[: recipe.trunk_from]] if recipe.trunk_from and isinstance(trunk, HandTrunk) else []
    )


def _leash(run: Run, learner: Learner) -> Leash | None:
    """What pulls the learning part of a lite trunk back to published weights."""
    if run.pull_to is None and not run.recipe.trunk_pull:
        return None
    if run.pull_to is None or not run.recipe.trunk_pull or not run.recipe.trunk_rate:
        raise UserError("A trunk is pulled back while it learns: give --trunk-rate, --trunk-pull and --pull-to.")
    from digit.training.pretrained import load_hand_trunk

    trunk, anchor = _trunk(learner.net), HandTrunk()
    if not isinstance(trunk, HandTrunk):
        raise UserError(f"--pull-to belongs to variants with a lite trunk; {run.variant} has none.")
    load_hand_trunk(anchor, run.pull_to)
    frozen = {id(p) for part in _frozen(trunk, run.recipe) for p in part.parameters()}
    pairs = [pair for pair in zip(trunk.parameters(), anchor.parameters(), strict=True) if id(pair[0]) not in frozen]
    device = next(trunk.parameters()).device
    share = run.recipe.trunk_rate * run.recipe.trunk_pull
    return Leash([p for p, _ in pairs], [p.detach().to(device) for _, p in pairs], share)


def enter(net: nn.Module, stage: Stage, recipe: Recipe) -> None:
    """Training mode, for what learns in this stage."""
    stages.enter(net, stage)
    if recipe.trunk_rate is not None:
        for part in _frozen(_trunk(net), recipe):
            part.eval().requires_grad_(False)


def _shared(net: nn.Module, process: Process) -> nn.Module:
    """The network; among several processes in the wrapper that averages their gradients."""
    if process.size == 1:
        return net
    return DistributedDataParallel(net, device_ids=[process.device] if process.device.type == "cuda" else None)


def _save(run: Run, learner: Learner) -> None:
    state = {
        "variant": find(run.variant).name,
        "step": learner.step,
        "net": learner.net.state_dict(),
        "ema": None if learner.averaged is None else learner.averaged.state_dict(),
        "optimizer": learner.optimizer.state_dict(),
        "scaler": learner.scaler.state_dict(),
    }
    weights, metadata = run.out / "weights.safetensors", describe(run) | {"step": learner.step}
    try:
        checkpoint.save(weights, learner.best, metadata, model=run.variant)
    except UserError as error:
        raise UserError(f"{str(error).rstrip('.')}; free some space, then run the same command again.") from error
    checkpoints.write(run.out / "state.pt", state)  # last: a run whose state is whole has its weights


def _restore(learner: Learner, state: dict[str, Any], run: Run) -> None:
    """Also takes the first format: digit-lite alone, no variant, no scaler."""
    name = state.get("variant", "digit-lite")
    if name != find(run.variant).name:
        raise UserError(f"{run.out} holds a run of {name}; give another --out or --variant {name}.")
    try:
        learner.net.load_state_dict(state["net"])
        if learner.averaged is not None:
            learner.averaged.load_state_dict(state["ema"])
        # Rates and groups are the recipe's: a trunk with a rate of its own joins or leaves behind the other weights.
        checkpoints.load_moments(learner.optimizer, state["optimizer"]["state"])
        if state.get("scaler"):
            learner.scaler.load_state_dict(state["scaler"])
        learner.step = int(state["step"])
    except (RuntimeError, KeyError, ValueError, TypeError, AttributeError) as error:
        fault = first_line(error)
        raise UserError(f"Cannot resume from {run.out / 'state.pt'} ({fault}); give another --out.") from error
