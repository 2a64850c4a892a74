"""The sheet that starts and stops streams, and says who listens and how to."""

from PyQt6.QtCore import Qt, pyqtSignal
from PyQt6.QtGui import QGuiApplication
from PyQt6.QtWidgets import QCheckBox, QGridLayout, QHBoxLayout, QLabel, QLineEdit, QPushButton, QWidget

from demo.gui import theme
from demo.gui.sheet import Sheet
from demo.settings import Settings
from demo.streams.address import Network
from demo.streams.hub import streams_of
from demo.streams.outlet import State
from demo.streams.protocols import PROTOCOLS, Protocol, example


class StreamRow:
    """The widgets of one protocol."""

    def __init__(self, protocol: Protocol) -> None:
        self.protocol = protocol
        self.switch = QPushButton("Start", checkable=True)
        self.switch.setFixedWidth(70)
        self.switch.setAccessibleName(f"Start or stop {protocol.title}")
        title = QLabel(f"{protocol.title}<br><span style='color:{theme.MUTED};font-size:11px'>{protocol.what}</span>")
        title.setWordWrap(True)
        self.title = title
        self.address = QLineEdit()
        self.address.setPlaceholderText(protocol.address)
        self.address.setAccessibleName(f"Address of {protocol.title}")
        self.address.setFixedWidth(170)
        self.status = QLabel()
        self.status.setWordWrap(True)
        self.status.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.copy = QPushButton("Copy")
        self.copy.setAccessibleName(f"Copy how to listen to {protocol.title}")

    @property
    def stream(self) -> str:
        """``NAME[:ADDRESS]`` as it is written in this row."""
        address = self.address.text().strip()
        return f"{self.protocol.name}:{address}" if address else self.protocol.name

    def show_state(self, state: State | None) -> None:
        """How it does; None when it was not started."""
        on = state is not None and state.status in ("starting", "running")
        self.switch.setChecked(on)
        self.switch.setText("Stop" if on else "Start")
        failed = state is not None and state.status == "failed"
        self.status.setStyleSheet(f"color: {theme.ERROR if failed else theme.MUTED}; font-size: 11px;")
        self.status.setText(said(state))


def said(state: State | None) -> str:
    """A stream's state in a few words."""
    if state is None or state.status == "stopped":
        return ""
    if state.status == "failed":
        return state.why
    if state.status == "starting":
        return "starting"
    parts = [state.address, f"{state.rate_hz:.0f} /s"]
    if state.clients is not None:
        parts.append("1 client" if state.clients == 1 else f"{state.clients} clients")
    if state.latency_ms is not None:
        parts.append(f"capture to client {state.latency_ms:.0f} ms")
    return " · ".join(parts)


class StreamsPanel(Sheet):
    """Owns the streams. ``failed`` carries why one fell over while the sheet was not there to say it."""

    failed = pyqtSignal(str)

    def __init__(self, parent: QWidget, settings: Settings) -> None:
        super().__init__(parent, "Streams to other programs", max_width=940)
        self._failed: set[str] = set()  # streams whose failure was told
        self.hub = streams_of(settings)
        self.rows = {name: StreamRow(protocol) for name, protocol in PROTOCOLS.items()}
        for stream in settings.streams:
            name, _, address = stream.partition(":")
            self.rows[name].address.setText(address)
        self.network = QCheckBox("Other computers: streams may leave this one; a WebSocket then asks for the token")
        self.network.setChecked(self.hub.network.allowed)
        self.token = QLineEdit(self.hub.network.token)
        self.token.setReadOnly(True)
        self.token.setFixedWidth(170)
        self.token.setAccessibleName("Token")
        self._lay_out()
        self._connect()
        self._show_states()

    def _lay_out(self) -> None:
        grid = QGridLayout()
        grid.setHorizontalSpacing(14)
        grid.setVerticalSpacing(10)
        grid.setColumnStretch(1, 3)
        grid.setColumnStretch(3, 2)
        grid.setColumnMinimumWidth(3, 210)
        for n, row in enumerate(self.rows.values()):
            for place, widget in enumerate((row.switch, row.title, row.address, row.status, row.copy)):
                grid.addWidget(widget, n, place)
        self.column.addLayout(grid)
        foot = QHBoxLayout()
        foot.addWidget(self.network)
        foot.addStretch(1)
        foot.addWidget(self.token)
        self.column.addLayout(foot)
        self.hint = QLabel("")
        self.hint.setObjectName("caption")
        self.hint.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.column.addWidget(self.hint)

    def _connect(self) -> None:
        self.network.clicked.connect(self._allow)
        for name, row in self.rows.items():
            row.switch.clicked.connect(lambda on, name=name: self._switch(name, on))
            row.copy.clicked.connect(lambda _, name=name: self._copy(name))
            row.address.editingFinished.connect(lambda name=name: self._address_edited(name))

    def refresh(self) -> None:
        """Follow the streams; a few times a second is enough."""
        states = self._show_states()
        failed = {name for name, state in states.items() if state.status == "failed"}
        if self.isHidden():
            for name in sorted(failed - self._failed):
                self.failed.emit(states[name].why)
        self._failed = failed

    def _show_states(self) -> dict[str, State]:
        states = self.hub.states()
        for name, row in self.rows.items():
            row.show_state(states.get(name))
        self.token.setVisible(self.hub.network.allowed)
        return states

    def _switch(self, name: str, on: bool) -> None:
        if on:
            self.hub.start(self.rows[name].stream)
        else:
            self.hub.stop(name)
        self.refresh()

    def _address_edited(self, name: str) -> None:
        row = self.rows[name]
        if row.switch.isChecked() and row.address.isModified():
            self._switch(name, True)
        row.address.setModified(False)

    def _allow(self, allowed: bool) -> None:
        """Streams that run keep what they were started with, unless the network was taken from them."""
        self.hub.network = Network.opened(self.token.text()) if allowed else Network()
        self.token.setText(self.hub.network.token)
        if not allowed:
            for name, state in self.hub.states().items():
                if state.status == "running":
                    self.hub.start(self.rows[name].stream)
        self.refresh()

    def _copy(self, name: str) -> None:
        state = self.hub.states().get(name)
        row = self.rows[name]
        address = (state.address if state else "") or row.address.text().strip() or row.protocol.address
        text = example(name, address, self.hub.network)
        QGuiApplication.clipboard().setText(text)
        self.hint.setText(f"Copied: {text}")
