"""What each key does; `demo.gui.help` says it in words. A control that has the focus keeps the keys that operate it."""

from typing import TYPE_CHECKING

from PyQt6.QtCore import QEvent, QObject, Qt
from PyQt6.QtGui import QKeyEvent, QKeySequence, QShortcut
from PyQt6.QtWidgets import QAbstractButton, QComboBox, QSlider

from demo.gui.help import SHORTCUTS

if TYPE_CHECKING:
    from demo.gui.window import Window


#: Keys that a focused control takes before the window's shortcuts.
_OWN = {
    Qt.Key.Key_Space: (QAbstractButton, QComboBox),
    Qt.Key.Key_Left: (QSlider,),
    Qt.Key.Key_Right: (QSlider,),
}


class OwnKeys(QObject):
    """Installed on a control: it gets its own keys, and Return presses a button as Space does."""

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        if not isinstance(event, QKeyEvent):
            return False
        if event.type() == QEvent.Type.ShortcutOverride and isinstance(watched, _OWN.get(event.key(), ())):
            event.accept()
            return True
        pressed = event.type() == QEvent.Type.KeyPress and event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter)
        if pressed and isinstance(watched, QAbstractButton):
            watched.click()
            return True
        return False


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
    own_keys = OwnKeys(window)
    for control in window.findChildren((QAbstractButton, QComboBox, QSlider)):
        control.installEventFilter(own_keys)
