"""Frame rate, latency and handedness of the last half minute."""

import numpy as np
import pyqtgraph as pg
from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import QFrame, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from demo.gui import theme
from demo.gui.history import CAPTURE_TO_DRAWN, SPAN_S, History
from demo.palette import SIDE_RGB

#: Stages in the order of the loop.
STAGES = ("detect", "track", "crop", "predict", "lift", "smooth", CAPTURE_TO_DRAWN)
_SHORT = {CAPTURE_TO_DRAWN: "end to end"}
HEIGHT_PX = 168
_FIGURES_GAP_PX = 10  # around the figures behind the longest bar


class Plots(QWidget):
    """Four small charts side by side; `refresh` redraws them from a History."""

    def __init__(self) -> None:
        super().__init__()
        pg.setConfigOptions(antialias=True, background=theme.PANEL, foreground=theme.MUTED)
        self.setFixedHeight(HEIGHT_PX)
        self._rate = _chart("fps")
        self._rate_curve = self._rate.plot(pen=pg.mkPen(theme.ACCENT, width=1.6))
        self._latency = _chart("ms", axis_px=48)  # five digits
        self._latency_curve = self._latency.plot(pen=pg.mkPen(theme.ACCENT, width=1.2))
        self._handedness = _chart("")
        self._handedness.setYRange(0, 1, padding=0.08)
        self._handedness.getAxis("left").setTicks([[(0, "0"), (0.5, "½"), (1, "1")]])
        self._side_curves = {
            # The one below is wider, so that both are seen where they lie on each other.
            side: self._handedness.plot(pen=pg.mkPen(rgb, width={"right": 5, "left": 1.8}[side]))
            for side, rgb in SIDE_RGB.items()
        }
        self._stages = StageTable()
        self._rate_figure, self._latency_figure = QLabel(), QLabel()
        sides = QLabel(
            " &nbsp; ".join(f'<span style="color:rgb{rgb}">●</span> {side}' for side, rgb in SIDE_RGB.items())
        )
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(theme.UNIT)
        row.addWidget(_panel("Frame rate", self._rate_figure, self._rate), 3)
        row.addWidget(_panel("Latency, capture to drawn", self._latency_figure, self._latency), 3)
        row.addWidget(_panel("Latency by stage", QLabel("p50 – p95 ms"), self._stages), 3)
        row.addWidget(_panel("Handedness", sides, self._handedness), 3)

    def release(self) -> None:
        """Free the menus that pyqtgraph makes for each chart as top-level widgets."""
        for chart in (self._rate, self._latency, self._stages, self._handedness):
            chart.plotItem.ctrlMenu.deleteLater()

    def refresh(self, history: History, now_ns: int) -> None:
        """Redraw from the history; a few times a second is enough."""
        curves = history.curves(now_ns)
        self._rate_curve.setData(curves["t"], curves["fps"])
        self._latency_curve.setData(curves["t"], curves["latency"])
        for side, curve in self._side_curves.items():
            curve.setData(curves["t"], curves[side])
        self._rate.setYRange(0, _round_up(curves["fps"]), padding=0)
        self._latency.setYRange(0, _round_up(curves["latency"]), padding=0)
        latency_ms = history.latency_ms(now_ns)
        self._stages.refresh(latency_ms)
        self._rate_figure.setText(f"{history.fps(now_ns):.1f} fps" if latency_ms else "")
        p50, p95 = latency_ms.get(CAPTURE_TO_DRAWN, (0.0, 0.0))
        self._latency_figure.setText(f"{p50:.0f} – {p95:.0f} ms" if latency_ms else "")


