"""Each protocol, received by a client that knows nothing of the sender's code, carries the Scene's values."""

import json
import os
import re
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import jsonschema
import numpy as np
import pytest
from pythonosc.osc_packet import OscPacket
from websockets.sync.client import connect

from demo.overlay import paint
from demo.settings import OverlayOptions
from demo.streams import packet
from demo.streams.address import Network
from demo.streams.openxr import JOINTS, TIPS
from demo.streams.packet import HAND, HEADER, Packing
from digit.skeleton import JOINTS as INTERHAND_JOINTS
from tests.demo.streams.listening import free_port, play, recorded, running, same_hands, udp_receiver, wait_until

EXAMPLES = Path(__file__).parents[3] / "examples"
SCENES = recorded(30)


@pytest.fixture
def hub(request):
    """Streams that are closed after the test."""
    opened = []

    def open_hub(*streams, **network):
        opened.append(running(*streams, **network))
        return opened[-1]

    yield open_hub
    for each in opened:
        each.close()


def test_websocket_json_carries_every_scene_and_keeps_its_schema(hub) -> None:
    streams = hub(f"websocket:{(port := free_port())}")
    schema = jsonschema.Draft202012Validator(json.loads((EXAMPLES / "message.schema.json").read_text()))
    with connect(f"ws://127.0.0.1:{port}/") as client:
        hello = json.loads(client.recv())
        assert (hello["type"], hello["version"], tuple(hello["joints"])) == ("hello", 1, JOINTS)
        assert hello["webxr_joints"]["index-finger-tip"] == JOINTS.index("index_tip")
        wait_until(lambda: streams.states()["websocket"].clients == 1)
        for n, scene in enumerate(SCENES):
            play(streams, [scene])
            message = json.loads(client.recv())
            schema.validate(message)
            assert (message["sequence"], message["frame"]) == (n, scene.frame.index)
            assert (message["capture_ns"], message["emitted_ns"]) == (scene.frame.time_ns, scene.emitted_ns)
            hands = {hand["handedness"]: hand for hand in message["hands"]}
            assert same_hands({side: np.array(hand["positions"]) for side, hand in hands.items()}, scene)
            for hand in scene.hands:
                assert hands[hand.side]["score"] == pytest.approx(hand.score, abs=1e-4)
                tip = INTERHAND_JOINTS.index("ring4")
                heard = hands[hand.side]["confidence"][JOINTS.index("ring_tip")]
                assert heard == pytest.approx(hand.confidence[tip], abs=1e-4)
        # The last but one and the last differ by what the velocities say.
        before, after = SCENES[-2].hands[0].joints_mm[20], SCENES[-1].hands[0].joints_mm[20]
        speed = (after - before) * [1, -1, -1] / 1000 * 30
        assert hands["right"]["linear_velocities"][1] == pytest.approx(speed, abs=2e-3)


def test_websocket_answers_pings_and_shows_what_clients_measure(hub) -> None:
    streams = hub(f"websocket:{(port := free_port())}")
    with connect(f"ws://127.0.0.1:{port}/") as client:
        client.recv()
        client.send(json.dumps({"type": "ping", "id": "7", "latency_ms": 12.5}))
        pong = json.loads(client.recv())
        assert (pong["type"], pong["id"]) == ("pong", "7")
        assert streams.states()["websocket"].latency_ms == 12.5
    wait_until(lambda: streams.states()["websocket"].clients == 0)


def from_bytes(data: bytes) -> tuple[np.void, dict[str, np.void]]:
    header = np.frombuffer(data, HEADER, 1)[0]
    hands = np.frombuffer(data, HAND, header["hands"], HEADER.itemsize)
    return header, {"left" if hand["left"] else "right": hand for hand in hands}


def test_bytes_over_websocket_and_udp_are_the_same_hands(hub) -> None:
    receiver, udp_port = udp_receiver()
    streams = hub(f"websocket:{(port := free_port())}", f"udp:{udp_port}")
    with receiver, connect(f"ws://127.0.0.1:{port}/binary") as client:
        client.recv()
        wait_until(lambda: streams.states()["websocket"].clients == 1)
        for n, scene in enumerate(SCENES):
            play(streams, [scene])
            for data in (client.recv(), receiver.recv(65535)):
                header, hands = from_bytes(data)
                assert (header["magic"], header["version"], header["sequence"]) == (b"DGTL", 1, n)
                assert header["capture_ns"] == scene.frame.time_ns
                assert same_hands({side: hand["positions"] for side, hand in hands.items()}, scene)
                assert all(np.allclose(np.linalg.norm(h["orientations"], axis=1), 1, atol=1e-6) for h in hands.values())
                assert len(data) == HEADER.itemsize + len(hands) * HAND.itemsize


