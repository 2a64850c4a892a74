"""A panel that lies over the whole window while it is shown: help, library and streams."""

from PyQt6.QtCore import QEvent, QObject, Qt
from PyQt6.QtGui import QColor, QHideEvent, QMouseEvent, QPainter, QPaintEvent
from PyQt6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from demo.gui import theme


class Sheet(QWidget):
    """Darkens its parent and shows a panel on it; a click beside the panel, or Close, hides it.

    While it is shown it keeps the keyboard's focus, and gives it back when it is hidden.
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
        self._focused_before: QWidget | None = None
        self.hide()

    def refresh(self) -> None:
        """Follow what it shows."""

    def toggle(self) -> None:
        """Show or hide."""
        if self.isHidden():
            self.refresh()
            self._focused_before = self.window().focusWidget()
            self.setGeometry(self.parentWidget().rect())
            self.show()
            self.raise_()
            self.close_button.setFocus()
        else:
            self.hide()

    def focusNextPrevChild(self, forth: bool) -> bool:
        """Tab goes round on the sheet and not behind it."""
        here = widget = self.focusWidget() or self.close_button
        while (widget := widget.nextInFocusChain() if forth else widget.previousInFocusChain()) is not here:
            if self.isAncestorOf(widget) and _takes_tab(widget):
                widget.setFocus(Qt.FocusReason.TabFocusReason if forth else Qt.FocusReason.BacktabFocusReason)
                break
        return True  # also where there is nothing else to go to

    def hideEvent(self, event: QHideEvent | None) -> None:
        spontaneous = event is not None and event.spontaneous()  # the whole window was minimised
        if not spontaneous and self.isAncestorOf(self.window().focusWidget()):
            before = self._focused_before
            (before if before is not None and before.isVisible() else self.window()).setFocus()

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


def _takes_tab(widget: QWidget) -> bool:
    return widget.isVisible() and widget.isEnabled() and bool(widget.focusPolicy() & Qt.FocusPolicy.TabFocus)
