"""The buttons below the 3D view."""

from collections.abc import Callable

from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QWidget

VIEWS = ("front", "side", "top")


def following(view: str) -> str:
    """The named view after this one; the first when it has no name."""
    return VIEWS[(VIEWS.index(view) + 1) % len(VIEWS)] if view in VIEWS else VIEWS[0]


class ViewBar(QWidget):
    """One button a view; ``show`` is called with the name of the one that is asked for."""

    def __init__(self, show: Callable[[str], None]) -> None:
        super().__init__()
        self.buttons = {name: QPushButton(name.capitalize(), checkable=True) for name in VIEWS}
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(6)
        for name, button in self.buttons.items():
            button.setToolTip(f"See the hands from the {name} (V for the next)")
            button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
            button.clicked.connect(lambda _, name=name: show(name))
            row.addWidget(button)
        row.addStretch(1)
        row.addWidget(QLabel("drag to turn · wheel to zoom", objectName="caption"))

    def show_view(self, view: str) -> None:
        """Mark the view that is seen."""
        for name, button in self.buttons.items():
            button.setChecked(name == view)
