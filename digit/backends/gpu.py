"""Opens what runs on an NVIDIA GPU, checks it against the reference, and keeps TensorRT's engines.

An engine that is stale, foreign or broken is deleted and built again.
"""

import shutil
import tempfile
from pathlib import Path

from digit.backends import check, devices, exports, tensorrt
from digit.backends.exports import Progress
from digit.backends.session import Session
from digit.errors import UserError, first_line

KIND = "tensorrt"


def open_cuda(weights: Path) -> Session:
    """PyTorch on the GPU. Raises UserError when its answer is not the reference's, RuntimeError when it cannot run."""
    from digit.backends import cuda

    return checked(cuda.open_session(weights), weights, "PyTorch on the GPU")


def open_tensorrt(weights: Path, weights_sha256: str, progress: Progress) -> Session:
    """TensorRT; builds the engine first, in another process, where there is none.

    Raises:
        UserError: it cannot be built, or answers wrongly.
    """
    if not devices.has_torch_tensorrt():
        from digit.backends import tensorrt_rtx

        return checked(tensorrt_rtx.open_session(weights, weights_sha256, progress), weights, "TensorRT-RTX")
    progress("Building a TensorRT engine, once for these weights and this GPU; this takes some minutes …")
    try:
        return _opened(weights, _engine(weights, weights_sha256))
    except (RuntimeError, OSError):
        forget(weights_sha256)
        return _opened(weights, _engine(weights, weights_sha256))


def engine_is_ready(weights_sha256: str) -> bool:
    """Whether `open_tensorrt` starts within seconds: TensorRT-RTX always does."""
    if not devices.has_torch_tensorrt():
        return True
    try:
        return bool(exports.manifest(exports.folder_of(KIND, tensorrt.engine_name(weights_sha256))))
    except (RuntimeError, AssertionError):  # torch sees no GPU after all: whoever opens it says why
        return False


def forget(weights_sha256: str) -> None:
    """Delete an engine that does not run."""
    shutil.rmtree(exports.folder_of(KIND, tensorrt.engine_name(weights_sha256)), ignore_errors=True)


class TensorRtBuild:
    """An engine in the making while another backend runs; a `digit.backends.session.Build`."""

    def __init__(self, weights: Path, weights_sha256: str):
        """Raises UserError when the cache folder cannot be written."""
        self._weights, self._digest = weights, weights_sha256
        parent = exports.folder_of(KIND, "engine").parent
        try:
            parent.mkdir(parents=True, exist_ok=True)
            self._scratch = tempfile.TemporaryDirectory(prefix="part-", dir=parent)
        except OSError as error:
            raise UserError(f"The cache folder {parent} cannot be written: {error.strerror or error}.") from error
        self._part = Path(self._scratch.name) / "export"
        self._part.mkdir()
        self.build = tensorrt.EngineBuild(weights, self._part)

    def done(self) -> bool:
        return self.build.done()

    def take(self) -> Session | str:
        try:
            if self.build.failed:
                return self.build.step
            name = tensorrt.engine_name(self._digest)
            folder = exports.cached(KIND, name, self._digest, self._move)
            return _opened(self._weights, folder)
        except (UserError, RuntimeError, ImportError, OSError) as error:
            forget(self._digest)
            return first_line(error).rstrip(".")
        finally:
            self.cancel()

    def cancel(self) -> None:
        self.build.cancel()
        self._scratch.cleanup()

    def _move(self, folder: Path) -> None:
        for file in self._part.iterdir():
            file.rename(folder / file.name)


def checked(session: Session, weights: Path, what: str) -> Session:
    """The session, when its answer is the reference's. Raises UserError, with the session closed, when it is not."""
    from digit.backends.export import loaded, reference

    expected = reference(loaded(weights))
    fault = check.fault(session.start(expected.crop, expected.prior)(), expected, "fp16")
    if fault:
        session.close()
        raise UserError(f"{what} does not answer as the reference does ({fault}).")
    return session


def _engine(weights: Path, weights_sha256: str) -> Path:
    """The folder of the engine, built now if it is not there."""

    def make(folder: Path) -> None:
        build = tensorrt.EngineBuild(weights, folder)
        try:
            build.wait()
        finally:
            build.cancel()
        if build.failed:
            raise UserError(f"TensorRT cannot build an engine for {weights}: {build.step}")

    return exports.cached(KIND, tensorrt.engine_name(weights_sha256), weights_sha256, make)


def _opened(weights: Path, folder: Path) -> Session:
    return checked(tensorrt.open_engine(weights, folder), weights, "TensorRT")
