"""One sentence across the window that says what is wrong or what a person should know."""

from collections.abc import Callable

from PyQt6.QtCore import QSize
from PyQt6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QSizePolicy, QToolButton

from demo.gui.icons import icon


class Banner(QFrame):
    """Hidden until `say`; ``kind`` is "error" or "notice". A click on the cross hides it."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.setObjectName("banner")
        self.setProperty("kind", kind)
        self._label = QLabel()
        self._label.setWordWrap(True)
        self._label.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        close = QToolButton()
        close.setIcon(icon("close"))
        close.setIconSize(QSize(12, 12))
        close.setAccessibleName("Hide this message")
        close.clicked.connect(self.hide)
        row = QHBoxLayout(self)
        row.setContentsMargins(12, 6, 6, 6)
        row.addWidget(self._label, 1)
        self.action = QPushButton()
        self.action.clicked.connect(self._act)
        self._do: Callable[[], None] | None = None
        row.addWidget(self.action)
        row.addWidget(close)
        self.hide()

    @property
    def text(self) -> str:
        """What it says; empty while it is hidden."""
        return "" if self.isHidden() else self._label.text()

    def say(self, text: str, action: str = "", do: Callable[[], None] | None = None) -> None:
        """Show this sentence, its first letter as in a sentence; an empty one hides the banner.

        ``action`` is the name of a button that hides the banner and calls ``do``.
        """
        self._label.setText(text[:1].upper() + text[1:])
        self.action.setText(action)
        self.action.setVisible(bool(action))
        self._do = do
        self.setVisible(bool(text))

    def _act(self) -> None:
        self.hide()
        if self._do is not None:
            self._do()
