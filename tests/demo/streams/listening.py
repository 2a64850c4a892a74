"""Clients of the streams, and Scenes to feed them with."""

import socket
from collections.abc import Iterable
from dataclasses import replace
from time import monotonic, monotonic_ns, sleep

import numpy as np

from demo.records import Scene, Side
from demo.streams.hub import Streams
from demo.streams.openxr import FROM_INTERHAND, SYNTHESISED
from tests.gui.hands import scene

BLANK = np.zeros((360, 640, 3), np.uint8)


def recorded(count: int, fps: float = 30.0) -> list[Scene]:
    """A dance of two hands; the left one comes in the third Scene."""
    scenes: list[Scene] = []
    for i in range(count):
        sides: tuple[Side, ...] = ("right",) if i < 2 else ("right", "left")
        each = scene(i, sides, i / fps, BLANK)
        time_ns = 10**12 + int(i / fps * 1e9)
        scenes.append(replace(each, frame=replace(each.frame, time_ns=time_ns), emitted_ns=time_ns + 20_000_000))
    return scenes


def now(played: Scene) -> Scene:
    """The Scene as if it had just been captured and finished."""
    now_ns = monotonic_ns()
    return replace(played, frame=replace(played.frame, time_ns=now_ns - 20_000_000), emitted_ns=now_ns)


def play(streams: Streams, scenes: Iterable[Scene]) -> None:
    """Put each Scene once the one before was sent by all streams that run."""
    for each in scenes:
        before = {name: state.sent for name, state in streams.states().items() if state.status == "running"}
        streams.put(each)
        wait_until(lambda before=before: all(streams.states()[name].sent > sent for name, sent in before.items()))


def wait_until(true, timeout_s: float = 20.0) -> None:
    deadline_s = monotonic() + timeout_s
    while not true():
        assert monotonic() < deadline_s, "it did not happen"
        sleep(0.002)


def running(*streams: str, **network) -> Streams:
    """These streams, started."""
    hub = Streams(**network)
    for stream in streams:
        hub.start(stream)
    hub.opened()
    return hub


def free_port(kind: int = socket.SOCK_STREAM) -> int:
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


def udp_receiver() -> tuple[socket.socket, int]:
    receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    receiver.bind(("127.0.0.1", 0))
    receiver.settimeout(10)
    return receiver, receiver.getsockname()[1]


def tracked_mm(positions_m: np.ndarray) -> np.ndarray:
    """The 21 joints in camera space that 26 OpenXR positions came from, in InterHand2.6M's order."""
    joints = np.empty((21, 3))
    joints[np.array(FROM_INTERHAND)[~SYNTHESISED]] = np.asarray(positions_m)[~SYNTHESISED] * [1000, -1000, -1000]
    return joints


def same_hands(received: dict[str, np.ndarray], sent: Scene, within_mm: float = 0.02) -> bool:
    """True when these OpenXR positions by side are the Scene's joints."""
    return set(received) == {hand.side for hand in sent.hands} and all(
        np.abs(tracked_mm(received[hand.side]) - hand.joints_mm).max() < within_mm for hand in sent.hands
    )
