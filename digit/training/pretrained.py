"""Bring the trunk of MediaPipe's hand landmark network (Apache-2.0, learned on real hands) into `digit.trunk`."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from openvino import Core, Model, compile_model

from digit.errors import UserError
from digit.trunk import HandTrunk, convolutions


def load_hand_trunk(trunk: HandTrunk, tflite: Path) -> None:
    """Copy the convolutions of ``hand_landmark_full.tflite`` into ``trunk``.

    The file's graph is read with OpenVINO, which folds its fp16 constants and lists operations in order of computation;
    each convolution is followed by one bias addition.

    Raises:
        UserError: the file is not that network.
    """
    try:
        model = Core().read_model(str(tflite))
    except RuntimeError as error:
        raise UserError(f"Cannot read {tflite}; give MediaPipe's hand_landmark_full.tflite.") from error
    target = convolutions(trunk)
    found = [op for op in model.get_ordered_ops() if op.get_type_name() in ("Convolution", "GroupConvolution")]
    if len(found) < len(target):
        raise UserError(f"{tflite} is another network; give MediaPipe's hand_landmark_full.tflite.")
    for source, conv in zip(found, target, strict=False):
        weight = _constant(source.input(1).get_source_output().get_node())
        (consumer,) = (i.get_node() for i in source.output(0).get_target_inputs())
        bias = _constant(consumer.input(1).get_source_output().get_node()).reshape(-1)
        weight = weight.reshape(weight.shape[0], *weight.shape[-3:])
        if tuple(conv.weight.shape) != weight.shape or conv.bias is None or tuple(conv.bias.shape) != bias.shape:
            raise UserError(f"{tflite} does not fit the hand trunk at a convolution of shape {weight.shape}.")
        with torch.no_grad():
            conv.weight.copy_(torch.from_numpy(weight))
            conv.bias.copy_(torch.from_numpy(bias))


def _constant(node: Any) -> np.ndarray:
    """Evaluate a chain of Constant, Convert, Transpose, Reshape and Unsqueeze."""
    make_model: Any = Model
    result = compile_model(make_model(node.outputs(), []), "CPU")([])
    return np.array(result[0], dtype=np.float32)
