"""One export at a time, in a thread of its own, with its progress across the window and a button to cancel."""

import threading
from pathlib import Path

from PyQt6.QtWidgets import QFrame, QHBoxLayout, QLabel, QProgressBar, QPushButton

from demo.gui import theme
from demo.recording.export import EXPORTS, export
from demo.recording.reader import Session
from digit.errors import UserError

_STYLE = f"""
QProgressBar {{ background: {theme.LINE}; border: 0; border-radius: 3px; max-height: 6px; }}
QProgressBar::chunk {{ background: {theme.ACCENT}; border-radius: 3px; }}
"""


class ExportBar(QFrame):
    """Hidden while nothing is exported."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("banner")
        self.setProperty("kind", "progress")
        self._thread: threading.Thread | None = None
        self._cancelled = threading.Event()
        self._share, self._said, self._error = 0.0, "", ""
        self._label, self._bar = QLabel(), QProgressBar()
        self._bar.setTextVisible(False)
        self._bar.setRange(0, 1000)
        self._bar.setStyleSheet(_STYLE)
        self.cancel_button = QPushButton("Cancel")
        self.cancel_button.clicked.connect(lambda _: self._cancelled.set())
        row = QHBoxLayout(self)
        row.setContentsMargins(12, 6, 6, 6)
        row.addWidget(self._label)
        row.addWidget(self._bar, 1)
        row.addWidget(self.cancel_button)
        self.hide()

    @property
    def busy(self) -> bool:
        """True while an export runs."""
        return self._thread is not None

    def start(self, session: Session, name: str, target: Path) -> None:
        """Begin to export; a second one has to wait until the first is done."""
        if self.busy:
            return
        self._cancelled.clear()
        self._share = 0.0
        self._said, self._error = "", ""
        self._label.setText(f"Writing {target.name}")
        self.show()
        self._thread = threading.Thread(target=self._run, args=(session, name, target), name="export", daemon=True)
        self._thread.start()

    def poll(self) -> tuple[str, str] | None:
        """(notice, error) once an export has ended; None otherwise. Shows how far it is."""
        if self._thread is None:
            return None
        self._bar.setValue(round(1000 * self._share))
        if self._thread.is_alive():
            return None
        self._thread = None
        self.hide()
        return self._said, self._error

    def close_down(self) -> None:
        """Cancel what runs and wait for it."""
        self._cancelled.set()
        if self._thread is not None:
            self._thread.join(5)

    def _run(self, session: Session, name: str, target: Path) -> None:
        try:
            where = export(session, name, target, self._progress)
            self._said = f"{EXPORTS[name].title.partition(':')[0]} written to {where}"
        except _Cancelled:
            self._said = f"The export was cancelled; nothing was left in {target.parent}"
        except UserError as error:
            self._error = str(error)
        except Exception as error:
            self._error = f"the export failed ({type(error).__name__}: {error})"

    def _progress(self, share: float) -> None:
        if self._cancelled.is_set():
            raise _Cancelled
        self._share = share


class _Cancelled(Exception):
    """A person changed their mind."""
