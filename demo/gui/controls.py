"""The bars of the window: what is watched and with what (top), what is drawn over it (below the video)."""

from dataclasses import replace
from pathlib import Path

from PyQt6.QtCore import QSize, Qt, pyqtBoundSignal, pyqtSignal
from PyQt6.QtGui import QColor, QPainter, QPaintEvent, QPen, QWheelEvent
from PyQt6.QtWidgets import QComboBox, QHBoxLayout, QLabel, QPushButton, QSlider, QToolButton, QWidget

from demo.gui import theme
from demo.gui.icons import icon
from demo.gui.startup import Choices
from demo.settings import Settings

_OPEN = "open"  # the picker's entry that asks for a file
_FILE = "file"  # its entry for the file that plays


class Picker(QComboBox):
    """A drop-down list with an arrow that follows the theme; ``least`` is its width where there is no room."""

    def __init__(self, name: str, width: int, least: int | None = None) -> None:
        super().__init__()
        self.setAccessibleName(name)
        self.setToolTip(name)
        self._width = width
        self.setMinimumWidth(least or width)
        self.setMaximumWidth(width)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)

    def sizeHint(self) -> QSize:
        return QSize(self._width, super().sizeHint().height())

    def wheelEvent(self, event: QWheelEvent | None) -> None:
        """A wheel that passes over it must not choose another source."""
        if event is not None:
            event.ignore()

    def paintEvent(self, event: QPaintEvent | None) -> None:
        super().paintEvent(event)
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(QColor(theme.MUTED), 1.5, cap=Qt.PenCapStyle.RoundCap))
        x, y = self.width() - 16, self.height() / 2
        painter.drawLine(x - 4, int(y) - 2, x, int(y) + 2)
        painter.drawLine(x, int(y) + 2, x + 4, int(y) - 2)
        painter.end()


class TopBar(QWidget):
    """Pickers of source, backend and model, and the buttons for pause, screenshot, full screen and help.

    ``changed`` and ``source_picked`` carry the new Settings; the other signals carry nothing.
    """

    changed = pyqtSignal(object)
    source_picked = pyqtSignal(object)
    open_asked = pyqtSignal()
    library_asked = pyqtSignal()
    record_asked = pyqtSignal()
    pause_asked = pyqtSignal()
    screenshot_asked = pyqtSignal()
    streams_asked = pyqtSignal()
    full_screen_asked = pyqtSignal()
    help_asked = pyqtSignal()

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self._settings = settings
        self._choices = Choices(cameras=(), backends={}, models={})
        self.source = Picker("Camera or video", 250, least=120)
        self.backend = Picker("Backend that runs the network", 120, least=90)
        self.model = Picker("Network", 130, least=100)
        self.pause = self._tool("pause", "Pause (Space)", self.pause_asked)
        self.record = self._tool("record", "Record (R)", self.record_asked)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(theme.UNIT)
        brand = QLabel(f'<span style="color:{theme.ACCENT}">●</span>&nbsp; Digit Live')
        brand.setObjectName("brand")
        row.addWidget(brand)
        row.addSpacing(2 * theme.UNIT)
        row.addWidget(self.source)
        row.addWidget(self._tool("open", "Open a video or a session (O)", self.open_asked))
        row.addWidget(self._tool("library", "Library of sessions (L)", self.library_asked))
        row.addSpacing(theme.UNIT)
        for caption, picker in (("Backend", self.backend), ("Network", self.model)):
            label = QLabel(caption)
            label.setObjectName("muted")
            row.addWidget(label)
            row.addWidget(picker)
        row.addStretch(1)
        row.addWidget(self.record)
        row.addWidget(self.pause)
        row.addWidget(self._tool("camera", "Screenshot (S)", self.screenshot_asked))
        row.addWidget(self._tool("streams", "Streams to other programs (T)", self.streams_asked))
        row.addWidget(self._tool("full", "Full screen (F)", self.full_screen_asked))
        row.addWidget(self._tool("help", "Keyboard shortcuts (?)", self.help_asked))
        self.source.activated.connect(self._source_picked)
        self.backend.activated.connect(lambda _: self._pick(backend=self.backend.currentData()))
        self.model.activated.connect(lambda _: self._pick(model=self.model.currentData()))
        self._fill()

    def _tool(self, name: str, tip: str, asked: pyqtBoundSignal) -> QToolButton:
        button = tool_button(name, tip)
        button.clicked.connect(lambda _: asked.emit())
        return button

    def offer(self, choices: Choices) -> None:
        """Fill the pickers with what this computer has."""
        self._choices = choices
        self._fill()

    def show_settings(self, settings: Settings) -> None:
        """Follow settings that were changed elsewhere."""
        self._settings = settings
        self._fill()

    def show_running(self, glyph: str) -> None:
        """Let the pause button say what it will do: pause, play or again."""
        tips = {"pause": "Pause (Space)", "play": "Go on (Space)", "again": "Play again (Space)"}
        self.pause.setIcon(icon(glyph))
        self.pause.setToolTip(tips[glyph])
        self.pause.setAccessibleName(tips[glyph])

    def show_recording(self, on: bool) -> None:
        """Let the record button say what it will do."""
        tip = "Stop recording (R)" if on else "Record (R)"
        if tip != self.record.toolTip():
            self.record.setIcon(icon("stop" if on else "record"))
            self.record.setToolTip(tip)
            self.record.setAccessibleName(tip)

    def _fill(self) -> None:
        settings = self._settings
        self.source.clear()
        for index, name in self._choices.cameras:
            self.source.addItem(name, index)
        here = settings.camera if settings.source == "camera" else _FILE
        if settings.source != "camera":
            self.source.addItem(Path(settings.path or "").name, _FILE)
        elif self.source.findData(here) < 0:
            self.source.addItem(f"Camera {settings.camera}", settings.camera)
        self.source.insertSeparator(self.source.count())
        self.source.addItem("Open video…", _OPEN)
        self.source.setCurrentIndex(self.source.findData(here))
        _offer(self.backend, {"auto": ""} | dict(self._choices.backends), settings.backend)
        _offer(self.model, dict(self._choices.models), settings.model)

    def _source_picked(self, index: int) -> None:
        picked = self.source.itemData(index)
        if picked == _OPEN:
            self._fill()  # the entry is a command, not a state
            self.open_asked.emit()
        elif picked != _FILE:
            self.source_picked.emit(replace(self._settings, source="camera", camera=picked, path=None))

    def _pick(self, **values: object) -> None:
        self._settings = replace(self._settings, **values)
        self.changed.emit(self._settings)


