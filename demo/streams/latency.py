"""How long a finished Scene takes to a client on this computer, and what streams cost the loop that makes Scenes.

    python -m demo.streams.latency [--seconds S] [--rate HZ] [--json]

For each protocol a client in a process of its own notes when each Scene arrives, on the same monotonic clock as the
Scene's ``emitted_ns``. Beside that a loop works a few milliseconds a frame; its time is told without a stream, with all
of them, and while hostile clients hang on the WebSocket. `python -m digit.bench --streams` runs this.
"""

import argparse
import asyncio
import json
import math
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from time import monotonic_ns, perf_counter, sleep

import numpy as np

from demo.records import Frame, Hand, Scene, Side
from demo.streams.hub import Streams
from demo.streams.packet import HEADER
from digit.geometry import intrinsics_from_fov
from digit.skeleton import FINGERS, JOINTS

#: What is measured, and the stream that it needs.
LISTENERS = {"websocket json": "websocket", "websocket bytes": "websocket", "udp": "udp", "osc": "osc"}
_IMAGE = np.zeros((720, 1280, 3), np.uint8)
_K = intrinsics_from_fov(1280, 720, 65.0)
_SIGNS: dict[Side, int] = {"right": 1, "left": -1}
#: Clients that never read, and clients that read, in the hostile case.
_SILENT, _READING = 5, 45


@dataclass(frozen=True, slots=True)
class Delay:
    """From ``emitted_ns`` to the client."""

    received: int
    sent: int
    p50_ms: float
    p95_ms: float


def measure(seconds: float, rate_hz: float) -> dict[str, Delay]:
    """The delay of each of `LISTENERS`, one after the other."""
    delays: dict[str, Delay] = {}
    for name, stream in LISTENERS.items():
        port, streams = _free_port(), Streams()
        if stream == "websocket":
            streams.start(f"{stream}:{port}")
            streams.opened()
        client = _client(name, port)
        try:
            if stream != "websocket":  # over UDP the client stands first
                streams.start(f"{stream}:{port}")
                streams.opened()
            emitted_ns = _play(streams.put, seconds, rate_hz)
            sleep(0.2)
            streams.close()  # which ends the client
            rows = [line.split() for line in client.communicate(timeout=20)[0].splitlines()]
        finally:
            _end(client)
        delays[name] = delay(emitted_ns, {int(sequence): int(arrived_ns) for sequence, arrived_ns in rows})
    return delays


def delay(emitted_ns: list[int], arrived_ns: dict[int, int]) -> Delay:
    """The figures of one listener; Scenes are numbered from 0."""
    waits_ms = [(at - emitted_ns[sequence]) / 1e6 for sequence, at in arrived_ns.items()]
    p50, p95 = np.percentile(waits_ms, [50, 95]) if waits_ms else (np.nan, np.nan)
    return Delay(len(waits_ms), len(emitted_ns), round(float(p50), 3), round(float(p95), 3))


def loop_ms(seconds: float, rate_hz: float) -> dict[str, dict[str, float]]:
    """p50 and p95 of a working loop's frame in ms: alone, with streams, with hostile clients."""
    figures: dict[str, dict[str, float]] = {}
    for case in ("no stream", "websocket, udp, osc", "50 clients, 5 of which never read, and a flood"):
        frames_ms: list[float] = []
        with ExitStack() as stack:
            streams = stack.enter_context(closing(Streams()))
            port = _free_port()
            if case != "no stream":
                for stream in (f"websocket:{port}", f"udp:{_free_port()}", f"osc:{_free_port()}"):
                    streams.start(stream)
                streams.opened()
            if case.startswith("50"):
                stack.callback(_end, _client("hostile", port))
                sleep(1.0)  # until they hang on

            def frame(scene: Scene, put: Callable[[Scene], None] = streams.put, into: list[float] = frames_ms) -> None:
                began_s = perf_counter()
                _work()
                put(scene)
                into.append((perf_counter() - began_s) * 1000)

            _play(frame, seconds, rate_hz)
        p50, p95 = np.percentile(frames_ms, [50, 95])
        figures[case] = {"p50": round(float(p50), 3), "p95": round(float(p95), 3)}
    return figures


