"""``python -m demo.recording.export DIR --to FORMAT [--out PATH]``: the session in DIR for another program.

Exit codes: 0 done, 2 bad input (one sentence on stderr), 130 Ctrl-C.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

from tqdm import tqdm

from demo.recording.export import EXPORTS, export
from demo.recording.reader import read_session
from digit.errors import command_line


def parser() -> argparse.ArgumentParser:
    """The command line."""
    formats = "\n".join(f"  {name:10} {export.title}" for name, export in EXPORTS.items())
    parser = argparse.ArgumentParser(
        prog="python -m demo.recording.export",
        description="Write a session for another program.",
        epilog=f"formats:\n{formats}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("session", type=Path, metavar="DIR", help="folder of a session")
    parser.add_argument("--to", required=True, choices=EXPORTS, metavar="FORMAT", help=", ".join(EXPORTS))
    parser.add_argument("--out", type=Path, metavar="PATH", help="file or folder to write (default: in the session)")
    return parser


@command_line
def main(argv: list[str] | None = None) -> None:
    """Run with these arguments (default: the process's); returns the exit code."""
    arguments = parser().parse_args(argv)
    session = read_session(arguments.session.resolve())
    target = (arguments.out or EXPORTS[arguments.to].file_of(session, arguments.to)).resolve()
    if not session.ended or len(session) < session.info.rows:
        name, rows = session.folder.name, len(session)
        print(f"note: The session {name} breaks off after {rows} frames; these are exported.", file=sys.stderr)
    with tqdm(total=1000, desc=target.name, bar_format="{desc}: {percentage:3.0f}%|{bar}|") as bar:
        export(session, arguments.to, target, lambda share: _show(bar, share))
    print(target)


def _show(bar: "tqdm[Any]", share: float) -> None:
    bar.update(round(1000 * share) - bar.n)


if __name__ == "__main__":
    sys.exit(main())
