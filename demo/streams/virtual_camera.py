"""The overlay as a webcam of its own, where the system has a virtual camera (v4l2loopback, OBS, UnityCapture)."""

from importlib import import_module
from typing import Any

from demo.overlay import paint
from demo.streams.address import Network
from demo.streams.packet import Packet
from digit.errors import UserError

#: What other programs are told; pictures go out when they come.
_FPS = 30


class VirtualCamera:
    """Opens the device with the first picture, whose size it takes; a new size opens it anew."""

    waits = True
    clients = latency_ms = None

    def __init__(self, device: str) -> None:
        self.address = device or "default"
        self._device = device if device != "default" else ""
        self._camera: Any = None

    def send(self, packet: Packet) -> None:
        """Show the painted picture. Raises UserError when there is no virtual camera."""
        image = paint(packet.scene.frame.image, packet.scene, packet.overlay)
        height, width = image.shape[:2]
        camera = self._camera
        if camera is None or (camera.width, camera.height) != (width, height):
            self.close()
            camera = self._open(width, height)
        camera.send(image)

    def close(self) -> None:
        """Free the device."""
        if self._camera is not None:
            self._camera.close()
            self._camera = None

    def _open(self, width: int, height: int) -> Any:
        pyvirtualcam: Any = import_module("pyvirtualcam")  # an extra that not everyone has
        try:
            self._camera = pyvirtualcam.Camera(width, height, _FPS, device=self._device or None)
        except (RuntimeError, ValueError, OSError) as error:
            raise UserError(
                "No virtual camera was found; on Linux load v4l2loopback (sudo modprobe v4l2loopback), elsewhere "
                "install OBS Studio and start its virtual camera once."
            ) from error
        self.address = str(self._camera.device)
        return self._camera


def open_stream(address: str, network: Network) -> VirtualCamera:
    """The device at ``address``, by default the first one."""
    del network  # a device is always on this computer
    return VirtualCamera(address)
