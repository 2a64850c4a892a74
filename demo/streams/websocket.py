"""WebSocket server: JSON under ``/``, bytes under ``/binary``, and a page for the browser on the same port.

Each client has one pending message, the newest; a client that reads slowly skips, one that does not read for `STALL_S`
is cut off, one that floods is closed. On loopback everybody on this computer may connect, but no foreign web page
(Origin and Host are checked). On another address the token is asked for.
"""

import asyncio
import hmac
import json
import logging
import math
import socket
from http import HTTPStatus
from pathlib import Path
from time import monotonic, monotonic_ns
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from demo.streams.address import Network, is_local, parse_address
from demo.streams.message import hello, to_json
from demo.streams.packet import Packet, to_bytes
from digit.errors import UserError

if TYPE_CHECKING:
    from websockets.asyncio.server import Server, ServerConnection
    from websockets.http11 import Request, Response

PORT = 8765
PAGE = Path(__file__).parents[2] / "examples" / "browser"
_TYPES = {".html": "text/html", ".js": "text/javascript", ".css": "text/css"}
MAX_CLIENTS = 64
#: A client may say this much: one ping now and then.
_MAX_BYTES, _MESSAGES_A_SECOND = 1024, 30
#: A client that takes nothing for so long is cut off.
STALL_S = 10.0
#: At the end, a client that has not taken its good-bye after so long is cut off.
_GOODBYE_S = 1.5
#: Small, so that what a slow client has not read yet is at most a few messages old.
_SEND_BUFFER = 32_768


class Client:
    """One connection, and the newest message where the client reads too slowly."""

    def __init__(self, connection: "ServerConnection", binary: bool) -> None:
        from websockets.asyncio.server import broadcast

        self.connection, self.binary, self._broadcast = connection, binary, broadcast
        self.latency_ms: float | None = None
        self._waiting: str | bytes | None = None
        self._late = asyncio.Event()

    def put(self, message: str | bytes) -> None:
        """Send it at once if the client has taken all before; else it waits, in place of one that still does."""
        if self._waiting is None and self.connection.transport.get_write_buffer_size() == 0:
            self._broadcast((self.connection,), message)
        else:
            self._waiting = message
            self._late.set()

    async def send_waiting(self) -> None:
        """Send what has to wait, until the connection is closed; cuts off a client that does not read."""
        while True:
            await self._late.wait()
            self._late.clear()
            message, self._waiting = self._waiting, None
            if message is not None:
                try:
                    async with asyncio.timeout(STALL_S):  # wait_for of Python 3.11 may swallow a cancel
                        await self.connection.send(message)
                except TimeoutError:
                    self.connection.transport.abort()
                    return


