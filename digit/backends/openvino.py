"""OpenVINO on the CPU, in float32 or int8, without torch in this process.

What it runs is OpenVINO's form of the network (IR). That of the shipped weights comes with them; for other weights a
second process, which does import torch, makes it once (`digit.backends.exports`).
"""

import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from digit import checkpoint
from digit.backends import check, exports, samples
from digit.backends.devices import openvino_threads
from digit.backends.exports import Progress
from digit.errors import UserError

#: An export of fewer bytes is of a network that takes about as long as the rest of the loop. digit-lite has 12 MB.
SMALL_BYTES = 20_000_000
# Without the second line OpenVINO computes in bfloat16 wherever the CPU has it: the same weights, other numbers.
CONFIG: dict[str, Any] = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}


class OpenVinoSession:
    """See `digit.backends.Session`. An export that takes a smaller crop (`rewrite.take_small_crops`) gets it so."""

    #: OpenVINO begins with the second one by itself, at the moment in which it is through with the first.
    at_once = 2

    def __init__(self, folder: Path):
        """Opens an export. Raises RuntimeError or OSError when it cannot be read."""
        self._free = _requests(folder, self.at_once)
        self._busy: list[tuple[Any, dict[str, np.ndarray]]] = []  # each with the arrays that it reads
        # A network without a prior has lost that input in the export.
        ports = self._free[0].model_inputs
        self._inputs = {port.get_any_name() for port in ports}
        (self._side,) = {port.shape[1] for port in ports if port.get_any_name() == "crop"}
        self._outputs = len(self._free[0].model_outputs)

    def start(self, crop: np.ndarray, prior: np.ndarray) -> Callable[[], list[np.ndarray]]:
        if self._side != crop.shape[1]:
            crop = cv2.resize(crop[0], (self._side, self._side), interpolation=cv2.INTER_LINEAR)[None]
        given = {name: array for name, array in (("crop", crop), ("prior", prior)) if name in self._inputs}
        request = self._free.pop()
        request.start_async(given, share_inputs=True)
        self._busy.append((request, given))

        def wait() -> list[np.ndarray]:
            request.wait()
            del self._busy[0]
            self._free.append(request)
            return [request.get_output_tensor(i).data for i in range(self._outputs)]

        return wait

    def close(self) -> None:
        for request, _ in self._busy:
            request.wait()
        self._busy.clear()
        self._free.clear()


def open_session(weights: Path, weights_sha256: str, precision: str, progress: Progress) -> OpenVinoSession:
    """The network in "fp32" or "int8", checked against the reference.

    Raises:
        UserError: there is no export and none can be made, or this computer's answers are wrong.
    """
    folder = export_of(weights, weights_sha256, precision, progress)
    progress(f"Loading {weights.stem} with OpenVINO, {precision} …")
    try:
        return _checked(folder, precision)
    except (RuntimeError, OSError):
        if exports.beside(weights, precision) == folder:
            raise
        shutil.rmtree(folder, ignore_errors=True)
        return _checked(export_of(weights, weights_sha256, precision, progress), precision)


def export_of(weights: Path, weights_sha256: str, precision: str, progress: Progress) -> Path:
    """The folder with the IR: the shipped one, the cached one, or one that is made now.

    Raises:
        UserError: it cannot be made, or the cache folder cannot be written.
    """
    return exports.shipped(weights, weights_sha256, precision) or exports.cached(
        "openvino", name_of(weights_sha256, precision), weights_sha256,
        lambda folder: _make(weights, weights_sha256, precision, folder, progress),
    )  # fmt: skip


def is_at_hand(weights: Path, weights_sha256: str, precision: str) -> bool:
    """Whether an export need not be made first."""
    cache = exports.folder_of("openvino", name_of(weights_sha256, precision))
    return bool(exports.shipped(weights, weights_sha256, precision) or exports.manifest(cache))


def name_of(weights_sha256: str, precision: str) -> str:
    """Name of the export's folder in the cache."""
    makers = [f"openvino {version('openvino')}", f"torch {version('torch')}", precision]
    if precision == "int8":  # one that was quantised in another way is another one
        makers += [exports.code("backends/quantize", "backends/samples"), checkpoint.sha256(samples.PATH), _nncf()]
    return exports.key(weights_sha256, *makers)


def _nncf() -> str:
    try:
        return f"nncf {version('nncf')}"
    except PackageNotFoundError:
        return "no nncf"


def _make(weights: Path, weights_sha256: str, precision: str, folder: Path, progress: Progress) -> None:
    if precision == "fp32":
        progress(f"Preparing {weights.stem} for OpenVINO, once for these weights …")
        complaint = exports.in_another_process("digit.backends.export", weights.resolve(), folder)
    else:
        floats = export_of(weights, weights_sha256, "fp32", progress)
        progress(f"Making an int8 form of {weights.stem}, once for these weights; this takes a minute …")
        complaint = exports.in_another_process("digit.backends.quantize", floats, folder)
    if complaint:
        raise UserError(f"{weights} could not be prepared for OpenVINO: {complaint}")


def _checked(folder: Path, precision: str) -> OpenVinoSession:
    reference = check.read(folder)
    session = OpenVinoSession(folder)
    fault = check.fault(session.start(reference.crop, reference.prior)(), reference, precision)
    if fault:
        session.close()
        raise UserError(f"OpenVINO in {precision} does not answer as the reference does ({fault}).")
    return session


def _requests(folder: Path, count: int) -> list[Any]:
    """So many infer requests of an export."""
    small = (folder / "predictor.bin").stat().st_size < SMALL_BYTES
    return infer_requests(folder / "predictor.xml", CONFIG | (openvino_threads() if small else {}), count)


def infer_requests(model: Any, config: dict[str, Any], count: int = 1) -> list[Any]:
    """So many infer requests of an `openvino.Model`, or of its file, on the CPU. Raises RuntimeError.

    Compiles in a thread of its own, which ends with it: OpenVINO gives the compiling thread a signal stack and takes it
    back when the model is freed. Of two models freed in the order in which they were made, the second one leaves a
    stack behind that is gone, and the next Ctrl-C crashes.
    """

    def compile_() -> list[Any]:
        import openvino

        core: Any = openvino.Core()
        compiled = core.compile_model(model, "CPU", config)
        return [compiled.create_infer_request() for _ in range(count)]

    with ThreadPoolExecutor(max_workers=1) as thread:
        return thread.submit(compile_).result()
