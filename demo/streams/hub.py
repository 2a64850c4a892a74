"""All streams of a run: takes every Scene, solves its poses once and hands them to each outlet.

This happens in the thread of an event loop, in which the servers' connections live too: what is ready is on its way
without another thread having to wake up.
"""

import itertools
import threading
from contextlib import suppress
from time import monotonic, sleep
from typing import TYPE_CHECKING

from demo.latest import Latest
from demo.records import Scene
from demo.settings import OverlayOptions, Settings
from demo.streams.address import Network
from demo.streams.outlet import Outlet, State
from demo.streams.packet import Packet, Packing
from demo.streams.protocols import example, opener, parse_stream
from digit.errors import UserError

if TYPE_CHECKING:
    import asyncio


class Streams:
    """Any thread may call `put`; it never waits. Streams start and stop while Scenes flow."""

    def __init__(self, network: Network | None = None) -> None:
        self.network = network or Network()
        self.overlay = OverlayOptions()  # of the streams that carry the picture
        self._scenes: Latest[tuple[int, Scene]] = Latest()
        self._count = itertools.count()
        self._outlets: dict[str, Outlet] = {}
        self._packet: Packet | None = None
        self._packing = Packing()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._runs = threading.Event()
        self._thread = threading.Thread(target=self._run, name="streams", daemon=True)
        self._thread.start()

    def put(self, scene: Scene) -> None:
        """Take the newest Scene."""
        self._scenes.put((next(self._count), scene))
        if self._loop is not None:
            with suppress(RuntimeError):  # the loop has ended
                self._loop.call_soon_threadsafe(self._send)

    @property
    def packet(self) -> Packet | None:
        """The newest packet: what the window shows of the signals."""
        return self._packet

    def start(self, stream: str) -> None:
        """Start ``NAME[:ADDRESS]``, in place of a stream of that name. Raises UserError for an unknown name.

        What else is wrong with it is said by its `State`.
        """
        name, address = parse_stream(stream)
        self.stop(name)
        self._outlets = self._outlets | {name: Outlet(name, opener(name, address, self.network, self._running()))}

    def stop(self, name: str) -> None:
        """Stop that stream, if it runs, and wait until its address is free."""
        outlet = self._outlets.get(name)
        if outlet is not None:
            self._outlets = {other: kept for other, kept in self._outlets.items() if other != name}
            outlet.stop()

    def states(self) -> dict[str, State]:
        """How each stream that was started does."""
        return {name: outlet.state for name, outlet in self._outlets.items()}

    def opened(self, timeout_s: float = 10.0) -> tuple[str, ...]:
        """Wait until each stream has started; how to listen to each. Raises UserError when one could not start."""
        deadline_s = monotonic() + timeout_s
        while any(state.status == "starting" for state in self.states().values()) and monotonic() < deadline_s:
            sleep(0.02)
        for state in self.states().values():
            if state.status == "failed":
                raise UserError(state.why)
        return tuple(f"{name}: {example(name, state.address, self.network)}" for name, state in self.states().items())

    def close(self) -> None:
        """Send the last Scene and stop them all."""
        self._scenes.close()
        loop, sent = self._running(), threading.Event()
        with suppress(RuntimeError):  # they were closed before
            loop.call_soon_threadsafe(sent.set)
            sent.wait(5)
        for outlet in self._outlets.values():  # kept: their states say how it went
            outlet.stop()
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(loop.stop)
        self._thread.join(5)

    def _running(self) -> "asyncio.AbstractEventLoop":
        self._runs.wait()
        assert self._loop is not None
        return self._loop

    def _run(self) -> None:
        import asyncio  # here, beside what else a launch loads

        with asyncio.Runner() as runner:
            self._loop = runner.get_loop()
            self._loop.call_soon(self._send)
            self._runs.set()
            self._loop.run_forever()

    def _send(self) -> None:
        numbered = self._scenes.take()
        if numbered is not None:
            self._packet = packet = self._packing(*numbered, self.overlay)
            for outlet in self._outlets.values():
                outlet.put(packet)


def streams_of(settings: Settings) -> Streams:
    """The streams of these settings, started."""
    network = Network.opened(settings.stream_token) if settings.stream_network else Network()
    streams = Streams(network)
    streams.overlay = settings.overlay
    for stream in settings.streams:
        streams.start(stream)
    return streams
