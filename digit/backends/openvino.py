"""OpenVINO on the CPU, float32, without torch in this process.

The network is turned into OpenVINO's form (IR) once, by a second process that does import torch, and kept in the
user's cache folder. A cache entry is named after everything that made it (weights, code, versions) and carries its
own checksum; it appears whole or not at all, and one that is damaged is deleted and made again.

    python -m digit.backends.openvino WEIGHTS FOLDER    write predictor.xml and predictor.bin into FOLDER
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from platformdirs import user_cache_path

from digit import checkpoint
from digit.errors import UserError
from digit.prediction import CROP_SIZE
from digit.skeleton import ROOTS

IR = ("predictor.xml", "predictor.bin")
CHECKSUM = "sha256"
# Without the second line OpenVINO computes in bfloat16 wherever the CPU has it: the same weights, other numbers.
CONFIG = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}
_PACKAGE = Path(checkpoint.__file__).parent
# The code that the graph is made from: an entry made by other code is another entry.
_NETWORKS = ("networks", "model", "backbones", "hrnet", "resnet", "trunk", "segmentation", "unet", "internet", "lite")
_GRAPH_CODE = ("variants", *_NETWORKS, "heatmap", "predict", "backends/openvino")


class OpenVinoSession:
    """See `digit.backends.Session`."""

    def __init__(self, weights: Path, weights_sha256: str, progress: Callable[[str], None]):
        folder = cached_ir(weights, weights_sha256, progress)
        progress(f"Loading {weights.stem} with OpenVINO …")
        self._request: Any
        try:
            self._request = _compiled(folder)
        except RuntimeError:
            shutil.rmtree(folder, ignore_errors=True)
            self._request = _compiled(cached_ir(weights, weights_sha256, progress))
        # A network without a prior has lost that input in the export.
        self._inputs = {port.get_any_name() for port in self._request.model_inputs}
        self._outputs = len(self._request.model_outputs)

    def run(self, crop: np.ndarray, prior: np.ndarray) -> list[np.ndarray]:
        given = {"crop": crop, "prior": prior}
        self._request.infer({name: given[name] for name in self._inputs}, share_inputs=True)
        return [self._request.get_output_tensor(i).data for i in range(self._outputs)]

    def close(self) -> None:
        self._request = None


def cached_ir(weights: Path, weights_sha256: str, progress: Callable[[str], None]) -> Path:
    """The folder with the IR of a weights file, made now if it is not there or damaged.

    Raises:
        UserError: the export fails, or the cache folder cannot be written.
    """
    folder = user_cache_path("digit-live") / "openvino" / _key(weights_sha256)
    if _whole(folder):
        return folder
    progress(f"Preparing {weights.stem} for OpenVINO, once for these weights …")
    try:
        shutil.rmtree(folder, ignore_errors=True)
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="part-", dir=folder.parent) as scratch:
            part = Path(scratch) / "ir"
            part.mkdir()
            _export_in_another_process(weights, part)
            (part / CHECKSUM).write_text(_checksum(part))
            if not _whole(folder):  # another process may have been faster
                part.rename(folder)
    except OSError as error:
        raise UserError(f"The cache folder {folder.parent} cannot be written: {error.strerror or error}.") from error
    return folder


def export(weights: Path, folder: Path) -> None:
    """Write the IR of a weights file. Imports torch.

    Raises:
        UserError: the weights cannot be loaded.
    """
    import openvino
    import torch

    from digit.predict import Predictor

    predictor = Predictor(checkpoint.load(weights)).eval()
    crop = torch.zeros(1, CROP_SIZE, CROP_SIZE, 3, dtype=torch.uint8)
    prior = torch.zeros(1, len(ROOTS), 4)
    # Traced: torch.export gives the same numbers and takes 5 s more, which the first start of the app would wait for.
    with torch.inference_mode():
        model = openvino.convert_model(predictor, example_input=(crop, prior))
    # Fixed shapes, so that OpenVINO plans memory and kernels once.
    shapes = {"crop": list(crop.shape), "prior": list(prior.shape)}
    model.reshape({port.get_any_name(): shapes[port.get_any_name()] for port in model.inputs})
    openvino.save_model(model, folder / IR[0], compress_to_fp16=False)


def _export_in_another_process(weights: Path, folder: Path) -> None:
    path = os.pathsep.join(filter(None, (str(_PACKAGE.parent), os.environ.get("PYTHONPATH"))))
    done = subprocess.run(
        [sys.executable, "-m", "digit.backends.openvino", str(weights.resolve()), str(folder)],
        env={**os.environ, "PYTHONPATH": path},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        raise UserError(f"{weights} could not be prepared for OpenVINO: {last.removeprefix('error: ')}")


def _compiled(folder: Path) -> Any:
    """An infer request. Compiles in a thread of its own, which ends with it.

    OpenVINO gives the compiling thread a signal stack and takes it back when the model is freed. Of two models freed in
    the order in which they were made, the second one leaves a stack behind that is gone, and the next Ctrl-C crashes.
    """

    def compile_() -> Any:
        import openvino

        core: Any = openvino.Core()
        return core.compile_model(str(folder / IR[0]), "CPU", CONFIG).create_infer_request()

    with ThreadPoolExecutor(max_workers=1) as thread:
        return thread.submit(compile_).result()


def _key(weights_sha256: str) -> str:
    digest = hashlib.sha256(f"{weights_sha256} {version('openvino')} {version('torch')}".encode())
    for name in _GRAPH_CODE:
        digest.update((_PACKAGE / f"{name}.py").read_bytes())
    return digest.hexdigest()[:32]


def _checksum(folder: Path) -> str:
    return "".join(f"{checkpoint.sha256(folder / name)}\n" for name in IR)


def _whole(folder: Path) -> bool:
    try:
        return (folder / CHECKSUM).read_text() == _checksum(folder)
    except (OSError, UnicodeDecodeError):
        return False


def main() -> int:
    weights, folder = map(Path, sys.argv[1:])
    try:
        export(weights, folder)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
