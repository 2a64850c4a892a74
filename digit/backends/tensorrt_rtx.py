"""TensorRT-RTX: NVIDIA's compiler as a plain wheel, run through ONNX Runtime, for places without NVIDIA's own index.

It reads ONNX in float16 (`digit.export`) and compiles for the GPU in seconds when the session opens, so nothing but the
ONNX file is cached. Not yet measured: no GPU has run this.
"""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any, cast

import numpy as np

from digit.backends import check, exports
from digit.backends.exports import Progress
from digit.errors import UserError

ONNX = "predictor.onnx"


@contextmanager
def _runtime_errors() -> Generator[None]:
    """ONNX Runtime's errors have no kind in common but Exception: here they are RuntimeErrors."""
    try:
        yield
    except Exception as error:
        raise RuntimeError(str(error)) from error


class OnnxSession:
    """See `digit.backends.Session`. An ONNX file on ONNX Runtime."""

    at_once = 1

    def __init__(self, path: Path, options: Any = None):
        """``options`` name the execution providers; None is the CPU. Raises RuntimeError when it cannot be opened."""
        import onnxruntime

        providers = None if options is not None else ["CPUExecutionProvider"]
        with _runtime_errors():
            self._session: Any = onnxruntime.InferenceSession(str(path), sess_options=options, providers=providers)
        self._inputs = {port.name for port in self._session.get_inputs()}

    def start(self, crop: np.ndarray, prior: np.ndarray) -> Callable[[], list[np.ndarray]]:
        given = {name: array for name, array in (("crop", crop), ("prior", prior)) if name in self._inputs}
        with _runtime_errors():
            outputs = self._session.run(list(check.OUTPUTS), given)
        return lambda: outputs

    def close(self) -> None:
        self._session = None


def open_session(weights: Path, weights_sha256: str, progress: Progress) -> OnnxSession:
    """The network compiled by TensorRT-RTX.

    Raises:
        UserError: the export fails.
        RuntimeError: the provider finds no GPU or cannot be loaded.
    """
    folder = onnx_of(weights, weights_sha256, progress)
    progress(f"Compiling {weights.stem} with TensorRT-RTX …")
    return OnnxSession(folder / ONNX, _options())


def onnx_of(weights: Path, weights_sha256: str, progress: Progress) -> Path:
    """The cached folder with the float16 ONNX file of these weights. Raises UserError when it cannot be made."""

    def make(folder: Path) -> None:
        progress(f"Preparing {weights.stem} as ONNX, once for these weights …")
        complaint = exports.in_another_process("digit.export", weights.resolve(), folder / ONNX, "--half")
        if complaint:
            raise UserError(f"{weights} could not be exported to ONNX: {complaint}")

    made_by = f"torch {version('torch')}", exports.code("export", "backends/half")
    return exports.cached("onnx", exports.key(weights_sha256, *made_by), weights_sha256, make)


@_runtime_errors()
def _options() -> Any:
    """Session options with TensorRT-RTX on its first device. Raises RuntimeError where it has none."""
    runtime, plugin = (cast(Any, import_module(name)) for name in ("onnxruntime", "onnxruntime_ep_nv_tensorrt_rtx"))
    name: str = plugin.get_ep_name()
    devices = [device for device in runtime.get_ep_devices() if device.ep_name == name]
    if not devices:
        runtime.register_execution_provider_library(name, plugin.get_library_path())
        devices = [device for device in runtime.get_ep_devices() if device.ep_name == name]
    if not devices:
        raise RuntimeError("TensorRT-RTX finds no GPU that it can use")
    options: Any = runtime.SessionOptions()
    options.add_provider_for_devices(devices[:1], {"enable_cuda_graph": "1"})
    return options
