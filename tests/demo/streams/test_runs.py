"""Streams from the command line and the headless loop, and the bench that times them."""

import json
import runpy
import shutil
import socket
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from demo.app import settings_from_arguments
from demo.headless import run_headless
from demo.settings import Settings, load_settings, save_settings
from demo.streams import latency
from demo.streams.packet import HAND, HEADER
from digit.errors import UserError
from launcher import main, parser
from tests.demo.clips import two_hands, write_clip
from tests.demo.streams.listening import free_port, has_ipv6, recorded, running, udp_receiver, wait_until
from tests.demo.test_headless import colour_pipeline

EXAMPLES = Path(__file__).parents[3] / "examples"
needs_ipv6 = pytest.mark.skipif(not has_ipv6(), reason="no IPv6")


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return write_clip(tmp_path / "clip.mp4", two_hands(10))


def test_the_command_line_names_streams() -> None:
    arguments = parser().parse_args(["--stream", "osc:9001", "--stream", "websocket", "--stream-network", "secret"])
    settings = settings_from_arguments(arguments, Settings())
    assert settings.streams == ("osc:9001", "websocket")
    assert (settings.stream_network, settings.stream_token) == (True, "secret")
    assert settings_from_arguments(parser().parse_args(["--stream-network"]), Settings()).stream_network
    plain = settings_from_arguments(parser().parse_args([]), Settings())
    assert (plain.streams, plain.stream_network) == ((), False)
    save_settings(settings)  # for one run: not kept
    assert load_settings()[0].streams == ()


def test_an_unknown_stream_is_one_sentence(clip: Path, capsys) -> None:
    assert main(["--video", str(clip), "--headless", "--stream", "webrtc"]) == 2
    assert capsys.readouterr().err.startswith("error: There is no stream 'webrtc'; choose from websocket, osc")


def test_one_stream_twice_is_one_sentence(clip: Path, capsys) -> None:
    assert main(["--video", str(clip), "--headless", "--stream", "udp:9001", "--stream", "udp:9002"]) == 2
    assert capsys.readouterr().err.startswith("error: Each kind of stream runs once;")


def test_a_headless_run_streams_its_scenes(clip: Path, tmp_path: Path, capfd) -> None:
    receiver, port = udp_receiver()
    settings = Settings(source="video", path=clip, smooth=False, streams=(f"udp:{port}",))
    with receiver:
        figures, _ = run_headless(settings, tmp_path / "out", open_pipeline=colour_pipeline)
        data = receiver.recv(65535)
    header = np.frombuffer(data, HEADER, 1)[0]
    assert header["sequence"] == 0
    assert len(data) == HEADER.itemsize + header["hands"] * HAND.itemsize
    assert figures["frames"] == 10
    assert f"udp: python examples/udp_client.py 127.0.0.1:{port}" in capfd.readouterr().err


def test_a_headless_run_does_not_start_with_a_broken_stream(clip: Path, tmp_path: Path) -> None:
    settings = Settings(source="video", path=clip, streams=("osc:192.0.2.1:9000",))
    with pytest.raises(UserError, match="--stream-network"):
        run_headless(settings, tmp_path / "out", open_pipeline=colour_pipeline)


def test_a_headless_run_tells_which_stream_failed(clip: Path, tmp_path: Path, monkeypatch) -> None:
    def none(*_, **__):
        raise RuntimeError("no device")

    monkeypatch.setitem(sys.modules, "pyvirtualcam", SimpleNamespace(Camera=none))  # it opens with the first picture
    settings = Settings(source="video", path=clip, streams=("camera", "udp"))
    figures, notice = run_headless(settings, None, max_frames=1, open_pipeline=colour_pipeline)
    assert figures["frames"] == 1
    assert notice.startswith("No virtual camera was found;")


