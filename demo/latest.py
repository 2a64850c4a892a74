"""A slot between two threads that holds only the newest value."""

from threading import Condition
from typing import Generic, TypeVar

T = TypeVar("T")


class Latest(Generic[T]):
    """One writer, one reader, no queue: a slow reader skips values and never sees an old one.

    The end travels with the data: after ``close`` the reader still gets the last value, then, once, the error that
    ended the writer, and from then on nothing (`ended`).
    """

    def __init__(self) -> None:
        self._changed = Condition()
        self._value: T | None = None
        self._error: Exception | None = None
        self._closed = False

    def put(self, value: T) -> None:
        """Replace what is in the slot. A closed slot takes nothing more."""
        with self._changed:
            if not self._closed:
                self._value = value
                self._changed.notify_all()

    def close(self, error: Exception | None = None) -> None:
        """End the slot, with the error that ended the writer if there was one. Only the first call counts."""
        with self._changed:
            if not self._closed:
                self._closed, self._error = True, error
                self._changed.notify_all()

    def take(self) -> T | None:
        """The newest value, each at most once; None when there is nothing new. Raises the writer's error, once."""
        with self._changed:
            return self._take()

    def wait(self, timeout_s: float | None = None) -> T | None:
        """Like `take`, but waits for a value or the end; None after the timeout or at the end (see `ended`)."""
        with self._changed:
            self._changed.wait_for(lambda: self._value is not None or self._closed, timeout_s)
            return self._take()

    @property
    def ended(self) -> bool:
        """Closed, and the last value and the error were taken."""
        with self._changed:
            return self._closed and self._value is None and self._error is None

    def _take(self) -> T | None:
        if self._value is not None:
            value, self._value = self._value, None
            return value
        if self._error is not None:
            error, self._error = self._error, None
            raise error
        return None
