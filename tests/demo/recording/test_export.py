"""Each export, read by its own ecosystem's reader; its joints are the session's."""

import csv
import importlib.util
import json
import re
import struct
import sys
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from pycocotools.coco import COCO

from demo.recording.export import EXPORTS, export
from demo.recording.export.__main__ import main
from demo.recording.export.rerun_file import write_rerun
from demo.recording.export.skeleton import animations, continuous, euler_zxy_deg
from demo.recording.reader import Session, read_session
from demo.streams import quaternion
from demo.streams.openxr import JOINTS as OPENXR_JOINTS
from demo.streams.solver import solve
from digit.errors import UserError
from digit.skeleton import JOINTS, SIDES
from tests.demo.recording.scenes import own_crops, record, scenes, without_pictures

MADE = scenes(24)


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Session:
    return read_session(record(tmp_path_factory.mktemp("export") / "dance", MADE))


@pytest.fixture(scope="module")
def expected(session: Session) -> dict[str, np.ndarray]:
    return {name: session.hands(name) for name in ("joints_px", "joints_mm", "confidence")}


def test_csv(session: Session, expected: dict[str, np.ndarray], tmp_path: Path) -> None:
    table = pd.read_csv(export(session, "csv", tmp_path / "out.csv"))
    hands = int(np.isfinite(expected["confidence"][:, :, 0, 0]).sum())
    assert len(table) == hands * 21
    for (index, side), rows in table.groupby(["index", "side"]):
        i, n = index // 2, SIDES.index(side)
        assert rows["joint"].tolist() == list(JOINTS)
        mm = rows[["x_mm", "y_mm", "z_mm"]].to_numpy(np.float32)
        assert (mm == expected["joints_mm"][i, n]).all()
        assert (rows[["x_px", "y_px"]].to_numpy(np.float32) == expected["joints_px"][i, n]).all()
        assert (rows["raw_x_mm"].to_numpy(np.float32) == session.hands("joints_mm", raw=True)[i, n, :, 0]).all()


def test_parquet(session: Session, tmp_path: Path) -> None:
    table = pq.read_table(export(session, "parquet", tmp_path / "out.parquet"))
    assert table.equals(session.table)
    assert table.schema.field("emitted_ns").metadata[b"unit"] == b"ns"
    assert len(pd.read_parquet(tmp_path / "out.parquet")) == 24


def test_npz(session: Session, expected: dict[str, np.ndarray], tmp_path: Path) -> None:
    with np.load(export(session, "npz", tmp_path / "out.npz"), allow_pickle=False) as arrays:
        assert np.array_equal(arrays["joints_mm"], expected["joints_mm"], equal_nan=True)
        assert np.array_equal(arrays["joints_px"], expected["joints_px"], equal_nan=True)
        assert arrays["joint_names"].tolist() == list(JOINTS)
        assert (arrays["K"][3] == MADE[3].K).all()
        assert arrays["image_from_crop"].shape == (24, 2, 3)


def test_jsonl(session: Session, expected: dict[str, np.ndarray], tmp_path: Path) -> None:
    lines = export(session, "jsonl", tmp_path / "out.jsonl").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 24
    for i, line in enumerate(lines):
        row = json.loads(line)
        assert [list(seen) for seen in row["own_crops"]] == [["image_from_crop"]] * len(own_crops(i))
        for hand in row["hands"]:
            n = SIDES.index(hand["side"])
            assert (np.array(hand["joints_mm"], np.float32) == expected["joints_mm"][i, n]).all()


def test_coco(session: Session, expected: dict[str, np.ndarray], tmp_path: Path) -> None:
    folder = export(session, "coco", tmp_path / "coco")
    coco = COCO(str(folder / "annotations.json"))
    assert [c["name"] for c in coco.loadCats(coco.getCatIds())] == ["right_hand", "left_hand"]
    assert len(coco.getImgIds()) == len(list((folder / "images").iterdir())) == 24
    for annotation in coco.loadAnns(coco.getAnnIds()):
        points = np.reshape(annotation["keypoints"], (21, 3))
        seen = points[:, 2] > 0
        truth = expected["joints_px"][annotation["image_id"] - 1, annotation["category_id"] - 1]
        assert points[seen, :2] == pytest.approx(truth[seen] + 0.5, abs=1e-3)
        assert annotation["num_keypoints"] == seen.sum()