def test_unity_script_reads_the_bytes_where_they_are() -> None:
    script = (EXAMPLES / "DigitHands.cs").read_text()
    numbers = {name: int(value) for name, value in re.findall(r"(\w+) = (\d+)[,;]", script)}
    assert (numbers["HeaderBytes"], numbers["HandBytes"]) == (HEADER.itemsize, HAND.itemsize)
    fields = ("left", "on", "flags", "score", "pinch", "grab", "palm_facing", "ray_origin", "ray_direction")
    for name in (*fields, "positions", "orientations", "radii", "confidence"):
        assert numbers[name.title().replace("_", "")] == HAND.fields[name][1], name
    assert HEADER.fields["hands"][1] == 6
    assert "ToUInt16(datagram, 6)" in script


def osc_messages(data: bytes) -> dict[str, list]:
    return {m.message.address: m.message.params for m in OscPacket(data).messages}


def test_osc_carries_joints_and_signals(hub) -> None:
    receiver, port = udp_receiver()
    streams = hub(f"osc:{port}")
    with receiver:
        for n, scene in enumerate(SCENES):
            play(streams, [scene])
            heard = {}
            for _ in range(1 + len(scene.hands)):
                heard |= osc_messages(receiver.recv(65535))
            assert heard["/digit/frame"][0] == n
            there = {hand.side for hand in scene.hands}
            assert [heard["/digit/right"], heard["/digit/left"]] == [["right" in there], ["left" in there]]
            positions = {s: np.array([heard[f"/digit/{s}/{joint}"][:3] for joint in JOINTS]) for s in there}
            assert same_hands(positions, scene)
            for hand in scene.hands:
                uv = np.array(heard[f"/digit/{hand.side}/uv"]).reshape(5, 2)
                index_tip = (hand.joints_px[INTERHAND_JOINTS.index("index4")] + 0.5) / (640, 360)
                assert uv[1] == pytest.approx(index_tip, abs=1e-6)
                assert len(heard[f"/digit/{hand.side}/pinch"]) == 4
    notes = (EXAMPLES / "README.md").read_text()
    documented = re.findall(r"^\| `(/digit/\S+?)`(?:, `(/digit/\S+?)`)? \|", notes, re.M)
    patterns = {a.replace("SIDE", "right").replace("JOINT", "index_tip") for pair in documented for a in pair if a}
    assert patterns <= set(heard)


def unity_rotate(q, v: np.ndarray) -> np.ndarray:
    """Unity's quaternion times vector, written out."""
    u, w = np.array(q[:3]), q[3]
    return v + 2 * np.cross(u, np.cross(u, v) + w * v)


def test_vmc_bones_bend_an_avatar_into_the_hand(hub) -> None:
    """Forward kinematics in Unity's axes from the T-pose gives each bone its direction against the hand."""
    receiver, port = udp_receiver()
    streams = hub(f"vmc:{port}")
    with receiver:
        for scene in SCENES:
            play(streams, [scene])
            messages = [m.message for m in OscPacket(receiver.recv(65535)).messages]
            assert [m.params for m in messages if m.address == "/VMC/Ext/OK"] == [[1]]
            bones = {m.params[0]: m.params[1:] for m in messages if m.address == "/VMC/Ext/Bone/Pos"}
            assert len(bones) == 15 * len(scene.hands)
            trackers = {m.params[0] for m in messages if m.address == "/VMC/Ext/Tra/Pos"}
            assert trackers == {f"digit_{hand.side}" for hand in scene.hands}
            for streamed in Packing()(0, scene).hands:
                check_fingers(streamed.pose, {name: q[3:] for name, q in bones.items()})


def check_fingers(pose, rotations: dict[str, list[float]]) -> None:
    side = pose.side.capitalize()
    x, y, z = np.moveaxis(np.array([rotate_matrix(pose.orientations[1])]), -1, 0)[:, 0]
    for finger in ("Index", "Middle", "Ring", "Little"):
        at = JOINTS.index(f"{finger.lower()}_proximal")
        sideways = np.array([1.0, 0, 0]) if side == "Right" else np.array([-1.0, 0, 0])
        turns: list[list[float]] = []
        for n, bone in enumerate(("Proximal", "Intermediate", "Distal")):
            turns.append(rotations[f"{side}{finger}{bone}"])
            direction = sideways
            for turn in reversed(turns):
                direction = unity_rotate(turn, direction)
            true = pose.positions_m[at + n + 1] - pose.positions_m[at + n]
            true /= np.linalg.norm(true)
            across, up, back = true @ x, true @ y, true @ z
            # Arms sideways, palms down: the back of the hand is up; the right hand's little finger is behind.
            expected = (-back, up, -across) if side == "Right" else (back, up, across)
            assert direction == pytest.approx(expected, abs=1e-4)


def rotate_matrix(q: np.ndarray) -> np.ndarray:
    return np.stack([unity_rotate(q, axis) for axis in np.eye(3)], -1)


