"""A panel that lies over the whole window while it is shown: help, library and streams."""

from PyQt6.QtCore import QEvent, QObject, Qt
from PyQt6.QtGui import QColor, QMouseEvent, QPainter, QPaintEvent
from PyQt6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from demo.gui import theme


class Sheet(QWidget):
    """Darkens its parent and shows a panel on it; a click beside the panel, or Close, hides it.

    Fill ``column``, below the title; ``head`` is the title's row. Give ``refresh`` what is to happen at each opening.
    """

    def __init__(self, parent: QWidget, title: str, max_width: int) -> None:
        super().__init__(parent)
        parent.installEventFilter(self)
        self.panel = QFrame()
        self.panel.setObjectName("panel")
        self.panel.setMaximumWidth(max_width)
        self.column = QVBoxLayout(self.panel)
        self.column.setContentsMargins(28, 20, 28, 20)
        self.column.setSpacing(theme.UNIT)
        label = QLabel(title)
        label.setObjectName("brand")
        self.close_button = QPushButton("Close")
        self.close_button.clicked.connect(self.toggle)
        self.head = QHBoxLayout()
        self.head.addWidget(label)
        self.head.addStretch(1)
        self.head.addWidget(self.close_button)
        self.column.addLayout(self.head)
        around = QHBoxLayout(self)
        around.setContentsMargins(24, 24, 24, 24)
        around.addStretch(1)
        around.addWidget(self.panel, 20, Qt.AlignmentFlag.AlignVCenter)
        around.addStretch(1)
        self.hide()

    def refresh(self) -> None:
        """Follow what it shows."""

    def toggle(self) -> None:
        """Show or hide."""
        if self.isHidden():
            self.refresh()
            self.setGeometry(self.parentWidget().rect())
            self.show()
            self.raise_()
        else:
            self.hide()

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        if event is not None and event.type() == QEvent.Type.Resize:
            self.setGeometry(self.parentWidget().rect())
        return False

    def mousePressEvent(self, event: QMouseEvent | None) -> None:
        if event is not None and not self.panel.geometry().contains(event.position().toPoint()):
            self.hide()

    def paintEvent(self, event: QPaintEvent | None) -> None:
        painter = QPainter(self)
        shade = QColor(theme.GROUND)
        shade.setAlpha(190)
        painter.fillRect(self.rect(), shade)
        painter.end()
