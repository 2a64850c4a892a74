"""The one error that is shown to a person as it stands."""


class UserError(Exception):
    """Bad input. Its message is one sentence that says what is wrong and what to do; no traceback is needed."""
