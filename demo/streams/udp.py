"""UDP: `demo.streams.packet.HEADER` and `HAND`s as one datagram. The least delay."""

from demo.streams.address import Network
from demo.streams.datagrams import Datagrams
from demo.streams.packet import to_bytes

PORT = 9870


def open_stream(address: str, network: Network) -> Datagrams:
    """Raises UserError for a bad address."""
    return Datagrams(address, PORT, network, lambda packet: [to_bytes(packet)])
