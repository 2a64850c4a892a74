"""The painted picture, as large as its place allows, sharp on high-DPI screens, mirrored on wish."""

from time import monotonic_ns

import numpy as np
from PyQt6.QtCore import QPointF, QRectF, QSize, Qt, pyqtSignal
from PyQt6.QtGui import QColor, QImage, QPainter, QPainterPath, QPaintEvent
from PyQt6.QtWidgets import QSizePolicy, QWidget

from demo.gui import theme


class VideoView(QWidget):
    """Shows one (H, W, 3) uint8 RGB picture at a time.

    ``drawn`` tells, for each picture once, the `time.monotonic_ns` at which it was drawn.
    """

    drawn = pyqtSignal(object)  # an int of nanoseconds; Qt's own int has 32 bits

    def __init__(self) -> None:
        super().__init__()
        self.mirror = False
        self._picture: np.ndarray | None = None  # QImage does not own its pixels
        self._image: QImage | None = None
        self._new = False
        self._message = ""
        self.setMinimumSize(320, 180)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setAccessibleName("Video with overlay")

    def sizeHint(self) -> QSize:  # noqa: N802
        return QSize(768, 432)

    def show_picture(self, picture: np.ndarray) -> None:
        """Show this (H, W, 3) uint8 RGB picture from the next paint on."""
        self._picture = np.ascontiguousarray(picture)
        height, width = self._picture.shape[:2]
        self._image = QImage(self._picture.data, width, height, 3 * width, QImage.Format.Format_RGB888)
        self._new, self._message = True, ""
        self.update()

    def show_message(self, message: str) -> None:
        """Show a line of text in place of a picture."""
        self._picture = self._image = None
        self._message = message
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

    def paintEvent(self, event: QPaintEvent | None) -> None:  # noqa: N802
        painter = QPainter(self)
        painter.setRenderHints(QPainter.RenderHint.Antialiasing | QPainter.RenderHint.SmoothPixmapTransform)
        outline = QPainterPath()
        outline.addRoundedRect(QRectF(self.rect()), 7, 7)
        painter.setClipPath(outline)
        painter.fillRect(self.rect(), QColor("#000000"))
        if self._image is None:
            painter.setPen(QColor(theme.MUTED))
            painter.drawText(self.rect(), Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap, self._message)
        else:
            target = self.picture_rect()
            if self.mirror:
                painter.translate(QPointF(self.width(), 0))
                painter.scale(-1, 1)
            painter.drawImage(target, self._image)
        painter.end()
        if self._new:
            self._new = False
            self.drawn.emit(monotonic_ns())