def _work() -> None:
    """Some milliseconds of what a loop does: pictures are turned over, matrices multiplied."""
    for _ in range(3):
        np.ascontiguousarray(_IMAGE[:, ::-1])


def _play(put: Callable[[Scene], None], seconds: float, rate_hz: float) -> list[int]:
    """Put Scenes at a rate; answers when each was finished."""
    count = max(1, round(seconds * rate_hz))
    scenes = list(_dance(count, rate_hz))  # before: making one would hold up the one that is sent
    emitted_ns: list[int] = []
    start_s = perf_counter()
    for n, scene in enumerate(scenes):
        sleep(max(0.0, start_s + n / rate_hz - perf_counter()))
        frame = replace(scene.frame, time_ns=monotonic_ns() - 20_000_000)
        now_ns = monotonic_ns()
        emitted_ns.append(now_ns)
        put(replace(scene, frame=frame, emitted_ns=now_ns))
    return emitted_ns


def _dance(count: int, rate_hz: float) -> Iterator[Scene]:
    """Two flat hands that sway."""
    flat = np.zeros((len(JOINTS), 3))
    for f, finger in enumerate(FINGERS):
        for n in range(1, 5):
            flat[JOINTS.index(f"{finger}{n}")] = (20.0 * (f - 2), -60.0 - 25.0 * n, 3.0 * n)
    for i in range(count):
        hands = tuple(
            _hand(side, flat * [sign, 1, 1] + [-90 * sign + 20 * np.sin(6 * i / rate_hz), 60, 500])
            for side, sign in _SIGNS.items()
        )
        scores = np.ones(2, np.float32)
        yield Scene(Frame(i, 0, _IMAGE), hands, hands, scores, None, None, _K, "field of view", "track", {}, 0)


def _hand(side: Side, joints_mm: np.ndarray) -> Hand:
    certain = np.ones(len(JOINTS), np.float32)
    return Hand(side, 1.0, np.zeros((len(JOINTS), 2), np.float32), joints_mm.astype(np.float32), certain)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _client(name: str, port: int) -> subprocess.Popen[str]:
    """A client in a process of its own that is ready."""
    command = [sys.executable, "-m", "demo.streams.latency", "--client", name, "--port", str(port)]
    client = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert client.stdout is not None
    client.stdout.readline()
    return client


def _end(client: subprocess.Popen[str]) -> None:
    client.kill()
    client.wait()
    if client.stdout is not None:
        client.stdout.close()


def listen(name: str, port: int) -> None:
    """Print "ready", then sequence and arrival of each Scene, until the stream ends or nothing comes for a second."""
    arrivals = {"websocket json": _websocket, "websocket bytes": _websocket, "udp": _datagrams, "osc": _datagrams}
    rows = list(arrivals[name](name, port))
    print("\n".join(f"{sequence} {arrived_ns}" for sequence, arrived_ns in rows))


def _websocket(name: str, port: int) -> Iterator[tuple[int, int]]:
    """The library without a loop around it, on a socket that waits: arrival is when the last byte has been read."""
    from websockets.client import ClientProtocol
    from websockets.frames import DATA_OPCODES
    from websockets.frames import Frame as Message
    from websockets.uri import parse_uri

    protocol = ClientProtocol(parse_uri(f"ws://127.0.0.1:{port}/{'binary' if 'bytes' in name else ''}"), max_size=None)
    protocol.send_request(protocol.connect())
    arrivals: list[tuple[bytes, int]] = []
    with socket.create_connection(("127.0.0.1", port)) as link:
        while not protocol.close_expected():
            for data in protocol.data_to_send():
                link.sendall(data)
            data = link.recv(65536)
            arrived_ns = monotonic_ns()
            protocol.receive_data(data)
            for event in protocol.events_received():
                if isinstance(event, Message) and event.opcode in DATA_OPCODES:
                    arrivals.append((bytes(event.data), arrived_ns))
                    if len(arrivals) == 1:
                        print("ready", flush=True)
    for message, arrived_ns in arrivals[1:]:  # after the hello
        if "bytes" in name:
            yield int(np.frombuffer(message, HEADER, 1)["sequence"][0]), arrived_ns
        else:
            yield json.loads(message)["sequence"], arrived_ns


