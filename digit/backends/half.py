"""A network in float16 whose inputs, soft-argmax and probabilities stay float32."""

from typing import Any

import torch
from torch import Tensor, nn

from digit.predict import Predictor


def halved(predictor: Predictor) -> Predictor:
    """The same predictor with its network's weights in float16, in place.

    Each layer with weights brings what it is given to its own type, so that the picture and the prior's Gaussians are
    drawn in float32; `digit.predict.read_output` reads the answer in float32. Casts, not autocast: they stay in an
    exported graph, where TensorRT takes its types from.
    """
    predictor.network.half()
    for layer in predictor.network.modules():
        if next(layer.parameters(recurse=False), None) is not None:
            layer.register_forward_pre_hook(_as_own_type)
    return predictor


def _as_own_type(layer: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    kind = next(layer.parameters(recurse=False)).dtype
    return tuple(x.to(kind) if isinstance(x, Tensor) and torch.is_floating_point(x) else x for x in inputs)
