"""One datagram for each Scene to one address; nobody is asked whether it came."""

import socket
from collections.abc import Callable, Iterable
from typing import Any

from demo.streams.address import Network, parse_address
from demo.streams.packet import Packet
from digit.errors import UserError


class Datagrams:
    """A `demo.streams.outlet.Stream` over UDP."""

    waits = False
    clients = latency_ms = None

    def __init__(self, address: str, port: int, network: Network, encode: Callable[[Packet], Iterable[bytes]]) -> None:
        """Send what ``encode`` makes of a packet to ``address``, by default to ``port`` on this computer.

        Raises UserError for a bad address.
        """
        to = parse_address(address, port, network)
        self.address, self._encode = str(to), encode
        try:
            found: Any = socket.getaddrinfo(to.host, to.port, type=socket.SOCK_DGRAM)[0]
        except OSError as error:
            raise UserError(f"There is no computer called {to.host} ({error.strerror}); check the address.") from error
        self._to: tuple[str, int] = found[4]
        self._socket = socket.socket(found[0], found[1])
        self._socket.setblocking(False)

    def send(self, packet: Packet) -> None:
        """Send without waiting. A full buffer, or nobody there, loses a datagram and not the stream."""
        for datagram in self._encode(packet):
            try:
                self._socket.sendto(datagram, self._to)
            except (BlockingIOError, ConnectionRefusedError):
                continue
            except OSError as error:
                raise UserError(f"Cannot send to {self.address} ({error.strerror}); check the address.") from error

    def close(self) -> None:
        """Free the socket."""
        self._socket.close()
