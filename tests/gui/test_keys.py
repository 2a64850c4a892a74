"""The keyboard operates the control that has the focus, and the window where none needs the key."""

import pytest
from PyQt6.QtCore import QPoint, QPointF, Qt
from PyQt6.QtGui import QWheelEvent
from PyQt6.QtWidgets import QApplication


def press(qtbot, key: Qt.Key) -> None:
    """As a keyboard does: to whoever has the focus."""
    qtbot.keyClick(QApplication.focusWidget(), key)


def test_the_video_has_the_focus_at_first(playing) -> None:
    assert QApplication.focusWidget() is playing.video


@pytest.mark.parametrize("key", [Qt.Key.Key_Space, Qt.Key.Key_Return, Qt.Key.Key_Enter])
def test_a_focused_button_is_pressed(playing, qtbot, key: Qt.Key) -> None:
    crop = playing.draw_bar.crop
    crop.setFocus()
    press(qtbot, key)
    assert crop.isChecked()
    assert not playing.paused


def test_space_opens_a_focused_picker(playing, qtbot) -> None:
    picker = playing.top.backend
    picker.setFocus()
    press(qtbot, Qt.Key.Key_Space)
    qtbot.waitUntil(picker.view().isVisible)
    picker.hidePopup()
    assert not playing.paused


def test_arrows_move_a_focused_slider(playing, qtbot) -> None:
    slider = playing.draw_bar.opacity
    slider.setFocus()
    before = slider.value()
    press(qtbot, Qt.Key.Key_Right)
    assert slider.value() > before
    press(qtbot, Qt.Key.Key_Left)
    assert slider.value() == before


def test_a_click_on_the_video_gives_the_keys_back(playing, qtbot) -> None:
    playing.draw_bar.crop.setFocus()
    qtbot.mouseClick(playing.video, Qt.MouseButton.LeftButton)
    press(qtbot, Qt.Key.Key_Space)
    assert playing.paused


@pytest.mark.parametrize("name", ["help", "streams", "library"])
def test_a_sheet_keeps_the_focus_while_it_is_open(playing, qtbot, name: str) -> None:
    sheet = playing.sessions.library if name == "library" else getattr(playing, name)
    playing.draw_bar.smooth.setFocus()
    sheet.toggle()
    for key in (Qt.Key.Key_Tab, Qt.Key.Key_Tab, Qt.Key.Key_Backtab, Qt.Key.Key_Backtab, Qt.Key.Key_Backtab):
        assert sheet.isAncestorOf(QApplication.focusWidget())
        press(qtbot, key)
    press(qtbot, Qt.Key.Key_Escape)
    assert sheet.isHidden()
    assert QApplication.focusWidget() is playing.draw_bar.smooth


def test_tab_reaches_each_control_of_a_sheet(playing, qtbot) -> None:
    playing.streams.toggle()
    reached = set()
    while QApplication.focusWidget() not in reached:
        reached.add(QApplication.focusWidget())
        press(qtbot, Qt.Key.Key_Tab)
    rows = playing.streams.rows.values()
    assert {w for row in rows for w in (row.switch, row.address, row.copy)} <= reached


def test_the_wheel_over_a_picker_changes_nothing(playing, qtbot) -> None:
    picker = playing.top.backend
    qtbot.waitUntil(lambda: picker.count() > 1)
    chosen, worker = picker.currentIndex(), playing.worker
    at, none = QPointF(picker.rect().center()), Qt.KeyboardModifier.NoModifier
    turned = QWheelEvent(
        at, at, QPoint(), QPoint(0, -120), Qt.MouseButton.NoButton, none, Qt.ScrollPhase.NoScrollPhase, False
    )
    QApplication.sendEvent(picker, turned)
    assert (picker.currentIndex(), playing.worker) == (chosen, worker)
