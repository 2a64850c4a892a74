"""The framed places of the window."""

from PyQt6.QtWidgets import QFrame, QVBoxLayout, QWidget

from demo.gui import theme


def place() -> QWidget:
    """An empty place that is filled after the window is up."""
    empty = QWidget()
    QVBoxLayout(empty).setContentsMargins(0, 0, 0, 0)
    return empty


def panel(view: QWidget, *bars: QWidget) -> QFrame:
    """A view with its bars below, in a frame."""
    frame = QFrame(objectName="panel")
    column = QVBoxLayout(frame)
    column.setContentsMargins(theme.UNIT, theme.UNIT, theme.UNIT, theme.UNIT)
    column.setSpacing(theme.UNIT)
    column.addWidget(view, 1)
    for bar in bars:
        column.addWidget(bar)
    return frame
