"""One network on whatever this computer has: `load` opens a backend, which answers a crop with a `Prediction`.

Importing this package imports numpy alone; torch or openvino come in with the backend that needs them.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from digit import checkpoint
from digit.backends.devices import why_no_cuda, why_no_package, why_no_tensorrt
from digit.backends.session import LoadedBackend, Session, Upgrading
from digit.errors import UserError, first_line

__all__ = ["LoadedBackend", "Session", "available", "load", "models"]

Progress = Callable[[str], None]

#: Backend name to the precision that its answers are checked in (`digit.backends.check.TOLERANCES`).
PRECISION = {"tensorrt": "fp16", "cuda": "fp16", "openvino-int8": "int8", "openvino": "fp32", "torch": "fp32"}
_CPU = ("openvino-int8", "openvino")
#: How a GPU's backends compare: only those of the CPU are measured.
_AS_A_RULE = ", as a rule"
#: What opening a backend raises besides UserError, where it does not work.
_FAULTS = (RuntimeError, ImportError, OSError)


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
    if name == "auto":
        return _fastest(reasons, model, path, digest, say)
    try:
        return LoadedBackend(_open(name, path, digest, say), name, model, digest, f"{name} was asked for.")
    except _FAULTS as error:
        raise UserError(f"The backend '{name}' cannot open {path}: {first_line(error).rstrip('.')}.") from error


def _fastest(reasons: dict[str, str], model: str, path: Path, digest: str, say: Progress) -> LoadedBackend:
    """The first backend that works, best first."""
    passed_over = [f"{name}: {reason}" for name, reason in reasons.items() if reason]
    usable = [name for name, reason in reasons.items() if not reason]
    for candidate, times in _candidates(usable, path, digest, say, passed_over):
        try:
            if candidate == "cuda" and "tensorrt" in usable:
                return _open_upgrading(model, path, digest, say)
            session = _open(candidate, path, digest, say)
        except (UserError, *_FAULTS) as error:
            passed_over.append(_why(candidate, error))
            usable.remove(candidate)  # a TensorRT that has just failed is not built again beside CUDA
            continue
        because = f" ({'; '.join(passed_over)})" if passed_over else ""
        return LoadedBackend(session, candidate, model, digest, f"{candidate} is the fastest here{times}{because}.")
    raise UserError(f"No backend can open {path} ({'; '.join(passed_over)}).")


def _candidates(
    usable: Sequence[str], path: Path, digest: str, say: Progress, passed_over: list[str]
) -> Iterator[tuple[str, str]]:
    """Usable backends, best first, and how they compared. TensorRT only with an engine; else CUDA gets there."""
    if "tensorrt" in usable and _engine_is_ready(digest):
        yield "tensorrt", _AS_A_RULE
    if "cuda" in usable:
        yield "cuda", _AS_A_RULE
    if all(name in usable for name in _CPU):
        order, times = _cpu_order(path, digest, say, passed_over)
        yield from ((name, times) for name in order)
    if "torch" in usable:
        yield "torch", ""


def _cpu_order(path: Path, digest: str, say: Progress, passed_over: list[str]) -> tuple[list[str], str]:
    """The CPU's backends, fastest first, and how they compared. Weights without an int8 form run in fp32."""
    from digit.backends import fastest, openvino

    ready = [name for name in _CPU if openvino.is_at_hand(path, digest, PRECISION[name])]
    if len(ready) < 2:
        return ready or ["openvino"], ""
    known = fastest.remembered(digest)
    if known.keys() != set(ready):
        sessions: dict[str, Session] = {}
        for name in ready:
            try:
                sessions[name] = _open(name, path, digest, _silent)
            except (UserError, *_FAULTS) as error:
                passed_over.append(_why(name, error))
        if len(sessions) < len(ready):  # nothing to compare
            for session in sessions.values():
                session.close()
            return list(sessions), ""
        say("Measuring which backend is the fastest here, once …")
        try:
            known = fastest.measure(digest, sessions)
        except RuntimeError:
            return ready, ""  # asking them one by one tells what is wrong
    order = sorted(known, key=lambda name: known[name])
    return order, " with " + ", ".join(f"{name} at {known[name]:.1f} ms" for name in order)


def _why(name: str, error: Exception) -> str:
    """Why a backend was passed over."""
    return f"{name}: {first_line(error).rstrip('.')}"


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

    def tell(fault: str) -> None:
        backend.name = "cuda" if fault else "tensorrt"
        because = f" (tensorrt: {fault})" if fault else ""
        backend.why = f"{backend.name} is the fastest here{_AS_A_RULE}{because}."

    why = "cuda runs while TensorRT builds an engine for this GPU; it takes over by itself."
    backend = LoadedBackend(session, "cuda", model, digest, why)
    try:
        backend.session = Upgrading(session, gpu.TensorRtBuild(weights, digest), tell)
    except (UserError, OSError) as error:
        tell(first_line(error).rstrip("."))
    return backend


def _silent(_: str) -> None:
    """Progress for those who do not ask for it."""
