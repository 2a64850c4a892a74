"""The application around the window: what has to be set before Qt starts, and a clean end on Ctrl-C."""

import os
import signal
import sys
import traceback
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING

from PyQt6.QtWidgets import QApplication

from demo.gui import theme
from demo.settings import Settings

if TYPE_CHECKING:
    from demo.gui.window import Window


def run_window(settings: Settings, notice: str = "") -> int:
    """Show the window until it is closed or SIGINT comes; returns the exit code.

    ``notice`` is one sentence that the window shows from the start, such as why the sample clip plays.
    """
    # cv2 points Qt at its own plugins when it was imported before; PyQt6 must not find those.
    os.environ.pop("QT_QPA_PLATFORM_PLUGIN_PATH", None)
    app = QApplication.instance() or QApplication(sys.argv[:1])
    app.setApplicationName("Digit Live")
    theme.apply(app)

    from demo.gui.window import Window

    window = Window(settings, notice=notice)
    # The window's timer returns to Python sixty times a second, which is when Python runs this handler.
    sigint = signal.signal(signal.SIGINT, lambda *_: window.close())
    # Without a hook of one's own, PyQt ends the process on an exception in a slot.
    excepthook, sys.excepthook = sys.excepthook, traceback_and_banner(window)
    try:
        window.show()
        return app.exec()
    finally:
        window.close()
        sys.excepthook = excepthook
        signal.signal(signal.SIGINT, sigint)


def traceback_and_banner(window: "Window") -> Callable[..., None]:
    """An excepthook that prints the traceback and tells the person; the window goes on."""

    def hook(kind: type[BaseException], error: BaseException, where: TracebackType | None) -> None:
        traceback.print_exception(kind, error, where)
        window.error.say(f"a fault in the window ({kind.__name__}: {error}); the terminal shows where")

    return hook
