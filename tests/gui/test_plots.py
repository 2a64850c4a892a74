from dataclasses import replace

import numpy as np
import pytest
from PyQt6.QtGui import QFontMetricsF
from PyQt6.QtWidgets import QApplication

from demo.gui.history import History
from demo.gui.plots import Plots
from tests.gui import hands


@pytest.fixture
def plots(qtbot):
    plots = Plots()
    qtbot.addWidget(plots, before_close_func=lambda p: p.release())
    plots.resize(988, 168)  # the smallest window
    plots.show()
    qtbot.waitExposed(plots)
    return plots


@pytest.mark.parametrize("latency_ms", [20, 340, 6000, 29_000])
def test_figures_and_numbers_have_room_on_any_machine(plots, latency_ms: int) -> None:
    history, scene = History(), hands.scene(image=np.zeros((4, 4, 3), np.uint8))
    for n in range(20):
        captured_ns = n * 100_000_000
        drawn_ns = captured_ns + latency_ms * 1_000_000
        history.add(replace(scene, frame=replace(scene.frame, index=n, time_ns=captured_ns)), drawn_ns)
    plots.refresh(history, drawn_ns)
    for _ in range(3):  # longer captions move the charts
        QApplication.processEvents()
    stages = plots._stages
    room = stages.getViewBox().sceneBoundingRect()
    shown = [item for item in stages._figures if item.isVisible()]
    assert len(shown) == 6
    assert all(item.mapRectToScene(item.boundingRect()).right() <= room.right() for item in shown)
    axis = plots._latency.getAxis("left")
    major = axis.tickValues(*axis.range, axis.height())[0][1]
    widest = max(QFontMetricsF(QApplication.font()).horizontalAdvance(f"{value:.0f}") for value in major)
    assert widest + axis.style["tickTextOffset"][0] <= axis.width()
