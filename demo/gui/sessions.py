"""What the window does with sessions: record, mark, list, export, and offer to end what a crash left."""

from pathlib import Path
from time import monotonic_ns
from typing import TYPE_CHECKING

from PyQt6.QtCore import QObject, Qt, pyqtSignal
from PyQt6.QtWidgets import QFileDialog, QLabel, QWidget

from demo.gui import theme
from demo.gui.banner import Banner
from demo.gui.exporting import ExportBar
from demo.gui.library import LibraryPanel, length_said, size_said
from demo.gui.transport import Transport
from demo.recording.export import EXPORTS
from demo.recording.finalise import finalise, unfinished
from demo.recording.info import new_info
from demo.recording.library import sessions_folder
from demo.recording.player import Player
from demo.recording.reader import is_session
from demo.recording.recorder import Recorder, RecorderState
from demo.recording.writer import new_folder, why_not
from demo.records import Scene
from demo.settings import Settings, SourceKind
from digit.errors import UserError

if TYPE_CHECKING:
    from demo.worker import Worker

#: What a marker's confirmation is shown for.
_MARKED_NS = 1_500_000_000


class Sessions(QObject):
    """Owns the recorder, the library's sheet, the transport bar and the export.

    ``noticed`` and ``failed`` carry a sentence, ``opened`` a session's folder.
    """

    noticed = pyqtSignal(str)
    failed = pyqtSignal(str)
    opened = pyqtSignal(object)

    def __init__(self, central: QWidget, video: QWidget, settings: Settings) -> None:
        super().__init__(central)
        self.folder = sessions_folder(settings.sessions)
        self.recorder: Recorder | None = None
        self.library = LibraryPanel(central, self.folder)
        self.transport, self.exporting = Transport(), ExportBar()
        self.chip = RecordingChip(video)
        self._ending: list[Recorder] = []
        self._wanted = settings.record  # from the start, as soon as Scenes come
        self._marks, self._marked_ns = 0, 0
        self.library.opened.connect(self.opened)
        self.library.said.connect(self.failed)
        self.transport.export_asked.connect(self.ask_export)

    @property
    def recording(self) -> bool:
        """True while Scenes are written."""
        return self.recorder is not None

    def tap(self, scene: Scene) -> None:
        """Take a Scene from the loop. Called in its thread; never waits."""
        recorder = self.recorder
        if recorder is not None:
            recorder.put(scene)

    def toggle_recording(self, worker: "Worker | Player | None", settings: Settings, starting: bool) -> None:
        """Begin or end a recording. ``starting``: where there is no worker yet, one will come."""
        if self.recorder is not None:
            self.stop_recording()
        elif settings.source == "session" or (worker is None and not starting):
            self.noticed.emit("recording needs a camera or a video that runs")
        elif worker is None or isinstance(worker, Player) or worker.loaded is None:
            self._wanted = True
            self.noticed.emit("the recording starts with the first picture")
        else:
            self._start(worker, settings)

    def mark(self) -> None:
        """Set a marker in the recording."""
        if self.recorder is not None:
            self._marks += 1
            self.recorder.mark(f"marker {self._marks}")
            self._marked_ns = monotonic_ns()

    def stop_recording(self) -> None:
        """End the recording; its last Scenes are written while the window goes on."""
        if self.recorder is not None:
            self.recorder.stop(0)
            self._ending.append(self.recorder)
            self.recorder = None

    def refresh(self, worker: "Worker | Player | None", settings: Settings) -> None:
        """Show how everything does. Called sixty times a second."""
        self.transport.show_player(worker if isinstance(worker, Player) else None)
        if self._wanted and worker is not None and not isinstance(worker, Player) and worker.loaded is not None:
            self._wanted = False
            self._start(worker, settings)
        if self.recorder is not None and self.recorder.ended:
            self.stop_recording()
        for recorder in [r for r in self._ending if r.ended]:
            self._ending.remove(recorder)
            self._say_end(recorder.state)
        marked = monotonic_ns() - self._marked_ns < _MARKED_NS
        self.chip.show_state(self.recorder.state if self.recorder else None, marked)
        exported = self.exporting.poll()
        if exported is not None:
            said, error = exported
            (self.failed if error else self.noticed).emit(error or said)

    def left_behind(self) -> list[Path]:
        """Sessions whose recording was killed."""
        return unfinished(self.folder)

    def say_in(self, notice: Banner, error: Banner) -> None:
        """Say what happens in these banners."""
        self.noticed.connect(lambda text: notice.say(text))
        self.failed.connect(lambda text: error.say(text))

    def offer_to_finalise(self, banner: Banner) -> None:
        """Say in this banner what a killed recording left, with a button that ends it."""
        left = len(self.left_behind())
        if left:
            said = "a recording was" if left == 1 else f"{left} recordings were"
            banner.say(f"{said} not ended; nothing is lost", "Finalise", self.finalise_all)

    def finalise_all(self) -> None:
        """End every session that was left, and say so."""
        ended = 0
        for folder in self.left_behind():
            try:
                finalise(folder)
                ended += 1
            except UserError as error:
                self.failed.emit(str(error))
        if ended:
            self.noticed.emit(f"{ended} recording{'s' * (ended > 1)} finalised; the library (L) lists all sessions")

    def ask_export(self, name: str) -> None:
        """Ask where to, and export the session that plays."""
        player = self.transport.player
        if player is None or player.session is None:
            return
        if self.exporting.busy:
            self.noticed.emit("an export is being written; wait for it or cancel it first")
            return
        proposed = EXPORTS[name].file_of(player.session, name)
        title = EXPORTS[name].title
        path, _ = QFileDialog.getSaveFileName(self.library.window(), f"Export: {title}", str(proposed))
        if path:
            self.exporting.start(player.session, name, Path(path))

    def close(self) -> None:
        """End all; waits until the recording is whole."""
        self.exporting.close_down()
        self.stop_recording()
        for recorder in self._ending:
            recorder.stop(10)
        self.transport.timeline.preview.close()

    def _start(self, worker: "Worker", settings: Settings) -> None:
        loaded = worker.loaded
        if loaded is None:
            return
        info = new_info(settings, worker.source_name, loaded, worker.source_fps)
        try:
            folder = new_folder(self.folder)
        except OSError as error:
            self.failed.emit(why_not(self.folder, error))
            return
        self._marks = 0
        self.recorder = Recorder(folder, info)

    def _say_end(self, state: RecorderState) -> None:
        if state.error:
            self.failed.emit(f"{state.error} {state.rows} frames are in {state.folder}.")
        else:
            dropped = f", {state.dropped} dropped" if state.dropped else ""
            self.noticed.emit(f"{state.rows} frames recorded in {state.folder}{dropped}")


