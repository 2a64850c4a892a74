"""The one error that is shown to a person as it stands, and what others say in one line."""


class UserError(Exception):
    """Bad input. Its message is one sentence that says what is wrong and what to do; no traceback is needed."""


def first_line(error: BaseException) -> str:
    """What an error says, without the lines behind the first; its kind where it says nothing."""
    lines = str(error).strip().splitlines()
    said = (line for line in lines if not line.startswith("Exception from "))  # OpenVINO: where in its sources
    return next(said, type(error).__name__)
