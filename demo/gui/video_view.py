"""The painted picture, as large as its place allows, sharp on high-DPI screens, mirrored on wish."""

import math
from time import monotonic_ns

import numpy as np
from PyQt6.QtCore import QPointF, QRectF, QSize, Qt, pyqtSignal
from PyQt6.QtGui import QColor, QImage, QPainter, QPainterPath, QPaintEvent
from PyQt6.QtWidgets import QSizePolicy, QWidget

from demo.gui import theme


class VideoView(QWidget):
    """Shows one (H, W, 3) uint8 RGB picture at a time, and a message over it while there is one.

    ``drawn`` tells, for each picture once, the `time.monotonic_ns` at which it was drawn.
    """

    drawn = pyqtSignal(object)  # an int of nanoseconds; Qt's own int has 32 bits

    def __init__(self) -> None:
        super().__init__()
        self.mirror = False
        self.painted = False  # True once the widget was on the screen
        self._picture: np.ndarray | None = None  # QImage does not own its pixels
        self._image: QImage | None = None
        self._new = False
        self._message, self._busy = "", False
        self.setMinimumSize(320, 180)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setFocusPolicy(Qt.FocusPolicy.ClickFocus)  # a click takes the keyboard from the controls
        self.setAccessibleName("Video with overlay")

    @property
    def picture(self) -> np.ndarray | None:
        """The (H, W, 3) uint8 RGB picture that is shown."""
        return self._picture

    @property
    def message(self) -> str:
        """The text that lies over the picture; empty when there is none."""
        return self._message

    def sizeHint(self) -> QSize:
        return QSize(768, 432)

    def show_picture(self, picture: np.ndarray) -> None:
        """Show this (H, W, 3) uint8 RGB picture from the next paint on."""
        self._picture = np.ascontiguousarray(picture)
        height, width = self._picture.shape[:2]
        self._image = QImage(self._picture.data, width, height, 3 * width, QImage.Format.Format_RGB888)
        self._new = True
        self.update()

    def clear(self) -> None:
        """Show no picture."""
        self._picture = self._image = None
        self.update()

    def say(self, message: str, busy: bool = False) -> None:
        """Lay a message over the picture; ``busy`` adds a moving bar, which needs repeated calls to move."""
        if busy or message != self._message:
            self._message, self._busy = message, busy
            self.update()

    def set_mirror(self, mirror: bool) -> None:
        """Show the picture as a mirror would."""
        self.mirror = mirror
        self.update()

    def picture_rect(self) -> QRectF:
        """Where the picture lies in the widget, in device-independent pixels."""
        if self._image is None:
            return QRectF(self.rect())
        scale = min(self.width() / self._image.width(), self.height() / self._image.height())
        width, height = self._image.width() * scale, self._image.height() * scale
        return QRectF((self.width() - width) / 2, (self.height() - height) / 2, width, height)

    def paintEvent(self, event: QPaintEvent | None) -> None:
        painter = QPainter(self)
        painter.setRenderHints(QPainter.RenderHint.Antialiasing | QPainter.RenderHint.SmoothPixmapTransform)
        outline = QPainterPath()
        outline.addRoundedRect(QRectF(self.rect()), 7, 7)
        painter.setClipPath(outline)
        painter.fillRect(self.rect(), QColor("#000000"))
        if self._image is not None:
            painter.save()
            if self.mirror:
                painter.translate(QPointF(self.width(), 0))
                painter.scale(-1, 1)
            painter.drawImage(self.picture_rect(), self._image)
            painter.restore()
        if self._message:
            self._paint_message(painter)
        painter.end()
        self.painted = True
        if self._new:
            self._new = False
            self.drawn.emit(monotonic_ns())

    def _paint_message(self, painter: QPainter) -> None:
        painter.fillRect(self.rect(), QColor(15, 18, 22, 200 if self._image is not None else 255))
        painter.setPen(QColor(theme.TEXT))
        text = QRectF(self.rect()).adjusted(40, 0, -40, 0)
        painter.drawText(text, Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap, self._message)
        if self._busy:
            bar = QRectF(self.width() / 2 - 90, self.height() / 2 + 34, 180, 4)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(theme.LINE))
            painter.drawRoundedRect(bar, 2, 2)
            swing = 0.5 - 0.5 * math.cos(monotonic_ns() / 1e9 * 2.5)
            painter.setBrush(QColor(theme.ACCENT))
            painter.drawRoundedRect(QRectF(bar.left() + swing * 130, bar.top(), 50, 4), 2, 2)
