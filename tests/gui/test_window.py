import os
import signal
import threading
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PyQt6.QtCore import QStandardPaths, Qt, QTimer
from PyQt6.QtGui import QImage
from PyQt6.QtWidgets import QFileDialog

from demo.gui.app import run_window
from demo.settings import OverlayOptions, Settings, load_settings, save_settings
from demo.sources import open_source
from demo.worker import Worker
from digit.errors import UserError
from tests.gui.conftest import start_scripted


def pixels(image: QImage) -> np.ndarray:
    image = image.convertToFormat(QImage.Format.Format_RGB888)
    rows = np.frombuffer(image.constBits().asarray(image.sizeInBytes()), np.uint8)
    return rows.reshape(image.height(), -1)[:, : 3 * image.width()].reshape(image.height(), image.width(), 3).copy()


def painted(window) -> np.ndarray:
    return pixels(window.video.grab().toImage())


def pause(window, qtbot) -> None:
    window.toggle_pause()
    qtbot.wait(300)  # what is already on its way comes through


def test_real_frames_become_pictures_hands_and_figures(playing, qtbot) -> None:
    qtbot.waitUntil(lambda: "fps" in playing.hud.text() and "discs on colour" in playing.hud.text())
    assert "capture to drawn" in playing.hud.text()
    assert "depth: estimated from assumed field of view 65°" in playing.hud.text()
    assert playing.video.message == ""
    assert playing.error.text == ""


def test_a_given_focal_length_is_no_estimate(open_window, qtbot) -> None:
    window = open_window(focal_px=300.0)
    qtbot.waitUntil(lambda: "320×180" in window.hud.text())
    assert "estimated" not in window.hud.text()


def test_each_toggle_changes_the_picture(playing, qtbot) -> None:
    pause(playing, qtbot)
    bar = playing.draw_bar
    for button in (bar.parts, bar.skeleton, bar.crop):
        before = painted(playing)
        button.click()
        after = painted(playing)
        assert (before != after).any()
        button.click()
        assert (painted(playing) == before).all()


def test_without_overlays_the_frame_is_untouched(playing, qtbot) -> None:
    pause(playing, qtbot)
    bar = playing.draw_bar
    for button in (bar.parts, bar.skeleton, bar.crop):
        if button.isChecked():
            button.click()
    assert (playing.video.picture == playing.scene.frame.image).all()


def test_opacity_changes_the_parts_only(playing, qtbot) -> None:
    pause(playing, qtbot)
    playing.draw_bar.opacity.setValue(20)
    weak = painted(playing)
    playing.draw_bar.opacity.setValue(90)
    assert (painted(playing) != weak).any()
    playing.draw_bar.parts.click()
    without = painted(playing)
    playing.draw_bar.opacity.setValue(20)
    assert (painted(playing) == without).all()


def test_mirror_turns_the_view_and_not_the_data(playing, qtbot) -> None:
    pause(playing, qtbot)
    plain, image = painted(playing), playing.scene.frame.image.copy()
    playing.draw_bar.mirror.click()
    mirrored = painted(playing)[:, ::-1]
    assert np.abs(plain.astype(int) - mirrored).mean() < 3 < np.abs(plain.astype(int) - mirrored[:, ::-1]).mean()
    assert (playing.scene.frame.image == image).all()


def test_pause_stops_new_scenes_and_goes_on(playing, qtbot) -> None:
    pause(playing, qtbot)
    index, drawn = playing.scene.frame.index, len(playing.history)
    qtbot.wait(200)
    assert playing.scene.frame.index == index
    playing.draw_bar.crop.click()  # painting the same scene anew is no new measurement
    qtbot.wait(50)
    assert len(playing.history) == drawn
    playing.toggle_pause()
    qtbot.waitUntil(lambda: playing.scene.frame.index > index)


