"""Where a network's time goes on this CPU, against what the machine can do: a measured matrix product.

The layers are OpenVINO's own, after it has fused what can be fused: batch norms are folded into the convolutions before
them, activations and sums of residuals are computed by the convolutions behind them. So the table shows what is left.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

#: Side of the matrices, and how often they are multiplied: the best time counts.
GEMM_SIDE, GEMM_TURNS = 1536, 8
TURNS = 12
#: Parts of the networks as their layers are named; the first that fits counts. What fits none is input, soft-argmax
#: and resizing.
PARTS = (
    "trunk", "backbone", "neck", "fusion", "segmentation", "semantic", "prior", "context", "head", "part_", "heatmaps",
    "depth", "root_depth", "handedness",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Profile:
    """One network in one precision."""

    model: str
    precision: str
    gflop: float  # of the convolutions and matrix products of a crop, a multiply-add counted as two
    network_ms: float  # median of a crop
    gflops: float  # GFLOP a second
    of_peak: float  # share of the machine's fp32 matrix product
    parts_ms: dict[str, float]  # part of the network -> ms
    kinds_ms: dict[str, float]  # kind of layer -> ms, the six longest


def gemm_gflops() -> float:
    """GFLOP a second of a float32 matrix product on all cores, by OpenVINO, as the networks are run."""
    import openvino
    from openvino import opset13

    left: Any = opset13.parameter([GEMM_SIDE, GEMM_SIDE], np.float32)
    right = opset13.constant(np.ones((GEMM_SIDE, GEMM_SIDE), np.float32))
    model: Any = openvino.Model
    product = model([opset13.matmul(left, right, False, False)], [left])
    request = _compiled(product).create_infer_request()
    given = np.ones((GEMM_SIDE, GEMM_SIDE), np.float32)
    best = min(_seconds(lambda: request.infer([given], share_inputs=True)) for _ in range(GEMM_TURNS))
    return round(2 * GEMM_SIDE**3 / best / 1e9, 1)


def profile(model: str, precision: str, folder: Path, peak_gflops: float) -> Profile:
    """Where an export's time goes."""
    import openvino

    network = openvino.Core().read_model(folder / "predictor.xml")
    gflop = _flop(network) / 1e9
    compiled = _compiled(network, {"PERF_COUNT": "YES"})
    request = compiled.create_infer_request()
    made_of: dict[str, str] = {
        node.get_friendly_name(): _original_names(node) for node in compiled.get_runtime_model().get_ops()
    }
    shapes = {port.get_any_name(): list(port.shape) for port in request.model_inputs}
    given = {name: np.zeros(shape, np.uint8 if name == "crop" else np.float32) for name, shape in shapes.items()}
    seconds: list[float] = []
    parts: dict[str, float] = {}
    kinds: dict[str, float] = {}
    for turn in range(TURNS + 2):
        taken = _seconds(lambda: request.infer(given, share_inputs=True))
        if turn < 2:
            continue
        seconds.append(taken)
        for layer in request.profiling_info:
            ms = layer.real_time.total_seconds() * 1e3 / TURNS
            names = made_of.get(str(layer.node_name), "")
            name = next((part for part in PARTS if f"network.{part}" in names), "input, soft-argmax, resizing")
            parts[name] = parts.get(name, 0.0) + ms
            kinds[layer.node_type] = kinds.get(layer.node_type, 0.0) + ms
    network_ms = float(np.median(seconds)) * 1e3
    rate = gflop / network_ms * 1e3
    return Profile(
        model,
        precision,
        round(gflop, 2),
        round(network_ms, 2),
        round(rate, 1),
        round(rate / peak_gflops, 3),
        _longest(parts, len(PARTS)),
        _longest(kinds, 6),
    )


def _flop(network: Any) -> float:
    """Two for each multiply-add of the convolutions and matrix products."""
    total = 0.0
    for node in network.get_ops():
        kind = node.get_type_name()
        if kind in ("Convolution", "GroupConvolution"):
            weights = node.input(1).get_shape()
            inner = np.prod(weights[1:] if kind == "Convolution" else weights[2:])
            total += 2.0 * float(inner) * float(np.prod(node.output(0).get_shape()))
        elif kind == "MatMul":
            total += 2.0 * node.input(0).get_shape()[-1] * float(np.prod(node.output(0).get_shape()))
    return total


def _compiled(network: Any, more: dict[str, str] | None = None) -> Any:
    import openvino

    from digit.backends.openvino import CONFIG

    core: Any = openvino.Core()
    return core.compile_model(network, "CPU", CONFIG | (more or {}))


def _original_names(node: Any) -> str:
    """The layers of the network that OpenVINO made this one of."""
    info = node.get_rt_info()
    return str(info["originalLayersNames"].value) if "originalLayersNames" in info else ""


def _seconds(work: Callable[[], Any]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _longest(ms: dict[str, float], count: int) -> dict[str, float]:
    return {name: round(taken, 2) for name, taken in sorted(ms.items(), key=lambda row: -row[1])[:count]}
