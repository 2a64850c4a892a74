"""Record, stop, reopen, seek, export in the window."""

import threading
from dataclasses import replace
from pathlib import Path
from time import monotonic_ns

import pytest
from PyQt6.QtCore import QPointF, Qt
from PyQt6.QtGui import QMouseEvent
from PyQt6.QtWidgets import QFileDialog, QInputDialog, QMessageBox

from demo.gui.library import described, length_said, size_said
from demo.gui.window import start_worker
from demo.recording.format import LOCK
from demo.recording.info import new_info
from demo.recording.reader import read_session
from demo.recording.recorder import Recorder
from demo.recording.writer import SessionWriter
from demo.settings import Settings
from tests.demo.recording.scenes import assert_same, record, scenes
from tests.gui.conftest import start_scripted


def start(settings: Settings):
    """Sessions are played, all else runs on the scripted network."""
    return start_worker(settings) if settings.source == "session" else start_scripted(settings)


@pytest.fixture
def library(tmp_path: Path) -> Path:
    return tmp_path / "my sessions"


@pytest.fixture(scope="module")
def dance() -> list:
    return scenes(40)


@pytest.fixture
def replaying(open_window, qtbot, library: Path, dance: list):
    """A window in which a session with a marker stands at its first frame."""
    folder = record(library / "dance", dance)
    (folder / "events.jsonl").write_text(f'{{"time_ns": {dance[20].frame.time_ns}, "label": "clap"}}\n')
    window = open_window(start, source="session", path=folder, sessions=library, smooth=True)
    qtbot.waitUntil(lambda: window.scene is not None and window.sessions.transport.isVisible())
    window.worker.pause(True)
    return window


def shows(window, row: int) -> bool:
    return window.scene is not None and window.scene.frame.index == 2 * row


def test_what_was_seen_live_is_what_is_recorded(open_window, qtbot, library: Path) -> None:
    window = open_window(start, sessions=library)
    seen = {}
    tap = window.sessions.tap

    def both(scene) -> None:
        tap(scene)
        if window.sessions.recording:
            seen[scene.frame.index] = scene

    window.sessions.tap = both
    qtbot.waitUntil(lambda: window.worker is not None and window.worker.loaded is not None)
    qtbot.keyClick(window, Qt.Key.Key_R)
    qtbot.waitUntil(lambda: window.sessions.recording and window.sessions.recorder.state.rows > 5)
    assert window.sessions.chip.isVisible()
    assert "free" in window.sessions.chip.text()
    qtbot.waitUntil(lambda: window.top.record.toolTip() == "Stop recording (R)")
    qtbot.keyClick(window, Qt.Key.Key_K)
    qtbot.waitUntil(lambda: "marked" in window.sessions.chip.text())
    qtbot.keyClick(window, Qt.Key.Key_R)
    qtbot.waitUntil(lambda: "frames recorded" in window.notice.text)
    assert not window.sessions.chip.isVisible()
    (folder,) = library.iterdir()
    session = read_session(folder)
    assert (session.info.backend, session.info.model, session.info.fps) == ("colour", "discs", 20.0)
    assert [event.label for event in session.events] == ["marker 1"]
    assert len(session) > 5
    for scene in session.scenes():
        assert_same(scene, seen[scene.frame.index])


def test_another_source_ends_the_recording(open_window, qtbot, library: Path) -> None:
    window = open_window(start, sessions=library, record=True)
    qtbot.waitUntil(lambda: window.sessions.recording and window.sessions.recorder.state.rows > 2)
    window.restart()
    assert not window.sessions.recording
    qtbot.waitUntil(lambda: "frames recorded" in window.notice.text)
    assert read_session(next(library.iterdir())).ended


def test_closing_the_window_ends_the_recording(open_window, qtbot, library: Path) -> None:
    window = open_window(start, sessions=library, record=True)
    qtbot.waitUntil(lambda: window.sessions.recording and window.sessions.recorder.state.rows > 2)
    window.close()
    session = read_session(next(library.iterdir()))
    assert session.ended
    assert session.info.finished


