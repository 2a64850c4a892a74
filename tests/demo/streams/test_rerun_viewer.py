"""The Rerun viewer is opened on this computer only, once, and one sentence says where it does not take the hands."""

import os
import signal
import socket
import sys
from pathlib import Path

import pytest
import rerun_cli

from demo.streams import rerun_viewer
from demo.streams.address import LOOPBACK
from demo.streams.hub import Streams
from digit.errors import UserError
from tests.demo.streams.listening import free_port, play, recorded, running

VIEWER = Path(rerun_cli.__file__).parent / "rerun"


@pytest.fixture
def port(monkeypatch: pytest.MonkeyPatch) -> int:
    """The viewer's, in place of the one that a viewer of this computer's may have."""
    free = free_port()
    monkeypatch.setattr(rerun_viewer, "PORT", free)
    return free


def stand_in(path: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this shell script run in place of the viewer, and nothing be found in PATH."""
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    monkeypatch.setenv("RERUN_CLI_PATH", str(path))
    monkeypatch.setenv("PATH", "")


def why(stream: str) -> str:
    """Why this stream does not open."""
    streams = Streams()
    streams.start(stream)
    try:
        with pytest.raises(UserError) as refused:
            streams.opened()
    finally:
        streams.close()
    return str(refused.value)


@pytest.mark.skipif(sys.platform != "linux" or not VIEWER.exists(), reason="reads the system's sockets from /proc")
def test_the_viewer_that_is_opened_listens_on_this_computer_only(
    port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    told = tmp_path / "pid"
    script = f'echo $$ > {told}\nexec {VIEWER} "$@" --serve-grpc'  # all of it but the window
    stand_in(tmp_path / "viewer.sh", script, monkeypatch)
    streams = running("rerun")
    viewer = told.read_text()
    try:
        assert streams.states()["rerun"].address == f"{LOOPBACK}:{port}"
        tables = [Path(f"/proc/self/net/{table}").read_text().splitlines()[1:] for table in ("tcp", "tcp6")]
        sockets = [line.split() for table in tables for line in table]
        listening = {at for _, at, _, state, *_ in sockets if state == "0A"}
        assert {at for at in listening if at.endswith(f":{port:04X}")} == {f"0100007F:{port:04X}"}
        streams.start("rerun")  # the same viewer again
        streams.opened()
        play(streams, recorded(20))
        assert streams.states()["rerun"].status == "running"
    finally:
        os.kill(int(viewer), signal.SIGTERM)
        streams.close()
    assert told.read_text() == viewer


@pytest.mark.skipif(sys.platform == "win32", reason="a shell script stands in for the viewer")
@pytest.mark.usefixtures("port")
def test_a_viewer_that_does_not_start_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(tmp_path / "viewer.sh", "exit 1", monkeypatch)
    assert "could not be started; `python -m rerun --bind 127.0.0.1` says why." in why("rerun")


def test_a_viewer_that_is_not_there_is_one_sentence() -> None:
    """Otherwise all that it does not take would pile up in this process."""
    assert "give --stream rerun to open one" in why(f"rerun:{free_port()}")


@pytest.mark.parametrize("stream", ["rerun", "rerun:{port}"])
def test_a_viewer_that_others_can_ask_gets_nothing(port: int, stream: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rerun_viewer, "outward_host", lambda: LOOPBACK)
    with socket.socket() as viewer:
        viewer.bind((LOOPBACK, port))
        viewer.listen()
        assert "start it as `rerun --bind 127.0.0.1`, or add --stream-network" in why(stream.format(port=port))


def test_a_file_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "folder.rrd").mkdir()
    assert why(f"rerun:{tmp_path / 'folder.rrd'}").startswith(f"Cannot write {tmp_path / 'folder.rrd'} (")
    assert "There is no folder for" in why(f"rerun:{tmp_path / 'no' / 'file.rrd'}")
