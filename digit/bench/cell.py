"""One network on one backend in a process of its own, so that its load time and memory are its own.

    python -m digit.bench.cell BACKEND MODEL WEIGHTS [FOLDER]

Answers in lines of JSON: first {"load_s", "memory_mb"}; then, for each line with a number that comes in, it runs that
many crops and answers {"ms": [...], "memory_mb"}. An empty line ends it. With FOLDER, OpenVINO opens that export.
"""

import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from digit import backends
from digit.backends.session import LoadedBackend
from digit.prediction import CROP_SIZE

WARM_UP = 2


def opened(backend: str, model: str, weights: Path, folder: str) -> LoadedBackend:
    """The backend, from an export's folder where one is named."""
    if not folder:
        return backends.load(backend, model, weights)
    from digit.backends.openvino import OpenVinoSession

    return LoadedBackend(OpenVinoSession(Path(folder)), backend, model, "", "it was asked for.")


def memory_mb(pid: int | str = "self") -> float | None:
    """Resident memory of a process; None where the system does not tell it this way."""
    status = Path(f"/proc/{pid}/status")
    try:
        lines = status.read_text().splitlines()
    except OSError:
        return None
    kilobytes = [int(line.split()[1]) for line in lines if line.startswith("VmRSS")]
    return round(kilobytes[0] / 1024, 1) if kilobytes else None


def _say(**facts: Any) -> None:
    print(json.dumps(facts), flush=True)


def main() -> int:
    backend, model, weights, *folder = sys.argv[1:]
    crops = np.random.default_rng(0).integers(0, 256, (8, CROP_SIZE, CROP_SIZE, 3), dtype=np.uint8)
    began = time.perf_counter()
    loaded = opened(backend, model, Path(weights), *folder or [""])
    load_s = time.perf_counter() - began
    for crop in crops[:WARM_UP]:
        loaded(crop)
    _say(load_s=round(load_s, 3), memory_mb=memory_mb())
    for line in sys.stdin:
        if not line.strip():
            break
        taken: list[float] = []
        for turn in range(int(line)):
            began = time.perf_counter()
            loaded(crops[turn % len(crops)])
            taken.append(round((time.perf_counter() - began) * 1e3, 3))
        _say(ms=taken, memory_mb=memory_mb())
    loaded.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