def test_interhand(tmp_path: Path) -> None:
    zoomed = [
        replace(s, K=np.diag([2, 2, 1]) @ s.K, hands=tuple(replace(h, joints_px=2 * h.joints_px) for h in s.hands))
        for s in MADE[12:]
    ]
    session = read_session(record(tmp_path / "dance", [*MADE[:12], *zoomed]))
    expected = {name: session.hands(name) for name in ("joints_px", "joints_mm")}
    folder = export(session, "interhand", tmp_path / "interhand")
    split = folder / "annotations" / "session"
    data, camera, joints = (
        json.loads((split / f"InterHand2.6M_session_{name}.json").read_text())
        for name in ("data", "camera", "joint_3d")
    )
    assert [list(of) for of in camera["0"].values()] == [["0", "1"]] * 4
    assert camera["0"]["camrot"]["1"] == np.eye(3).tolist()
    assert len(data["images"]) == len(data["annotations"]) == sum(bool(scene.hands) for scene in MADE)
    for image, annotation in zip(data["images"], data["annotations"], strict=True):
        assert (folder / "images" / "session" / image["file_name"]).exists()
        assert image["file_name"].startswith(f"Capture0/{image['camera']}/")
        focal, princpt = (np.array(camera["0"][name][image["camera"]]) for name in ("focal", "princpt"))
        i, valid = image["frame_idx"], np.array(annotation["joint_valid"])[:, 0] > 0
        world = np.array(joints["0"][str(i)]["world_coord"])
        truth = expected["joints_mm"][i].reshape(42, 3)
        assert (np.isfinite(truth[:, 0]) == valid).all()
        assert world[valid] == pytest.approx(truth[valid], abs=1e-4)
        px = world[valid, :2] / world[valid, 2:] * focal + princpt
        shift = 0.25 * np.abs(focal).max() / world[valid, 2].min()  # the smoothed hands lie a quarter mm beside
        assert np.abs(px - expected["joints_px"][i].reshape(42, 2)[valid]).max() < 2 * shift
        assert annotation["hand_type"] in ("right", "left", "interacting")


def test_mp4(session: Session, tmp_path: Path) -> None:
    with av.open(str(export(session, "mp4", tmp_path / "out.mp4"))) as video:
        times = [float(frame.time) for frame in video.decode(video=0)]
    assert np.diff(times) == pytest.approx(1 / 30, abs=1e-3)
    assert len(times) == 24


def bvh(path: Path) -> tuple[list[str], np.ndarray, float, dict[str, tuple[str, np.ndarray]]]:
    """A naive reader: channels' joints, motion, frame time, and each joint's parent and offset."""
    stack, channels, tree, last = [], [], {}, ""
    lines = path.read_text().splitlines()
    for line in lines[: lines.index("MOTION")]:
        words = line.split()
        if words[0] in ("ROOT", "JOINT", "End"):
            last = words[1] if words[0] != "End" else "End"
            tree.setdefault(last, (stack[-1] if stack else "", np.zeros(3)))
        elif words[0] == "{":
            stack.append(last)
        elif words[0] == "}":
            stack.pop()
        elif words[0] == "OFFSET" and stack[-1] != "End":
            tree[stack[-1]] = (tree[stack[-1]][0], np.array(words[1:], float))
        elif words[0] == "CHANNELS":
            assert words[-3:] == ["Zrotation", "Xrotation", "Yrotation"]
            channels.append(stack[-1])
    start = lines.index("MOTION")
    step = float(re.fullmatch(r"Frame Time: ([\d.]+)", lines[start + 2])[1])
    motion = np.array([line.split() for line in lines[start + 3 :]], float)
    assert len(motion) == int(lines[start + 1].split()[1])
    return channels, motion, step, tree


def bvh_positions(path: Path) -> tuple[dict[str, np.ndarray], float]:
    """(F, 3) of each joint by forward kinematics, in centimetres."""
    channels, motion, step, tree = bvh(path)
    rotations, positions = {}, {}
    for n, joint in enumerate(channels):
        z, x, y = (np.radians(motion[:, 3 + 3 * n + k]) for k in range(3))
        local = turn(z, 2) @ turn(x, 0) @ turn(y, 1)
        parent, offset = tree[joint]
        if parent:
            rotations[joint] = rotations[parent] @ local
            positions[joint] = positions[parent] + rotations[parent] @ offset
        else:
            rotations[joint], positions[joint] = local, motion[:, :3]
    return positions, step


def turn(angle: np.ndarray, axis: int) -> np.ndarray:
    """(F, 3, 3) about x, y or z."""
    matrix = np.zeros((len(angle), 3, 3))
    a, b = (axis + 1) % 3, (axis + 2) % 3
    matrix[:, axis, axis] = 1
    matrix[:, a, a] = matrix[:, b, b] = np.cos(angle)
    matrix[:, b, a], matrix[:, a, b] = np.sin(angle), -np.sin(angle)
    return matrix