def test_lsl_inlet_gets_samples_stamped_with_the_capture(hub) -> None:
    import pylsl

    name = f"Digit{os.getpid()}"
    streams = hub(f"lsl:{name}", network=Network.opened())
    found = pylsl.resolve_byprop("name", name, timeout=10)
    inlet = pylsl.StreamInlet(found[0], max_buflen=10)
    kinds, channel = {}, inlet.info(10).desc().child("channels").child("channel")
    while not channel.empty():
        kinds[channel.child_value("label")] = channel.child_value("type")
        channel = channel.next_sibling()
    labels = tuple(kinds)
    tip = [kinds[f"left_index_tip_{value}"] for value in ("x", "qx", "qw", "confidence")]
    assert tip == ["PositionX", "OrientationB", "OrientationA", "Confidence"]  # as XDF names them
    assert kinds["right_pinch_index"] == kinds["left_grab"] == "Misc"
    inlet.open_stream(timeout=10)
    wait_until(lambda: streams.states()["lsl"].clients == 1)
    offset_s = None
    for scene in SCENES:
        play(streams, [scene])
        values, stamp_s = inlet.pull_sample(timeout=10)
        sample = dict(zip(labels, values, strict=True))
        there = {hand.side for hand in scene.hands}
        assert np.isnan(sample["left_index_tip_x"]) == ("left" not in there)
        positions = {s: np.array([[sample[f"{s}_{j}_{k}"] for k in "xyz"] for j in JOINTS]) for s in there}
        assert same_hands(positions, scene)
        offset_s = stamp_s - scene.frame.time_ns / 1e9 if offset_s is None else offset_s
        assert stamp_s - scene.frame.time_ns / 1e9 == pytest.approx(offset_s, abs=1e-6)
    inlet.close_stream()
    del inlet  # before the outlet ends, or the library reports a lost connection


def test_rerun_file_has_every_scene(hub, tmp_path: Path) -> None:
    from rerun.chunk import RrdReader

    path = tmp_path / "hands.rrd"
    streams = hub(f"rerun:{path}")
    play(streams, SCENES)
    streams.close()
    rows: dict[int, np.ndarray] = {}
    for chunk in RrdReader(path).stream():
        if str(chunk.entity_path) == "/hands/right/joints":
            batch = chunk.to_record_batch()
            columns = (batch.column(name).to_pylist() for name in ("frame", "Points3D:positions"))
            for frame, points in zip(*columns, strict=True):
                rows[frame] = np.array(points)
    assert sorted(rows) == [scene.frame.index for scene in SCENES]
    for scene in SCENES:
        right = next(hand for hand in scene.hands if hand.side == "right")
        tip = rows[scene.frame.index][TIPS[1]] * [1000, -1000, -1000]
        assert tip == pytest.approx(right.joints_mm[INTERHAND_JOINTS.index("index4")], abs=0.01)


def test_virtual_camera_gets_the_painted_picture_and_a_new_size_a_new_camera(hub, monkeypatch) -> None:
    """No such device exists here; what the package is given is what matters."""
    cameras = []

    class Camera:
        device = "/dev/video9"

        def __init__(self, width, height, fps, device):
            self.width, self.height, self.pictures, self.closed = width, height, [], False
            cameras.append(self)

        def send(self, picture):
            self.pictures.append(picture)

        def close(self):
            self.closed = True

    monkeypatch.setitem(sys.modules, "pyvirtualcam", SimpleNamespace(Camera=Camera))
    streams = hub("camera")
    streams.overlay = OverlayOptions(parts=False)
    scene = SCENES[-1]
    play(streams, [scene])
    assert (cameras[0].pictures[0] == paint(scene.frame.image, scene, streams.overlay)).all()
    assert streams.states()["camera"].address == "/dev/video9"
    large = np.zeros((480, 640, 3), np.uint8)
    play(streams, [replace(scene, frame=replace(scene.frame, image=large))])
    assert [(c.width, c.height) for c in cameras] == [(640, 360), (640, 480)]
    streams.close()
    assert all(c.closed for c in cameras)


def test_without_a_virtual_camera_one_sentence_says_what_to_do(hub) -> None:
    pytest.importorskip("pyvirtualcam", reason="the extra [camera] is not installed")
    streams = hub("camera")
    streams.put(SCENES[0])
    wait_until(lambda: streams.states()["camera"].status == "failed" or streams.states()["camera"].sent)
    if streams.states()["camera"].sent:
        pytest.skip("this computer has a virtual camera")
    assert "v4l2loopback" in streams.states()["camera"].why


def test_all_streams_at_once_send_the_same_scenes(hub, tmp_path: Path) -> None:
    names = (f"websocket:{free_port()}", "udp", "osc", "vmc", f"rerun:{tmp_path / 'all.rrd'}")
    streams = hub(*names)
    play(streams, SCENES)
    assert {state.sent for state in streams.states().values()} == {len(SCENES)}
    assert {state.status for state in streams.states().values()} == {"running"}


def test_packets_of_a_hand_that_comes_has_no_velocity() -> None:
    packing = packet.Packing()
    first, second = packing(0, SCENES[2]), packing(1, SCENES[3])
    assert not first.hands[0].linear_m_s.any()
    assert second.hands[0].linear_m_s.any()
    assert second.hands[0].angular_rad_s.any()
    jumped = recorded(1, fps=30)[0]  # back in time: another source began
    assert not packing(2, jumped).hands[0].linear_m_s.any()
