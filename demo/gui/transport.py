"""The bar of a replay: play, step, speed, loop, and a timeline with small pictures and markers."""

from collections.abc import Mapping, Sequence

import numpy as np
from PyQt6.QtCore import QEvent, QPoint, QPointF, QRectF, Qt, pyqtSignal
from PyQt6.QtGui import QColor, QImage, QMouseEvent, QPainter, QPaintEvent, QPen, QPixmap, QPolygonF
from PyQt6.QtWidgets import QHBoxLayout, QLabel, QMenu, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from demo.gui import theme
from demo.gui.controls import Picker, tool_button
from demo.gui.icons import icon
from demo.recording.export import EXPORTS
from demo.recording.player import SPEEDS, Player, playing_times_ns

_TRACK_TOP, _TRACK_HEIGHT = 13, 6


class Timeline(QWidget):
    """Where the replay is. ``sought`` carries a row while a person drags."""

    sought = pyqtSignal(int)

    def __init__(self) -> None:
        super().__init__()
        self.setFixedHeight(32)
        self.setMinimumWidth(120)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setMouseTracking(True)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setAccessibleName("Timeline")
        self._times_ns = np.zeros(1, np.int64)
        self._row = 0
        self._events: Sequence[tuple[int, str]] = ()  # row, label
        self._thumbnails: Mapping[int, np.ndarray] = {}
        self.preview = Preview(self)

    def show_session(
        self, times_ns: np.ndarray, events: Sequence[tuple[int, str]], thumbnails: Mapping[int, np.ndarray]
    ) -> None:
        """Show a session of these (N,) playing times, with events (row, label) and small pictures by row."""
        self._times_ns, self._events, self._thumbnails, self._row = times_ns, events, thumbnails, 0
        self.update()

    def show_row(self, row: int) -> None:
        """Set the playhead."""
        if row != self._row:
            self._row = row
            self.update()

    def row_at(self, x: float) -> int:
        """The row below a place on the widget."""
        share = min(max((x - 8) / max(self.width() - 16, 1), 0.0), 1.0)
        return int(np.abs(self._times_ns - share * self._times_ns[-1]).argmin())

    def x_of(self, row: int) -> float:
        """Where a row lies on the widget."""
        total = max(int(self._times_ns[-1]), 1)
        return 8 + (self.width() - 16) * int(self._times_ns[min(row, len(self._times_ns) - 1)]) / total

    def paintEvent(self, event: QPaintEvent | None) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        x = self.x_of(self._row)
        for color, right in ((theme.LINE, self.width() - 8.0), (theme.ACCENT, x)):
            painter.setBrush(QColor(color))
            painter.drawRoundedRect(QRectF(8, _TRACK_TOP, max(right - 8, 0), _TRACK_HEIGHT), 3, 3)
        painter.setBrush(QColor(theme.WARNING))
        for row, _ in self._events:
            at = self.x_of(row)
            flag = [QPointF(at, _TRACK_TOP - 2), QPointF(at - 4, _TRACK_TOP - 9), QPointF(at + 4, _TRACK_TOP - 9)]
            painter.drawPolygon(QPolygonF(flag))
        painter.setBrush(QColor(theme.TEXT))
        painter.setPen(QPen(QColor(theme.GROUND), 2))
        painter.drawEllipse(QPointF(x, _TRACK_TOP + _TRACK_HEIGHT / 2), 8, 8)
        painter.end()

    def mousePressEvent(self, event: QMouseEvent | None) -> None:
        if event is not None and event.button() == Qt.MouseButton.LeftButton:
            self.sought.emit(self.row_at(event.position().x()))

    def mouseMoveEvent(self, event: QMouseEvent | None) -> None:
        if event is None:
            return
        x = event.position().x()
        row = self.row_at(x)
        if event.buttons() & Qt.MouseButton.LeftButton:
            self.sought.emit(row)
        near = [label for at, label in self._events if abs(self.x_of(at) - x) < 6]
        self.preview.show_at(x, clock(int(self._times_ns[row])), near[0] if near else "", self._nearest(row))

    def leaveEvent(self, event: QEvent | None) -> None:
        self.preview.hide()

    def _nearest(self, row: int) -> np.ndarray | None:
        rows = list(self._thumbnails)
        return self._thumbnails[min(rows, key=lambda at: abs(at - row))] if rows else None


