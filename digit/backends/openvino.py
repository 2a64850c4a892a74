"""OpenVINO on the CPU, in float32 or int8, without torch in this process.

What it runs is OpenVINO's form of the network (IR). That of the shipped weights comes with them; for other weights a
second process, which does import torch, makes it once (`digit.backends.exports`).
"""

import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from digit.backends import check, exports
from digit.backends.devices import openvino_threads
from digit.backends.exports import Progress
from digit.errors import UserError

#: An export of fewer bytes is of a network that takes about as long as the rest of the loop. digit-lite has 8 MB.
SMALL_BYTES = 20_000_000
# Without the second line OpenVINO computes in bfloat16 wherever the CPU has it: the same weights, other numbers.
CONFIG: dict[str, Any] = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}


class OpenVinoSession:
    """See `digit.backends.Session`. An export that takes a smaller crop (`rewrite.take_small_crops`) gets it so."""

    def __init__(self, folder: Path):
        """Opens an export. Raises RuntimeError or OSError when it cannot be read."""
        self._request: Any = _compiled(folder)
        # A network without a prior has lost that input in the export.
        self._inputs = {port.get_any_name() for port in self._request.model_inputs}
        (self._side,) = {port.shape[1] for port in self._request.model_inputs if port.get_any_name() == "crop"}
        self._outputs = len(self._request.model_outputs)

    def start(self, crop: np.ndarray, prior: np.ndarray) -> Callable[[], list[np.ndarray]]:
        if self._side != crop.shape[1]:
            crop = cv2.resize(crop[0], (self._side, self._side), interpolation=cv2.INTER_LINEAR)[None]
        given = {"crop": crop, "prior": prior}
        request = self._request
        request.start_async({name: given[name] for name in self._inputs}, share_inputs=True)

        def wait() -> list[np.ndarray]:
            request.wait()
            given.clear()  # kept until here, as the request reads from it
            return [request.get_output_tensor(i).data for i in range(self._outputs)]

        return wait

    def close(self) -> None:
        self._request = None


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
    return exports.key(weights_sha256, *makers)


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


def _compiled(folder: Path) -> Any:
    """An infer request. Compiles in a thread of its own, which ends with it.

    OpenVINO gives the compiling thread a signal stack and takes it back when the model is freed. Of two models freed in
    the order in which they were made, the second one leaves a stack behind that is gone, and the next Ctrl-C crashes.
    """

    def compile_() -> Any:
        import openvino

        core: Any = openvino.Core()
        small = (folder / "predictor.bin").stat().st_size < SMALL_BYTES
        config = CONFIG | (openvino_threads() if small else {})
        return core.compile_model(str(folder / "predictor.xml"), "CPU", config).create_infer_request()

    with ThreadPoolExecutor(max_workers=1) as thread:
        return thread.submit(compile_).result()
