"""Every system of the paper as data: what its network is made of, and what it learns from. Imports no torch.

A variant is asked for by name (`find`): one of `VARIANTS`, alone or with another backbone behind a slash, as in
``baseline/lite``. ``digit`` is ``digit-w32``; sec. 8 compares ``digit/resnet-50`` to ``baseline/resnet-50``.
"""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from digit.errors import UserError
from digit.prediction import DepthAxis
from digit.skeleton import PART_CLASSES

if TYPE_CHECKING:
    from torch import nn

Graph = Literal["digit", "baseline", "segmentation-as-loss", "segmentation-to-pose", "digit-lite", "internet"]
Backbone = Literal["hrnet-w32", "resnet-50", "lite"]
BACKBONES: tuple[Backbone, ...] = ("hrnet-w32", "resnet-50", "lite")

#: The modules that decide what a network computes, from crop to prediction: when one changes, exports are made anew.
GRAPH_CODE = (
    "variants", "networks", "backbones", "hrnet", "resnet", "trunk", "unet", "segmentation", "model", "internet",
    "lite", "heatmap", "calibration", "predict", "prediction", "skeleton",
)  # fmt: skip

#: Classes of a segmentation that tells only background, right hand and left hand apart (Table 7).
SIDE_CLASSES = 3


@dataclass(frozen=True, slots=True)
class Segmentation:
    """What a network's segmentation branch answers, and what the pose estimator sees of it."""

    classes: int = PART_CLASSES
    size: int = 128  # cells to a side, for crops of 256 px: 64, 128 or 256
    labels: bool = False  # the pose estimator gets the most likely class instead of the logits


@dataclass(frozen=True, slots=True)
class Stage:
    """One part of a training run: its loss terms, and which of the network's modules learn."""

    losses: tuple[str, ...]  # names of terms of `digit.training.losses`, or of digit-lite's own
    share: float = 1.0  # of the run's epochs
    learns: tuple[str, ...] = ()  # names of submodules; empty = all


@dataclass(frozen=True, slots=True)
class Variant:
    """One system of the paper, or digit-lite."""

    name: str
    source: str  # where the paper has it
    graph: Graph
    stages: tuple[Stage, ...]
    backbone: Backbone = "hrnet-w32"
    segmentation: Segmentation | None = None
    own_backbone: bool = False  # its backbone is part of it, and no other can take its place
    depth_axis: DepthAxis = "camera"


POSE = ("handedness", "pose", "root_depth")
BONE = (*POSE, "bone")
FULL = (*BONE, "segmentation")


def _end_to_end(losses: tuple[str, ...]) -> tuple[Stage, ...]:
    return (Stage(losses),)


DIGIT = Variant("digit-w32", "Fig. 2", "digit", _end_to_end(FULL), segmentation=Segmentation())
BASELINE = Variant("baseline", "Fig. 6a, Table 2", "baseline", _end_to_end(POSE))
SEGM_TO_POSE = Variant(
    "segm-to-pose", "Fig. 6c, sec. 4.3", "segmentation-to-pose", _end_to_end(FULL), segmentation=Segmentation()
)
#: Sec. 4.3: first 25 epochs of segmentation alone, then 25 of the pose estimator behind the finished segmentation.
TWO_STAGES = (
    Stage(("segmentation",), share=0.5, learns=("backbone", "segmentation")),
    Stage(BONE, share=0.5, learns=("semantic", "fusion", "estimator")),
)

VARIANTS: dict[str, Variant] = {
    variant.name: variant
    for variant in (
        DIGIT,
        BASELINE,
        replace(BASELINE, name="baseline-bl", source="Table 2, BL", stages=_end_to_end(BONE)),
        Variant(
            "baseline-bl-sl", "Fig. 6b, Table 2, BL + SL", "segmentation-as-loss", _end_to_end(FULL),
            segmentation=Segmentation(),
        ),
        replace(DIGIT, name="sf-unsupervised", source="Table 2, BL + SF*", stages=_end_to_end(BONE)),
        SEGM_TO_POSE,
        replace(
            SEGM_TO_POSE, name="segm-to-pose-hard", source="sec. 4.3, class labels",
            segmentation=Segmentation(labels=True),
        ),
        replace(SEGM_TO_POSE, name="segm-to-pose-two-stage", source="sec. 4.3, two stages", stages=TWO_STAGES),
        replace(
            SEGM_TO_POSE, name="lr-probabilistic", source="Table 7, Prob. LR segm.",
            segmentation=Segmentation(classes=SIDE_CLASSES),
        ),
        replace(
            SEGM_TO_POSE, name="lr-mask", source="Table 7, LR masks",
            segmentation=Segmentation(classes=SIDE_CLASSES, labels=True),
        ),
        replace(DIGIT, name="digit-64", source="sec. 8, resolution", segmentation=Segmentation(size=64)),
        replace(DIGIT, name="digit-256", source="sec. 8, resolution", segmentation=Segmentation(size=256)),
        Variant(
            "internet", "Moon et al., ECCV 2020; Tables 1, 5, 6, 8", "internet",
            _end_to_end(("handedness", "heatmap_3d", "root_depth")), backbone="resnet-50", own_backbone=True,
        ),
        Variant(
            "digit-lite", "ours, after Fig. 2", "digit-lite",
            _end_to_end(("heatmap", "pose", "bone", "parts", "handedness", "root_depth")),
            backbone="lite", segmentation=Segmentation(), own_backbone=True, depth_axis="crop",
        ),
    )
}  # fmt: skip
ALIASES = {"digit": DIGIT.name}
#: The same, the other way round: what stands before the slash.
_STEMS = {name: alias for alias, name in ALIASES.items()}


def find(name: str, backbone: Backbone | None = None) -> Variant:
    """The variant of a name; a ``backbone`` other than its own shows in the found variant's name.

    Raises:
        UserError: there is no such variant, or it cannot have that backbone.
    """
    first, _, behind = name.partition("/")
    variant = VARIANTS.get(ALIASES.get(first, first))
    if variant is None:
        raise UserError(f"There is no variant '{first}'; choose one of {', '.join(VARIANTS)}.")
    wanted = backbone or behind or variant.backbone
    if wanted not in BACKBONES:
        raise UserError(f"There is no backbone '{wanted}'; choose one of {', '.join(BACKBONES)}.")
    if wanted == variant.backbone:
        return variant
    if variant.own_backbone:
        raise UserError(f"{variant.name} has a backbone of its own; leave '{wanted}' away.")
    return replace(variant, name=f"{_STEMS.get(variant.name, variant.name)}/{wanted}", backbone=wanted)


def build(name: str, backbone: Backbone | None = None) -> "nn.Module":
    """The network of a variant with random weights; see `find`."""
    from digit.networks import network

    return network(find(name, backbone))