def _datagrams(name: str, port: int) -> Iterator[tuple[int, int]]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", port))
        print("ready", flush=True)
        receiver.settimeout(10)
        while True:
            try:
                data = receiver.recv(65535)
            except TimeoutError:
                return
            arrived_ns = monotonic_ns()
            receiver.settimeout(1)
            if name == "udp":
                yield int(np.frombuffer(data, HEADER, 1)["sequence"][0]), arrived_ns
            elif (at := data.find(b"/digit/frame\0")) >= 0:  # then ",if" padded to 4, then an int32
                yield int.from_bytes(data[at + 20 : at + 24], "big"), arrived_ns


def hostile(port: int) -> None:
    """Clients that read, clients that never do, and one that floods, until the stream ends."""
    from websockets.asyncio.client import connect
    from websockets.exceptions import ConnectionClosed

    async def read() -> None:
        async with connect(f"ws://127.0.0.1:{port}/") as client:
            async for _ in client:
                continue

    async def never_read() -> None:
        async with connect(f"ws://127.0.0.1:{port}/", max_queue=1) as client:
            await client.wait_closed()

    async def flood() -> None:
        while True:
            try:
                async with connect(f"ws://127.0.0.1:{port}/", close_timeout=1) as client:
                    while True:
                        await client.send("x" * 1000)
            except ConnectionClosed:
                await asyncio.sleep(0.1)

    async def all_of_them() -> None:
        flooding = asyncio.create_task(flood())
        print("ready", flush=True)
        readers = (*(read() for _ in range(_READING)), *(never_read() for _ in range(_SILENT)))
        await asyncio.gather(*readers, return_exceptions=True)
        flooding.cancel()

    if hasattr(os, "nice"):  # what they cost the app is asked for, not what they take from it by their own work
        os.nice(10)
    asyncio.run(all_of_them())


def _above_0(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0")
    return number


def main(argv: list[str] | None = None) -> int:
    """Measure and print; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m demo.streams.latency", description="Delay of the streams to clients."
    )
    parser.add_argument("--seconds", type=_above_0, default=5.0, help="for each figure (default 5)")
    parser.add_argument("--rate", type=_above_0, default=60.0, metavar="HZ", help="Scenes a second (default 60)")
    parser.add_argument("--json", action="store_true", help="print one line of JSON instead of a table")
    parser.add_argument("--client", choices=(*LISTENERS, "hostile"), help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    if args.client:
        hostile(args.port) if args.client == "hostile" else listen(args.client, args.port)
        return 0
    delays, loop = measure(args.seconds, args.rate), loop_ms(args.seconds, args.rate)
    if args.json:
        streams = {name: {f: getattr(d, f) for f in d.__slots__} for name, d in delays.items()}
        print(json.dumps({"streams": streams, "loop_ms": loop, "rate_hz": args.rate}))
        return 0
    print(f"{'Scene to client':<50}    p50 ms    p95 ms  received")
    for name, d in delays.items():
        print(f"{name:<50}{d.p50_ms:10.2f}{d.p95_ms:10.2f}  {d.received} of {d.sent}")
    print(f"{'Frame of a loop with':<50}")
    for case, figure in loop.items():
        print(f"{case:<50}{figure['p50']:10.2f}{figure['p95']:10.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
