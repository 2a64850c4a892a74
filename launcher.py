"""Starts Digit Live. Reads the arguments before anything heavy is imported.

Exit codes: 0 done or closed, 2 bad input (one sentence on stderr), 130 ended with Ctrl-C.
"""

import argparse
import sys
from pathlib import Path

DESCRIPTION = "Digit Live: two interacting hands, in 3D, live from one ordinary webcam."
EPILOG = (
    "Without a source: camera 0, or the last one used; with no camera the sample clip. Without a display the loop runs "
    "headless. Exit codes: 0 done, 2 bad input, 130 Ctrl-C."
)


def parser() -> argparse.ArgumentParser:
    """The command line. ``source`` becomes None or ("camera" | "video" | "images", value)."""
    parser = argparse.ArgumentParser(prog="launcher.py", description=DESCRIPTION, epilog=EPILOG)
    source = parser.add_argument_group("source (one of)").add_mutually_exclusive_group()
    for kind, metavar, read, text in (
        ("camera", "N", _camera, "camera by index"),
        ("video", "PATH", str, "video file"),
        ("images", "DIR", str, "folder of pictures, in the order of their names"),
    ):
        source.add_argument(f"--{kind}", dest="source", metavar=metavar, type=_tagged(kind, read), help=text)
    headless = parser.add_argument_group("without a window")
    headless.add_argument("--headless", action="store_true", help="take every frame, write files, print figures as JSON")
    headless.add_argument("--out", type=Path, default=Path("out"), metavar="DIR", help="folder for them (default: out)")
    headless.add_argument("--max-frames", type=_number(int, 1), metavar="N", help="stop after N frames")
    network = parser.add_argument_group("network")
    network.add_argument("--backend", metavar="NAME", help="auto, openvino, torch or cuda (default: auto)")
    network.add_argument("--model", metavar="NAME", help="digit-lite or digit-w32 (default: digit-lite)")
    network.add_argument("--weights", type=Path, metavar="PATH", help="checkpoint (.safetensors) instead of the shipped one")
    network.add_argument("--hand-model", type=Path, metavar="PATH", help="hand_landmarker.task instead of the downloaded one")
    network.add_argument("--prior", action=on_off, help="hand MediaPipe's landmarks to the network (default: on)")
    view = parser.add_argument_group("camera and view")
    view.add_argument("--focal", type=_number(float, 1), metavar="PX", help="focal length in pixels, for true depths")
    view.add_argument("--fov", type=_number(float, 1, 179), metavar="DEG", help="horizontal field of view (default: 65)")
    view.add_argument("--smooth", action=on_off, help="One-Euro smoothing (default: on)")
    view.add_argument("--mirror", action=on_off, help="show the picture as in a mirror (default: off)")
    return parser


on_off = argparse.BooleanOptionalAction


def _camera(text: str) -> int:
    return _number(int, 0, 99)(text)


def _tagged(kind: str, read):  # noqa: ANN
    def convert(text: str):
        return kind, read(text)

    convert.__name__ = kind
    return convert


def _number(kind, low, high=float("inf")):
    def convert(text: str):
        value = kind(text)
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"{text} is not between {low} and {high}")
        return value

    convert.__name__ = "number"
    return convert


def main(argv: list[str] | None = None) -> int:
    """Run the app with these arguments (default: the process's); returns the exit code."""
    arguments = parser().parse_args(argv)
    from digit.errors import UserError

    try:
        from demo.app import run

        return run(arguments)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
