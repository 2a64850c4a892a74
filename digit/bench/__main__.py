"""Everything that can be timed on this computer, in one run.

    python -m digit.bench                                    all, about eight minutes; writes assets/benchmarks/
    python -m digit.bench --only networks --models digit-lite --backends openvino,torch
    python -m digit.bench --only loop --clip hands.mp4 --json

What is compared takes turns, so that a busy moment of the computer meets all alike, and figures are medians: read them
as ratios unless the computer was idle.
"""

import argparse
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from digit import backends
from digit.backends.fastest import processor
from digit.bench import growth, loop, networks, profile
from digit.bench.growth import Endurance, Step
from digit.bench.loop import Loop
from digit.bench.networks import Timing
from digit.bench.profile import Profile
from digit.bench.table import table
from digit.errors import UserError, command_line

SECTIONS = ("networks", "profile", "loop", "growth", "endurance")
#: The fewest --frames that leave something to measure. Growth takes a third of them for each of its runs.
LEAST_FRAMES = {"loop": loop.SKIPPED + 1, "growth": 3 * (loop.SKIPPED + 1)}
LEAST_ENDURANCE = 3
SAMPLE = loop.ROOT / "assets" / "sample.mp4"


@dataclass(frozen=True, slots=True)
class Report:
    """One run of the benchmark. A section that was not asked for is empty."""

    machine: str
    system: str
    versions: dict[str, str]
    started: str  # UTC
    load_average: float | None  # of the last minute, when it started: above 0.5, the computer was not idle
    gemm_gflops: float | None  # float32 matrix product on all cores
    networks: tuple[Timing, ...] = ()
    profiles: tuple[Profile, ...] = ()
    loops: tuple[Loop, ...] = ()
    launch_s: float | None = None  # launch to exit of a run of five frames, warm caches
    sizes: tuple[Step, ...] = ()
    hands: tuple[Step, ...] = ()
    endurance: Endurance | None = None


