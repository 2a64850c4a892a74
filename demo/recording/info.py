"""``info.json``: what was recorded, with what, and how it ended."""

import json
import math
import os
from dataclasses import asdict, dataclass, fields
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from time import monotonic_ns, time_ns
from typing import Any

from demo.recording.format import INFO, VERSION
from demo.recording.video import Codec
from demo.records import Loaded
from demo.settings import Settings


@dataclass(frozen=True, slots=True)
class Info:
    """Every field has a default, so that the info of a broken session can be made up from the rest of it."""

    version: int = VERSION  # of the format
    app_version: str = ""
    started_wall_ns: int = 0  # since 1970 UTC
    started_monotonic_ns: int = 0  # the same moment
    source: str = ""  # camera, video, images or session
    source_name: str = ""
    fps: float | None = None  # nominal
    width: int = 0
    height: int = 0
    K: tuple[float, ...] = ()  # 3×3 of the first Scene, row by row, in pixels
    K_origin: str = ""
    backend: str = ""
    model: str = ""
    weights_sha256: str = ""
    smooth: bool = True
    prior: bool = True
    codec: Codec = "h264"
    notes: str = ""
    finished: bool = False
    ended_by: str = ""  # what ended the recording early; empty when it was stopped
    rows: int = 0
    dropped: int = 0  # Scenes that the writer could not take in time
    seconds: float = 0.0  # from the first capture to the last
    hands_share: tuple[float, float] = (0.0, 0.0)  # of the Scenes with a right, with a left hand


def new_info(settings: Settings, source_name: str, loaded: Loaded | None = None, fps: float | None = None) -> Info:
    """The info of a recording that starts now."""
    loaded = loaded or Loaded(backend="", model="", why="")
    return Info(
        app_version=app_version(),
        started_wall_ns=time_ns(),
        started_monotonic_ns=monotonic_ns(),
        source=settings.source,
        source_name=source_name,
        fps=fps,
        backend=loaded.backend,
        model=loaded.model,
        weights_sha256=loaded.weights_sha256,
        smooth=settings.smooth,
        prior=settings.prior,
        codec=settings.codec,
    )


def app_version() -> str:
    """The version of Digit Live as installed; empty when it runs from a bare checkout."""
    try:
        return version("digit-live")
    except PackageNotFoundError:
        return ""


def write_info(folder: Path, info: Info) -> None:
    """Write ``info.json`` at once or not at all. Raises OSError."""
    unfinished = folder / (INFO + ".new")
    with open(unfinished, "w", encoding="utf-8") as file:
        file.write(json.dumps(asdict(info), indent=2, ensure_ascii=False) + "\n")
        file.flush()
        os.fsync(file.fileno())
    os.replace(unfinished, folder / INFO)


def read_info(folder: Path) -> Info:
    """The info of a session; defaults for what is missing or broken, as no session is refused for its info."""
    try:
        values = json.loads((folder / INFO).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return Info()
    return Info(**_fitting(values)) if isinstance(values, dict) else Info()


def _fitting(values: dict[str, Any]) -> dict[str, Any]:
    """The values that are what their fields need."""
    default, kept = Info(), dict[str, Any]()
    for name in (f.name for f in fields(Info)):
        if name not in values:
            continue
        value, wanted = values[name], getattr(default, name)
        if isinstance(value, float) and not math.isfinite(value):
            continue
        if isinstance(wanted, tuple) and isinstance(value, list):
            kept[name] = tuple(value)
        elif type(value) is type(wanted) or (name in ("fps", "seconds") and isinstance(value, int | float)):
            kept[name] = value
    return kept