def test_bvh(session: Session, tmp_path: Path) -> None:
    folder = export(session, "bvh", tmp_path / "bvh")
    for animation in animations(session):
        positions, step = bvh_positions(folder / f"{animation.side}.bvh")
        assert step == pytest.approx(1 / 30, abs=1e-5)
        frames = np.round((animation.seconds - animation.seconds[0]) / step).astype(int)
        told = np.stack([positions[f"{animation.side}_{name}"] for name in OPENXR_JOINTS], 1)[frames]
        assert np.abs(told - 100 * animation.positions_m()).max() < 1e-3
        truth = solve(session.hands("joints_mm")[animation.rows, SIDES.index(animation.side)], animation.side)
        assert np.abs(told / 100 - truth.positions_m).max() < 0.006, "fixed bones lie this near"


def test_both_hands_of_bvh_are_on_one_clock(tmp_path: Path) -> None:
    """The right hand is there in the first half only, the left one in every other frame of the rest."""
    made = [s for s in scenes(40) if len(s.hands) == 2][:24]
    for i, one in enumerate(made):
        object.__setattr__(one.frame, "time_ns", 10**9 + i * 33_333_333)
    made = [replace(s, hands=s.hands[:1] if i < 12 else s.hands[1:] if i % 2 else ()) for i, s in enumerate(made)]
    folder = export(read_session(record(tmp_path / "s", made)), "bvh", tmp_path / "bvh")
    (_, right, step, _), (_, left, left_step, _) = (bvh(folder / f"{side}.bvh") for side in SIDES)
    assert step == left_step
    assert len(right) == len(left)
    at = np.round(np.arange(24) / 30 / step).astype(int)
    assert len(np.unique(right[at[:12], :3], axis=0)) == 12
    assert (right[at[11] :] == right[-1]).all(), "it holds its last pose"
    assert (left[: at[13]] == left[0]).all(), "it holds its first pose"
    assert len(np.unique(left[at[13::2], :3], axis=0)) == 6


def test_gltf(session: Session, tmp_path: Path) -> None:
    import trimesh
    from pygltflib import GLTF2

    path = export(session, "gltf", tmp_path / "out.glb")
    assert struct.unpack("<4sII", path.read_bytes()[:12]) == (b"glTF", 2, path.stat().st_size)
    file = GLTF2().load(str(path))
    blob = file.binary_blob()

    def array(accessor: int) -> np.ndarray:
        a = file.accessors[accessor]
        view = file.bufferViews[a.bufferView]
        width = {"SCALAR": 1, "VEC3": 3, "VEC4": 4}[a.type]
        return np.frombuffer(blob, np.float32, a.count * width, view.byteOffset).reshape(a.count, width)

    names = [node.name for node in file.nodes]
    parents = {child: n for n, node in enumerate(file.nodes) for child in node.children or []}
    tracks = {
        (c.target.node, c.target.path): file.animations[0].samplers[c.sampler] for c in file.animations[0].channels
    }
    for animation in animations(session):
        frames = len(animation.rows)
        at: dict[int, np.ndarray] = {}
        turned: dict[int, np.ndarray] = {}
        for name in ("wrist", *(n for n in OPENXR_JOINTS if n != "wrist")):
            node = names.index(f"{animation.side}_{name}")
            sampler = tracks[node, "rotation"]
            assert array(sampler.input)[:, 0] == pytest.approx(animation.seconds, abs=1e-5)
            local = array(sampler.output).astype(float)
            assert np.linalg.norm(local, axis=1) == pytest.approx(1, abs=1e-5)
            if node in parents:
                parent, offset = parents[node], np.array(file.nodes[node].translation)
                turned[node] = quaternion.multiply(turned[parent], local)
                at[node] = at[parent] + quaternion.rotate(turned[parent], np.tile(offset, (frames, 1)))
            else:
                turned[node], at[node] = local, array(tracks[node, "translation"].output).astype(float)
        told = np.stack([at[names.index(f"{animation.side}_{name}")] for name in OPENXR_JOINTS], 1)
        assert np.abs(told - animation.positions_m()).max() < 1e-5
    assert len(trimesh.load(path, force="scene").geometry) > 30


def test_rerun(session: Session, expected: dict[str, np.ndarray], tmp_path: Path) -> None:
    from rerun.chunk import RrdReader

    path = export(session, "rerun", tmp_path / "out.rrd")
    rows: dict[tuple[str, int], np.ndarray] = {}
    for chunk in RrdReader(path).stream():
        side = str(chunk.entity_path).removeprefix("/hands/").removesuffix("/joints")
        if side in SIDES and str(chunk.entity_path).endswith("/joints"):
            batch = chunk.to_record_batch()
            columns = (batch.column(name).to_pylist() for name in ("frame", "Points3D:positions"))
            rows |= {(side, frame): np.array(points) for frame, points in zip(*columns, strict=True)}
    assert set(rows) == {(hand.side, scene.frame.index) for scene in MADE for hand in scene.hands}
    for (side, index), points in rows.items():
        tip = points[OPENXR_JOINTS.index("index_tip")] * [1000, -1000, -1000]
        truth = expected["joints_mm"][index // 2, SIDES.index(side), JOINTS.index("index4")]
        assert tip == pytest.approx(truth, abs=0.01)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows cannot limit the size of files")
def test_a_rerun_file_that_cannot_be_written_is_said(session: Session, tmp_path: Path) -> None:
    import resource

    with pytest.raises(OSError, match="No such file"):
        write_rerun(session, tmp_path / "nowhere" / "out.rrd", lambda _: None)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, limits[1]))
        with pytest.raises(UserError, match=r"Cannot write .*out\.rrd"):
            export(session, "rerun", tmp_path / "out.rrd")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["coco", "interhand", "mp4"])
