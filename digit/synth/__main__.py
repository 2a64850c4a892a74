"""``python -m digit.synth``: write labelled synthetic pictures of one and two hands, or judge how real they look.

Give ``--out`` to write a set, with ``--clips`` one of moving hands; ``--judge`` to let MediaPipe judge the pictures of
one hand.
"""

import argparse
import sys
from pathlib import Path

from digit.errors import UserError, command_line
from digit.options import positive, whole
from digit.synth.components import COMPONENTS, KINDS


@command_line
def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m digit.synth", description=__doc__)
    task = parser.add_mutually_exclusive_group(required=True)
    task.add_argument("--out", type=Path, help="folder to write; an unfinished set is continued")
    task.add_argument("--judge", action="store_true", help="run MediaPipe on pictures of one hand and report")
    parser.add_argument("--count", type=positive, help="pictures in the whole set, or to judge (default 150)")
    parser.add_argument("--seed", type=whole, default=0)
    parser.add_argument(
        "--like", type=Path, metavar="FILE", help="judge also in the poses of the photographs that FILE annotates"
    )
    parser.add_argument(
        "--clips",
        nargs="?",
        const=4.0,
        type=_seconds,
        metavar="SECONDS",
        help="write clips of so many seconds (default 4) and the truth beside them, instead of pictures",
    )
    parser.add_argument(
        "--shard", type=_shard, default=(0, 1), metavar="I/N", help="write only every N-th chunk from I on"
    )
    parser.add_argument(
        "--without", nargs="+", default=[], choices=(*COMPONENTS, *KINDS), metavar="PART", help="leave parts of the "
        "engine out: " + "; ".join(f"{name!r}: {instead}" for name, instead in (COMPONENTS | KINDS).items()),
    )  # fmt: skip
    parser.add_argument("--preview", action="store_true", help="also write preview.png: pictures with labels drawn")
    parser.add_argument(
        "--ray",
        nargs="?",
        const="",
        metavar="ADDRESS",
        help="spread the work over a Ray cluster (default: this computer)",
    )
    args = parser.parse_args(argv)
    if args.like is not None and not args.judge:
        parser.error("--like goes with --judge")
    if args.ray is not None and (args.judge or args.shard != (0, 1)):
        parser.error("--ray goes with --out and shares out the shards itself")
    if args.out and args.count is None:
        parser.error("--out needs --count")
    if args.clips is not None and (args.judge or args.preview or args.ray is not None or args.shard != (0, 1)):
        parser.error("--clips goes with --out, --count and --seed alone")
    if args.without and (args.judge or args.clips is not None or args.ray is not None or args.preview):
        parser.error("--without goes with --out, --count, --seed and --shard alone")
    try:
        if args.judge:
            _judge(args.count or 150, args.seed, args.like)
        elif args.clips is not None:
            from digit.synth.moving import write_clips

            write_clips(args.out, args.count, args.seed, args.clips)
        else:
            _write(args.out, args.count, args.seed, args.shard, args.ray, args.preview, frozenset(args.without))
    except KeyboardInterrupt as interrupt:
        raise KeyboardInterrupt("Stopped; run the same command again to go on.") from interrupt


def _judge(count: int, seed: int, like: Path | None) -> None:
    from digit.synth.judge import judge, nearest, opinions, poses_of_photographs, report

    poses = None if like is None else poses_of_photographs(like)
    given = opinions(count, seed)
    print(report(judge(given)))
    if poses is not None:
        print("\nof each photograph, the picture whose pose and view are nearest:")
        print(report(judge(nearest(given, poses))))


def _write(
    out: Path, count: int, seed: int, shard: tuple[int, int], ray: str | None, preview: bool, without: frozenset[str]
) -> None:
    from digit.synth.generate import contact_sheet, generate

    if ray is None:
        generate(out, count, seed, shard, without=without)
    else:
        from digit.synth.cluster import generate_on_cluster

        generate_on_cluster(out, count, seed, ray)
    if preview:
        import cv2

        sheet = contact_sheet(seed, min(count, 40), columns=4)
        if not cv2.imwrite(str(out / "preview.png"), sheet[..., ::-1]):
            raise UserError(f"Cannot write {out / 'preview.png'}; free some space or give another --out.")


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0.1 <= seconds <= 600:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds between 0.1 and 600")
    return seconds


def _shard(text: str) -> tuple[int, int]:
    try:
        index, count = (int(part) for part in text.split("/"))
    except ValueError:
        index, count = -1, 0
    if not 0 <= index < count:
        raise argparse.ArgumentTypeError(f"{text!r} is not I/N with 0 <= I < N")
    return index, count


if __name__ == "__main__":
    sys.exit(main())