def test_a_recording_that_cannot_be_is_said_and_the_loop_goes_on(open_window, qtbot, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    window = open_window(start, sessions=tmp_path / "file" / "deep")
    qtbot.waitUntil(lambda: window.scene is not None)
    window.toggle_recording()
    qtbot.waitUntil(lambda: "Cannot write to the folder" in window.error.text)
    before = window.scene.frame.index
    qtbot.waitUntil(lambda: window.scene.frame.index > before)


def test_replay_shows_the_recorded_scene(replaying, qtbot, dance: list) -> None:
    player = replaying.worker
    player.seek(25)
    qtbot.waitUntil(lambda: shows(replaying, 25))
    assert_same(replaying.scene, dance[25])
    qtbot.keyClick(replaying, Qt.Key.Key_Right)
    qtbot.waitUntil(lambda: shows(replaying, 26))
    qtbot.keyClick(replaying, Qt.Key.Key_Left)
    qtbot.waitUntil(lambda: shows(replaying, 25))
    assert replaying.sessions.transport.time.text() == "0:00.8 / 0:01.2"
    qtbot.waitUntil(lambda: "paused" in replaying.hud.text())
    replaying.draw_bar.smooth.click()
    other = dance[25].hands_raw[0] if not replaying.settings.smooth else dance[25].hands[0]
    qtbot.waitUntil(lambda: (replaying.scene.hands[0].joints_mm == other.joints_mm).all())


def test_the_timeline_seeks_while_it_is_dragged(replaying, qtbot) -> None:
    timeline = replaying.sessions.transport.timeline
    for row in (30, 12):
        at = QPointF(timeline.x_of(row), 16)
        event = QMouseEvent(
            QMouseEvent.Type.MouseMove, at, Qt.MouseButton.NoButton, Qt.MouseButton.LeftButton, Qt.KeyboardModifier(0)
        )
        timeline.mouseMoveEvent(event)
        qtbot.waitUntil(lambda row=row: shows(replaying, row))
    qtbot.waitUntil(lambda: len(replaying.worker.thumbnails) == 40)
    at = QPointF(timeline.x_of(20), 16)
    timeline.mouseMoveEvent(
        QMouseEvent(
            QMouseEvent.Type.MouseMove, at, Qt.MouseButton.NoButton, Qt.MouseButton.NoButton, Qt.KeyboardModifier(0)
        )
    )
    assert timeline.preview.isVisible()
    assert timeline.preview.caption.text() == "0:00.6  clap"
    assert timeline.preview.picture.pixmap().width() == 176
    timeline.preview.hide()


def test_speed_and_loop(replaying, qtbot) -> None:
    transport = replaying.sessions.transport
    transport.speed.setCurrentIndex(transport.speed.findData(4.0))
    transport.speed.activated.emit(transport.speed.currentIndex())
    assert replaying.worker.speed == 4.0
    if not replaying.worker.loop:
        transport.loop.click()
    assert replaying.worker.loop
    replaying.worker.seek(38)
    qtbot.waitUntil(lambda: shows(replaying, 38))
    qtbot.keyClick(replaying, Qt.Key.Key_Space)
    qtbot.waitUntil(lambda: replaying.scene.frame.index < 60)


def test_another_session_starts_at_its_own_speed(replaying, qtbot, library: Path, dance: list) -> None:
    transport, other = replaying.sessions.transport, record(library / "other", dance[:5])
    transport.speed.setCurrentIndex(transport.speed.findData(4.0))
    transport.speed.activated.emit(transport.speed.currentIndex())
    replaying.sessions.opened.emit(other)
    qtbot.waitUntil(lambda: replaying.worker is not None and transport.player is replaying.worker)
    assert transport.speed.currentData() == replaying.worker.speed == 1.0


def test_opening_the_session_that_stands_at_its_end_plays_it_again(replaying, qtbot) -> None:
    replaying.worker.seek(39)
    qtbot.waitUntil(lambda: shows(replaying, 39))
    before = replaying.worker
    replaying.sessions.opened.emit(replaying.settings.path)
    qtbot.waitUntil(lambda: replaying.worker is not before and replaying.scene.frame.index < 78)


def test_renaming_the_session_that_plays(replaying, qtbot, library: Path, monkeypatch) -> None:
    monkeypatch.setattr(QInputDialog, "getText", lambda *_, **__: ("waltz", True))
    panel = replaying.sessions.library
    panel.toggle()
    panel.rename.click()
    qtbot.waitUntil(lambda: replaying.worker is not None and replaying.worker.session is not None)
    assert replaying.worker.session.folder == replaying.settings.path == library / "waltz"
    assert replaying.top.source.currentText() == "waltz"
    assert replaying.error.text == ""


def test_another_backend_leaves_a_replay_alone(replaying) -> None:
    player = replaying.worker
    replaying.top.changed.emit(replace(replaying.settings, backend="torch", model="digit-w32"))
    assert replaying.worker is player
    assert replaying.settings.backend == "torch"


def test_a_session_that_cannot_be_opened_can_be_tried_again(open_window, qtbot, library: Path) -> None:
    window = open_window(start, source="session", path=library / "missing", sessions=library)
    qtbot.waitUntil(lambda: "is no session" in window.error.text)
    window._show_figures(monotonic_ns())
    assert window.top.pause.toolTip() == "Play again (Space)"


def test_recording_may_be_asked_for_before_the_loop_has_started(open_window, qtbot, library: Path) -> None:
    window = open_window(start, sessions=library)
    qtbot.waitUntil(lambda: window.scene is not None)
    window.restart()
    assert window.worker is None
    window.toggle_recording()
    assert "starts with the first picture" in window.notice.text
    qtbot.waitUntil(lambda: window.sessions.recording)


def test_recording_a_replay_is_declined(replaying) -> None:
    replaying.toggle_recording()
    assert "needs a camera or a video" in replaying.notice.text
    assert not replaying.sessions.recording


def test_export_from_the_menu(replaying, qtbot, tmp_path: Path, monkeypatch) -> None:
    target = tmp_path / "hands.csv"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(target), ""))
    replaying.sessions.transport.menu.actions()[0].trigger()
    qtbot.waitUntil(lambda: "CSV written to" in replaying.notice.text)
    assert len(target.read_text().splitlines()) > 40 * 21
    assert not replaying.sessions.exporting.isVisible()


