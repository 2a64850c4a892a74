"""How each variant is trained: optimiser, rate, batch, length. One frozen recipe each, no choices elsewhere."""

from dataclasses import dataclass
from typing import Literal

from digit.training.augment import PAPER as PAPER_AUGMENTATION
from digit.training.augment import WEBCAM, Augmentation
from digit.training.schedule import Drops, WarmupStableDecay
from digit.variants import Variant


@dataclass(frozen=True, slots=True)
class Recipe:
    """What a run does at each step, whatever its network, data and machine are."""

    rate: float
    schedule: Drops | WarmupStableDecay
    batch: int = 64  # samples a step, over all processes and micro-batches
    optimizer: Literal["adam", "adamw", "muon"] = "adam"
    betas: tuple[float, float] = (0.9, 0.999)
    weight_decay: float = 0.0
    trunk_rate: float | None = None  # of the backbone's trunk, 0 freezes it; None: as everything else
    trunk_from: int = 0  # first of a lite trunk's stages that learns; those before it stay frozen
    trunk_pull: float = 0.0  # a learning lite trunk's weight decay towards `Run.pull_to`, per unit of its rate
    input_sizes: tuple[int, ...] = ()  # of `DigitLite.input_size`: each step draws one; empty: always its own
    clip: float | None = None  # largest norm of the gradient
    averaged: bool = False  # validate and ship the moving average of the weights
    augmentation: Augmentation = PAPER_AUGMENTATION


#: DIGIT, 4.1, against the state of the art.
PAPER = Recipe(rate=1e-4, schedule=Drops(50, at=(40,)))
#: DIGIT, 4.1, for ablations.
ABLATION = Recipe(rate=1e-4, schedule=Drops(30, at=(10, 20)))
#: DIGIT, 8 "Backbones": ResNet-50 starts ten times higher.
RESNET = Recipe(rate=1e-3, schedule=Drops(50, at=(40,)))
#: Moon et al., ECCV 2020, 7.1.
INTERNET = Recipe(rate=1e-4, schedule=Drops(20, at=(15, 17)))
#: Pretrained features stay frozen, large steps, averaged weights: what a CPU can afford.
LITE = Recipe(
    rate=2e-3,
    schedule=WarmupStableDecay(warmup=200, decay=1_500),
    batch=32,
    optimizer="adamw",
    betas=(0.9, 0.98),
    weight_decay=1e-2,
    trunk_rate=0.0,
    input_sizes=(192, 256),
    clip=5.0,
    averaged=True,
    augmentation=WEBCAM,
)


def recipe_of(variant: Variant) -> Recipe:
    """What a run of the variant does unless told otherwise."""
    if variant.graph in _OF_GRAPH:
        return _OF_GRAPH[variant.graph]
    return RESNET if variant.backbone == "resnet-50" else PAPER


_OF_GRAPH = {"digit-lite": LITE, "internet": INTERNET}
