"""The few icons of the window, drawn as vectors so that they are sharp at any scale and need no font."""

from collections.abc import Callable

from PyQt6.QtCore import QPointF, QRectF, Qt
from PyQt6.QtGui import QColor, QIcon, QIconEngine, QPainter, QPen, QPixmap, QPolygonF

from demo.gui import theme


class _Drawn(QIconEngine):
    """Paints a figure of 16×16 units into whatever rectangle is asked for."""

    def __init__(self, figure: Callable[[QPainter], None]) -> None:
        super().__init__()
        self._figure = figure

    def paint(self, painter, rect, mode, state) -> None:
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.translate(QPointF(rect.topLeft()))
        painter.scale(rect.width() / 16, rect.height() / 16)
        color = QColor(theme.FAINT if mode == QIcon.Mode.Disabled else theme.TEXT)
        painter.setPen(QPen(color, 1.4, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap, Qt.PenJoinStyle.RoundJoin))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        self._figure(painter)
        painter.restore()

    def pixmap(self, size, mode, state) -> QPixmap:
        pixmap = QPixmap(size)
        pixmap.fill(Qt.GlobalColor.transparent)
        painter = QPainter(pixmap)
        self.paint(painter, pixmap.rect(), mode, state)
        painter.end()
        return pixmap

    def clone(self) -> "_Drawn":
        return _Drawn(self._figure)


def icon(name: str) -> QIcon:
    """One of play, pause, again, camera, full, help, open, close, streams."""
    return QIcon(_Drawn(_FIGURES[name]))


def _play(painter: QPainter) -> None:
    painter.setBrush(painter.pen().color())
    painter.drawPolygon(QPolygonF([QPointF(5, 3.5), QPointF(12.5, 8), QPointF(5, 12.5)]))


def _pause(painter: QPainter) -> None:
    painter.setBrush(painter.pen().color())
    painter.drawRoundedRect(QRectF(4, 3.5, 2.4, 9), 0.8, 0.8)
    painter.drawRoundedRect(QRectF(9.6, 3.5, 2.4, 9), 0.8, 0.8)


def _again(painter: QPainter) -> None:
    painter.drawArc(QRectF(3, 3, 10, 10), 60 * 16, 300 * 16)
    painter.drawPolyline(QPolygonF([QPointF(10.4, 0.9), QPointF(10.6, 3.7), QPointF(7.8, 4.4)]))


def _camera(painter: QPainter) -> None:
    painter.drawRoundedRect(QRectF(1.5, 4.5, 13, 9), 2, 2)
    painter.drawPolyline(QPolygonF([QPointF(5, 4.5), QPointF(6, 2.6), QPointF(10, 2.6), QPointF(11, 4.5)]))
    painter.drawEllipse(QPointF(8, 9), 2.5, 2.5)


def _full(painter: QPainter) -> None:
    for x, y in ((2.5, 2.5), (13.5, 2.5), (2.5, 13.5), (13.5, 13.5)):
        inward_x, inward_y = (1 if x < 8 else -1) * 3.5, (1 if y < 8 else -1) * 3.5
        painter.drawPolyline(QPolygonF([QPointF(x + inward_x, y), QPointF(x, y), QPointF(x, y + inward_y)]))


def _help(painter: QPainter) -> None:
    painter.drawEllipse(QPointF(8, 8), 6.3, 6.3)
    painter.drawArc(QRectF(5.9, 4.3, 4.2, 4.2), -60 * 16, 230 * 16)
    painter.drawLine(QPointF(8.2, 8.6), QPointF(8, 9.6))
    painter.drawPoint(QPointF(8, 11.6))


def _open(painter: QPainter) -> None:
    outline = [(1.8, 12.8), (1.8, 3.6), (6, 3.6), (7.5, 5.4), (13, 5.4), (13, 7.4)]
    painter.drawPolyline(QPolygonF([QPointF(*point) for point in outline]))
    painter.drawPolygon(QPolygonF([QPointF(*point) for point in ((1.8, 12.8), (4, 7.4), (15, 7.4), (12.8, 12.8))]))


def _streams(painter: QPainter) -> None:
    painter.setBrush(painter.pen().color())
    painter.drawEllipse(QPointF(8, 8), 1.4, 1.4)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    for radius in (3.6, 6.4):
        box = QRectF(8 - radius, 8 - radius, 2 * radius, 2 * radius)
        painter.drawArc(box, -50 * 16, 100 * 16)
        painter.drawArc(box, 130 * 16, 100 * 16)


def _close(painter: QPainter) -> None:
    painter.drawLine(QPointF(4.5, 4.5), QPointF(11.5, 11.5))
    painter.drawLine(QPointF(11.5, 4.5), QPointF(4.5, 11.5))


def _record(painter: QPainter) -> None:
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(theme.ERROR))
    painter.drawEllipse(QPointF(8, 8), 5, 5)


def _stop(painter: QPainter) -> None:
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(theme.ERROR))
    painter.drawRoundedRect(QRectF(3.5, 3.5, 9, 9), 2, 2)


def _library(painter: QPainter) -> None:
    for top in (2.5, 9.2):
        painter.drawRoundedRect(QRectF(1.8, top, 5, 4.3), 1, 1)
        painter.drawLine(QPointF(9.4, top + 1), QPointF(14.2, top + 1))
        painter.drawLine(QPointF(9.4, top + 3.4), QPointF(12.6, top + 3.4))


def _forward(painter: QPainter) -> None:
    painter.setBrush(painter.pen().color())
    painter.drawPolygon(QPolygonF([QPointF(4, 3.8), QPointF(9.6, 8), QPointF(4, 12.2)]))
    painter.drawLine(QPointF(12, 3.8), QPointF(12, 12.2))


def _back(painter: QPainter) -> None:
    painter.translate(16, 0)
    painter.scale(-1, 1)
    _forward(painter)


_FIGURES = {
    "record": _record,
    "stop": _stop,
    "library": _library,
    "forward": _forward,
    "back": _back,
    "play": _play,
    "pause": _pause,
    "again": _again,
    "camera": _camera,
    "full": _full,
    "help": _help,
    "open": _open,
    "close": _close,
    "streams": _streams,
}
