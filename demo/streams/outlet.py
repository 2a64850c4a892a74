"""One running stream: sends the newest packet and skips what it has no time for.

A stream that may wait has a thread for it. One that never waits is used in the thread that brings the packets, which
saves the way to another one.
"""

import threading
import traceback
from collections import deque
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from time import monotonic_ns
from typing import Literal, Protocol

from demo.latest import Latest
from demo.streams.packet import Packet
from digit.errors import UserError

#: Over this long the rate is counted.
_WINDOW_NS = 2_000_000_000


class Stream(Protocol):
    """What each protocol's ``open_stream`` answers. One thread at a time uses it."""

    waits: bool  # whether `send` may wait for the system

    @property
    def address(self) -> str:
        """Where it goes or listens, to show and to copy."""
        ...

    @property
    def clients(self) -> int | None:
        """How many listen; None where the protocol does not know."""
        ...

    @property
    def latency_ms(self) -> float | None:
        """Capture to client, as the clients measure and report it; None where they do not."""
        ...

    def send(self, packet: Packet) -> None:
        """Send one packet. Never waits for a client. Raises OSError or UserError."""
        ...

    def close(self) -> None:
        """Give back what it holds."""
        ...


@dataclass(frozen=True, slots=True)
class State:
    """How a stream does."""

    name: str
    address: str
    status: Literal["starting", "running", "failed", "stopped"]
    why: str  # one sentence when it failed
    clients: int | None
    latency_ms: float | None
    rate_hz: float
    sent: int
    skipped: int


class Outlet:
    """Opens and closes the stream in its thread. `put` never waits."""

    def __init__(self, name: str, open_stream: Callable[[], Stream]) -> None:
        self._name, self._open = name, open_stream
        self._slot: Latest[Packet] = Latest()
        self._stream: Stream | None = None
        self._status: Literal["starting", "running", "failed", "stopped"] = "starting"
        self._why = ""
        self._sent_ns: deque[int] = deque(maxlen=512)
        self._sent = self._put = 0
        self._using = threading.Lock()
        self._thread = threading.Thread(target=self._run, name=f"stream {name}", daemon=True)
        self._thread.start()

    def put(self, packet: Packet) -> None:
        """Take the newest packet; one that is still waiting is skipped."""
        self._put += 1
        if self._stream is None or self._stream.waits:
            self._slot.put(packet)
        else:
            self._send(packet)

    @property
    def state(self) -> State:
        """How it does now. Any thread may ask."""
        now_ns, stream = monotonic_ns(), self._stream
        heard = stream if self._status == "running" else None  # one that has ended has nobody to count
        recent = sum(now_ns - sent_ns < _WINDOW_NS for sent_ns in tuple(self._sent_ns))
        return State(
            name=self._name,
            address=stream.address if stream else "",
            status=self._status,
            why=self._why,
            clients=heard.clients if heard else None,
            latency_ms=heard.latency_ms if heard else None,
            rate_hz=recent / (_WINDOW_NS / 1e9),
            sent=self._sent,
            skipped=max(0, self._put - self._sent - 1) if self._status == "running" else 0,
        )

    def stop(self, timeout_s: float = 5.0) -> bool:
        """End the thread and wait for it; True when it has ended."""
        self._slot.close()
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        with self._failing():
            self._stream = self._open()
            self._status = "running"
            while not self._slot.ended:
                packet = self._slot.wait(timeout_s=1.0)
                if packet is not None:
                    self._send(packet)
            with self._using:
                if self._status == "running":
                    self._status = "stopped"
            self._stream.close()  # from now on nobody sends

    def _send(self, packet: Packet) -> None:
        with self._using, self._failing():
            if self._stream is not None and self._status == "running":
                self._stream.send(packet)
                self._sent += 1
                self._sent_ns.append(monotonic_ns())

    @contextmanager
    def _failing(self) -> Generator[None]:
        """What goes wrong ends this stream and nothing else."""
        try:
            yield
        except (UserError, OSError) as error:
            self._fail(str(error))
        except Exception as error:
            traceback.print_exception(error)
            self._fail(f"A fault in the stream ({type(error).__name__}: {error}); the terminal shows where.")

    def _fail(self, why: str) -> None:
        self._why, self._status = why, "failed"
        self._slot.close()
