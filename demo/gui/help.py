"""The keyboard shortcuts, and the sheet over the window that lists them."""

from PyQt6.QtWidgets import QGridLayout, QLabel, QWidget

from demo.gui import theme
from demo.gui.sheet import Sheet

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


class HelpSheet(Sheet):
    """Lists the keys."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent, "Keyboard shortcuts", max_width=430)
        grid = QGridLayout()
        grid.setHorizontalSpacing(28)
        grid.setVerticalSpacing(7)
        for row, (_, keys, what) in enumerate(SHORTCUTS):
            key = QLabel(keys)
            key.setStyleSheet(f"color: {theme.ACCENT}; font-weight: 600;")
            grid.addWidget(key, row, 0)
            grid.addWidget(QLabel(what), row, 1)
        grid.setColumnStretch(1, 1)
        note = QLabel("3D view: drag to turn, wheel to zoom,\nShift and drag to move.")
        note.setObjectName("muted")
        self.column.addLayout(grid)
        self.column.addSpacing(10)
        self.column.addWidget(note)
