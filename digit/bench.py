"""How long a prediction takes on each backend of this computer.

    python -m digit.bench [--model digit-lite] [--weights FILE] [--backends openvino,torch] [--repeat N] [--json]

Backends take turns, one crop each, so that a busy moment of the computer meets all of them alike.
"""

import argparse
import json
import platform
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from digit import backends, checkpoint
from digit.backends import LoadedBackend
from digit.errors import UserError
from digit.prediction import CROP_SIZE

WARM_UP = 3


@dataclass(frozen=True, slots=True)
class Timing:
    """One backend's figures."""

    backend: str
    load_s: float  # includes the export, where there was none in the cache
    p50_ms: float
    p95_ms: float
    torch_ratio: float | None  # p50 of the torch backend over this one's; None when torch was not timed


@dataclass(frozen=True, slots=True)
class Report:
    machine: str
    model: str
    weights_sha256: str
    repeat: int
    timings: tuple[Timing, ...]  # fastest first


def machine() -> str:
    """The processor's name, as the system tells it."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.is_file() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return f"{len(names)} x {names[0]}" if names else platform.processor() or platform.machine()


def bench(names: Sequence[str], model: str, weights: Path | None, repeat: int) -> Report:
    """Time ``repeat`` crops on each backend.

    Raises:
        UserError: as `digit.backends.load`.
    """
    crops = np.random.default_rng(0).integers(0, 256, (8, CROP_SIZE, CROP_SIZE, 3), dtype=np.uint8)
    loaded: dict[str, LoadedBackend] = {}
    load_s: dict[str, float] = {}
    try:
        for name in names:
            started = time.perf_counter()
            loaded[name] = backends.load(name, model, weights, progress=_on_stderr)
            load_s[name] = time.perf_counter() - started
            for crop in crops[:WARM_UP]:
                loaded[name](crop)
        digest = next(iter(loaded.values())).weights_sha256
        seconds: dict[str, list[float]] = {name: [] for name in names}
        for turn in range(repeat):
            for name, backend in loaded.items():
                started = time.perf_counter()
                backend(crops[turn % len(crops)])
                seconds[name].append(time.perf_counter() - started)
    finally:
        for backend in loaded.values():
            backend.close()
    p50_ms = {name: float(np.percentile(taken, 50)) * 1e3 for name, taken in seconds.items()}
    timings = (
        Timing(
            name,
            round(load_s[name], 3),
            round(p50_ms[name], 3),
            round(float(np.percentile(taken, 95)) * 1e3, 3),
            round(p50_ms["torch"] / p50_ms[name], 2) if "torch" in p50_ms else None,
        )
        for name, taken in seconds.items()
    )
    return Report(machine(), model, digest, repeat, tuple(sorted(timings, key=lambda timing: timing.p50_ms)))


def table(report: Report) -> str:
    """The report for people."""
    lines = [
        f"{report.model} ({report.weights_sha256[:12]}) on {report.machine}, {report.repeat} crops",
        f"{'backend':<10}{'load s':>9}{'p50 ms':>9}{'p95 ms':>9}{'x torch':>9}",
    ]
    for t in report.timings:
        ratio = "-" if t.torch_ratio is None else f"{t.torch_ratio:.2f}"
        lines.append(f"{t.backend:<10}{t.load_s:>9.2f}{t.p50_ms:>9.2f}{t.p95_ms:>9.2f}{ratio:>9}")
    return "\n".join(lines)


def _on_stderr(sentence: str) -> None:
    print(sentence, file=sys.stderr)


def _count(text: str) -> int:
    value = int(text)
    if value < 1:
        raise ValueError(text)
    return value


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m digit.bench", description="Time a prediction on each backend.")
    parser.add_argument("--model", default="digit-lite", help=f"one of {', '.join(checkpoint.NETWORKS)}")
    parser.add_argument("--weights", type=Path, help="a weights file instead of the repository's own")
    parser.add_argument("--backends", help="names, separated by commas; by default all that run here")
    parser.add_argument("--repeat", type=_count, default=50, metavar="N", help="crops for each backend (default 50)")
    parser.add_argument("--json", action="store_true", help="print one line of JSON instead of a table")
    args = parser.parse_args(argv)
    asked: str | None = args.backends
    names = asked.split(",") if asked else [name for name, why in backends.available().items() if not why]
    try:
        report = bench(list(dict.fromkeys(names)), args.model, args.weights, args.repeat)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(json.dumps(asdict(report)) if args.json else table(report))
    return 0


if __name__ == "__main__":
    sys.exit(main())