@pytest.mark.parametrize("host", ["127.0.0.1", pytest.param("[::1]", marks=needs_ipv6)])
def test_the_udp_client_prints_hands(host: str) -> None:
    with socket.socket(socket.AF_INET6 if "[" in host else socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind((host.strip("[]"), 0))
        address = f"{host}:{probe.getsockname()[1]}"
    streams = running(f"udp:{address}")
    command = [sys.executable, str(EXAMPLES / "udp_client.py"), address]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as client:
        heard = threading.Event()

        def feed() -> None:
            while not heard.wait(0.05):  # until it stands; what comes before is lost
                streams.put(recorded(3)[2])

        feeding = threading.Thread(target=feed)
        feeding.start()
        line = client.stdout.readline()
        heard.set()
        feeding.join()
        client.kill()
    streams.close()
    assert " wrist " in line


@pytest.mark.skipif(shutil.which("node") is None, reason="no Node")
def test_the_browsers_client_that_was_ended_does_not_try_again(tmp_path: Path) -> None:
    shutil.copy(EXAMPLES / "browser" / "hands.js", tmp_path / "hands.mjs")
    (tmp_path / "ended.mjs").write_text(
        """
        import { connect } from "./hands.mjs";
        let opened = 0, retry = null;
        globalThis.setInterval = () => 0;
        globalThis.setTimeout = (again) => { retry = again; };
        globalThis.WebSocket = class { constructor() { opened++; globalThis.socket = this; } close() {} };
        const end = connect("ws://nobody/", {});
        socket.onclose();
        retry();  // while it is not ended, it tries
        socket.onclose();
        end();
        retry();
        console.log(opened);
        """
    )
    said = subprocess.run(["node", str(tmp_path / "ended.mjs")], capture_output=True, text=True, timeout=60, check=True)
    assert said.stdout.strip() == "2"


def test_the_python_client_prints_hands(capsys, monkeypatch) -> None:
    port = free_port()
    streams = running(f"websocket:{port}")
    monkeypatch.setattr(sys, "argv", ["client", f"ws://127.0.0.1:{port}/"])

    def feed() -> None:
        wait_until(lambda: streams.states()["websocket"].clients == 1)
        for scene in recorded(6):
            streams.put(scene)
            wait_until(lambda scene=scene: streams.packet is not None and streams.packet.scene is scene)
        wait_until(lambda: streams.states()["websocket"].sent > 0)
        streams.close()  # which ends the client

    feeding = threading.Thread(target=feed)
    feeding.start()
    runpy.run_path(str(EXAMPLES / "websocket_client.py"), run_name="__main__")
    feeding.join()
    assert "right index tip" in capsys.readouterr().out
    code = (EXAMPLES / "websocket_client.py").read_text().split('"""')[2]
    assert len([line for line in code.splitlines() if line.strip()]) <= 20


def test_the_rerun_client_writes_what_it_hears(tmp_path: Path, monkeypatch) -> None:
    import rerun
    from rerun.chunk import RrdReader

    port, path = free_port(), tmp_path / "heard.rrd"
    streams = running(f"websocket:{port}")
    monkeypatch.setattr(sys, "argv", ["client", f"ws://127.0.0.1:{port}/", str(path)])

    def feed() -> None:
        wait_until(lambda: streams.states()["websocket"].clients == 1)
        streams.put(recorded(3)[2])
        wait_until(lambda: streams.states()["websocket"].sent == 1)
        streams.close()

    feeding = threading.Thread(target=feed)
    feeding.start()
    runpy.run_path(str(EXAMPLES / "rerun_live.py"), run_name="__main__")
    feeding.join()
    rerun.disconnect()
    assert {"/hands/right", "/hands/left"} <= {str(chunk.entity_path) for chunk in RrdReader(path).stream()}


def test_the_bench_measures_listeners_in_processes_of_their_own(capsys, monkeypatch) -> None:
    some = {"websocket bytes": "websocket", "osc": "osc"}
    monkeypatch.setattr(latency, "LISTENERS", some)
    assert latency.main(["--seconds", "0.3", "--rate", "30", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert set(report["streams"]) == set(some)
    for figures in report["streams"].values():
        assert 0 < figures["received"] <= figures["sent"] == 9
        assert 0 < figures["p50_ms"] <= figures["p95_ms"]
    assert len(report["loop_ms"]) == 3


@pytest.mark.parametrize("limit", ["0", "-1", "nan", "inf", "x"])
@pytest.mark.parametrize("option", ["--seconds", "--rate"])
def test_the_bench_refuses_what_it_cannot_run_for(option: str, limit: str, capsys) -> None:
    with pytest.raises(SystemExit) as ended:
        latency.main([f"{option}={limit}"])
    assert ended.value.code == 2
    assert "is not a number above 0" in capsys.readouterr().err


def test_delays_are_counted_from_the_scenes_own_time() -> None:
    figures = latency.delay([1_000_000, 2_000_000, 3_000_000], {0: 1_500_000, 2: 4_500_000})
    assert (figures.received, figures.sent, figures.p50_ms) == (2, 3, 1.0)


def test_a_udp_port_where_nobody_listens_is_no_error() -> None:
    port = free_port(socket.SOCK_DGRAM)
    streams = running(f"udp:{port}")
    for scene in recorded(5):
        before = streams.states()["udp"].sent
        streams.put(scene)
        wait_until(lambda before=before: streams.states()["udp"].sent > before)
    assert streams.states()["udp"].status == "running"
    streams.close()
