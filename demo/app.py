"""What `launcher.py` runs once its arguments are known: the window, or the same loop without one."""

import json
import os
import sys
from argparse import Namespace
from dataclasses import asdict, replace
from pathlib import Path

from demo.settings import Settings, load_settings
from demo.streams.protocols import parse_stream
from digit.errors import UserError

SAMPLE = Path(__file__).parents[1] / "assets" / "sample.mp4"


def run(arguments: Namespace) -> int:
    """Run as the arguments say; returns the exit code. Raises UserError for bad input."""
    saved, notice = load_settings()
    settings = settings_from_arguments(arguments, saved)
    if arguments.redo:
        _say(notice)
        return _run_redo(settings, arguments)
    if arguments.source is None and not _any_camera():
        notice = f"{notice} Sample clip: no camera was found, so {SAMPLE.name} is played.".strip()
        settings = replace(settings, source="video", path=SAMPLE, repeat=True)
    if arguments.headless or not has_display():
        if not arguments.headless:
            notice = f"{notice} There is no display, so all runs without a window, into {arguments.out}.".strip()
        _say(notice)
        return _run_headless(settings, arguments)
    _say(notice)
    from demo.gui.app import run_window

    return run_window(settings, notice)


def settings_from_arguments(arguments: Namespace, saved: Settings) -> Settings:
    """The saved settings with what the command line says. Without a source in it: the saved camera."""
    kind, value = arguments.source or ("camera", saved.camera)
    settings = replace(saved, source=kind)
    settings = replace(settings, camera=value) if kind == "camera" else replace(settings, path=value)
    given = {
        "backend": arguments.backend,
        "model": arguments.model,
        "weights": arguments.weights,
        "hand_model": arguments.hand_model,
        "focal_px": arguments.focal,
        "fov_deg": arguments.fov,
        "prior": arguments.prior,
        "smooth": arguments.smooth,
        "mirror": arguments.mirror,
        "sessions": arguments.record if isinstance(arguments.record, Path) else None,
        "record": arguments.record is not None or None,
        "codec": arguments.codec,
        "streams": tuple(arguments.stream) or None,
        "stream_network": None if arguments.stream_network is None else True,
        "stream_token": arguments.stream_network,
    }
    kinds = [parse_stream(stream)[0] for stream in arguments.stream]
    if len(set(kinds)) < len(kinds):
        raise UserError("Each kind of stream runs once; give one address for each.")
    if arguments.fov is not None and arguments.focal is None:
        settings = replace(settings, focal_px=None)
    return replace(settings, **{name: value for name, value in given.items() if value is not None})


def has_display() -> bool:
    """False on a Linux computer without a desktop. Other systems always have one."""
    return sys.platform != "linux" or any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))


def _run_headless(settings: Settings, arguments: Namespace) -> int:
    from demo.headless import run_headless

    if arguments.no_files and arguments.record is not None:
        raise UserError("--no-files and --record exclude each other; leave one out.")
    out = None if arguments.no_files else arguments.out
    figures, notice = run_headless(settings, out, arguments.max_frames, as_live=arguments.as_live)
    _say(notice)
    print(json.dumps(figures), flush=True)
    return 0


def _run_redo(settings: Settings, arguments: Namespace) -> int:
    if settings.source not in ("session", "video") or settings.path is None:
        raise UserError("--redo needs what to run over; add --session DIR.")
    from demo.recording.redo import jobs_of, redo_all

    outcome = redo_all(jobs_of(settings.path, arguments.out), settings, arguments.jobs, arguments.ray)
    print(json.dumps(asdict(outcome)), flush=True)
    if outcome.failed:
        raise UserError(f"Not redone: {', '.join(outcome.failed)}; the lines above say why. Run it again to go on.")
    return 0


def _any_camera() -> bool:
    if sys.platform == "linux":  # cheap: OpenCV is not imported before the window stands
        return any(Path("/dev").glob("video*"))
    from demo.camera import cameras

    return bool(cameras())


def _say(text: str) -> None:
    if text:
        print(f"note: {text}", file=sys.stderr)
