"""Starts Digit Live. Reads the arguments before anything heavy is imported.

Exit codes: 0 done or closed, 2 bad input (one sentence on stderr), 130 ended with Ctrl-C.
"""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from digit.errors import command_line

DESCRIPTION = "Digit Live: two interacting hands, in 3D, live from one ordinary webcam."
EPILOG = (
    "Without a source: the camera last chosen in the window, at first camera 0; with no camera the sample clip. "
    "Without a display the loop runs headless. Exit codes: 0 done, 2 bad input, 130 Ctrl-C."
)


def parser() -> argparse.ArgumentParser:
    """The command line. ``source`` becomes None or (kind, what): ("camera", int), ("video", Path), …."""
    parser = argparse.ArgumentParser(prog="launcher.py", description=DESCRIPTION, epilog=EPILOG)
    on_off = argparse.BooleanOptionalAction
    source = parser.add_argument_group("source (one of)").add_mutually_exclusive_group()
    source.add_argument("--camera", dest="source", metavar="N", type=_camera, help="camera by index")
    source.add_argument("--video", dest="source", metavar="PATH", type=_video, help="video file")
    source.add_argument(
        "--images", dest="source", metavar="DIR", type=_images, help="folder of pictures, sorted by name"
    )
    source.add_argument("--session", dest="source", metavar="DIR", type=_session, help="replay a recorded session")
    recording = parser.add_argument_group("recording")
    recording.add_argument(
        "--record", nargs="?", const=True, type=Path, metavar="DIR", help="record from the start, into a session in DIR"
    )
    recording.add_argument(
        "--codec", choices=("h264", "mjpeg"), help="of a session's video: h264 is small, mjpeg steps fast"
    )
    recording.add_argument(
        "--redo", action="store_true", help="run the network again over --session DIR, or all sessions and videos in it"
    )
    recording.add_argument("--jobs", type=_between(int, 1, 1024), metavar="N", help="sessions at once (default: cores)")
    recording.add_argument("--ray", nargs="?", const="", metavar="ADDRESS", help="redo on a Ray cluster")
    headless = parser.add_argument_group("without a window")
    headless.add_argument(
        "--headless",
        action="store_true",
        help="take every frame (of a camera the newest), write files, print figures as JSON",
    )
    headless.add_argument("--out", type=Path, default=Path("out"), metavar="DIR", help="folder to write (default: out)")
    headless.add_argument("--no-files", action="store_true", help="write nothing: only streams and figures")
    headless.add_argument(
        "--as-live", action="store_true", help="MediaPipe answers a frame late, as in the window, not with each frame"
    )
    headless.add_argument("--max-frames", type=_between(int, 1), metavar="N", help="stop after N frames")
    network = parser.add_argument_group("network")
    names = "auto, tensorrt, cuda, openvino-int8, openvino or torch"
    network.add_argument("--backend", metavar="NAME", help=f"{names} (default: auto)")
    network.add_argument("--model", metavar="NAME", help="digit-lite or digit-w32 (default: digit-lite)")
    network.add_argument(
        "--weights", type=Path, metavar="PATH", help="weights (.safetensors) instead of the shipped ones"
    )
    network.add_argument("--hand-model", type=Path, metavar="PATH", help="hand_landmarker.task of your own")
    network.add_argument("--prior", action=on_off, help="hand MediaPipe's landmarks to the network (default: on)")
    streams = parser.add_argument_group("streams to other programs")
    streams.add_argument(
        "--stream",
        action="append",
        default=[],
        metavar="NAME[:ADDRESS]",
        help="websocket, osc, vmc, udp, lsl, rerun or camera; may be given several times",
    )
    streams.add_argument(
        "--stream-network",
        nargs="?",
        const="",
        metavar="TOKEN",
        help="let streams leave this computer; clients of the WebSocket must know TOKEN (default: a new one, shown)",
    )
    view = parser.add_argument_group("camera and view")
    view.add_argument("--focal", type=_between(float, 1), metavar="PX", help="focal length in pixels, for true depths")
    view.add_argument(
        "--fov", type=_between(float, 1, 179), metavar="DEG", help="field of view over the longer side (default: 65)"
    )
    view.add_argument("--smooth", action=on_off, help="One-Euro smoothing (default: on)")
    view.add_argument("--mirror", action=on_off, help="show the picture as in a mirror (default: off)")
    return parser


def _camera(text: str) -> tuple[str, int]:
    return "camera", int(_between(int, 0, 99)(text))


def _video(text: str) -> tuple[str, Path]:
    return "video", Path(text)


def _session(text: str) -> tuple[str, Path]:
    return "session", Path(text)


def _images(text: str) -> tuple[str, Path]:
    return "images", Path(text)


def _between(kind: type[int] | type[float], low: float, high: float = 1e6) -> Callable[[str], float]:
    """Reads a number of this kind within limits."""

    def read(text: str) -> float:
        try:
            value = kind(text)
        except ValueError:
            value = low - 1
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"give a number from {low:g} to {high:g}, not {text!r}")
        return value

    return read


@command_line
def main(argv: list[str] | None = None) -> int:
    """Run the app with these arguments (default: the process's); returns the exit code."""
    arguments = parser().parse_args(argv)
    from demo.app import run

    return run(arguments)


if __name__ == "__main__":
    sys.exit(main())
