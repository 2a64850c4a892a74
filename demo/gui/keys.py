"""What each key does; `demo.gui.help` says it in words."""

from typing import TYPE_CHECKING

from PyQt6.QtGui import QKeySequence, QShortcut

from demo.gui.help import SHORTCUTS

if TYPE_CHECKING:
    from demo.gui.window import Window


def bind_keys(window: "Window") -> None:
    """Give the window its shortcuts."""
    bar, sessions = window.draw_bar, window.sessions
    actions = {
        "Space": window.toggle_pause,
        "1": bar.parts.click,
        "2": bar.skeleton.click,
        "3": bar.crop.click,
        "[": lambda: bar.opacity.setValue(bar.opacity.value() - 10),
        "]": lambda: bar.opacity.setValue(bar.opacity.value() + 10),
        "M": bar.mirror.click,
        "4": bar.smooth.click,
        "5": bar.prior.click,
        "V": window.next_view,
        "O": window.open_video,
        "R": window.toggle_recording,
        "K": sessions.mark,
        "L": sessions.library.toggle,
        "Left": lambda: sessions.transport.step(-1),
        "Right": lambda: sessions.transport.step(1),
        "E": sessions.transport.open_menu,
        "S": window.screenshot,
        "T": window.streams.toggle,
        "F": window.toggle_full_screen,
        "?": window.help.toggle,
        "Escape": window.escape,
        "Ctrl+Q": window.close,
    }
    for keys, _, _ in SHORTCUTS:
        for key in keys:
            action = actions.get(key) or actions[keys[0]]
            QShortcut(QKeySequence(key), window, activated=action)