def test_a_missing_video_is_a_banner_and_the_window_goes_on(
    open_window, qtbot, tmp_path: Path, clip: Path, monkeypatch
):
    window = open_window(path=tmp_path / "missing.mp4")
    qtbot.waitUntil(lambda: window.error.text != "")
    assert "missing.mp4" in window.error.text
    assert window.isVisible()
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(clip), ""))
    window.open_video()
    qtbot.waitUntil(lambda: window.scene is not None)
    assert window.error.text == ""
    assert window.settings.path == clip


def test_a_fault_in_the_loop_is_a_banner_too(open_window, qtbot, capfd) -> None:
    def start_broken(settings: Settings) -> Worker:
        def broken(*_):
            raise RuntimeError("the network fell over")

        return Worker(settings, open_pipeline=broken).start()

    window = open_window(start_broken)
    qtbot.waitUntil(lambda: "the network fell over" in window.error.text)
    assert window.isVisible()
    assert "RuntimeError" in capfd.readouterr().err


def test_a_worker_that_cannot_even_start_is_a_banner(open_window, qtbot) -> None:
    def fail(settings: Settings) -> Worker:
        raise UserError("the worker has no legs; give it some")

    window = open_window(fail)
    qtbot.waitUntil(lambda: window.error.text == "The worker has no legs; give it some")
    assert window.isVisible()


def test_the_end_of_a_clip_and_playing_it_again(open_window, qtbot) -> None:
    window = open_window(repeat=False)
    qtbot.waitUntil(lambda: "The end" in window.video.message)
    assert window.scene.frame.index == 19
    qtbot.keyClick(window, Qt.Key.Key_Space)
    qtbot.waitUntil(lambda: window.video.message == "" and len(window.history) > 0)


def test_opening_the_clip_that_has_ended_plays_it_again(open_window, qtbot, clip: Path, monkeypatch) -> None:
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(clip), ""))
    window = open_window(repeat=False)
    qtbot.waitUntil(lambda: "The end" in window.video.message)
    window.open_video()
    qtbot.waitUntil(lambda: window.video.message == "" and len(window.history) > 0)


def test_choosing_the_same_camera_starts_it_where_it_does_not_run(open_window, qtbot, settings: Settings) -> None:
    started = []

    def start(wanted: Settings) -> Worker:
        started.append(wanted)
        if len(started) == 1:
            raise UserError("camera 2 is not plugged in")
        return start_scripted(wanted, lambda _: open_source(settings))

    def choose() -> None:
        window.top.source.activated.emit(window.top.source.findText("Desk camera"))

    window = open_window(start, source="camera", camera=2, path=None)
    qtbot.waitUntil(lambda: window.error.text != "" and window.top.source.findText("Desk camera") >= 0)
    choose()
    qtbot.waitUntil(lambda: window.scene is not None)
    assert window.error.text == ""
    worker = window.worker
    choose()
    assert window.worker is worker


def test_nothing_is_left_of_another_source_when_one_fails(playing, qtbot, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(tmp_path / "missing.mp4"), ""))
    qtbot.waitUntil(lambda: playing.signals.words("right") != "–")
    playing.open_video()
    qtbot.waitUntil(lambda: playing.error.text != "")
    qtbot.waitUntil(lambda: "320×180" not in playing.hud.text())
    assert playing.video.picture is None
    assert not any(node.visible for node in playing.hands._hands.values())
    assert playing.signals.words("right") == "–"


def test_the_3d_view_goes_on_while_pictures_come_as_fast_as_they_are_drawn(playing, qtbot) -> None:
    playing.video.drawn.disconnect()  # the newest picture is never drawn before the next tick
    qtbot.waitUntil(lambda: playing._undrawn is not None)
    before = playing.hands._drawn_s
    qtbot.waitUntil(lambda: playing.hands._drawn_s > before)


def test_the_window_fits_a_small_screen(playing) -> None:
    assert playing.minimumSizeHint().width() <= 1024


