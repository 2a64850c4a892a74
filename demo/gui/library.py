"""The sheet that lists the sessions: open, rename, note, compare, throw away."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from PyQt6.QtCore import QSize, Qt, QUrl, pyqtSignal
from PyQt6.QtGui import QColor, QDesktopServices, QIcon, QPainter, QPainterPath, QPixmap
from PyQt6.QtWidgets import (
    QHBoxLayout,
    QInputDialog,
    QLabel,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QMessageBox,
    QPushButton,
    QWidget,
)

from demo.gui import theme
from demo.gui.sheet import Sheet
from demo.recording import library
from demo.recording.finalise import finalise
from demo.recording.library import Entry
from digit.errors import UserError

_PICTURE = QSize(128, 72)
_STYLE = f"""
QListWidget {{ background: {theme.GROUND}; border: 1px solid {theme.LINE}; border-radius: 6px; padding: 4px; }}
QListWidget::item {{ border-radius: 6px; padding: 6px; }}
QListWidget::item:selected {{ background: #1d3b3a; color: {theme.TEXT}; }}
QLineEdit {{ background: {theme.GROUND}; border: 1px solid {theme.LINE}; border-radius: 6px; min-height: 28px;
    padding: 0 8px; }}
QLineEdit:focus {{ border-color: {theme.ACCENT}; }}
"""


class LibraryPanel(Sheet):
    """The sessions of a folder.

    ``opened`` carries a session's folder, ``renamed`` its old and its new one, ``said`` a sentence of what went wrong.
    """

    opened = pyqtSignal(object)
    renamed = pyqtSignal(object, object)
    said = pyqtSignal(str)

    def __init__(self, parent: QWidget, sessions: Path) -> None:
        super().__init__(parent, "Sessions", max_width=860)
        self.sessions = sessions
        self.entries: list[Entry] = []
        self.list = QListWidget()
        self.list.setAccessibleName("Sessions")
        self.list.setIconSize(_PICTURE)
        self.list.setSpacing(2)
        self.list.setMinimumHeight(330)
        self.list.setWordWrap(True)
        self.empty = QLabel("No recording yet: press R while the camera or a video runs.")
        self.empty.setObjectName("muted")
        self.empty.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.empty.setMinimumHeight(330)
        self.room = QLabel()
        self.room.setObjectName("caption")
        self.notes = QLineEdit()
        self.notes.setPlaceholderText("Notes on this session")
        self.notes.setAccessibleName("Notes")
        self.open, self.rename = QPushButton("Open"), QPushButton("Rename…")
        self.folder, self.trash = QPushButton("Show folder"), QPushButton("Move to trash")
        self.finish = QPushButton("Finalise")
        self._lay_out()
        self._connect()

    def _lay_out(self) -> None:
        self.panel.setStyleSheet(_STYLE)
        self.head.insertSpacing(1, theme.UNIT)
        self.head.insertWidget(2, self.room)
        self.column.addWidget(self.list)
        self.column.addWidget(self.empty)
        self.column.addWidget(self.notes)
        foot = QHBoxLayout()
        for button in (self.open, self.rename, self.folder, self.finish):
            foot.addWidget(button)
        foot.addStretch(1)
        foot.addWidget(self.trash)
        self.column.addLayout(foot)

    def _connect(self) -> None:
        self.list.currentRowChanged.connect(lambda _: self._show_selected())
        self.list.itemActivated.connect(lambda _: self._open())
        self.notes.editingFinished.connect(self._save_notes)
        self.open.clicked.connect(lambda _: self._open())
        self.rename.clicked.connect(lambda _: self._ask_name())
        self.folder.clicked.connect(lambda _: self._show_folder())
        self.finish.clicked.connect(lambda _: self._do(finalise))
        self.trash.clicked.connect(lambda _: self._ask_trash())

    @property
    def selected(self) -> Entry | None:
        """The session that the buttons act on."""
        row = self.list.currentRow()
        return self.entries[row] if 0 <= row < len(self.entries) else None

    def toggle(self) -> None:
        super().toggle()
        if not self.isHidden():
            (self.list if self.entries else self.close_button).setFocus()

    def refresh(self, select: Path | None = None) -> None:
        """Look at the folder again; what was selected stays selected, unless another session is to be."""
        before = select or (self.selected.folder if self.selected else None)
        self.entries = library.entries(self.sessions)
        self.list.blockSignals(True)
        self.list.clear()
        for entry in self.entries:
            item = QListWidgetItem(_picture(entry), f"{entry.folder.name}\n{described(entry)}")
            item.setSizeHint(QSize(0, _PICTURE.height() + 16))
            self.list.addItem(item)
        folders = [entry.folder for entry in self.entries]
        self.list.setCurrentRow(folders.index(before) if before in folders else 0)
        self.list.blockSignals(False)
        self.list.setVisible(bool(self.entries))
        self.empty.setVisible(not self.entries)
        self.room.setText(f"{self.sessions}  ·  {size_said(library.free_bytes(self.sessions))} free")
        self._show_selected()

    def _show_selected(self) -> None:
        entry = self.selected
        for widget in (self.open, self.rename, self.folder, self.trash, self.notes):
            widget.setEnabled(entry is not None and not entry.recording)
        self.finish.setVisible(entry is not None and entry.unfinished)
        self.notes.setText(entry.info.notes if entry else "")

    def _open(self) -> None:
        if self.selected is not None and not self.selected.recording:
            self.hide()
            self.opened.emit(self.selected.folder)

    def _ask_name(self) -> None:
        if self.selected is not None:
            old = self.selected.folder.name
            name, ok = QInputDialog.getText(self, "Rename session", "Name of the session:", text=old)
            if ok:
                self._do(lambda folder: self._rename(folder, name))

    def _rename(self, folder: Path, name: str) -> Path:
        renamed = library.rename(folder, name)
        if renamed != folder:
            self.renamed.emit(folder, renamed)
        return renamed

    def _ask_trash(self) -> None:
        if self.selected is not None:
            question = f"Move the session {self.selected.folder.name} to the trash?"
            yes = QMessageBox.StandardButton.Yes
            if QMessageBox.question(self, "Move to trash", question) == yes:
                self._do(library.to_trash)

    def _show_folder(self) -> None:
        if self.selected is not None:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(self.selected.folder)))

    def _save_notes(self) -> None:
        if self.selected is not None and self.notes.text() != self.selected.info.notes:
            self._do(lambda folder: library.write_notes(folder, self.notes.text()))

    def _do(self, action: Callable[[Path], object]) -> None:
        """Do this with the selected session and list them anew."""
        if self.selected is None:
            return
        changed: object = None
        try:
            changed = action(self.selected.folder)
        except UserError as error:
            self.said.emit(str(error))
        self.refresh(changed if isinstance(changed, Path) else None)


def described(entry: Entry) -> str:
    """When, how long, how large, which hands and with what, in one line."""
    info = entry.info
    parts: list[str] = []
    if info.started_wall_ns:
        parts.append(datetime.fromtimestamp(info.started_wall_ns / 1e9).strftime("%d %b %Y, %H:%M"))
    if entry.recording:
        parts.append("being recorded")
    elif entry.unfinished:
        parts.append("not ended")
    else:
        parts.append(length_said(info.seconds))
    parts.append(size_said(entry.bytes))
    shares = [f"{side} {share:.0%}" for side, share in zip(("right", "left"), info.hands_share, strict=True) if share]
    if info.finished:
        parts.append(", ".join(shares) or "no hands")
    if info.model:
        parts.append(f"{info.model} on {info.backend}")
    line = "  ·  ".join(parts)
    return f"{line}\n{info.notes}" if info.notes else line


def size_said(size: int) -> str:
    """Bytes as a person reads them."""
    for unit, factor in (("GB", 1e9), ("MB", 1e6)):
        if size >= factor:
            return f"{size / factor:.{1 if unit == 'GB' or size < 1e7 else 0}f} {unit}"
    return f"{size / 1e3:.0f} kB"


def length_said(seconds: float) -> str:
    """Minutes and seconds, with hours where there are some."""
    whole = round(seconds)
    hours, minutes = whole // 3600, whole // 60 % 60
    return f"{hours}:{minutes:02d}:{whole % 60:02d}" if hours else f"{minutes}:{whole % 60:02d}"


def _picture(entry: Entry) -> QIcon:
    """The thumbnail with round corners; an empty frame without one."""
    framed = QPixmap(_PICTURE)
    framed.fill(Qt.GlobalColor.transparent)
    painter = QPainter(framed)
    painter.setRenderHints(QPainter.RenderHint.Antialiasing | QPainter.RenderHint.SmoothPixmapTransform)
    outline = QPainterPath()
    outline.addRoundedRect(0, 0, _PICTURE.width(), _PICTURE.height(), 5, 5)
    painter.setClipPath(outline)
    painter.fillRect(framed.rect(), QColor(theme.RAISED))
    if entry.thumbnail is not None:
        picture = QPixmap(str(entry.thumbnail)).scaled(
            _PICTURE, Qt.AspectRatioMode.KeepAspectRatio, Qt.TransformationMode.SmoothTransformation
        )
        painter.drawPixmap(
            (_PICTURE.width() - picture.width()) // 2, (_PICTURE.height() - picture.height()) // 2, picture
        )
    painter.end()
    return QIcon(framed)
