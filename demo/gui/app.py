"""The application around the window: what has to be set before Qt starts, and a clean end on Ctrl-C."""

import os
import signal
import sys

from PyQt6.QtWidgets import QApplication

from demo.gui import theme
from demo.settings import Settings


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
    before = signal.signal(signal.SIGINT, lambda *_: window.close())
    try:
        window.show()
        return app.exec()
    finally:
        window.close()
        signal.signal(signal.SIGINT, before)
