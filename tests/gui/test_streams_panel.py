"""The sheet of streams and the strip of signals, on a real worker."""

import json
import socket
from dataclasses import replace

import numpy as np
import pytest
from PyQt6.QtCore import QPoint, Qt
from PyQt6.QtGui import QGuiApplication
from websockets.sync.client import connect

from demo.gui.signals_strip import SignalsStrip
from demo.streams.packet import Packing
from demo.streams.signals import Contact
from tests.demo.streams.listening import free_port, running, tracked_mm
from tests.gui.hands import scene


def row(window, name: str):
    return window.streams.rows[name]


def test_a_stream_starts_serves_and_stops(playing, qtbot) -> None:
    qtbot.keyClick(playing, Qt.Key.Key_T)
    assert playing.streams.isVisible()
    port = free_port()
    websocket = row(playing, "websocket")
    websocket.address.setText(str(port))
    websocket.switch.click()
    qtbot.waitUntil(lambda: "0 clients" in websocket.status.text())
    assert websocket.switch.text() == "Stop"
    with connect(f"ws://127.0.0.1:{port}/") as client:
        hello = json.loads(client.recv())
        message = json.loads(client.recv())
        assert len(message["hands"][0]["positions"]) == len(hello["joints"])
        qtbot.waitUntil(lambda: "1 client" in websocket.status.text())
        qtbot.waitUntil(lambda: playing.streams.hub.states()["websocket"].rate_hz > 1)
        websocket.switch.click()
    assert websocket.switch.text() == "Start"
    assert websocket.status.text() == ""
    running(f"websocket:{port}").close()  # the port is free
    qtbot.keyClick(playing, Qt.Key.Key_Escape)
    assert not playing.streams.isVisible()


def test_what_is_streamed_is_what_is_shown(playing, qtbot) -> None:
    packet = None

    def same() -> bool:
        nonlocal packet
        packet = playing.streams.hub.packet
        return packet is not None and packet.scene is playing.scene

    qtbot.waitUntil(same)
    for streamed, hand in zip(packet.hands, playing.scene.hands, strict=True):
        assert np.abs(tracked_mm(streamed.pose.positions_m) - hand.joints_mm).max() < 0.01


def test_streams_of_the_command_line_run_from_the_start(open_window, qtbot) -> None:
    port = free_port()
    window = open_window(streams=(f"websocket:{port}", "osc"), stream_network=True, stream_token="secret")
    states = window.streams.hub.states
    qtbot.waitUntil(lambda: {state.status for state in states().values()} == {"running"})
    assert row(window, "websocket").address.text() == str(port)
    assert window.streams.network.isChecked()
    assert window.streams.token.text() == "secret"


def test_a_stream_that_fails_behind_a_closed_sheet_is_told(open_window, qtbot) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        window = open_window(streams=(f"websocket:{taken.getsockname()[1]}",))
        qtbot.waitUntil(lambda: "in use" in window.notice.text)


def test_what_is_wrong_is_said_in_its_row(playing, qtbot) -> None:
    playing.streams.toggle()
    udp = row(playing, "udp")
    udp.address.setText("192.0.2.1:99")
    udp.switch.click()
    qtbot.waitUntil(lambda: "Other computers" in udp.status.text())
    assert udp.switch.text() == "Start"
    assert playing.error.text == playing.notice.text == ""


def test_the_network_is_allowed_with_a_token_and_taken_back(playing, qtbot) -> None:
    playing.streams.toggle()
    assert not playing.streams.token.isVisible()
    playing.streams.network.click()
    assert playing.streams.token.isVisible()
    assert len(playing.streams.token.text()) >= 12
    udp = row(playing, "udp")
    udp.address.setText("192.0.2.1:99")
    udp.switch.click()
    qtbot.waitUntil(lambda: udp.switch.text() == "Stop" and "192.0.2.1:99" in udp.status.text())
    playing.streams.network.click()
    qtbot.waitUntil(lambda: "Other computers" in udp.status.text())


def test_how_to_listen_is_copied(playing) -> None:
    row(playing, "websocket").copy.click()
    assert QGuiApplication.clipboard().text() == "http://127.0.0.1:8765/"
    row(playing, "udp").copy.click()
    assert QGuiApplication.clipboard().text() == "python examples/udp_client.py 127.0.0.1:9870"
    playing.streams.network.click()
    row(playing, "websocket").address.setText("0.0.0.0:8765")
    row(playing, "websocket").copy.click()
    assert QGuiApplication.clipboard().text().endswith(f":8765/?token={playing.streams.token.text()}")


def test_a_click_beside_the_sheet_closes_it(playing, qtbot) -> None:
    playing.streams.toggle()
    qtbot.mouseClick(playing.streams, Qt.MouseButton.LeftButton, pos=playing.streams.rect().center())
    assert playing.streams.isVisible()
    qtbot.mouseClick(playing.streams, Qt.MouseButton.LeftButton, pos=QPoint(5, 5), delay=600)  # no double click
    assert not playing.streams.isVisible()


@pytest.fixture
def strip(qtbot) -> SignalsStrip:
    strip = SignalsStrip()
    qtbot.addWidget(strip)
    strip.resize(480, 53)
    strip.show()
    return strip


def test_signals_are_written_and_drawn(strip) -> None:
    packet = Packing()(0, scene(sides=("right",)))
    empty = strip.grab().toImage()
    strip.show_packet(packet)
    assert (strip.words("right"), strip.words("left")) == ("palm to camera", "–")
    assert strip.grab().toImage() != empty
    signals = replace(
        packet.hands[0].signals, pinch=(0.9, 0, 0, 0), pinching=(True, False, False, False), grabbing=True
    )
    hand = replace(packet.hands[0], signals=signals)
    strip.show_packet(replace(packet, hands=(hand,), contacts=(Contact("index", "palm", 0.0),)))
    assert strip.words("right") == "pinch index · grab · palm to camera · touches with index"
    assert "pinch index" in strip.accessibleName()
