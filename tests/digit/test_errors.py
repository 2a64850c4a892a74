"""How commands end."""

import errno
import os

import pytest

from digit.errors import UserError, command_line


@pytest.mark.parametrize(
    ("ending", "code", "said"),
    [
        (None, 0, ""),
        (UserError("There is no x; make one."), 2, "error: There is no x; make one.\n"),
        (OSError(errno.EACCES, os.strerror(errno.EACCES), "x"), 2, "error: Cannot use x (Permission denied); check "),
        (KeyboardInterrupt(), 130, ""),
        (KeyboardInterrupt("Stopped; go on."), 130, "Stopped; go on.\n"),
    ],
)
def test_a_command_answers_its_exit_code_and_one_sentence(
    ending: BaseException | None, code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    @command_line
    def main(given: str) -> None:
        assert given == "argument"
        if ending is not None:
            raise ending

    assert main("argument") == code
    error = capsys.readouterr().err
    assert error.startswith(said) and error.count("\n") == bool(said)


def test_what_is_no_input_of_a_persons_keeps_its_traceback() -> None:
    @command_line
    def main() -> int:
        raise OSError("a socket broke")

    with pytest.raises(OSError, match="socket"):
        main()
    assert command_line(lambda: 7)() == 7