class Preview(QWidget):
    """The small picture over the timeline."""

    def __init__(self, timeline: Timeline) -> None:
        super().__init__(timeline.window(), Qt.WindowType.ToolTip)
        self.setAttribute(Qt.WidgetAttribute.WA_ShowWithoutActivating)
        self.setStyleSheet(f"background: {theme.RAISED}; color: {theme.TEXT}; border: 0;")
        self._timeline = timeline
        self.picture, self.caption = QLabel(), QLabel()
        self.caption.setAlignment(Qt.AlignmentFlag.AlignCenter)
        column = QVBoxLayout(self)
        column.setContentsMargins(4, 4, 4, 2)
        column.setSpacing(2)
        column.addWidget(self.picture)
        column.addWidget(self.caption)

    def show_at(self, x: float, time: str, label: str, picture: np.ndarray | None) -> None:
        """Show the time, a marker's label and the (h, w, 3) picture above this x of the timeline."""
        self.caption.setText(f"{time}  {label}".strip())
        self.picture.setVisible(picture is not None)
        if picture is not None:
            height, width = picture.shape[:2]
            data = np.ascontiguousarray(picture)
            image = QImage(data.data, width, height, 3 * width, QImage.Format.Format_RGB888)
            self.picture.setPixmap(QPixmap.fromImage(image))
        self.adjustSize()
        at = self._timeline.mapToGlobal(QPoint(round(x) - self.width() // 2, -self.height() - 4))
        self.move(at)
        self.show()


class Transport(QWidget):
    """Hidden until a `Player` plays. ``export_asked`` carries a format's name."""

    export_asked = pyqtSignal(str)

    def __init__(self) -> None:
        super().__init__()
        self.player: Player | None = None
        self._session: object = None
        self.play = tool_button("pause", "Pause (Space)")
        self.back, self.forward = tool_button("back", "Step back (Left)"), tool_button("forward", "Step on (Right)")
        self.loop = tool_button("again", "Start again at the end")
        self.loop.setCheckable(True)
        self.timeline = Timeline()
        self.time = QLabel("0:00.0 / 0:00.0")
        self.time.setObjectName("muted")
        self.time.setMinimumWidth(104)
        self.speed = Picker("Speed", 84)
        for speed in SPEEDS:
            self.speed.addItem(f"{speed:g}×", speed)
        self.speed.setCurrentIndex(SPEEDS.index(1.0))
        self.export = QPushButton("Export")
        self.export.setToolTip("Write this session for other programs (E)")
        self.export.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.menu = QMenu(self.export)
        for name, export in EXPORTS.items():
            self.menu.addAction(export.title, lambda name=name: self.export_asked.emit(name))
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(6)
        for widget in (self.back, self.play, self.forward):
            row.addWidget(widget)
        row.addWidget(self.timeline, 1)
        for widget in (self.time, self.speed, self.loop, self.export):
            row.addWidget(widget)
        self._connect()
        self.hide()

    def show_player(self, player: Player | None) -> None:
        """Follow this player; None hides the bar."""
        if player is not self.player:
            self.player, self._session = player, None
            if player is not None:
                self.speed.setCurrentIndex(self.speed.findData(player.speed))
            self.timeline.preview.hide()
        self.setVisible(player is not None)
        if player is None or player.session is None:
            return
        session = player.session
        if self._session is not session:
            self._session = session
            times_ns = playing_times_ns(session.times_ns)
            rows = [int(np.abs(session.times_ns - event.time_ns).argmin()) for event in session.events]
            events = [(row, event.label) for row, event in zip(rows, session.events, strict=True)]
            self.timeline.show_session(times_ns, events, player.thumbnails)
            self._times_ns = times_ns
        self.timeline.show_row(player.row)
        self.time.setText(f"{clock(int(self._times_ns[player.row]))} / {clock(int(self._times_ns[-1]))}")
        self.loop.setChecked(player.loop)
        self.play.setIcon(icon("play" if player.paused else "pause"))
        self.play.setToolTip("Play (Space)" if player.paused else "Pause (Space)")

    def step(self, rows: int) -> None:
        """Stand, this many rows further."""
        if self.player is not None:
            self.player.step(rows)

    def open_menu(self) -> None:
        """Offer the formats."""
        if self.player is not None:
            self.menu.popup(self.export.mapToGlobal(QPoint(0, -self.menu.sizeHint().height() - 4)))

    def _connect(self) -> None:
        self.play.clicked.connect(lambda _: self.player and self.player.pause(not self.player.paused))
        self.back.clicked.connect(lambda _: self.step(-1))
        self.forward.clicked.connect(lambda _: self.step(1))
        self.loop.clicked.connect(lambda on: self.player and self.player.set_loop(on))
        self.timeline.sought.connect(lambda row: self.player and self.player.seek(row))
        self.speed.activated.connect(lambda _: self.player and self.player.set_speed(self.speed.currentData()))
        self.export.clicked.connect(lambda _: self.open_menu())


def clock(time_ns: int) -> str:
    """Minutes, seconds and tenths."""
    tenths = time_ns // 100_000_000
    return f"{tenths // 600}:{tenths // 10 % 60:02d}.{tenths % 10}"
