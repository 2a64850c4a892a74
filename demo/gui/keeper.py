"""Keeps what a person changes in the window; what the command line gave holds for its run only."""

from collections.abc import Callable

from PyQt6.QtCore import QTimer
from PyQt6.QtWidgets import QWidget

from demo.settings import Settings, load_settings, with_changes
from digit.errors import UserError

SAVE_AFTER_MS = 500


class Keeper:
    """Writes the saved settings with the changes, a moment after the last one; ``say`` gets what goes wrong."""

    def __init__(self, parent: QWidget, save: Callable[[Settings], None], say: Callable[[str], None]) -> None:
        self._saved, _ = load_settings()
        self._save, self._say = save, say
        self._timer = QTimer(parent, interval=SAVE_AFTER_MS, singleShot=True)
        self._timer.timeout.connect(self._write)

    def change(self, old: Settings, new: Settings) -> None:
        """Keep what differs between these settings of the running window."""
        self._saved = with_changes(self._saved, old, new)
        self._timer.start()

    def close(self) -> None:
        """Write what has not been written yet."""
        if self._timer.isActive():
            self._timer.stop()
            self._write()

    def _write(self) -> None:
        try:
            self._save(self._saved)
        except UserError as error:
            self._say(str(error))
