"""The page in headless Chromium: both hands move, the latency is shown, and it finds the app again after a restart."""

import base64
import itertools
import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from time import sleep

import cv2
import numpy as np
import pytest
from websockets.sync.client import ClientConnection, connect

from demo.streams.hub import Streams
from tests.demo.streams.listening import free_port, now, recorded, running, wait_until

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
BROWSER = next((found for name in BROWSERS if (found := shutil.which(name))), None)
SCENES = recorded(60)

pytestmark = pytest.mark.skipif(BROWSER is None, reason="no Chromium: sudo apt-get install chromium")


class Tab:
    """One page, driven over the DevTools protocol."""

    def __init__(self, devtools: ClientConnection, port: int) -> None:
        self._socket = devtools
        self._ids, self._session = itertools.count(), None
        target = self.ask("Target.createTarget", url=f"http://127.0.0.1:{port}/")["targetId"]
        self._session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]

    def ask(self, method: str, **params) -> dict:
        call = {"id": next(self._ids), "method": method, "params": params}
        self._socket.send(json.dumps(call | ({"sessionId": self._session} if self._session else {})))
        while True:
            answer = json.loads(self._socket.recv(timeout=30))
            if answer.get("id") == call["id"]:
                return answer["result"]

    def value(self, expression: str):
        return self.ask("Runtime.evaluate", expression=expression)["result"].get("value")

    def text(self, element: str) -> str:
        return self.value(f"document.getElementById('{element}')?.textContent") or ""

    def picture(self) -> np.ndarray:
        """(H, W, 3) uint8 RGB."""
        png = base64.b64decode(self.ask("Page.captureScreenshot", format="png")["data"])
        return cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]


@pytest.fixture
def devtools(tmp_path: Path) -> Iterator[ClientConnection]:
    """A running browser's control connection."""
    flags = (
        "--headless=new",
        "--window-size=1000,720",
        "--no-sandbox",
        "--disable-gpu",
        "--no-first-run",
        "--disable-background-networking",
    )
    command = [BROWSER, *flags, "--remote-debugging-port=0", f"--user-data-dir={tmp_path}", "about:blank"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    told = tmp_path / "DevToolsActivePort"
    wait_until(lambda: told.is_file() and len(told.read_text().split()) == 2, 60)
    port, path = told.read_text().split()
    with connect(f"ws://127.0.0.1:{port}{path}", max_size=None, close_timeout=1) as connection:
        yield connection
        connection.send(json.dumps({"id": 0, "method": "Browser.close"}))  # a killed one leaves a folder behind
        process.wait(20)


def show(streams: Streams, tab: Tab, scene_of_dance: int) -> np.ndarray:
    """The picture of the page with this Scene."""
    for _ in range(3):
        streams.put(now(SCENES[scene_of_dance]))
        sleep(0.05)
    return tab.picture()


def of_color(picture: np.ndarray, side: str) -> np.ndarray:
    """(N, 2) pixels in the color of a hand."""
    picture = picture[60:-60]  # without the lines of text
    red, blue = picture[..., 0].astype(int), picture[..., 2].astype(int)
    strength = red - blue if side == "right" else blue - red
    return np.argwhere(strength > 60)


def test_the_page_shows_both_hands_moving_and_comes_back(devtools: ClientConnection, tmp_path: Path) -> None:
    port = free_port()
    streams = running(f"websocket:{port}")
    try:
        tab = Tab(devtools, port)
        wait_until(lambda: streams.states()["websocket"].clients == 1)
        tab.value("document.getElementById('axes').click()")  # their colours are not the hands'
        first = show(streams, tab, 5)
        hands = {side: of_color(first, side) for side in ("right", "left")}
        assert all(len(pixels) > 1500 for pixels in hands.values())
        # The camera sees the right hand on its left.
        assert hands["right"][:, 1].mean() + 100 < hands["left"][:, 1].mean()
        second = show(streams, tab, 45)
        assert (np.abs(first.astype(int) - second).max(2) > 60).sum() > 1000
        moved = np.linalg.norm(of_color(second, "left").mean(0) - hands["left"].mean(0))
        assert moved > 4

        tab.value("document.getElementById('names').click()")
        tab.value("document.getElementById('axes').click()")
        named = show(streams, tab, 45)
        assert (np.abs(named.astype(int) - second).max(2) > 60).sum() > 300

        def figures_shown() -> bool:
            show(streams, tab, 45)
            return "capture to page" in tab.text("latency")

        wait_until(figures_shown)
        assert tab.text("state") == "connected"
        assert tab.text("right").startswith("right: index")
        wait_until(lambda: streams.states()["websocket"].latency_ms is not None)
        cv2.imwrite(str(tmp_path / "page.png"), named[..., ::-1])

        streams.close()
        wait_until(lambda: tab.text("state") == "waiting for Digit Live")
        streams = running(f"websocket:{port}")
        wait_until(lambda: streams.states()["websocket"].clients == 1)
        again = show(streams, tab, 5)
        assert len(of_color(again, "right")) > 1500
        assert tab.text("state") == "connected"
    finally:
        streams.close()
