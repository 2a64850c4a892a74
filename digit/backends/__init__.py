"""One network on whatever this computer has: `load` opens a backend, which answers a crop with a `Prediction`.

Importing this package imports numpy alone; torch or openvino come in with the backend that needs them.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from digit import checkpoint
from digit.backends.devices import why_no_cuda, why_no_package, why_no_tensorrt
from digit.backends.session import LoadedBackend, Session, Upgrading
from digit.errors import UserError

__all__ = ["LoadedBackend", "Session", "available", "load", "models"]

Progress = Callable[[str], None]

#: Backend name to the precision that its answers are checked in (`digit.backends.check.TOLERANCES`).
PRECISION = {"tensorrt": "fp16", "cuda": "fp16", "openvino-int8": "int8", "openvino": "fp32", "torch": "fp32"}
_CPU = ("openvino-int8", "openvino")


def available() -> dict[str, str]:
    """Backend name to "" where it runs here, else to why it does not. Best first."""
    openvino = why_no_package("openvino")
    return {
        "tensorrt": why_no_tensorrt(),
        "cuda": why_no_cuda(),
        "openvino-int8": openvino,
        "openvino": openvino,
        "torch": why_no_package("torch"),
    }


def models() -> dict[str, str]:
    """Model name to "" where its weights are here, else to why it cannot run."""
    paths = {model: checkpoint.weights_path(model) for model in checkpoint.NETWORKS}
    return {model: "" if path.is_file() else f"no weights at {path}" for model, path in paths.items()}


def load(
    name: str = "auto",
    model: str = "digit-lite",
    weights: Path | None = None,
    progress: Progress | None = None,
) -> LoadedBackend:
    """Open a network on a backend. Its answer to a stored input is compared to the reference's before it is used.

    Args:
        name: a key of `available()`, or "auto" for the fastest that works here.
        weights: a weights file, of any variant (`digit.variants`); by default the repository's own.
        progress: told one sentence before each step that takes long.

    Raises:
        UserError: unknown or unusable backend or model, missing or damaged weights.
    """
    reasons = available()
    if name != "auto" and name not in reasons:
        raise UserError(f"There is no backend '{name}'; choose one of auto, {', '.join(reasons)}.")
    if model not in checkpoint.NETWORKS and (weights is None or checkpoint.read_metadata(weights)["model"] != model):
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
    return _fastest(reasons, model, path, digest, say)


def _fastest(reasons: dict[str, str], model: str, path: Path, digest: str, say: Progress) -> LoadedBackend:
    """The first backend that works, best first."""
    passed_over = [f"{name}: {reason}" for name, reason in reasons.items() if reason]
    usable = [name for name, reason in reasons.items() if not reason]
    for candidate, times in _candidates(usable, path, digest, say):
        try:
            if candidate == "cuda" and "tensorrt" in usable:
                return _open_upgrading(model, path, digest, say)
            session = _open(candidate, path, digest, say)
        except (UserError, RuntimeError, ImportError, OSError) as error:
            passed_over.append(f"{candidate}: {str(error).splitlines()[0].rstrip('.')}")
            continue
        because = f" ({'; '.join(passed_over)})" if passed_over else ""
        return LoadedBackend(session, candidate, model, digest, f"{candidate} is the fastest here{times}{because}.")
    raise UserError(f"No backend can open {path} ({'; '.join(passed_over)}).")


def _candidates(usable: Sequence[str], path: Path, digest: str, say: Progress) -> Iterator[tuple[str, str]]:
    """Usable backends, best first, and how they compared. TensorRT only with an engine; else CUDA gets there."""
    if "tensorrt" in usable and _engine_is_ready(digest):
        yield "tensorrt", ""
    if "cuda" in usable:
        yield "cuda", ""
    if all(name in usable for name in _CPU):
        order, times = _cpu_order(path, digest, say)
        yield from ((name, times) for name in order)
    if "torch" in usable:
        yield "torch", ""


def _cpu_order(path: Path, digest: str, say: Progress) -> tuple[list[str], str]:
    """The CPU's backends, fastest first, and how they compared. Weights without an int8 form run in fp32."""
    from digit.backends import fastest, openvino

    ready = [name for name in _CPU if openvino.is_at_hand(path, digest, PRECISION[name])]
    if len(ready) < 2:
        return ready or ["openvino"], ""
    if not fastest.remembered(digest):
        say("Measuring which backend is the fastest here, once …")
    try:
        known = fastest.measured_ms(digest, {name: _opener(name, path, digest) for name in ready})
    except (UserError, RuntimeError, OSError):
        return ["openvino"], ""  # opening it tells what is wrong
    order = sorted(known, key=lambda name: known[name])
    return order, " with " + ", ".join(f"{name} at {known[name]:.1f} ms" for name in order)


def _opener(name: str, path: Path, digest: str) -> Callable[[], Session]:
    return lambda: _open(name, path, digest, _silent)


def _open(name: str, weights: Path, digest: str, progress: Progress) -> Session:
    if name in _CPU:
        from digit.backends import openvino

        return openvino.open_session(weights, digest, PRECISION[name], progress)
    if name == "tensorrt":
        from digit.backends import gpu

        return gpu.open_tensorrt(weights, digest, progress)
    progress(f"Loading {weights.stem} with torch …")
    if name == "cuda":
        from digit.backends import gpu

        return gpu.open_cuda(weights)
    from digit.backends.torch import TorchSession

    return TorchSession(weights)


def _engine_is_ready(digest: str) -> bool:
    from digit.backends import gpu

    return gpu.engine_is_ready(digest)


def _open_upgrading(model: str, weights: Path, digest: str, say: Progress) -> LoadedBackend:
    """The plain CUDA backend at once; TensorRT takes over when its engine is built."""
    from digit.backends import gpu

    session = _open("cuda", weights, digest, say)
    why = "cuda runs while TensorRT builds an engine for this GPU; it takes over by itself."

    def tell(fault: str) -> None:
        backend.name = "cuda" if fault else "tensorrt"
        backend.why = f"cuda is the fastest here (tensorrt: {fault})." if fault else "tensorrt is the fastest here."

    upgrading = Upgrading(session, gpu.TensorRtBuild(weights, digest), tell)
    backend = LoadedBackend(upgrading, "cuda", model, digest, why)
    return backend


def _silent(_: str) -> None:
    """Progress for those who do not ask for it."""