class WebSocket:
    """The server. It lives in an event loop that runs in another thread; `send` is called in there."""

    waits = False

    def __init__(self, address: str, network: Network, loop: asyncio.AbstractEventLoop) -> None:
        self._at = parse_address(address, PORT, network)
        self._token = "" if self._at.local else network.token
        self._clients: set[Client] = set()
        self._loop = loop
        try:
            self._server = asyncio.run_coroutine_threadsafe(self._serve(), loop).result()
        except OSError as error:
            raise UserError(
                f"Cannot listen on {self._at} ({error.strerror or error}); choose another with "
                f"--stream websocket:{self._at.host}:{self._at.port + 1}."
            ) from error

    @property
    def address(self) -> str:
        """Host and port."""
        return str(self._at)

    @property
    def clients(self) -> int:
        """How many are connected."""
        return len(self._clients)

    @property
    def latency_ms(self) -> float | None:
        """The largest that a client reports."""
        return max((c.latency_ms for c in tuple(self._clients) if c.latency_ms is not None), default=None)

    def send(self, packet: Packet) -> None:
        """Encode once for all clients and pass it on."""
        sent_ns = monotonic_ns()
        text = to_json(packet, sent_ns) if any(not client.binary for client in self._clients) else ""
        data = to_bytes(packet, sent_ns) if any(client.binary for client in self._clients) else b""
        for client in self._clients:
            client.put(data if client.binary else text)

    def close(self) -> None:
        """Say good-bye to all clients and free the port."""
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result()

    async def _serve(self) -> "Server":
        from websockets.asyncio.server import serve

        # Whatever a hostile client does ends in its connection, not in the terminal.
        silent = logging.getLogger("demo.streams.websocket")
        silent.disabled = True
        return await serve(
            self._handle,
            self._at.host,
            self._at.port,
            process_request=self._admit,
            compression=None,
            max_size=_MAX_BYTES,
            max_queue=4,
            write_limit=_SEND_BUFFER,
            open_timeout=5,
            ping_interval=20,
            ping_timeout=STALL_S,
            close_timeout=1,
            logger=silent,
            server_header=None,
        )

    async def _end(self) -> None:
        self._server.close()
        ended = asyncio.ensure_future(self._server.wait_closed())
        await asyncio.wait((ended,), timeout=_GOODBYE_S)
        for client in tuple(self._clients):  # they do not read, so they do not hear it either
            client.connection.transport.abort()
        await ended

    def _admit(self, connection: "ServerConnection", request: "Request") -> "Response | None":
        """None lets a WebSocket in; else the HTTP answer: the page, or why not."""
        url = urlsplit(request.path)
        host, origin = request.headers.get("Host", ""), request.headers.get("Origin")
        if not self._token and not (_host_only(host) == self._at.host or is_local(_host_only(host))):
            return connection.respond(HTTPStatus.FORBIDDEN, "Ask for this computer by its loopback address.\n")
        if request.headers.get("Upgrade", "").lower() != "websocket":
            return _page(connection, url.path)  # no secret: the hands come over the WebSocket
        if self._token and not _same(parse_qs(url.query).get("token", [""])[0], self._token):
            return connection.respond(HTTPStatus.FORBIDDEN, "The token is missing or wrong: add ?token=... .\n")
        if origin is not None and not self._token and urlsplit(origin).netloc != host:
            return connection.respond(HTTPStatus.FORBIDDEN, "Pages of other sites may not connect.\n")
        if len(self._clients) >= MAX_CLIENTS:
            return connection.respond(HTTPStatus.SERVICE_UNAVAILABLE, f"There are {MAX_CLIENTS} clients already.\n")
        return None

    async def _handle(self, connection: "ServerConnection") -> None:
        from websockets.exceptions import ConnectionClosed

        request = connection.request
        assert request is not None
        client = Client(connection, urlsplit(request.path).path == "/binary")
        connection.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
        sender = None
        try:
            await connection.send(hello())
            self._clients.add(client)
            sender = asyncio.create_task(client.send_waiting())
            await self._listen(client)
        except ConnectionClosed:
            return
        finally:
            self._clients.discard(client)
            if sender is not None:
                sender.cancel()
                await asyncio.gather(sender, return_exceptions=True)

    async def _listen(self, client: Client) -> None:
        """Answer pings; close a client that says too much."""
        began_s, count = monotonic(), 0
        async for message in client.connection:
            if monotonic() - began_s > 1:
                began_s, count = monotonic(), 0
            count += 1
            if count > _MESSAGES_A_SECOND:
                await client.connection.close(1008, "too many messages")
                return
            if (answer := _answer(client, message)) is not None:
                await client.connection.send(answer)


def _answer(client: Client, message: str | bytes) -> str | None:
    """The pong to ``{"type": "ping", "id": ..., "latency_ms": ...}``; None to anything else."""
    try:
        said: Any = json.loads(message)
    except (ValueError, RecursionError):
        return None
    if not isinstance(said, dict) or said.get("type") != "ping":
        return None
    latency_ms = said.get("latency_ms")
    if isinstance(latency_ms, int | float) and math.isfinite(latency_ms):
        client.latency_ms = min(max(float(latency_ms), 0.0), 1e5)
    return json.dumps({"type": "pong", "id": str(said.get("id", ""))[:64], "now_ns": monotonic_ns()})


def _page(connection: "ServerConnection", path: str) -> "Response":
    """The browser's page and what it loads."""
    from websockets.datastructures import Headers
    from websockets.http11 import Response

    name = path.lstrip("/") or "index.html"
    files = {file.name: file for file in PAGE.glob("*") if file.suffix in _TYPES}
    if name not in files:
        return connection.respond(HTTPStatus.NOT_FOUND, "There is no such page.\n")
    body = files[name].read_bytes()
    headers = Headers(
        {
            "Content-Type": f"{_TYPES[files[name].suffix]}; charset=utf-8",
            "Content-Length": str(len(body)),
            "Cache-Control": "no-store",
            "Content-Security-Policy": "default-src 'self'; connect-src 'self' ws: wss:; style-src 'self'",
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer",
            "Connection": "close",
        }
    )
    return Response(HTTPStatus.OK.value, HTTPStatus.OK.phrase, headers, body)


def _same(given: str, token: str) -> bool:
    return hmac.compare_digest(given.encode(), token.encode())


def _host_only(host: str) -> str:
    return host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]


def open_stream(address: str, network: Network, loop: asyncio.AbstractEventLoop) -> WebSocket:
    """Raises UserError when the address is bad or taken."""
    return WebSocket(address, network, loop)
