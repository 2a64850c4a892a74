"""The one error that is shown to a person as it stands, what others say in one line, and how commands end."""

import sys
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec

P = ParamSpec("P")


class UserError(Exception):
    """Bad input. Its message is one sentence that says what is wrong and what to do; no traceback is needed."""


def first_line(error: BaseException) -> str:
    """What an error says, without the lines behind the first; its kind where it says nothing."""
    lines = str(error).strip().splitlines()
    said = (line for line in lines if not line.startswith("Exception from "))  # OpenVINO: where in its sources
    return next(said, type(error).__name__)


def command_line(main: Callable[P, int | None]) -> Callable[P, int]:
    """Let the ``main`` of a command line answer its exit code, without a traceback for what a person can mend.

    0 done, or what ``main`` answers; 2 bad input, one sentence on stderr; 130 Ctrl-C, with what the interrupt says.
    """

    @wraps(main)
    def ended(*args: P.args, **kwargs: P.kwargs) -> int:
        try:
            return main(*args, **kwargs) or 0
        except UserError as error:
            print(f"error: {error}", file=sys.stderr)
            return 2
        except OSError as error:  # such as a path that is too long or must not be looked into
            if error.filename is None:
                raise
            print(f"error: Cannot use {error.filename} ({error.strerror}); check the path.", file=sys.stderr)
            return 2
        except KeyboardInterrupt as interrupt:
            if said := str(interrupt):
                print(said, file=sys.stderr)
            return 130

    return ended
