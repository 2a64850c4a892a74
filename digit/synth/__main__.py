"""``python -m digit.synth``: write synthetic pictures of one and two hands with their labels."""

import argparse
import sys
from pathlib import Path

from digit.errors import UserError


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m digit.synth", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder to write; an unfinished set is continued")
    parser.add_argument("--count", type=int, required=True, help="pictures in the whole set")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--shard", type=_shard, default=(0, 1), metavar="I/N", help="write only every N-th chunk from I on")
    parser.add_argument("--preview", action="store_true", help="also write preview.png: pictures with labels drawn")
    args = parser.parse_args(argv)
    try:
        from digit.synth.generate import contact_sheet, generate

        generate(args.out, args.count, args.seed, args.shard)
        if args.preview:
            import cv2

            sheet = contact_sheet(args.seed, min(args.count, 40), columns=4)
            cv2.imwrite(str(args.out / "preview.png"), sheet[..., ::-1])
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("Stopped; run the same command again to go on.", file=sys.stderr)
        return 130
    return 0


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
