"""Rewrites of an exported graph, for what OpenVINO runs slowly as it stands (see `digit.bench.profile`).

What OpenVINO itself does needs no rewrite: it folds batch norms into convolutions and fuses activations and sums.
"""

from typing import Any

import numpy as np

#: Scores in the same whole step of 1 / _STEPS count as equal, see `_argmax_without_topk`.
_STEPS = 1024
#: What may lie between the crop and its shrinking: steps that treat each pixel alike.
_KEEP_PIXELS = ("Convert", "Transpose", "Divide", "Multiply")


def rewrite(model: Any) -> None:
    """Replace slow layers of an `openvino.Model`, in place.

    Numbers stay the same up to float32's rounding. A label may change where two parts score within 1 / _STEPS.
    """
    for node in model.get_ordered_ops():
        if node.get_type_name() == "TopK" and node.get_axis() == 1:
            _argmax_without_topk(node)
    model.validate_nodes_and_infer_types()


def take_small_crops(model: Any) -> None:
    """Let a model whose first step shrinks its crop take the shrunk one, in place; any other stays as it is.

    OpenCV shrinks bytes in a tenth of the time that OpenVINO takes for three channels, a tenth of digit-lite's whole
    time in int8. The shrunk crop is rounded to bytes, so this is for int8, whose first layer rounds it anyway.
    """
    from openvino import PartialShape

    (crop,) = (port for port in model.inputs if port.get_any_name() == "crop")
    between, node = [], crop.get_node()
    while node.get_type_name() in ("Parameter", *_KEEP_PIXELS):
        (after,) = node.output(0).get_target_inputs()
        node = after.get_node()
        between.append(node)
    if node.get_type_name() != "Interpolate" or not _is_plain_bilinear(node):
        return
    side = node.get_output_shape(0)[2]
    _replace(node.output(0), between[-2] if len(between) > 1 else crop.get_node())
    crop.get_node().set_partial_shape(PartialShape([1, side, side, 3]))
    model.validate_nodes_and_infer_types()


def _argmax_without_topk(node: Any) -> None:
    """The part labels' argmax: TopK took a fifth of digit-lite's time in int8, a maximum and then its index 4 %.

    One maximum finds score and class together: scores become whole steps of 1 / _STEPS, times the number of classes,
    less the class. Of classes within a step the first counts. float32 holds whole numbers up to 2^24, so scores must
    lie within 2^24 / _STEPS / classes of zero: 490 for the parts. No sum, as sums become int8 (`quantize`).
    """
    from openvino import opset13

    scores = node.input_value(0)
    classes = scores.get_partial_shape()[1].get_length()
    index = opset13.constant(np.arange(classes, dtype=np.float32).reshape(1, classes, 1, 1))
    width = opset13.constant(np.float32(classes))
    steps = opset13.floor(opset13.multiply(scores, opset13.constant(np.float32(_STEPS))))
    packed = opset13.subtract(opset13.multiply(steps, width), index)
    largest = opset13.reduce_max(packed, opset13.constant(np.array([1])), keep_dims=True)
    first = opset13.floor_mod(opset13.subtract(opset13.constant(np.float32(0)), largest), width)
    _replace(node.output(1), opset13.convert(first, node.output(1).get_element_type().get_type_name()))


def _is_plain_bilinear(node: Any) -> bool:
    """Without aligned corners and antialiasing."""
    attributes = node.get_attributes()
    return (
        attributes["mode"] in ("linear", "linear_onnx")
        and attributes["coordinate_transformation_mode"] in ("half_pixel", "pytorch_half_pixel")
        and not attributes["antialias"]
    )


def _replace(output: Any, node: Any) -> None:
    for target in list(output.get_target_inputs()):
        target.replace_source_output(node.output(0))
