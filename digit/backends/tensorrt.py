"""TensorRT: the network compiled ahead of time for this very GPU, through torch-tensorrt.

The engine is the whole network in float16, without a break; the input's scaling and the float32 soft-argmax around it
stay PyTorch's, and all of it is one CUDA graph (`digit.backends.cuda`). Building takes minutes, so another process does
it (`EngineBuild`); the engine is kept in the cache under everything that made it. Where torch-tensorrt cannot be had,
`digit.backends.tensorrt_rtx` does the job.

    python -m digit.backends.tensorrt WEIGHTS FOLDER    build the engine; a line on stdout for each step

Not yet measured: no GPU has run this.
"""

import argparse
import platform
import subprocess
import sys
import tempfile
from functools import cache
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from digit.backends import exports
from digit.errors import UserError, first_line

if TYPE_CHECKING:
    from digit.backends.cuda import CudaSession

ENGINE = "network.ep"
PRECISION = "fp16"
FIRST_STEP = "Building a TensorRT engine"
#: Exit code of a build that failed and said why.
TOLD = 2


class EngineBuild:
    """Builds the engine of a weights file in another process. Poll it, or cancel it."""

    def __init__(self, weights: Path, folder: Path):
        line, environment = exports.command("digit.backends.tensorrt", weights.resolve(), folder)
        self.step = FIRST_STEP  # what it is doing now, or why it failed
        self._said = tempfile.TemporaryFile("a+", encoding="utf-8")  # noqa: SIM115 - closed by `cancel`
        self._complained = tempfile.TemporaryFile("a+", encoding="utf-8", errors="replace")  # noqa: SIM115 - likewise
        self._process = subprocess.Popen(
            line, env=environment, stdin=subprocess.DEVNULL, stdout=self._said, stderr=self._complained
        )

    def done(self) -> bool:
        """True once the process has ended. Never waits."""
        ended = self._process.poll() is not None
        self._read()
        return ended

    def wait(self) -> None:
        """Until the process has ended."""
        self._process.wait()
        self._read()

    @property
    def failed(self) -> bool:
        """Ended without an engine; ``step`` says why."""
        return self._process.returncode not in (None, 0)

    def cancel(self) -> None:
        """End the process and wait for it; what it wrote so far is deleted by whoever owns the folder."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        self._said.close()
        self._complained.close()

    def _read(self) -> None:
        self._said.seek(0)
        self._complained.seek(0)
        self.step = next((line for line in reversed(self._said.read().splitlines()) if line), FIRST_STEP)
        code = self._process.returncode
        if code not in (None, 0, TOLD):  # killed, or crashed in a library: it could not say why itself
            complaint = self._complained.read().strip().splitlines()[-1:]
            self.step = f"{self.step}: {'; '.join([f'exit code {code}', *complaint])}"


def engine_name(weights_sha256: str) -> str:
    """Name of the engine's folder in the cache: weights, versions, GPU, its SM, driver, system, precision."""
    import torch

    gpu = torch.cuda.get_device_properties(0)
    packages = [f"{name} {_version(name)}" for name in ("torch", "torch-tensorrt", "tensorrt", "tensorrt-cu13")]
    return exports.key(
        weights_sha256, *packages, gpu.name, f"sm {gpu.major}.{gpu.minor}", f"cuda {torch.version.cuda}",
        f"driver {_driver()}", platform.platform(), platform.machine(), PRECISION,
        exports.code("backends/half", "backends/tensorrt"),
    )  # fmt: skip


def open_engine(weights: Path, folder: Path) -> "CudaSession":
    """Run a built engine.

    Raises:
        RuntimeError, OSError: the engine does not run here.
    """
    import torch

    import_module("torch_tensorrt")  # registers the operation that runs engines

    from digit.backends.cuda import CudaSession
    from digit.backends.export import loaded

    _name_outputs()
    predictor = loaded(weights)
    predictor.network = torch.export.load(str(folder / ENGINE)).module()
    return CudaSession(predictor.to("cuda"))


def build(weights: Path, folder: Path) -> None:
    """Build the engine into a folder, telling each step on stdout.

    Raises:
        UserError: the weights cannot be loaded, or TensorRT cannot take the whole network.
    """
    import torch

    torch_tensorrt: Any = import_module("torch_tensorrt")
    _say("Loading the network")
    program, example = program_of(weights, "cuda")
    if None in program.graph.output_node().args[0]:  # torch-tensorrt 2.13 takes each output for a tensor
        raise UserError("torch-tensorrt cannot take a network without a segmentation; run it with the backend cuda.")
    _say("Building a TensorRT engine; this takes some minutes, once for these weights and this GPU")
    # The types stand in the graph: float16 layers, float32 Gaussians. From 2.13 on nothing else decides them.
    engine: Any = torch_tensorrt.dynamo.compile(
        program, arg_inputs=example, require_full_compilation=True, min_block_size=1, use_python_runtime=False,
        immutable_weights=True, cache_built_engines=False, reuse_cached_engines=False, optimization_level=5,
    )  # fmt: skip
    _say("Saving the engine")
    with torch.inference_mode():
        torch_tensorrt.save(engine, str(folder / ENGINE), arg_inputs=list(example), retrace=False)


def program_of(weights: Path, device: str) -> tuple[Any, tuple[Any, ...]]:
    """The float16 network as `torch.export` sees it, and its example inputs (image and, where taken, prior)."""
    import torch

    from digit.backends.export import loaded, reference_input
    from digit.backends.half import halved

    predictor = halved(loaded(weights)).to(device)
    crop, prior = (torch.from_numpy(array).to(device) for array in reference_input())
    image = crop.permute(0, 3, 1, 2).float() / 255
    example = (image, prior) if predictor.takes_prior else (image,)
    _name_outputs()
    with torch.inference_mode():
        return torch.export.export(predictor.network, example), example


@cache
def _name_outputs() -> None:
    """Name the networks' outputs for torch, which saves and loads no program that answers a named tuple without."""
    from torch.utils import _pytree

    from digit.internet import InterNetOutput
    from digit.model import DigitOutput

    for output in (DigitOutput, InterNetOutput):
        # Torch has no public way for named tuples; its error on saving one asks for this.
        _pytree._register_namedtuple(  # pyright: ignore[reportPrivateUsage]
            output, serialized_type_name=f"{output.__module__}.{output.__name__}"
        )


def _say(step: str) -> None:
    print(step, flush=True)


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "none"


def _driver() -> str:
    module = Path("/sys/module/nvidia/version")
    return module.read_text().strip() if module.is_file() else "unknown"


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m digit.backends.tensorrt",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("weights", type=Path)
    parser.add_argument("folder", type=Path)
    args = parser.parse_args(argv)
    try:
        build(args.weights, args.folder)
    except Exception as error:  # of whatever kind a compiler raises: whoever waits for the engine reads why
        _say(first_line(error))
        return TOLD
    return 0


if __name__ == "__main__":
    sys.exit(main())