class RecordingChip(QLabel):
    """Lies over the video while it is recorded: a red dot, time, size, drops and free space."""

    def __init__(self, video: QWidget) -> None:
        super().__init__(video)
        self.setTextFormat(Qt.TextFormat.RichText)
        self.setStyleSheet("background: rgba(15, 18, 22, 215); border-radius: 12px; padding: 5px 12px;")
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.move(12, 12)
        self.hide()

    def show_state(self, state: RecorderState | None, marked: bool) -> None:
        """Show a recording; None hides the chip."""
        self.setVisible(state is not None)
        if state is None:
            return
        parts = [f"<b>{length_said(state.seconds)}</b>", size_said(state.bytes)]
        if state.dropped:
            parts.append(f"<span style='color:{theme.WARNING}'>{state.dropped} dropped</span>")
        if state.free_bytes:
            parts.append(f"<span style='color:{theme.MUTED}'>{size_said(state.free_bytes)} free</span>")
        if marked:
            parts.append(f"<span style='color:{theme.WARNING}'>marked</span>")
        self.setText(f"<span style='color:{theme.ERROR}'>●</span>&nbsp; " + "&nbsp; · &nbsp;".join(parts))
        self.adjustSize()


def source_of_file(path: Path) -> tuple[SourceKind, Path]:
    """What a person meant by this file: the session that it belongs to, or a video."""
    return ("session", path.parent) if is_session(path.parent) else ("video", path)
