"""One network on whatever this computer has: `load` opens a backend, which answers a crop with a `Prediction`.

Importing this package imports numpy alone; torch or openvino come in with the backend that needs them.
"""

import ctypes
import re
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol

import numpy as np

from digit import checkpoint
from digit.errors import UserError
from digit.prediction import CROP_SIZE, Prediction, Prior
from digit.skeleton import ROOTS

PRIOR_SHAPE = (len(ROOTS), 4)
_NO_PRIOR = np.zeros(PRIOR_SHAPE, np.float32)

Progress = Callable[[str], None]


class Session(Protocol):
    """A network opened on one runtime."""

    def run(self, crop: np.ndarray, prior: np.ndarray) -> Sequence[np.ndarray]:
        """(1, 256, 256, 3) uint8 and (1, 42, 4) float32 in, the fields of `digit.predict.PredictionTensors` out."""
        ...

    def close(self) -> None: ...


class LoadedBackend:
    """A network ready to run; a `digit.prediction.Backend`. Use and close it in the thread that loaded it."""

    def __init__(self, session: Session, name: str, model: str, weights_sha256: str, why: str):
        self.name = name  # a key of `available()`
        self.model = model
        self.weights_sha256 = weights_sha256
        self.why = why  # one sentence: why this backend was chosen
        self._session: Session | None = session

    def __call__(self, crop: np.ndarray, prior: Prior | None = None) -> Prediction:
        """Both hands in one crop.

        Raises:
            ValueError: the crop is not (256, 256, 3) uint8, or the prior not (42, 4) finite float32.
            RuntimeError: the backend is closed.
        """
        if self._session is None:
            raise RuntimeError(f"the {self.name} backend is closed")
        checked_crop, checked_prior = _checked(crop, prior)
        outputs = self._session.run(checked_crop[None], checked_prior[None])
        joints_2p5d, confidence, part_labels, handedness, root_depth_mm = (_readonly(output[0]) for output in outputs)
        return Prediction(joints_2p5d, confidence, part_labels, handedness, float(root_depth_mm))

    def close(self) -> None:
        """Free the network; a second call does nothing."""
        if self._session is not None:
            self._session.close()
            self._session = None


def available() -> dict[str, str]:
    """Backend name to "" where it runs here, else to why it does not. Best first."""
    return {"cuda": _why_no_cuda(), "openvino": _why_no_package("openvino"), "torch": _why_no_package("torch")}


def models() -> dict[str, str]:
    """Model name to "" where its weights are here, else to why it cannot run."""
    paths = {model: checkpoint.weights_path(model) for model in checkpoint.NETWORKS}
    return {model: "" if path.is_file() else f"no weights at {path}" for model, path in paths.items()}


def load(
    name: str = "auto", model: str = "digit-lite", weights: Path | None = None, progress: Progress | None = None
) -> LoadedBackend:
    """Open a network on a backend.

    Args:
        name: a key of `available()`, or "auto" for the first of them that works.
        weights: a weights file; by default the repository's own.
        progress: told one sentence before each step that takes long.

    Raises:
        UserError: unknown or unusable backend or model, missing or damaged weights.
    """
    reasons = available()
    if name != "auto" and name not in reasons:
        raise UserError(f"There is no backend '{name}'; choose one of auto, {', '.join(reasons)}.")
    if model not in checkpoint.NETWORKS:
        raise UserError(f"There is no model '{model}'; choose one of {', '.join(checkpoint.NETWORKS)}.")
    if name != "auto" and reasons[name]:
        raise UserError(f"The backend '{name}' does not run here: {reasons[name]}.")
    path = weights or checkpoint.weights_path(model)
    held = checkpoint.read_metadata(path)["model"]
    if held != model:
        raise UserError(f"{path} holds weights of {held}, not of {model}; choose that model or another file.")
    digest = checkpoint.sha256(path)
    say = progress or _silent
    if name != "auto":
        return LoadedBackend(_open(name, path, digest, say), name, model, digest, f"{name} was asked for.")
    passed_over: list[str] = []
    for candidate, reason in reasons.items():
        if reason:
            passed_over.append(f"{candidate}: {reason}")
            continue
        try:
            session = _open(candidate, path, digest, say)
        except (UserError, RuntimeError, ImportError, OSError) as error:
            passed_over.append(f"{candidate}: {str(error).splitlines()[0].rstrip('.')}")
            continue
        because = f" ({'; '.join(passed_over)})" if passed_over else ""
        return LoadedBackend(session, candidate, model, digest, f"{candidate} is the fastest that works here{because}.")
    raise UserError(f"No backend can open {path} ({'; '.join(passed_over)}).")


def _open(name: str, weights: Path, digest: str, progress: Progress) -> Session:
    if name == "openvino":
        from digit.backends.openvino import OpenVinoSession

        return OpenVinoSession(weights, digest, progress)
    from digit.backends.torch import TorchSession

    progress(f"Loading {weights.stem} with torch …")
    return TorchSession(weights, "cuda" if name == "cuda" else "cpu")


def _checked(crop: np.ndarray, prior: Prior | None) -> tuple[np.ndarray, np.ndarray]:
    prior = _NO_PRIOR if prior is None else prior
    for what, array, shape, dtype in (
        ("crop", crop, (CROP_SIZE, CROP_SIZE, 3), np.uint8),
        ("prior", prior, PRIOR_SHAPE, np.float32),
    ):
        if array.shape != shape or array.dtype != dtype:
            raise ValueError(f"a {what} is {shape} {np.dtype(dtype)}; got {array.shape} {array.dtype}")
    if not np.isfinite(prior).all():
        raise ValueError("a prior must be finite; give weight 0 to a joint that was not seen")
    return np.ascontiguousarray(crop), np.ascontiguousarray(prior)


def _readonly(array: np.ndarray) -> np.ndarray:
    array = np.array(array)
    array.flags.writeable = False
    return array


def _silent(_: str) -> None:
    """Progress for those who do not ask for it."""


def _why_no_package(package: str) -> str:
    return "" if find_spec(package) else f"the package {package} is not installed"


def _why_no_cuda() -> str:
    """Looks at the driver and at torch's version file; importing torch would cost seconds."""
    spec = find_spec("torch")
    if spec is None or spec.origin is None:
        return "the package torch is not installed"
    version = Path(spec.origin).with_name("version.py")
    if not (version.is_file() and re.search(r"^cuda\b.*=\s*['\"]", version.read_text(), re.MULTILINE)):
        return "this torch is built without CUDA"
    for library in ("libcuda.so.1", "nvcuda.dll"):
        try:
            driver = ctypes.CDLL(library)
        except OSError:
            continue
        count = ctypes.c_int(0)
        if driver.cuInit(0) == 0 and driver.cuDeviceGetCount(ctypes.byref(count)) == 0 and count.value > 0:
            return ""
        return "the NVIDIA driver finds no GPU"
    return "there is no NVIDIA driver"
