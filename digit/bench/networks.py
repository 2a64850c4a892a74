"""Every network on every backend of this computer, one crop at a time.

The backends of a network run side by side, each in its own process (`digit.bench.cell`), and take turns of a few crops,
so that a busy moment of the computer meets all of them alike. Figures are medians over all turns.
"""

import json
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from digit import backends, checkpoint
from digit.backends import exports
from digit.errors import UserError

#: Variants that are timed, with how many crops make a turn.
MODELS = {"digit-lite": 10, "digit-w32": 2, "baseline": 2, "internet": 3}
TURNS = 5
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Timing:
    """One network on one backend."""

    model: str
    backend: str
    precision: str
    crops: int
    p50_ms: float
    p95_ms: float
    crops_per_s: float  # one after the other
    load_s: float  # from a warm cache, imports included
    memory_mb: float | None  # resident, of a process that holds nothing else
    torch_ratio: float | None  # p50 of torch eager over this one's
    weights: str  # "shipped" or "random"; the time does not depend on it


class Cell:
    """A process that runs one network on one backend."""

    def __init__(self, backend: str, model: str, weights: Path, folder: Path | None):
        self.backend = backend
        line, environment = exports.command("digit.bench.cell", backend, model, weights, *([folder] if folder else []))
        self._process = subprocess.Popen(
            line, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        self.loaded: dict[str, Any] = {}
        self.ms: list[float] = []

    def wait(self) -> None:
        """Until it is loaded. Raises UserError when it cannot be."""
        self.loaded = self._answer()

    def run(self, crops: int) -> None:
        """One turn."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{crops}\n")
        self._process.stdin.flush()
        answer = self._answer()
        self.ms += answer["ms"]
        self.loaded["memory_mb"] = answer["memory_mb"]

    def close(self) -> None:
        if self._process.poll() is None:
            self._process.communicate("\n")

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            _, stderr = self._process.communicate()
            words = exports.last_words(stderr, self._process.returncode)
            raise UserError(f"{self.backend} cannot be timed: {words}")
        return json.loads(line)


def measure(models: Sequence[str], names: Sequence[str], turns: int, say: Say) -> list[Timing]:
    """Time the named networks on the named backends; what cannot run is told and left out."""
    timings: list[Timing] = []
    for model in models:
        cells: list[Cell] = []
        try:
            weights, where = weights_of(model, say)
            for name in names:
                say(f"Loading {model} on {name} …")
                cell = Cell(name, model, weights, export_for(name, model, weights, say))
                try:
                    cell.wait()
                    cells.append(cell)
                except UserError as error:
                    say(str(error))
            for turn in range(turns):
                say(f"{model}: turn {turn + 1} of {turns}")
                for cell in cells:
                    cell.run(MODELS.get(model, 3))
        finally:
            for cell in cells:
                cell.close()
        timings += [timing(cell, model, where, cells) for cell in cells]
    return sorted(timings, key=lambda row: (row.model, row.p50_ms))


def timing(cell: Cell, model: str, where: str, cells: Sequence[Cell]) -> Timing:
    """A cell's figures."""
    p50_ms = float(np.median(cell.ms))
    reference = next((float(np.median(other.ms)) for other in cells if other.backend == "torch"), None)
    return Timing(
        model,
        cell.backend,
        backends.PRECISION[cell.backend],
        len(cell.ms),
        round(p50_ms, 2),
        round(float(np.percentile(cell.ms, 95)), 2),
        round(1e3 / float(np.mean(cell.ms)), 2),
        cell.loaded["load_s"],
        cell.loaded["memory_mb"],
        None if reference is None else round(reference / p50_ms, 2),
        where,
    )


def weights_of(model: str, say: Say) -> tuple[Path, str]:
    """The shipped weights, or random ones that are kept in the cache; and which of the two."""
    path = checkpoint.weights_path(model)
    if path.is_file():
        return path, "shipped"

    def make(folder: Path) -> None:
        say(f"Drawing random weights of {model} …")
        import torch

        from digit import variants

        torch.manual_seed(0)
        checkpoint.save(folder / "random.safetensors", variants.build(model).eval(), {}, model=model)

    return exports.cached("bench", exports.key(model, "random weights"), model, make) / "random.safetensors", "random"


def export_for(backend: str, model: str, weights: Path, say: Say) -> Path | None:
    """The export that OpenVINO opens; None for other backends.

    Random weights answer nothing that int8 could be checked on, and four crops are enough to make them as fast.
    """
    precision = backends.PRECISION[backend]
    if not backend.startswith("openvino"):
        return None
    digest = checkpoint.sha256(weights)
    shipped = exports.shipped(weights, digest, precision)
    if shipped or precision == "fp32":
        from digit.backends.openvino import export_of

        return shipped or export_of(weights, digest, precision, say)
    floats = export_for("openvino", model, weights, say)
    assert floats is not None

    def make(folder: Path) -> None:
        say(f"Making an int8 form of {model} …")
        complaint = exports.in_another_process("digit.backends.quantize", floats, folder, "--unchecked", 4)
        if complaint:
            raise UserError(f"There is no int8 form of {model}: {complaint}")

    makers = (f"openvino {version('openvino')}", "int8 for timing")
    return exports.cached("bench", exports.key(digest, *makers), digest, make)
