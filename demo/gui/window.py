"""The window: polls the worker sixty times a second and shows its newest Scene."""

import sys
import traceback
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from time import monotonic_ns
from typing import TYPE_CHECKING

from PyQt6.QtCore import QSize, Qt, QTimer
from PyQt6.QtGui import QCloseEvent
from PyQt6.QtWidgets import QFileDialog, QHBoxLayout, QLabel, QMainWindow, QVBoxLayout, QWidget

from demo.gui import theme
from demo.gui.banner import Banner
from demo.gui.controls import DrawBar, TopBar
from demo.gui.handover import Handover, start_worker
from demo.gui.help import HelpSheet
from demo.gui.history import History
from demo.gui.hud import hud_line
from demo.gui.keeper import Keeper
from demo.gui.keys import bind_keys
from demo.gui.panel import panel, place
from demo.gui.screenshot import save_screenshot
from demo.gui.sessions import Sessions, source_of_file
from demo.gui.signals_strip import SignalsStrip
from demo.gui.startup import Startup
from demo.gui.streams_panel import StreamsPanel
from demo.gui.video_view import VideoView
from demo.gui.view_bar import ViewBar, following
from demo.records import Scene
from demo.settings import Settings, SourceKind, needs_restart, same_source, save_settings
from digit.errors import UserError

if TYPE_CHECKING:  # these take long to import, so they come after the window is up
    from demo.gui.hands_view import HandsView
    from demo.gui.plots import Plots
    from demo.worker import Worker

TICK_MS = 16
FIGURES_EVERY_NS = 250_000_000
#: The video comes first, but the 3D view never stands longer than this.
HANDS_WAIT_S = 0.1
VIDEO_FILTER = "Videos and sessions (*.mp4 *.mkv *.mov *.avi *.webm *.m4v info.json);;All files (*)"