def measure(args: argparse.Namespace) -> Report:
    """Run the sections that are asked for. Raises UserError when one of them cannot run."""
    wanted: tuple[str, ...] = args.only
    clip: Path = args.clip
    load_average = round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None
    found: dict[str, object] = {}
    peak = profile.gemm_gflops() if "profile" in wanted else None
    if "networks" in wanted:
        found["networks"] = tuple(networks.measure(args.models, args.backends, args.turns, _say))
    if peak is not None:
        found["profiles"] = tuple(profiles(args.models, peak))
    if "loop" in wanted:
        _say(f"The loop and MediaPipe on {clip.name} …")
        options = ((), ("--no-prior",))
        found["loops"] = tuple(loop.compare(clip, args.frames, given, 2) for given in options)
        found["launch_s"] = round(min(loop.run(clip, 5).wall_s for _ in range(3)), 2)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if "growth" in wanted:
            _say("Growth with the size of the frames and the number of hands …")
            found["sizes"] = tuple(growth.with_size(clip, folder, args.frames // 3))
            found["hands"] = tuple(growth.with_hands(clip, folder, args.frames // 3))
        if "endurance" in wanted:
            _say(f"{args.endurance} frames in one run …")
            growth.rescale(clip, folder / "small.mp4", 640, 360, 240)
            found["endurance"] = growth.with_time(folder / "small.mp4", folder, args.endurance, [])
    return Report(
        machine=processor(),
        system=platform.platform(),
        versions={name: version(name) for name in ("openvino", "torch", "mediapipe")},
        started=datetime.now(UTC).isoformat(timespec="seconds"),
        load_average=load_average,
        gemm_gflops=peak,
        **found,  # type: ignore[arg-type]
    )


def profiles(models: tuple[str, ...], peak: float) -> list[Profile]:
    """Where the time of the app's networks goes, in both precisions."""
    rows: list[Profile] = []
    for model in (model for model in models if model in ("digit-lite", "digit-w32")):
        weights, _ = networks.weights_of(model, _say)
        for name in ("openvino", "openvino-int8"):
            folder = networks.export_for(name, model, weights, _say)
            if folder is not None:
                rows.append(profile.profile(model, backends.PRECISION[name], folder, peak))
    return rows


def _say(sentence: str) -> None:
    print(sentence, file=sys.stderr, flush=True)


def _count(text: str) -> int:
    value = int(text)
    if value < 1:
        raise ValueError(text)
    return value


def _names(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(text.split(",")))


def parser() -> argparse.ArgumentParser:
    here = ",".join(name for name, why in backends.available().items() if not why)
    parser = argparse.ArgumentParser(
        prog="python -m digit.bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", type=_names, default=SECTIONS, metavar="LIST", help=f"some of {','.join(SECTIONS)}")
    parser.add_argument(
        "--models", type=_names, default=tuple(networks.MODELS), metavar="LIST", help="default: %(default)s"
    )
    parser.add_argument("--backends", type=_names, default=_names(here), metavar="LIST", help=f"default: {here}")
    parser.add_argument("--turns", type=_count, default=networks.TURNS, metavar="N", help="turns of each network (5)")
    parser.add_argument("--clip", type=Path, default=SAMPLE, help="a clip with hands (default: the sample clip)")
    parser.add_argument("--frames", type=_count, default=120, metavar="N", help="frames of each run of the loop (120)")
    parser.add_argument("--endurance", type=_count, default=10_000, metavar="N", help="frames of the long run (10000)")
    parser.add_argument("--streams", action="store_true", help="only how long Scenes take to clients of the streams")
    parser.add_argument("--json", action="store_true", help="print one line of JSON instead of tables")
    parser.add_argument("--out", type=Path, help="JSON file to write (a run of all: assets/benchmarks/MACHINE.json)")
    return parser


def _check(args: argparse.Namespace) -> None:
    unknown = [name for name in args.only if name not in SECTIONS]
    if unknown:
        raise UserError(f"There is no section '{unknown[0]}'; choose from {', '.join(SECTIONS)}.")
    known = backends.available()
    for name in args.backends:
        if name not in known:
            raise UserError(f"There is no backend '{name}'; choose from {', '.join(known)}.")
    for model in args.models:
        from digit.variants import find

        find(model)
    if not args.clip.is_file():
        raise UserError(f"There is no clip {args.clip}; check --clip.")
    least = max(LEAST_FRAMES.get(name, 1) for name in args.only)
    if args.frames < least:
        raise UserError(f"--frames {args.frames} leaves nothing to measure; give {least} or more.")
    if args.endurance < LEAST_ENDURANCE:
        raise UserError(f"--endurance {args.endurance} leaves nothing to measure; give {LEAST_ENDURANCE} or more.")
    in_clip = min(least, loop.SKIPPED + 1)
    if loop.count_frames(args.clip, in_clip) < in_clip:
        raise UserError(f"{args.clip} has fewer than {in_clip} frames; give a longer one with --clip.")


@command_line
def main(argv: list[str] | None = None) -> int:
    args = parser().parse_args(argv)
    if args.streams:  # the app's own, so in a process of its own
        line = [sys.executable, "-m", "demo.streams.latency", *(["--json"] if args.json else [])]
        return subprocess.run(line, cwd=loop.ROOT, check=False).returncode
    _check(args)
    report = measure(args)
    out: Path | None = args.out
    if out is None and args.only == SECTIONS:
        name = re.sub(r"[^a-z0-9]+", "-", report.machine.lower()).strip("-")
        out = loop.ROOT / "assets" / "benchmarks" / f"{name}.json"
    if out is not None:
        try:
            out.parent.mkdir(parents=True, exist_ok=True)
            out.write_text(json.dumps(asdict(report), indent=1) + "\n")
        except OSError as error:
            raise UserError(f"{out} cannot be written: {error.strerror}; name another with --out.") from error
        _say(f"wrote {out}")
    print(json.dumps(asdict(report)) if args.json else table(asdict(report)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
