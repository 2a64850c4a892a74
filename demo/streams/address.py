"""Where a stream goes, and whether that is still on this computer."""

import ipaddress
import secrets
import socket
from dataclasses import dataclass

from digit.errors import UserError

LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Address:
    """A host and a port."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def local(self) -> bool:
        """True when nothing leaves this computer."""
        return is_local(self.host)


@dataclass(frozen=True, slots=True)
class Network:
    """Whether other computers may be reached, and the token that they must know to connect here."""

    allowed: bool = False
    token: str = ""

    @staticmethod
    def opened(token: str = "") -> "Network":
        """The network with this token, or with a fresh one."""
        return Network(True, token or secrets.token_urlsafe(12))


def is_local(host: str) -> bool:
    """True for ``localhost`` and the loopback addresses."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def outward_host() -> str:
    """The address at which others in the network see this computer; empty without a network."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing: the system only chooses the way there
        except OSError:
            return ""
        return str(probe.getsockname()[0])


def parse_address(text: str, port: int, network: Network) -> Address:
    """``HOST:PORT``, ``HOST``, ``PORT`` or nothing; what is missing is loopback and ``port``.

    Raises UserError when the text is no address, or leaves this computer while the network is not allowed.
    """
    host, found = LOOPBACK, str(port)
    if text.isdecimal():
        found = text
    elif text.startswith("["):
        host, closed, rest = text[1:].partition("]")
        host, found = host if closed else "", rest.removeprefix(":") or found
    elif text:
        host, _, rest = text.partition(":")
        host, found = host or LOOPBACK, rest or found
    if not found.isdecimal() or not 0 < int(found) < 65536 or not _may_name(host):
        raise UserError(f"{text!r} is no address; give HOST:PORT, HOST or PORT, such as 127.0.0.1:{port}.")
    address = Address(LOOPBACK if host == "localhost" else host, int(found))
    if not address.local and not network.allowed:
        raise UserError(
            f"{address} is not on this computer; add --stream-network (or tick “Other computers”) to send hands there."
        )
    return address


def _may_name(host: str) -> bool:
    """False for what no computer can be called."""
    try:
        host.encode("idna")  # as the system's look-up does, which raises no OSError
    except UnicodeError:
        return False
    return bool(host) and all(c.isprintable() and c not in " /?#@" for c in host)