class Window(QMainWindow):
    """Everything that is seen. It outlives its worker: what ends one becomes a banner, and another can be started."""

    def __init__(
        self,
        settings: Settings,
        notice: str = "",
        start_worker: Callable[[Settings], "Worker"] = start_worker,
        save: Callable[[Settings], None] = save_settings,
        startup: Startup | None = None,
    ) -> None:
        super().__init__()
        self.settings = settings
        self.scene: Scene | None = None
        self.worker: Worker | None = None
        self.hands: HandsView | None = None
        self.plots: Plots | None = None
        self.history = History()
        self._start_worker, self._startup = start_worker, startup
        self._handover = Handover()
        self._idle = False  # the worker has ended and nobody asked for another
        self._closed = False
        self._undrawn: Scene | None = None
        self._figures_ns = 0
        self._notice = ""
        self._lay_out()
        self._connect()
        self.notice.say(notice)
        self.video.set_mirror(settings.mirror)
        self.video.say("Starting", busy=True)
        self.video.setFocus()  # a letter typed now is a shortcut, not another choice in the first picker
        self._keeper = Keeper(self, save, self.notice.say)
        self._timer = QTimer(self, interval=TICK_MS)
        self._timer.timeout.connect(self.tick)
        self._timer.start()

    # What is where

    def _lay_out(self) -> None:
        self.setWindowTitle("Digit Live")
        self.setStyleSheet(theme.STYLE)
        self.resize(QSize(1280, 800).boundedTo(self.screen().availableSize()))
        central = QWidget(objectName="central")
        self.setCentralWidget(central)
        self.top = TopBar(self.settings)
        self.error, self.notice, self.unfinished = Banner("error"), Banner("notice"), Banner("notice")
        self.video = VideoView()
        self.sessions = Sessions(central, self.video, self.settings)
        self.draw_bar = DrawBar(self.settings)
        self._hands_place, self._plots_place = place(), place()
        self.view_bar, self.signals = ViewBar(self.show_view), SignalsStrip()
        self.hud = QLabel(objectName="hud")
        column = QVBoxLayout(central)
        column.setContentsMargins(12, 10, 12, 8)
        column.setSpacing(theme.UNIT)
        for part in (self.top, self.error, self.notice, self.unfinished, self.sessions.exporting):
            column.addWidget(part)
        views = QHBoxLayout()
        views.setSpacing(theme.UNIT)
        views.addWidget(panel(self.video, self.sessions.transport, self.draw_bar), 3)
        views.addWidget(panel(self._hands_place, self.signals, self.view_bar), 2)
        column.addLayout(views, 1)
        column.addWidget(self._plots_place)
        column.addWidget(self.hud)
        self._plots_place.setFixedHeight(168)
        self.help = HelpSheet(central)
        self.streams = StreamsPanel(central, self.settings)
        self.sessions.offer_to_finalise(self.unfinished)

    def _connect(self) -> None:
        for bar in (self.top, self.draw_bar):
            bar.changed.connect(self.change)
        self.top.source_picked.connect(self.play)
        self.top.open_asked.connect(self.open_video)
        self.top.library_asked.connect(self.sessions.library.toggle)
        self.top.record_asked.connect(self.toggle_recording)
        self.sessions.say_in(self.notice, self.error)
        self.sessions.opened.connect(lambda folder: self._play_file("session", folder))
        self.sessions.library.renamed.connect(self._renamed)
        self.top.pause_asked.connect(self.toggle_pause)
        self.top.screenshot_asked.connect(self.screenshot)
        self.top.full_screen_asked.connect(self.toggle_full_screen)
        self.top.streams_asked.connect(self.streams.toggle)
        self.streams.failed.connect(self.notice.say)
        self.top.help_asked.connect(self.help.toggle)
        self.video.drawn.connect(self._drawn)
        bind_keys(self)

    # The loop

    def tick(self) -> None:
        """Take the newest Scene and show it. Called sixty times a second; never waits."""
        if not self.video.painted or self._closed:
            return
        if self.plots is None:
            self._build_rest()
        self._look_at_startup()
        self._change_workers()
        if self.worker is not None:
            self._look_at_worker(self.worker)
        if self.hands is not None and (self._undrawn is None or self.hands.waited_s > HANDS_WAIT_S):
            self.hands.refresh()
        self.signals.show_packet(self.streams.hub.packet if self.scene is not None else None)
        self.sessions.refresh(self.worker, self.settings)
        now_ns = monotonic_ns()
        if now_ns - self._figures_ns > FIGURES_EVERY_NS:
            self._figures_ns = now_ns
            self._show_figures(now_ns)

    def _build_rest(self) -> None:
        """What would keep the window from being up at once: the loop's imports, the plots and the 3D canvas."""
        self._startup = self._startup or Startup()
        from demo.gui.plots import Plots

        self.plots = Plots()
        self._plots_place.layout().addWidget(self.plots)
        try:
            from demo.gui.hands_view import HandsView

            self.hands = HandsView()
            self._hands_place.layout().addWidget(self.hands)
        except Exception as error:  # no OpenGL: the rest of the window works
            self._hands_place.layout().addWidget(QLabel(f"No 3D view: {error}", wordWrap=True))

    def _look_at_startup(self) -> None:
        try:
            choices = self._startup.poll()
        except Exception as error:  # the pickers stay short; what plays goes on
            print(f"cameras and backends could not be listed: {error}", file=sys.stderr)
            return
        if choices:
            self.top.offer(choices)

    def _change_workers(self) -> None:
        """Start the worker that is wanted, once the old one has given back its camera."""
        over = self._handover.is_over()
        if self.worker is None and not self._idle and over and self._startup.imported.is_set():
            try:
                self.worker = self._start_worker(self.settings)
                self.worker.tap = self._tap
                self.top.show_running("pause")
            except Exception as error:
                self._fail(error)

    def _tap(self, scene: Scene) -> None:
        """Every Scene, in the loop's thread."""
        self.streams.hub.put(scene)
        self.sessions.tap(scene)

    def _look_at_worker(self, worker: "Worker") -> None:
        try:
            scene = worker.poll()
        except Exception as error:
            self._fail(error)
            return
        if worker.notice and worker.notice != self._notice:
            self._notice = worker.notice
            self.notice.say(worker.notice)
        if scene is not None:
            self._undrawn = scene
            self.show_scene(scene)
            self.video.say("")
        elif worker.ended:
            self._end("")
        elif worker.status:
            self.video.say(worker.status, busy=True)

    def _fail(self, error: Exception) -> None:
        """Whatever ended the worker, the window stays and says it."""
        if isinstance(error, UserError):
            self._end(str(error))
        else:
            traceback.print_exception(error)
            self._end(f"the loop stopped on a fault ({type(error).__name__}: {error}); the terminal shows where")

    def _end(self, error: str) -> None:
        """The worker has ended, by an error or because its source has."""
        self._leave()
        self._idle = True
        self.error.say(error)
        self.top.show_running("again")
        self.video.say("Choose another camera or open a video" if error else "The end. Space plays it again")

    def _leave(self) -> None:
        """Let the worker end without waiting for it."""
        self.sessions.stop_recording()
        if self.worker is not None:
            self._handover.let_go(self.worker)
            self.worker = None

    def restart(self) -> None:
        """End the worker and start one with the settings as they are now."""
        self._leave()
        self._idle, self._notice = False, ""
        self.history.clear()
        self.error.say("")
        self.notice.say("")
        self.video.say("Starting", busy=True)

    # What is shown

    def show_scene(self, scene: Scene) -> None:
        """Draw this Scene in both views."""
        self.scene = scene
        self._repaint()
        if self.hands is not None:
            self.hands.show_scene(scene)

    def _clear(self) -> None:
        """Show nothing of a source that is left."""
        self.scene = self._undrawn = None
        self.video.clear()
        if self.hands is not None:
            self.hands.clear()

    def _repaint(self) -> None:
        if self.scene is not None:
            from demo.overlay import paint

            self.video.show_picture(paint(self.scene.frame.image, self.scene, self.settings.overlay))

    def _drawn(self, drawn_ns: int) -> None:
        """A picture is on the screen. One that was only painted anew, as for a toggle, does not count again."""
        if self._undrawn is not None:
            self.history.add(self._undrawn, self._undrawn.emitted_ns if self.replaying else drawn_ns)
            self._undrawn = None

    def _show_figures(self, now_ns: int) -> None:
        loaded = self.worker.loaded if self.worker is not None else None
        running = f"{loaded.model} on {loaded.backend}" if loaded else ""
        self.hud.setToolTip(loaded.why if loaded else "")
        if self.replaying and self.scene is not None:  # as it was then
            now_ns = self.scene.emitted_ns
        self.hud.setText(hud_line(self.history, now_ns, self.scene, running, self.settings, self.paused))
        if self.plots is not None and not self.paused:
            self.plots.refresh(self.history, now_ns)
        view = self.hands.view if self.hands is not None else ""
        self.view_bar.show_view(view)
        self.streams.refresh()
        self.top.show_recording(self.sessions.recording)
        if self.replaying and self.worker is not None:
            self.top.show_running("play" if self.paused else "pause")

    # What a person does

    @property
    def paused(self) -> bool:
        """True while a person holds the loop."""
        return self.worker is not None and self.worker.paused

    @property
    def replaying(self) -> bool:
        """True while a session plays."""
        return self.settings.source == "session"

    def change(self, settings: Settings) -> None:
        """Take new settings: at once where that is possible, with a new worker where it is not."""
        old, self.settings = self.settings, settings
        self.top.show_settings(settings)
        self.draw_bar.show_settings(settings)
        self._keeper.change(old, settings)
        self.video.set_mirror(settings.mirror)
        self.streams.hub.overlay = settings.overlay
        if old.overlay != settings.overlay:
            self._repaint()
        if not same_source(old, settings):
            self._clear()
        if needs_restart(old, settings):
            self.restart()
        elif self.worker is not None:
            self.worker.apply(settings)

    def play(self, settings: Settings) -> None:
        """Change the source. What is chosen again plays anew, but a camera that runs goes on."""
        restarts = needs_restart(self.settings, settings)
        self.change(settings)
        if not restarts and (self._idle or settings.source != "camera"):
            self.restart()

    def _play_file(self, kind: SourceKind, path: Path) -> None:
        self.play(replace(self.settings, source=kind, path=path, repeat=False))

    def _renamed(self, old: Path, new: Path) -> None:
        """A session that plays and gets another name is read anew, as its old place is gone."""
        if self.replaying and self.settings.path is not None and self.settings.path.absolute() == old.absolute():
            self.change(replace(self.settings, path=new))

    def toggle_pause(self) -> None:
        """Pause, go on, or play again what has ended."""
        if self.worker is not None:
            self.worker.pause(not self.worker.paused)
            self.top.show_running("play" if self.worker.paused else "pause")
        elif self._idle:
            self.restart()

    def open_video(self) -> None:
        """Ask for a video file or a session and play it."""
        path, _ = QFileDialog.getOpenFileName(self, "Open video or session", str(Path.home()), VIDEO_FILTER)
        if path:
            self._play_file(*source_of_file(Path(path)))

    def toggle_recording(self) -> None:
        """Begin or end a recording."""
        self.sessions.toggle_recording(self.worker, self.settings, starting=not self._idle)

    def screenshot(self) -> Path | None:
        """Save a picture of the window among the user's pictures and say where."""
        return save_screenshot(self, self.notice.say, self.error.say)

    def show_view(self, name: str) -> None:
        """Turn the 3D view to "front", "side" or "top"."""
        if self.hands is not None:
            self.hands.show_view(name)
        self.view_bar.show_view(name)

    def next_view(self) -> None:
        """The named view after the one that is shown."""
        self.show_view(following(self.hands.view if self.hands is not None else ""))

    def toggle_full_screen(self) -> None:
        """Fill the screen, or go back."""
        self.setWindowState(self.windowState() ^ Qt.WindowState.WindowFullScreen)

    def escape(self) -> None:
        """Leave what lies over the window, or full screen."""
        if not self.help.isHidden():
            self.help.toggle()
        elif sheet := next((s for s in (self.streams, self.sessions.library) if not s.isHidden()), None):
            sheet.toggle()
        elif self.isFullScreen():
            self.toggle_full_screen()

    # The end

    def closeEvent(self, event: QCloseEvent | None) -> None:
        if not self._closed:
            self._closed = True
            self._timer.stop()
            self._keeper.close()
            self.hide()  # what follows may take a moment
            self._leave()
            self._handover.wait()
            self.sessions.close()
            self.streams.hub.close()
            if self._startup is not None:
                self._startup.close()
            if self.plots is not None:
                self.plots.release()
            if self.hands is not None:
                self.hands.release()
        super().closeEvent(event)