def test_a_frame_without_a_picture_is_left_out(tmp_path: Path, name: str) -> None:
    folder = without_pictures(record(tmp_path / "s", MADE), {1, 2, 23})
    target = export(read_session(folder), name, tmp_path / f"out{EXPORTS[name].suffix}")
    if name == "mp4":
        with av.open(str(target)) as video:
            times = [float(frame.time) for frame in video.decode(video=0)]
        assert times == pytest.approx([i / 30 for i in range(24) if i not in (1, 2, 23)], abs=1e-3)
    else:
        rows = {i for i in range(24) if i not in (1, 2, 23)}
        assert {int(path.stem.removeprefix("image")) for path in target.rglob("*.jpg")} == rows
        (path,) = target.rglob("annotations.json" if name == "coco" else "*_data.json")
        told = json.loads(path.read_text())["annotations"]
        assert len(told) == sum(len(MADE[i].hands) if name == "coco" else bool(MADE[i].hands) for i in rows)
    (folder / "video.mkv").unlink()
    with pytest.raises(UserError, match="holds no picture"):
        export(read_session(folder), name, tmp_path / f"none{EXPORTS[name].suffix}")
    assert not (tmp_path / f"none{EXPORTS[name].suffix}").exists()


def test_euler_angles_give_the_rotation_back() -> None:
    random = np.random.default_rng(3).normal(size=(200, 4))
    q = random / np.linalg.norm(random, axis=1, keepdims=True)
    q[0] = [np.sqrt(0.5), 0, 0, np.sqrt(0.5)]  # gimbal lock
    z, x, y = np.radians(euler_zxy_deg(q)).T
    assert turn(z, 2) @ turn(x, 0) @ turn(y, 1) == pytest.approx(quaternion.to_matrix(q), abs=1e-6)


def test_quaternions_never_jump() -> None:
    random = np.random.default_rng(5).normal(size=(50, 26, 4))
    q = continuous(random)
    assert ((q[1:] * q[:-1]).sum(-1) >= 0).all()
    assert (np.abs(q) == np.abs(random)).all()


@pytest.mark.parametrize("name", EXPORTS)
def test_a_cancelled_export_leaves_nothing(session: Session, tmp_path: Path, name: str) -> None:
    class Cancelled(Exception):
        pass

    def progress(share: float) -> None:
        if share > 0.0 or calls:
            raise Cancelled
        calls.append(share)

    calls: list[float] = []
    (tmp_path / "kept.txt").write_text("")
    with pytest.raises(Cancelled):
        export(session, name, tmp_path / f"out{EXPORTS[name].suffix}", progress)
    assert [path.name for path in tmp_path.iterdir()] in (["kept.txt"], ["kept.txt", f"out{EXPORTS[name].suffix}"])


def test_an_export_takes_the_place_of_an_old_one(session: Session, tmp_path: Path) -> None:
    for _ in range(2):
        export(session, "csv", tmp_path / "out.csv")
    assert [path.name for path in tmp_path.iterdir()] == ["out.csv"]
    with open(tmp_path / "out.csv", newline="") as file:
        assert next(csv.reader(file))[:2] == ["index", "time_ns"]


def test_a_folder_with_something_in_it_is_never_replaced(session: Session, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    export(session, "bvh", tmp_path / "mine")  # an empty one is
    with pytest.raises(UserError, match="There is already a folder"):
        export(session, "bvh", tmp_path / "mine")
    assert (tmp_path / "mine" / "left.bvh").exists()


def test_what_cannot_be_exported_is_said(
    session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    empty = read_session(record(tmp_path / "empty", []))
    with pytest.raises(UserError, match="holds no frame"):
        export(empty, "csv", tmp_path / "a.csv")
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="Cannot write"):
        export(session, "csv", tmp_path / "file" / "a.csv")
    with pytest.raises(UserError, match="no format xyz"):
        export(session, "xyz", tmp_path / "a.xyz")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"needs the package pygltflib; run: pip install 'digit-live\[export\]'"):
        export(session, "gltf", tmp_path / "a.glb")
    assert main([str(tmp_path), "--to", "csv"]) == 2
    assert "error: " in capsys.readouterr().err