def test_a_second_export_waits(replaying, qtbot, tmp_path: Path, monkeypatch) -> None:
    go_on, asked = threading.Event(), []
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (asked.append(1), (str(tmp_path / "x.csv"), ""))[1])
    monkeypatch.setattr("demo.gui.exporting.export", lambda *_: go_on.wait(20))
    replaying.sessions.ask_export("csv")
    replaying.sessions.ask_export("npz")
    assert len(asked) == 1
    assert "An export is being written" in replaying.notice.text
    go_on.set()
    qtbot.waitUntil(lambda: not replaying.sessions.exporting.busy)


def test_a_cancelled_export_leaves_nothing(replaying, qtbot, tmp_path: Path, monkeypatch) -> None:
    target = tmp_path / "exports" / "hands.mp4"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(target), ""))
    exporting = replaying.sessions.exporting
    replaying.sessions.ask_export("mp4")
    exporting.cancel_button.click()
    qtbot.waitUntil(lambda: "cancelled" in replaying.notice.text)
    assert list(target.parent.iterdir()) == []


def test_a_failed_export_is_said(replaying, qtbot, tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(tmp_path / "file" / "x.csv"), ""))
    replaying.sessions.ask_export("csv")
    qtbot.waitUntil(lambda: "Cannot write" in replaying.error.text)


