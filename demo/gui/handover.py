"""One worker after the other: the next starts once the one before it has given back its camera."""

from time import monotonic_ns
from typing import TYPE_CHECKING

from demo.settings import Settings

if TYPE_CHECKING:  # it takes long to import, so it comes after the window is up
    from demo.worker import Worker

#: A worker that takes longer than this to stop is left to end by itself.
STOP_NS = 6_000_000_000


def start_worker(settings: Settings) -> "Worker":
    """The live worker of these settings, or the player of their session, started."""
    if settings.source == "session":
        from demo.recording.player import Player

        return Player(settings).start()
    from demo.worker import Worker

    return Worker(settings).start()


class Handover:
    """Holds the worker that is leaving."""

    def __init__(self) -> None:
        self._leaving: Worker | None = None
        self._since_ns = 0

    def let_go(self, worker: "Worker") -> None:
        """Let this worker end without waiting for it."""
        worker.stop(0)
        self._leaving, self._since_ns = worker, monotonic_ns()

    def is_over(self) -> bool:
        """True when another worker may start. Never waits."""
        if self._leaving is not None:
            late = monotonic_ns() - self._since_ns > STOP_NS
            if self._leaving.stop(0) or late:
                self._leaving = None
        return self._leaving is None

    def wait(self) -> None:
        """Wait until the one that leaves has ended."""
        if self._leaving is not None:
            self._leaving.stop()
