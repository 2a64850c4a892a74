"""What slow, broken and hostile clients may not do, and what stays on this computer."""

import asyncio
import gc
import http.client
import json
import os
import socket
import sys
import threading
from contextlib import ExitStack
from pathlib import Path

import pytest
from websockets.asyncio.client import connect as connect_async
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from demo.streams import websocket
from demo.streams.address import Network, parse_address
from demo.streams.hub import Streams
from demo.streams.protocols import PROTOCOLS, parse_stream
from digit.errors import UserError
from tests.demo.streams.listening import free_port, play, recorded, running, udp_receiver, wait_until

SCENES = recorded(20)


@pytest.fixture
def served():
    """Running streams with a WebSocket, and its port."""
    port = free_port()
    streams = running(f"websocket:{port}")
    yield streams, port
    streams.close()


def memory_mib() -> float:
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def handshake(port: int, path: str = "/", **headers: str) -> bytes:
    lines = {
        "Host": f"127.0.0.1:{port}",
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version": "13",
    } | headers
    return "\r\n".join([f"GET {path} HTTP/1.1", *(f"{k}: {v}" for k, v in lines.items()), "", ""]).encode()


def silent_client(port: int) -> socket.socket:
    """One that shakes hands and then reads nothing."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.connect(("127.0.0.1", port))
    client.sendall(handshake(port))
    return client


@pytest.mark.skipif(sys.platform != "linux", reason="reads the process's memory from /proc")
def test_clients_that_never_read_cost_no_memory_and_nobody_else_waits(served, capfd) -> None:
    streams, port = served
    with ExitStack() as stack:
        for _ in range(5):
            stack.enter_context(silent_client(port))
        reader = stack.enter_context(connect(f"ws://127.0.0.1:{port}/"))
        reader.recv()
        wait_until(lambda: streams.states()["websocket"].clients == 6)
        before = 0.0
        for turn in range(24):
            if turn == 4:  # first fill what the system buffers
                before = memory_mib()
            for scene in SCENES:
                play(streams, [scene])
                assert json.loads(reader.recv())["frame"] == scene.frame.index
        assert memory_mib() - before < 8  # 400 messages of 8 kB for each of five would be 16 MB
    wait_until(lambda: streams.states()["websocket"].clients == 0)
    assert "Traceback" not in capfd.readouterr().err


def test_a_client_that_takes_nothing_is_cut_off(served, monkeypatch) -> None:
    streams, port = served
    monkeypatch.setattr(websocket, "STALL_S", 0.2)
    with silent_client(port):
        wait_until(lambda: streams.states()["websocket"].clients == 1)

        def gone() -> bool:
            play(streams, SCENES)
            return streams.states()["websocket"].clients == 0

        wait_until(gone)


def test_clients_that_do_not_read_hold_up_no_end(served, capfd) -> None:
    streams, port = served
    with ExitStack() as stack:
        for _ in range(5):
            stack.enter_context(silent_client(port))
        wait_until(lambda: streams.states()["websocket"].clients == 5)
        for _ in range(10):  # more than the system buffers
            play(streams, SCENES)
        streams.close()
    assert not [thread.name for thread in threading.enumerate() if thread.name.startswith("stream")]
    assert "Traceback" not in capfd.readouterr().err


@pytest.mark.parametrize(
    "said",
    [
        b"\x00\xff\x17garbage" * 200,
        b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 5000,
        b"GET " + b"/" * 100_000,
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(512),  # TLS
    ],
)
def test_garbage_before_the_handshake_leaves_no_trace(served, capfd, said) -> None:
    streams, port = served
    with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
        client.sendall(said)
        client.shutdown(socket.SHUT_WR)
        try:
            while client.recv(65536):
                pass
        except ConnectionError:
            pass
    check_alive(streams, port)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    "said",
    [
        "not json",
        "[" * 1000,
        "{}",
        "null",
        '{"type":"ping","latency_ms":"soon"}',
        '{"type":"ping","id":{"a":[1]}}',
        b"\0\1",
    ],
)
def test_garbage_after_the_handshake_is_ignored(served, capfd, said) -> None:
    streams, port = served
    with connect(f"ws://127.0.0.1:{port}/") as client:
        client.send(said)
        check_alive(streams, port)
    assert capfd.readouterr().err == ""


def test_broken_frames_and_long_messages_end_the_connection_only(served, capfd) -> None:
    streams, port = served
    with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
        client.sendall(handshake(port) + b"\xff\xff\xff\xff" * 100)
        while client.recv(65536):
            pass
    with connect(f"ws://127.0.0.1:{port}/") as client, pytest.raises(ConnectionClosed):
        client.send("x" * 100_000)
        while True:
            client.recv()
    check_alive(streams, port)
    assert capfd.readouterr().err == ""


def test_a_client_that_floods_is_closed(served, capfd) -> None:
    streams, port = served
    with connect(f"ws://127.0.0.1:{port}/", close_timeout=1) as client, pytest.raises(ConnectionClosed) as closed:
        for n in range(100_000):
            client.send(json.dumps({"type": "ping", "id": str(n)}))
        while True:
            client.recv()
    assert closed.value.rcvd is None or closed.value.rcvd.code == 1008
    check_alive(streams, port)
    assert capfd.readouterr().err == ""


def test_fifty_clients_all_get_the_newest_scene(served) -> None:
    streams, port = served

    async def listen(n: int) -> int:
        async with connect_async(f"ws://127.0.0.1:{port}/{'binary' if n % 2 else ''}") as client:
            await client.recv()
            last = -1
            while last < SCENES[-1].frame.index:
                message = await client.recv()
                last = (
                    json.loads(message)["frame"]
                    if isinstance(message, str)
                    else int.from_bytes(message[16:24], "little")
                )
            return last

    async def all_of_them() -> list[int]:
        listening = asyncio.gather(*(listen(n) for n in range(50)))
        while streams.states()["websocket"].clients != 50:
            await asyncio.sleep(0.01)
        await asyncio.to_thread(play, streams, SCENES)
        return await listening

    assert asyncio.run(all_of_them()) == [SCENES[-1].frame.index] * 50
    wait_until(lambda: streams.states()["websocket"].clients == 0)


def test_more_clients_than_allowed_are_told(served, monkeypatch) -> None:
    streams, port = served
    monkeypatch.setattr(websocket, "MAX_CLIENTS", 1)
    with connect(f"ws://127.0.0.1:{port}/"):
        wait_until(lambda: streams.states()["websocket"].clients == 1)
        with pytest.raises(InvalidStatus) as refused, connect(f"ws://127.0.0.1:{port}/"):
            pass
        assert refused.value.response.status_code == 503


def check_alive(streams: Streams, port: int) -> None:
    with connect(f"ws://127.0.0.1:{port}/") as client:
        client.recv()
        before = streams.states()["websocket"].clients
        wait_until(lambda: streams.states()["websocket"].clients >= max(1, before))
        play(streams, SCENES[:1])
        assert json.loads(client.recv())["type"] == "hands"


@pytest.mark.skipif(sys.platform != "linux", reason="reads the system's sockets from /proc")
def test_by_default_nothing_listens_beyond_loopback(served) -> None:
    streams, port = served
    for name in ("udp", "osc", "vmc"):
        streams.start(name)
    streams.opened()
    play(streams, SCENES[:3])
    own = {os.readlink(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd") if _is_link(fd)}
    listening = []
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/self/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and f"socket:[{fields[9]}]" in own:
                listening.append(fields[1])
    assert f"0100007F:{port:04X}" in listening
    assert all(address.startswith("0100007F:") for address in listening)
    for address in {state.address for state in streams.states().values()}:
        assert address.startswith("127.0.0.1:")


def _is_link(fd: str) -> bool:
    return os.path.islink(f"/proc/self/fd/{fd}")


@pytest.mark.parametrize("name", [name for name in PROTOCOLS if name != "camera"])
def test_another_computer_needs_the_option(name: str) -> None:
    streams = Streams()
    address = "" if name == "lsl" else ":192.0.2.7"
    streams.start(name + address)
    wait_until(lambda: streams.states()[name].status == "failed")
    assert "--stream-network" in streams.states()[name].why
    streams.close()


def test_addresses() -> None:
    here, network = Network(), Network.opened()
    assert str(parse_address("", 9, here)) == "127.0.0.1:9"
    assert str(parse_address("80", 9, here)) == "127.0.0.1:80"
    assert str(parse_address("localhost:80", 9, here)) == "127.0.0.1:80"
    assert str(parse_address("[::1]:80", 9, here)) == "[::1]:80"
    assert str(parse_address("127.1.2.3", 9, here)) == "127.1.2.3:9"
    assert str(parse_address("192.0.2.7:80", 9, network)) == "192.0.2.7:80"
    for text in ("192.0.2.7", "0.0.0.0:80", "[::]:80", "example.org", "127.0.0.1.example.org"):
        with pytest.raises(UserError, match="--stream-network"):
            parse_address(text, 9, here)
    asked = ("127.0.0.1:0", "127.0.0.1:99999", "a b", "http://127.0.0.1:80", "x:y", "user@127.0.0.1")
    for text in (*asked, "a..b:80", "a" * 64, "a\0b", "[::1", "[]:90", "[::1]x:90"):
        with pytest.raises(UserError, match="is no address"):
            parse_address(text, 9, network)
    with pytest.raises(UserError, match="choose from websocket"):
        parse_stream("webrtc")


def get(port: int, path: str, **headers: str) -> tuple[int, str, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", path, headers=headers)
    answer = connection.getresponse()
    body = answer.read().decode()
    connection.close()
    return answer.status, answer.headers["Content-Type"], body


def test_the_page_comes_from_the_same_port(served) -> None:
    _, port = served
    status, kind, body = get(port, "/")
    assert (status, kind) == (200, "text/html; charset=utf-8")
    assert "view.js" in body
    assert get(port, "/hands.js")[0] == 200
    for path in ("/nothing", "/../README.md", "/..%2f..%2flauncher.py", "/websocket_client.py"):
        assert get(port, path)[0] == 404


def test_pages_of_other_sites_may_not_listen(served) -> None:
    _, port = served
    own = f"http://127.0.0.1:{port}"
    with connect(f"ws://127.0.0.1:{port}/", origin=own) as client:
        assert json.loads(client.recv())["type"] == "hello"
    for origin in ("https://example.org", f"http://127.0.0.1:{port + 1}", "null"):
        with pytest.raises(InvalidStatus) as refused, connect(f"ws://127.0.0.1:{port}/", origin=origin):
            pass
        assert refused.value.response.status_code == 403
    assert get(port, "/", Host=f"rebound.example.org:{port}")[0] == 403


def test_beyond_loopback_the_token_is_asked_for() -> None:
    port = free_port()
    streams = running(f"websocket:0.0.0.0:{port}", network=Network.opened("let me in"))
    try:
        for path in ("/", "/?token=", "/?token=let", "/binary", "/binary?token=wrong"):
            with pytest.raises(InvalidStatus) as refused, connect(f"ws://127.0.0.1:{port}{path}"):
                pass
            assert refused.value.response.status_code == 403
        for path in ("/?token=let%20me%20in", "/view.js", "/hands.js", "/hands.css"):  # the page itself is no secret
            assert get(port, path)[0] == 200
        with connect(f"ws://127.0.0.1:{port}/?token=let%20me%20in", origin="https://example.org") as client:
            assert json.loads(client.recv())["type"] == "hello"
    finally:
        streams.close()


@pytest.mark.parametrize("token", ["let me in", "a+b", "a&b#c", "50%25", "ümlaut"])
def test_the_link_that_is_shown_lets_in_whatever_the_token_is(token: str) -> None:
    streams = Streams(Network.opened(token))
    streams.start(f"websocket:0.0.0.0:{free_port()}")
    try:
        link = streams.opened()[0].removeprefix("websocket: http://0.0.0.0")
        with connect(f"ws://127.0.0.1{link}") as client:
            assert json.loads(client.recv())["type"] == "hello"
    finally:
        streams.close()


def test_a_taken_port_is_one_sentence_and_other_streams_go_on(served) -> None:
    _, port = served
    second = Streams()
    receiver, udp_port = udp_receiver()
    with receiver:
        second.start(f"websocket:{port}")
        second.start(f"udp:{udp_port}")
        wait_until(lambda: second.states()["websocket"].status == "failed")
        assert f"--stream websocket:127.0.0.1:{port + 1}" in second.states()["websocket"].why
        play(second, SCENES[:1])
        assert receiver.recv(65535)
        with pytest.raises(UserError, match="Cannot listen"):
            second.opened()
    second.close()


def test_a_port_is_free_again_when_its_stream_stops() -> None:
    port = free_port()
    for _ in range(3):
        streams = running(f"websocket:{port}")
        with connect(f"ws://127.0.0.1:{port}/") as client:
            client.recv()
            streams.start(f"websocket:{port}")
            streams.opened()
        streams.close()


def test_a_missing_package_is_one_sentence(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "websockets", None)
    streams = Streams()
    streams.start("websocket")
    wait_until(lambda: streams.states()["websocket"].status == "failed")
    assert "pip install 'digit-live[streams]'" in streams.states()["websocket"].why
    streams.close()


def test_a_stream_that_falls_over_is_told_and_leaves_the_others(capfd, monkeypatch) -> None:
    receiver, port = udp_receiver()
    streams = running(f"udp:{port}", "osc")
    monkeypatch.setattr("demo.streams.osc.hand_bundle", lambda *_: 1 / 0)
    with receiver:
        streams.put(SCENES[0])
        wait_until(lambda: streams.states()["osc"].status == "failed")
        assert "ZeroDivisionError" in streams.states()["osc"].why
        assert receiver.recv(65535)
    streams.close()
    assert "ZeroDivisionError" in capfd.readouterr().err


def test_putting_never_waits_for_a_stream(monkeypatch) -> None:
    """A stream that waits keeps nobody: Scenes are taken and the newest one counts."""
    hanging = threading.Event()
    monkeypatch.setattr("demo.streams.datagrams.Datagrams.waits", True)
    monkeypatch.setattr("demo.streams.datagrams.Datagrams.send", lambda *_: hanging.wait(20))
    streams = running("udp")
    for scene in SCENES * 5:
        streams.put(scene)
    wait_until(lambda: streams.packet is not None and streams.packet.scene is SCENES[-1])
    assert streams.states()["udp"].sent == 0
    hanging.set()
    streams.close()
