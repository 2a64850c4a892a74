"""Pictures of the window."""

from collections.abc import Callable
from pathlib import Path
from time import strftime

from PyQt6.QtCore import QStandardPaths
from PyQt6.QtWidgets import QWidget


def save_screenshot(window: QWidget, notice: Callable[[str], None], failed: Callable[[str], None]) -> Path | None:
    """Save a picture of the window among the user's pictures and say where; None where that fails."""
    pictures = QStandardPaths.writableLocation(QStandardPaths.StandardLocation.PicturesLocation)
    path = Path(pictures or Path.home()) / f"digit-live-{strftime('%Y%m%d-%H%M%S')}.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    if not window.grab().save(str(path)):
        failed(f"the screenshot could not be saved in {path.parent}; make that folder writable")
        return None
    notice(f"screenshot saved as {path}")
    return path
