"""The keyboard shortcuts, and the sheet over the window that lists them."""

from PyQt6.QtCore import QEvent, QObject, Qt
from PyQt6.QtGui import QColor, QPainter, QPaintEvent
from PyQt6.QtWidgets import QFrame, QGridLayout, QLabel, QVBoxLayout, QWidget

from demo.gui import theme

#: (keys as Qt writes them, what the sheet calls them, what they do).
SHORTCUTS = (
    (("Space",), "Space", "Pause, go on, play again"),
    (("1",), "1", "Hand parts"),
    (("2",), "2", "Joints and bones"),
    (("3",), "3", "Crop box"),
    (("[", "]"), "[  ]", "Less, more opacity"),
    (("M",), "M", "Mirror view"),
    (("4",), "4", "Smoothing"),
    (("5",), "5", "Landmark prior"),
    (("V",), "V", "3D view: front, side, top"),
    (("O",), "O", "Open a video or a session"),
    (("R",), "R", "Record, stop recording"),
    (("K",), "K", "Set a marker in the recording"),
    (("L",), "L", "Library of sessions"),
    (("Left", "Right"), "←  →", "Replay: step back, on"),
    (("E",), "E", "Replay: export"),
    (("S",), "S", "Screenshot"),
    (("T",), "T", "Streams to other programs"),
    (("F", "F11"), "F", "Full screen"),
    (("?", "F1"), "?  F1", "This sheet"),
    (("Escape",), "Esc", "Leave this sheet or full screen"),
    (("Ctrl+Q",), "Ctrl+Q", "Quit"),
)


class HelpSheet(QWidget):
    """Lies over its parent while it is shown; any click hides it."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        parent.installEventFilter(self)
        sheet = QFrame()
        sheet.setObjectName("panel")
        grid = QGridLayout(sheet)
        grid.setContentsMargins(28, 22, 28, 22)
        grid.setHorizontalSpacing(28)
        grid.setVerticalSpacing(7)
        title = QLabel("Keyboard shortcuts")
        title.setObjectName("brand")
        grid.addWidget(title, 0, 0, 1, 2)
        for row, (_, keys, what) in enumerate(SHORTCUTS, start=1):
            key = QLabel(keys)
            key.setStyleSheet(f"color: {theme.ACCENT}; font-weight: 600;")
            grid.addWidget(key, row, 0)
            grid.addWidget(QLabel(what), row, 1)
        grid.setColumnStretch(1, 1)
        grid.setRowMinimumHeight(len(SHORTCUTS) + 1, 10)
        note = QLabel("3D view: drag to turn, wheel to zoom,\nShift and drag to move.")
        note.setObjectName("muted")
        grid.addWidget(note, len(SHORTCUTS) + 2, 0, 1, 2)
        column = QVBoxLayout(self)
        column.addWidget(sheet, 0, Qt.AlignmentFlag.AlignCenter)
        self.hide()

    def toggle(self) -> None:
        """Show or hide."""
        if self.isHidden():
            self.setGeometry(self.parentWidget().rect())
            self.show()
            self.raise_()
        else:
            self.hide()

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        if event.type() == QEvent.Type.Resize:
            self.setGeometry(self.parentWidget().rect())
        return False

    def mousePressEvent(self, event) -> None:
        self.hide()

    def paintEvent(self, event: QPaintEvent | None) -> None:
        painter = QPainter(self)
        shade = QColor(theme.GROUND)
        shade.setAlpha(190)
        painter.fillRect(self.rect(), shade)
        painter.end()