class DrawBar(QWidget):
    """Toggles of what is drawn over the video, its opacity, mirror view, smoothing and the landmark prior."""

    changed = pyqtSignal(object)

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self._settings = settings
        self.parts = _toggle("Parts", "Hand parts over the video (1)")
        self.skeleton = _toggle("Skeleton", "Joints and bones over the video (2)")
        self.crop = _toggle("Crop", "What the network looks at (3)")
        self.mirror = _toggle("Mirror", "Show the video as a mirror would; the 3D view stays as it is (M)")
        self.smooth = _toggle("Smooth", "Smooth the joints over time (One-Euro filter) (4)")
        self.prior = _toggle("Prior", "Give MediaPipe's landmarks to the network (5)")
        self.opacity = QSlider(Qt.Orientation.Horizontal)
        self.opacity.setRange(0, 100)
        self.opacity.setFixedWidth(96)
        self.opacity.setToolTip("Opacity of the parts ([ and ])")
        self.opacity.setAccessibleName("Opacity of the parts")
        self.opacity.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        caption = QLabel("Opacity")
        caption.setObjectName("muted")
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(6)
        for widget in (self.parts, self.skeleton, self.crop):
            row.addWidget(widget)
        row.addSpacing(theme.UNIT)
        row.addWidget(caption)
        row.addWidget(self.opacity)
        row.addStretch(1)
        for widget in (self.mirror, self.smooth, self.prior):
            row.addWidget(widget)
        self.show_settings(settings)
        self.parts.clicked.connect(lambda on: self._overlay(parts=on))
        self.skeleton.clicked.connect(lambda on: self._overlay(joints=on, bones=on))
        self.crop.clicked.connect(lambda on: self._overlay(crop=on))
        self.opacity.valueChanged.connect(lambda percent: self._overlay(opacity=percent / 100))
        self.mirror.clicked.connect(lambda on: self._change(mirror=on))
        self.smooth.clicked.connect(lambda on: self._change(smooth=on))
        self.prior.clicked.connect(lambda on: self._change(prior=on))

    def show_settings(self, settings: Settings) -> None:
        """Follow settings that were changed elsewhere."""
        self._settings = settings
        overlay = settings.overlay
        self.parts.setChecked(overlay.parts)
        self.skeleton.setChecked(overlay.joints or overlay.bones)
        self.crop.setChecked(overlay.crop)
        self.mirror.setChecked(settings.mirror)
        self.smooth.setChecked(settings.smooth)
        self.prior.setChecked(settings.prior)
        self.opacity.blockSignals(True)  # showing a value is not changing it
        self.opacity.setValue(round(100 * overlay.opacity))
        self.opacity.blockSignals(False)

    def _overlay(self, **values: object) -> None:
        self._change(overlay=replace(self._settings.overlay, **values))

    def _change(self, **values: object) -> None:
        self._settings = replace(self._settings, **values)
        self.changed.emit(self._settings)


def _offer(picker: Picker, choices: dict[str, str], chosen: str) -> None:
    """Fill with name -> why it cannot be had ("" = it can); what cannot be had is shown greyed, with the reason."""
    picker.clear()
    for name, why_not in choices.items():
        picker.addItem(name, name)
        if why_not:
            item = picker.model().item(picker.count() - 1)
            item.setEnabled(False)
            item.setToolTip(why_not)
    if picker.findData(chosen) < 0:
        picker.addItem(chosen, chosen)
    picker.setCurrentIndex(picker.findData(chosen))


def tool_button(name: str, tip: str) -> QToolButton:
    """A button that shows an icon and says with ``tip`` what it does."""
    button = QToolButton()
    button.setIcon(icon(name))
    button.setIconSize(QSize(16, 16))
    button.setToolTip(tip)
    button.setAccessibleName(tip)
    button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
    return button


def _toggle(text: str, tip: str) -> QPushButton:
    button = QPushButton(text)
    button.setCheckable(True)
    button.setToolTip(tip)
    button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
    return button