def test_the_library_opens_renames_notes_and_throws_away(
    playing, qtbot, tmp_path: Path, monkeypatch, dance: list
) -> None:
    playing._start_worker = start
    panel = playing.sessions.library
    panel.sessions = tmp_path / "lib"
    panel.toggle()
    assert panel.empty.isVisible()
    panel.toggle()
    record(panel.sessions / "one", dance[:12], started_wall_ns=1)
    record(panel.sessions / "two", dance[:5], started_wall_ns=2)
    qtbot.keyClick(playing, Qt.Key.Key_L)
    assert [panel.list.item(i).text().splitlines()[0] for i in range(2)] == ["two", "one"]
    panel.list.setCurrentRow(1)
    panel.notes.setText("both hands")
    panel.notes.editingFinished.emit()
    assert "both hands" in panel.list.item(1).text()
    monkeypatch.setattr(QInputDialog, "getText", lambda *_, **__: ("uno", True))
    panel.rename.click()
    assert (panel.sessions / "uno").is_dir()
    monkeypatch.setattr(QInputDialog, "getText", lambda *_, **__: ("two", True))
    panel.rename.click()
    assert "already a session called two" in playing.error.text
    monkeypatch.setattr(QMessageBox, "question", lambda *_: QMessageBox.StandardButton.Yes)
    monkeypatch.setattr("send2trash.send2trash", lambda path: Path(path).rename(tmp_path / "trashed"))
    panel.list.setCurrentRow(0)
    panel.trash.click()
    assert [entry.folder.name for entry in panel.entries] == ["uno"]
    qtbot.keyClick(panel.list, Qt.Key.Key_Return)
    assert not panel.isVisible()
    qtbot.waitUntil(lambda: playing.sessions.transport.isVisible() and playing.worker.session is not None)
    assert playing.worker.session.folder.name == "uno"
    assert not playing.worker.loop  # that was the clip's


def test_the_next_start_offers_to_finalise(open_window, qtbot, library: Path, dance: list) -> None:
    folder = record(library / "killed", dance[:6])
    (folder / LOCK).touch()  # as a killed process leaves it
    whole = (folder / "scenes.arrow").read_bytes()
    (folder / "scenes.arrow").write_bytes(whole[:-100])
    window = open_window(start, sessions=library)
    assert window.unfinished.text == "A recording was not ended; nothing is lost"
    window.unfinished.action.click()
    assert window.unfinished.text == ""
    assert "1 recording finalised" in window.notice.text
    session = read_session(folder)
    assert session.ended
    assert len(session) == 5


def test_open_takes_a_file_of_a_session(playing, qtbot, library: Path, monkeypatch, dance: list) -> None:
    playing._start_worker = start
    folder = record(library / "dance", dance[:5])
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(folder / "video.mkv"), ""))
    playing.open_video()
    qtbot.waitUntil(lambda: playing.replaying and playing.sessions.transport.isVisible())
    assert playing.settings.path == folder


def test_figures_are_said_as_people_read_them(library: Path, dance: list) -> None:
    assert [size_said(n) for n in (900, 2_340_000, 34_000_000, 5_100_000_000)] == ["1 kB", "2.3 MB", "34 MB", "5.1 GB"]
    assert [length_said(s) for s in (4.4, 75, 3725)] == ["0:04", "1:15", "1:02:05"]
    from demo.recording.library import entries

    record(library / "a", dance[:3], model="digit-lite", backend="openvino")
    (entry,) = entries(library)
    assert "right 100%, left 67%" in described(entry) or "right 67%, left 100%" in described(entry)
    assert "digit-lite on openvino" in described(entry)


def test_drops_are_shown(open_window, qtbot, library: Path, monkeypatch, dance: list) -> None:
    go_on, write = threading.Event(), SessionWriter.write
    monkeypatch.setattr(SessionWriter, "write", lambda self, *a: (go_on.wait(), write(self, *a)))
    window = open_window(start, sessions=library)
    qtbot.waitUntil(lambda: window.worker is not None and window.worker.loaded is not None)
    library.mkdir()
    window.sessions.recorder = Recorder(library / "slow", new_info(Settings(), "x"), queue_scenes=2)
    qtbot.wait(400)
    go_on.set()
    qtbot.waitUntil(lambda: "dropped" in window.sessions.chip.text())
    window.toggle_recording()
    qtbot.waitUntil(lambda: "dropped" in window.notice.text)
