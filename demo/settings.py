"""What a person can choose, and the file in which it persists."""

import json
import os
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal

from platformdirs import user_config_dir

from digit.errors import UserError

SourceKind = Literal["camera", "video", "images", "session"]


@dataclass(frozen=True, slots=True)
class OverlayOptions:
    """What `demo.overlay.paint` draws over the picture."""

    parts: bool = True
    joints: bool = True
    bones: bool = True
    crop: bool = False
    opacity: float = 0.5  # of the parts, 0 to 1


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything the loop and the window can be told."""

    source: SourceKind = "camera"
    camera: int = 0
    path: Path | None = None  # the video file, the folder of pictures or of a session
    repeat: bool = False  # play a video again when it ends (live only)
    backend: str = "auto"
    model: str = "digit-lite"
    weights: Path | None = None  # None = the shipped ones
    hand_model: Path | None = None  # None = made from MediaPipe's wheel at first use
    focal_px: float | None = None  # None = from the field of view
    fov_deg: float = 65.0  # field of view over the picture's longer side, assumed without a focal length
    smooth: bool = True
    prior: bool = True  # hand MediaPipe's landmarks to the network
    mirror: bool = False  # of the view only
    streams: tuple[str, ...] = ()  # NAME[:ADDRESS] of each stream that runs from the start
    stream_network: bool = False  # streams may leave this computer
    stream_token: str = ""  # what other computers must know to connect; "" = a fresh one
    sessions: Path | None = None  # where recordings go; None = "Digit Live" among the user's videos
    record: bool = False  # from the start
    codec: Literal["h264", "mjpeg"] = "h264"  # of a session's video
    overlay: OverlayOptions = field(default_factory=OverlayOptions)


#: A change in one of these means: stop the loop and start it again. A replay runs no network.
RESTART = ("source", "camera", "path", "repeat", "backend", "model", "weights", "hand_model")
RESTART_REPLAY = ("path", "repeat")
#: Smallest and largest value of the numbers.
LIMITS = {"camera": (0, 99), "focal_px": (1.0, 1e6), "fov_deg": (1.0, 179.0), "opacity": (0.0, 1.0)}
#: What the file keeps. A path given for one run is not wanted in the next.
PERSISTED = ("camera", "backend", "model", "focal_px", "fov_deg", "smooth", "prior", "mirror", "overlay")


def needs_restart(old: Settings, new: Settings) -> bool:
    """True when the loop cannot take the new settings while it runs."""
    names = RESTART_REPLAY if old.source == new.source == "session" else RESTART
    return any(getattr(old, name) != getattr(new, name) for name in names)


def same_source(one: Settings, other: Settings) -> bool:
    """True when both show the same camera, file or session."""
    return (one.source, one.camera, one.path) == (other.source, other.camera, other.path)


def with_changes(saved: Settings, old: Settings, new: Settings) -> Settings:
    """``saved`` with what differs between ``old`` and ``new``: what was given for one run stays out of it."""
    values = {f.name: getattr(new, f.name) for f in fields(Settings)}
    return replace(saved, **{name: value for name, value in values.items() if value != getattr(old, name)})


def settings_path() -> Path:
    """The settings file of this user."""
    return Path(user_config_dir("digit-live")) / "settings.json"


def save_settings(settings: Settings, path: Path | None = None) -> None:
    """Write the persistent part as JSON, at once or not at all. Raises UserError when the file cannot be written."""
    path = path or settings_path()
    values = {name: value for name, value in asdict(settings).items() if name in PERSISTED}
    unfinished = path.with_name(path.name + ".new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")
        os.replace(unfinished, path)
    except OSError as error:
        raise UserError(f"Cannot save the settings in {path} ({error.strerror}); make that folder writable.") from error


def load_settings(path: Path | None = None) -> tuple[Settings, str]:
    """The saved settings and a notice: empty, or one sentence when the file was broken and defaults took its place."""
    path = path or settings_path()
    try:
        saved = json.loads(path.read_text(encoding="utf-8"))
        return _settings_from_json(saved), ""
    except FileNotFoundError:
        return Settings(), ""
    except (OSError, ValueError, TypeError) as error:
        return Settings(), f"The settings file {path} could not be used ({error}), so the defaults are in effect."


def _settings_from_json(saved: Any) -> Settings:
    """Raises ValueError or TypeError where a value is not what its field needs. Unknown names are skipped."""
    if not isinstance(saved, dict):
        raise ValueError("not a JSON object")
    overlay = _checked(OverlayOptions(), saved.get("overlay", {}), tuple(f.name for f in fields(OverlayOptions)))
    plain = tuple(name for name in PERSISTED if name != "overlay")
    return replace(_checked(Settings(), saved, plain), overlay=overlay)


def _checked(defaults: Any, saved: Any, names: tuple[str, ...]) -> Any:
    if not isinstance(saved, dict):
        raise ValueError("a group of settings is not a JSON object")
    values = {name: saved[name] for name in names if name in saved}
    for name, value in values.items():
        if not _fits(name, value, getattr(defaults, name)):
            raise ValueError(f"{name} is {value!r}")
    return replace(defaults, **values)


def _fits(name: str, value: Any, default: Any) -> bool:
    if name not in LIMITS:
        return type(value) is type(default)
    low, high = LIMITS[name]
    whole = isinstance(default, int)
    number = isinstance(value, int if whole else int | float) and not isinstance(value, bool)
    return (number and low <= value <= high) or (value is None and default is None)
