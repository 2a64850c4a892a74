"""Rewrites of an exported graph, for what OpenVINO runs slowly as it stands (see `digit.bench.profile`).

What OpenVINO itself does needs no rewrite: it folds batch norms into convolutions and fuses activations and sums.
"""

from typing import Any

import numpy as np

from digit.skeleton import ROOTS

#: Part of the name of each new layer that must stay float32 in int8.
AS_PRODUCTS = "as_products"
#: Scores in the same whole step of 1 / _STEPS count as equal, see `_argmax_without_topk`.
_STEPS = 1024
#: What may lie between the crop and its shrinking: steps that treat each pixel alike.
_KEEP_PIXELS = ("Convert", "Transpose", "Divide", "Multiply")


def rewrite(model: Any) -> None:
    """Replace slow layers of an `openvino.Model`, in place.

    Numbers stay the same up to float32's rounding. A label may change where two parts score within 1 / _STEPS.
    """
    for node in model.get_ordered_ops():
        kind = node.get_type_name()
        if kind == "TopK" and node.get_axis() == 1:
            _argmax_without_topk(node)
        elif kind == "Interpolate" and _resizes_heatmaps(node):
            _resize_as_products(node)
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


def _resizes_heatmaps(node: Any) -> bool:
    """Maps of all joints."""
    shape = node.get_output_partial_shape(0)
    return bool(
        shape.rank.get_length() == 4
        and shape.is_static
        and node.input_value(0).get_partial_shape().is_static
        and shape[1].get_length() == len(ROOTS)
        and _is_plain_bilinear(node)
    )


def _resize_as_products(node: Any) -> None:
    """Heatmaps and depth maps: rows, then columns. What follows wants them plane by plane; products give them so, while
    the resize leaves them interleaved by joint and a slow reordering follows."""
    from openvino import opset13

    maps, shape = node.input_value(0), node.get_output_shape(0)
    before = maps.get_shape()
    rows = opset13.constant(bilinear(before[2], shape[2]))
    columns = opset13.constant(np.ascontiguousarray(bilinear(before[3], shape[3]).T))
    tall = opset13.matmul(rows, maps, False, False)
    whole = opset13.matmul(tall, columns, False, False)
    for product, name in ((tall, "rows"), (whole, "columns")):
        product.set_friendly_name(f"{node.get_friendly_name()}/{AS_PRODUCTS}/{name}")
    _replace(node.output(0), whole)


def bilinear(before: int, after: int) -> np.ndarray:
    """(after, before) float32: each new cell as a mean of the two nearest old ones (no aligned corners)."""
    centre = np.clip((np.arange(after) + 0.5) * before / after - 0.5, 0, before - 1)
    low = np.minimum(centre.astype(int), before - 2)
    weights = np.zeros((after, before), np.float32)
    weights[np.arange(after), low] = 1 - (centre - low)
    weights[np.arange(after), low + 1] = centre - low
    return weights


def _replace(output: Any, node: Any) -> None:
    for target in list(output.get_target_inputs()):
        target.replace_source_output(node.output(0))
