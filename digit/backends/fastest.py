"""Which of the CPU's sessions is the fastest on this computer: measured once for these weights, then remembered."""

import json
import platform
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from time import perf_counter

import numpy as np

from digit.backends import exports
from digit.backends.session import Session

WARM_UP, TURNS = 2, 8
FILE = "fastest.json"
#: What sets the pace of an int8 network, best first, as Linux and as people call it; hosts of one name may differ.
_INSTRUCTIONS = {
    "amx_int8": "AMX",
    "avx512_vnni": "AVX-512 VNNI",
    "avx_vnni": "AVX-VNNI",
    "avx512f": "AVX-512",
    "avx2": "AVX2",
}


def measure(weights_sha256: str, sessions: Mapping[str, Session]) -> dict[str, float]:
    """Milliseconds a crop by session name, kept for `remembered`. Closes the sessions."""
    known = race(sessions)
    _remember(weights_sha256, known)
    return known


def race(sessions: Mapping[str, Session]) -> dict[str, float]:
    """Best time of a crop by name, in ms; all take turns, so that a busy moment meets all alike. Closes them."""
    crop, prior = np.full((1, 256, 256, 3), 128, np.uint8), np.zeros((1, 42, 4), np.float32)
    best = dict.fromkeys(sessions, np.inf)
    try:
        for turn in range(WARM_UP + TURNS):
            for name, session in sessions.items():
                began = perf_counter()
                session.start(crop, prior)()
                if turn >= WARM_UP:
                    best[name] = min(best[name], perf_counter() - began)
    finally:
        for session in sessions.values():
            session.close()
    return {name: round(seconds * 1e3, 2) for name, seconds in best.items()}


def remembered(weights_sha256: str) -> dict[str, float]:
    """What this computer measured before; empty when nothing, or nothing readable."""
    try:
        return {str(name): float(ms) for name, ms in json.loads(_path(weights_sha256).read_text()).items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def _remember(weights_sha256: str, known: Mapping[str, float]) -> None:
    path = _path(weights_sha256)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(known))
    except OSError:
        return  # an unwritable cache costs a second at each start, nothing else


def _path(weights_sha256: str) -> Path:
    return exports.folder_of("openvino", exports.key(weights_sha256, version("openvino"), processor())) / FILE


def processor(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """How many processors of which name, and the best of `_INSTRUCTIONS` where Linux tells."""
    lines = cpuinfo.read_text().splitlines() if cpuinfo.is_file() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    if not names:
        return platform.processor() or platform.machine()
    flags = next((set(line.split()) for line in lines if line.startswith("flags")), set[str]())
    best = next((f", {name}" for flag, name in _INSTRUCTIONS.items() if flag in flags), "")
    return f"{len(names)} x {names[0]}{best}"
