"""One line a hand below the 3D view: pinch of each finger, grab, and what is on right now."""

from PyQt6.QtCore import QRectF, Qt
from PyQt6.QtGui import QColor, QFontMetricsF, QPainter, QPaintEvent
from PyQt6.QtWidgets import QSizePolicy, QWidget

from demo.gui import theme
from demo.palette import SIDE_RGB
from demo.streams.packet import Packet
from demo.streams.signals import FINGERS, Signals

HEAD, ROW = 13, 20
_BARS = (*FINGERS, "grab")
_BAR_WIDTH, _BAR_GAP = 34, 6
_LABEL_WIDTH = 18


class SignalsStrip(QWidget):
    """Two rows, right and left; faint where a hand is not there."""

    def __init__(self) -> None:
        super().__init__()
        self.setFixedHeight(HEAD + 2 * ROW)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setToolTip("Pinch of index, middle, ring and little finger against the thumb, and grab, from 0 to 1")
        self._packet: Packet | None = None

    def show_packet(self, packet: Packet | None) -> None:
        """Show the newest signals."""
        if packet is not self._packet:
            self._packet = packet
            self.setAccessibleName("; ".join(f"{side} hand: {self.words(side)}" for side in SIDE_RGB))
            self.update()

    def words(self, side: str) -> str:
        """What is on for this hand, as it is written behind its bars."""
        signals = self._signals(side)
        if signals is None or self._packet is None:
            return "–"
        said = [f"pinch {finger}" for finger, on in zip(FINGERS, signals.pinching, strict=True) if on]
        said += ["grab"] if signals.grabbing else []
        said += ["point"] if signals.pointing else []
        said += ["palm to camera"] if signals.faces_camera else []
        touching = sorted({getattr(contact, side) for contact in self._packet.contacts})
        said += ["touches with " + ", ".join(touching)] if touching else []
        return " · ".join(said)

    def _signals(self, side: str) -> Signals | None:
        hands = self._packet.hands if self._packet is not None else ()
        return next((streamed.signals for streamed in hands if streamed.pose.side == side), None)

    def paintEvent(self, event: QPaintEvent | None) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        font = painter.font()
        font.setPixelSize(11)
        painter.setFont(font)
        for row, side in enumerate(SIDE_RGB):
            self._paint_hand(painter, HEAD + row * ROW, side, self._signals(side))
        font.setPixelSize(10)
        painter.setFont(font)
        painter.setPen(QColor(theme.MUTED))
        for n, name in enumerate(_BARS):
            place = QRectF(_bar_left(n) - 4, 0, _BAR_WIDTH + 8, HEAD)
            painter.drawText(place, Qt.AlignmentFlag.AlignCenter, name)
        painter.end()

    def _paint_hand(self, painter: QPainter, top: int, side: str, signals: Signals | None) -> None:
        side_color = QColor(*SIDE_RGB[side])
        painter.setPen(side_color.lighter(130) if signals else QColor(theme.FAINT))
        painter.drawText(QRectF(0, top, _LABEL_WIDTH, ROW), Qt.AlignmentFlag.AlignVCenter, side[0].upper())
        strengths = (*signals.pinch, signals.grab) if signals else (0.0,) * len(_BARS)
        on = (*signals.pinching, signals.grabbing) if signals else (False,) * len(_BARS)
        painter.setPen(Qt.PenStyle.NoPen)
        for n, (strength, active) in enumerate(zip(strengths, on, strict=True)):
            place = QRectF(_bar_left(n), top + ROW / 2 - 3, _BAR_WIDTH, 6)
            painter.setBrush(QColor(theme.RAISED))
            painter.drawRoundedRect(place, 3, 3)
            if strength > 0.02:
                place.setWidth(max(6.0, _BAR_WIDTH * strength))
                painter.setBrush(QColor(theme.ACCENT) if active else side_color)
                painter.drawRoundedRect(place, 3, 3)
        left = _LABEL_WIDTH + len(_BARS) * (_BAR_WIDTH + _BAR_GAP) + 2 * _BAR_GAP
        painter.setPen(QColor(theme.TEXT if signals else theme.FAINT))
        words = QFontMetricsF(painter.font()).elidedText(
            self.words(side), Qt.TextElideMode.ElideRight, self.width() - left
        )
        painter.drawText(QRectF(left, top, self.width() - left, ROW), Qt.AlignmentFlag.AlignVCenter, words)


def _bar_left(n: int) -> float:
    """Where a bar begins; grab stands a little apart from the pinches."""
    return _LABEL_WIDTH + n * (_BAR_WIDTH + _BAR_GAP) + (_BAR_GAP if _BARS[n] == "grab" else 0)
