"""The protocols by name: for whom each is, where it goes by default and how to listen to it."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING
from urllib.parse import quote

from demo.streams.address import Network, is_local
from demo.streams.outlet import Stream
from digit.errors import UserError

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop


@dataclass(frozen=True, slots=True)
class Protocol:
    """One way out."""

    name: str
    title: str
    what: str  # for whom
    address: str  # by default
    example: str  # to copy; {address} and {token} are filled in
    module: str  # has ``open_stream(address: str, network: Network) -> Stream``
    packages: tuple[str, ...]  # the imports that it needs beyond the app's own
    serves: bool = False  # clients connect to it: ``open_stream`` takes the event loop too, in which they live


PROTOCOLS = {
    protocol.name: protocol
    for protocol in (
        Protocol(
            "websocket",
            "WebSocket",
            "Browser, Python, Node: JSON, or bytes under /binary; serves a page that shows the hands",
            "127.0.0.1:8765",
            "http://{address}/{token}",
            "demo.streams.websocket",
            ("websockets", "orjson"),
            serves=True,
        ),
        Protocol(
            "osc",
            "OSC",
            "TouchDesigner, Max, Ableton, SuperCollider",
            "127.0.0.1:9000",
            "/digit/right/index_tip x y z qx qy qz qw    on UDP {address}",
            "demo.streams.osc",
            (),
        ),
        Protocol(
            "vmc",
            "VMC",
            "VSeeFace, Warudo, VRM avatars: finger rotations",
            "127.0.0.1:39539",
            "VMC receiver on port {port}",
            "demo.streams.vmc",
            (),
        ),
        Protocol(
            "udp",
            "UDP",
            "Unity, Unreal, robots: the least delay, one datagram a frame",
            "127.0.0.1:9870",
            "python examples/udp_client.py {address}",
            "demo.streams.udp",
            (),
        ),
        Protocol(
            "lsl",
            "Lab Streaming Layer",
            "Lab recorders, beside EEG and eye tracking; seen in the whole local network",
            "DigitLive",
            "pylsl.resolve_byprop('name', '{address}')",
            "demo.streams.lsl",
            ("pylsl",),
        ),
        Protocol(
            "rerun",
            "Rerun",
            "Rerun viewer: 3D, picture and curves on one timeline",
            "viewer",
            "Rerun viewer: {address}",
            "demo.streams.rerun_viewer",
            ("rerun",),
        ),
        Protocol(
            "camera",
            "Virtual camera",
            "Zoom, OBS, any program that takes a webcam: the overlay as a picture",
            "default",
            "choose “{address}” as the camera",
            "demo.streams.virtual_camera",
            ("pyvirtualcam",),
        ),
    )
}


def parse_stream(text: str) -> tuple[str, str]:
    """(name, address) of ``NAME[:ADDRESS]``. Raises UserError for an unknown name."""
    name, _, address = text.partition(":")
    if name not in PROTOCOLS:
        raise UserError(f"There is no stream {name!r}; choose from {', '.join(PROTOCOLS)}.")
    return name, address


def example(name: str, address: str, network: Network) -> str:
    """What to copy in order to listen to a stream that runs at this address."""
    host, _, port = address.rpartition(":")
    token = f"?token={quote(network.token, safe='')}" if network.token and not is_local(host) else ""
    return PROTOCOLS[name].example.format(address=address, port=port, token=token)


def opener(name: str, address: str, network: Network, loop: "AbstractEventLoop") -> Callable[[], Stream]:
    """Opens that protocol when it is called, which is in the stream's own thread; servers live in ``loop``.

    The call raises UserError when the package is missing or the address cannot be used.
    """
    protocol = PROTOCOLS[name]

    def open_stream() -> Stream:
        _need(protocol)
        where = (address, network, loop) if protocol.serves else (address, network)
        stream: Stream = import_module(protocol.module).open_stream(*where)
        return stream

    return open_stream


def _need(protocol: Protocol) -> None:
    try:
        for package in protocol.packages:
            import_module(package)
    except ImportError as error:
        extra = "camera" if protocol.name == "camera" else "streams"
        raise UserError(
            f"The stream {protocol.name} needs a package that is not installed ({error}); "
            f"run pip install 'digit-live[{extra}]'."
        ) from error
