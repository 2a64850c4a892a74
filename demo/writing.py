"""Files written behind the loop: each in a thread of its own, every Scene, in order."""

import queue
import threading
from collections.abc import Callable
from typing import Self

from demo.records import Scene

#: Scenes that may wait for a file; a loop that is further ahead waits. 44 MB at 720p.
QUEUE_SCENES = 16


class Writing:
    """Calls ``write`` with every Scene that `put` takes, in a thread of its own. Open it with ``with``.

    What ``write`` raises is raised by the next `put`, or when it closes; nothing is written after it.
    """

    def __init__(self, name: str, write: Callable[[Scene], object], queue_scenes: int = QUEUE_SCENES) -> None:
        self._write = write
        self._queue: queue.Queue[Scene | None] = queue.Queue(queue_scenes)
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        """Write what waits. An error that is already on its way goes first."""
        self._queue.put(None)
        self._thread.join()
        if error is None:
            self._raise()

    def put(self, scene: Scene) -> None:
        """Hand over a Scene; waits while too many wait."""
        self._raise()
        self._queue.put(scene)

    def _raise(self) -> None:
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        while (scene := self._queue.get()) is not None:
            if self._error is None:
                try:
                    self._write(scene)
                except BaseException as error:
                    self._error = error