def test_choosing_a_camera_by_name_starts_it(open_window, qtbot) -> None:
    started = []

    def start(settings: Settings) -> Worker:
        started.append(settings)
        return start_scripted(settings if settings.source == "video" else started[0])

    window = open_window(start)
    qtbot.waitUntil(lambda: window.top.source.findText("Desk camera") >= 0 and window.scene is not None)
    assert window.top.source.currentText() == "two_hands.mp4"
    window.top.source.activated.emit(window.top.source.findText("Desk camera"))
    qtbot.waitUntil(lambda: len(started) == 2)
    assert (started[1].source, started[1].camera) == ("camera", 2)
    assert window.top.source.currentText() == "Desk camera"


def test_a_backend_that_cannot_run_is_greyed_with_its_reason(open_window, qtbot) -> None:
    window = open_window()
    qtbot.waitUntil(lambda: window.top.backend.findText("cuda") >= 0)
    item = window.top.backend.model().item(window.top.backend.findText("cuda"))
    assert not item.isEnabled()
    assert item.toolTip() == "no NVIDIA GPU"


def test_the_notice_is_shown_until_it_is_dismissed(open_window) -> None:
    window = open_window(notice="sample clip: no camera was found")
    assert window.notice.text == "Sample clip: no camera was found"


def test_settings_persist(playing) -> None:
    playing.draw_bar.mirror.click()
    playing.draw_bar.crop.click()
    playing.draw_bar.opacity.setValue(70)
    playing.close()
    saved, notice = load_settings()
    assert (saved.mirror, saved.overlay.crop, saved.overlay.opacity, notice) == (True, True, 0.7, "")


def test_what_the_command_line_gave_for_one_run_is_not_kept(open_window) -> None:
    saved = Settings(camera=1, focal_px=900.0)
    save_settings(saved)
    window = open_window(focal_px=1400.0, backend="torch", smooth=False, mirror=True)
    window.draw_bar.crop.click()
    window.draw_bar.mirror.click()
    window.draw_bar.mirror.click()
    window.close()
    assert load_settings()[0] == replace(saved, mirror=True, overlay=OverlayOptions(crop=True))


def test_keys(playing, qtbot) -> None:
    for key, button in (
        ("1", "parts"),
        ("2", "skeleton"),
        ("3", "crop"),
        ("M", "mirror"),
        ("4", "smooth"),
        ("5", "prior"),
    ):
        before = getattr(playing.draw_bar, button).isChecked()
        qtbot.keyClick(playing, getattr(Qt.Key, f"Key_{key}"))
        assert getattr(playing.draw_bar, button).isChecked() is not before
    qtbot.keyClick(playing, Qt.Key.Key_V)
    assert playing.hands.view == "side"
    qtbot.keyClick(playing, Qt.Key.Key_F1)
    assert playing.help.isVisible()
    qtbot.keyClick(playing, Qt.Key.Key_Escape)
    assert playing.help.isHidden()
    assert playing.worker.paused is False
    qtbot.keyClick(playing, Qt.Key.Key_Space)
    assert playing.worker.paused is True


def test_screenshot(playing, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(QStandardPaths, "writableLocation", lambda _: str(tmp_path / "Pictures"))
    path = playing.screenshot()
    shot = QImage(str(path))
    assert shot.size() == playing.grab().size()
    assert str(path) in playing.notice.text


def test_closing_while_the_network_loads(open_window, qtbot) -> None:
    loading, loaded = threading.Event(), threading.Event()

    def start_slow(settings: Settings) -> Worker:
        def slow(_, tell):
            tell("Loading the network")
            loading.set()
            loaded.wait(0.5)
            raise RuntimeError("nobody is left to see this")

        return Worker(settings, open_pipeline=slow).start()

    window = open_window(start_slow)
    qtbot.waitUntil(lambda: window.video.message == "Loading the network")
    assert loading.is_set()
    window.close()
    assert window.worker is None


def test_ctrl_c_ends_the_application(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("demo.worker.Worker", lambda s: SimpleNamespace(start=lambda: start_scripted(s)))
    QTimer.singleShot(400, lambda: os.kill(os.getpid(), signal.SIGINT))
    before = signal.getsignal(signal.SIGINT)
    assert run_window(settings) == 0
    assert signal.getsignal(signal.SIGINT) is before