class StageTable(pg.PlotWidget):
    """A horizontal bar from 0 to the p50 of each stage, and a thin one on to its p95."""

    def __init__(self) -> None:
        super().__init__()
        _quiet(self)
        self._typical = pg.BarGraphItem(x0=[], x1=[], y=[], height=0.55, brush=theme.ACCENT, pen=None)
        self._slow = pg.BarGraphItem(x0=[], x1=[], y=[], height=0.16, brush=theme.MUTED, pen=None)
        self.addItem(self._slow)
        self.addItem(self._typical)
        self._figures = [pg.TextItem(anchor=(0, 0.5), color=theme.TEXT) for _ in STAGES]
        for item in self._figures:
            self.addItem(item, ignoreBounds=True)
        self.getAxis("left").setWidth(76)
        self.getAxis("bottom").hide()
        self.setMouseEnabled(x=False, y=False)
        self._reach = 1.0  # of the longest bar
        self.getViewBox().sigResized.connect(self._make_room)

    def refresh(self, latency_ms: dict[str, tuple[float, float]]) -> None:
        """Show stage -> (p50, p95) in ms."""
        stages = [stage for stage in STAGES if stage in latency_ms]
        stages += [stage for stage in latency_ms if stage not in STAGES]
        stages = stages[: len(self._figures)]
        y = -np.arange(len(stages), dtype=float)
        p50, p95 = np.array([latency_ms[stage] for stage in stages], float).reshape(-1, 2).T
        self._typical.setOpts(x0=np.zeros(len(y)), x1=p50, y=y)
        self._slow.setOpts(x0=p50, x1=p95, y=y)
        reach = max(1.0, float(p95.max(initial=0.0)))
        for row, item in enumerate(self._figures):
            item.setVisible(row < len(stages))
            if row < len(stages):
                item.setText(f"{_ms(p50[row])} – {_ms(p95[row])}")
                item.setPos(p95[row] + 0.03 * reach, y[row])
        self.getAxis("left").setTicks(
            [[(float(at), _SHORT.get(stage, stage)) for at, stage in zip(y, stages, strict=True)]]
        )
        self.setYRange(-max(len(stages), 4) + 0.4, 0.6, padding=0)
        self._reach = reach
        self._make_room()

    def _make_room(self) -> None:
        """The longest bar leaves room for the widest figures behind it."""
        width_px = self.getViewBox().width()
        figures_px = max((item.boundingRect().width() for item in self._figures if item.isVisible()), default=0.0)
        bar_px = max(width_px - figures_px - _FIGURES_GAP_PX, 1.0)
        self.setXRange(0, self._reach * width_px / bar_px, padding=0)


def _chart(unit: str, axis_px: int = 34) -> pg.PlotWidget:
    chart = pg.PlotWidget()
    _quiet(chart)
    chart.showGrid(x=False, y=True, alpha=0.15)
    chart.setXRange(-SPAN_S, 0, padding=0)
    chart.setLimits(xMin=-SPAN_S, xMax=0)
    chart.getAxis("left").setWidth(axis_px)
    chart.getAxis("bottom").setTicks([[(-28, "−30 s"), (-20, "−20"), (-10, "−10"), (-2, "now")]])
    chart.setMouseEnabled(x=False, y=False)
    chart.setAccessibleName(f"Chart in {unit}" if unit else "Chart")
    return chart


def _quiet(chart: pg.PlotWidget) -> None:
    """No menu, no buttons, no frame: these charts are for looking at."""
    chart.setMenuEnabled(False)
    chart.hideButtons()
    chart.setFrameShape(QFrame.Shape.NoFrame)
    chart.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    for name in ("left", "bottom"):
        axis = chart.getAxis(name)
        axis.setPen(pg.mkPen(theme.LINE))
        axis.setTextPen(pg.mkPen(theme.MUTED))
        axis.setStyle(tickLength=0, tickTextOffset=5, hideOverlappingLabels=False)


def _panel(title: str, figure: QLabel, chart: QWidget) -> QFrame:
    panel = QFrame()
    panel.setObjectName("panel")
    column = QVBoxLayout(panel)
    column.setContentsMargins(10, 6, 10, 4)
    column.setSpacing(2)
    head = QHBoxLayout()
    caption = QLabel(title)
    caption.setObjectName("muted")
    figure.setTextFormat(Qt.TextFormat.AutoText)
    head.addWidget(caption)
    head.addStretch(1)
    head.addWidget(figure)
    column.addLayout(head)
    column.addWidget(chart, 1)
    return panel


def _ms(value: float) -> str:
    """With a decimal where there is room for it."""
    return f"{value:.1f}" if value < 100 else f"{value:.0f}"


def _round_up(values: np.ndarray) -> float:
    """A calm upper limit: the next of 10, 20, 30, 40, 60, 100, 150 … above nearly all values."""
    top = float(np.percentile(values, 98)) * 1.1 if len(values) else 0.0
    steps = (10, 20, 30, 40, 60, 80, 100, 150, 200, 300, 500, 1000, 2000, 5000, 10_000)
    return float(next((step for step in steps if step >= top), top))
