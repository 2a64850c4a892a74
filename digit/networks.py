"""From a variant's description to its network."""

from collections.abc import Callable

from torch import nn

from digit.backbones import HRNetFeatures, LiteFeatures, ResNetFeatures, VisualBackbone
from digit.internet import InterNet
from digit.lite import DigitLite
from digit.model import LITE, PAPER, Baseline, Digit, DigitW32, SegmentationAsLoss, SegmentationToPose, Widths
from digit.variants import DIGIT, Backbone, Graph, Segmentation, Variant

BACKBONES: dict[Backbone, Callable[[], VisualBackbone]] = {
    "hrnet-w32": HRNetFeatures,
    "resnet-50": ResNetFeatures,
    "lite": LiteFeatures,
}
WIDTHS: dict[Backbone, Widths] = {"hrnet-w32": PAPER, "resnet-50": PAPER, "lite": LITE}


def network(variant: Variant) -> nn.Module:
    """The variant's network with random weights."""
    return DigitW32() if variant == DIGIT else GRAPHS[variant.graph](variant)


def _parts(variant: Variant) -> Segmentation:
    assert variant.segmentation is not None, f"{variant.name} needs a segmentation"
    return variant.segmentation


def _with_parts(graph: Callable[[VisualBackbone, Segmentation, Widths], nn.Module]) -> Callable[[Variant], nn.Module]:
    return lambda variant: graph(BACKBONES[variant.backbone](), _parts(variant), WIDTHS[variant.backbone])


GRAPHS: dict[Graph, Callable[[Variant], nn.Module]] = {
    "digit": _with_parts(Digit),
    "baseline": lambda variant: Baseline(BACKBONES[variant.backbone](), WIDTHS[variant.backbone]),
    "segmentation-as-loss": _with_parts(SegmentationAsLoss),
    "segmentation-to-pose": _with_parts(SegmentationToPose),
    "digit-lite": lambda _: DigitLite(),
    "internet": lambda _: InterNet(),
}
