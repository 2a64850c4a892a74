"""What is too slow for the GUI thread at the start: heavy imports, and lists of cameras, backends and networks."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass

from demo.latest import Latest


@dataclass(frozen=True, slots=True)
class Choices:
    """What the pickers offer. Backends and models map a name to why it cannot be had ("" = it can)."""

    cameras: tuple[tuple[int, str], ...]
    backends: Mapping[str, str]
    models: Mapping[str, str]


def find_choices() -> Choices:
    """Look at this computer. Slow: it imports cv2 and asks every camera driver."""
    from demo.camera import cameras
    from digit import backends

    return Choices(tuple(cameras()), backends.available(), backends.models())


class Startup:
    """Imports the loop (cv2, av …) and then finds the Choices, in a thread of its own."""

    def __init__(self, find=find_choices) -> None:
        self._found: Latest[Choices] = Latest()
        self.imported = threading.Event()
        self._find = find
        self._thread = threading.Thread(target=self._run, name="startup", daemon=True)
        self._thread.start()

    def poll(self) -> Choices | None:
        """The Choices, once. Raises, once, what kept them from being found."""
        return self._found.take()

    def close(self) -> None:
        """Wait for the thread, at most two seconds; a camera driver that hangs keeps only its own daemon thread."""
        self._thread.join(2.0)

    def _run(self) -> None:
        try:
            try:
                import demo.overlay
                import demo.worker  # noqa: F401
            finally:
                self.imported.set()
            self._found.put(self._find())
        except Exception as error:  # it goes to whoever polls
            self._found.close(error)
