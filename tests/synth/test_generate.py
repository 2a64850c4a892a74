"""The set on disk: the same from any number of runs, and readable as InterHand2.6M."""

import errno
import json
from pathlib import Path

import numpy as np
import pytest

from digit.errors import UserError
from digit.synth.__main__ import main
from digit.synth.generate import generate

COUNT, CHUNK, SEED = 7, 3, 5
#: Field names of InterHand2.6M's files.
IMAGE_FIELDS = {
    "id", "file_name", "width", "height", "capture", "subject", "seq_name", "camera", "frame_idx",
}  # fmt: skip
ANNOTATION_FIELDS = {"id", "image_id", "bbox", "joint_valid", "hand_type", "hand_type_valid"}
CAMERA_FIELDS = {"campos", "camrot", "focal", "princpt"}
JOINT_FIELDS = {"world_coord", "joint_valid", "hand_type", "hand_type_valid"}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("whole")
    generate(out, COUNT, SEED, progress=False, chunk=CHUNK)
    return out


def content(folder: Path) -> dict[str, bytes]:
    """Every file's bytes; of an index its arrays, as zip files hold the time of writing."""
    found: dict[str, bytes] = {}
    for file in sorted(folder.rglob("*")):
        name = str(file.relative_to(folder))
        if file.suffix == ".npz":
            with np.load(file) as arrays:
                found |= {f"{name}/{key}": arrays[key].tobytes() for key in arrays}
        elif file.is_file():
            found[name] = file.read_bytes()
    return found


def test_same_seed_gives_same_bytes(whole: Path, tmp_path: Path) -> None:
    generate(tmp_path, COUNT, SEED, progress=False, chunk=CHUNK)
    assert content(tmp_path) == content(whole)


def test_a_set_that_is_made_smaller_has_the_pictures_of_a_small_one(whole: Path, tmp_path: Path) -> None:
    generate(tmp_path / "shrunk", COUNT, SEED, progress=False, chunk=CHUNK)
    for name in ("shrunk", "small"):
        generate(tmp_path / name, CHUNK, SEED, progress=False, chunk=CHUNK)
    shrunk, small = content(tmp_path / "shrunk"), content(tmp_path / "small")
    assert small.items() <= shrunk.items()


def test_another_seed_gives_other_pictures(whole: Path, tmp_path: Path) -> None:
    generate(tmp_path, CHUNK, SEED + 1, progress=False, chunk=CHUNK)
    other, mine = content(tmp_path), content(whole)
    drawn = [name for name in other if name.endswith((".jpg", ".png"))]
    assert len(drawn) == 2 * CHUNK
    assert all(other[name] != mine[name] for name in drawn)


def test_two_shards_give_the_set_of_one_run(whole: Path, tmp_path: Path) -> None:
    generate(tmp_path, COUNT, SEED, shard=(1, 2), progress=False, chunk=CHUNK)
    assert not list(tmp_path.rglob("*.json"))
    generate(tmp_path, COUNT, SEED, shard=(0, 2), progress=False, chunk=CHUNK)
    assert content(tmp_path) == content(whole)


def test_killed_run_goes_on_to_the_same_bytes(whole: Path, tmp_path: Path) -> None:
    generate(tmp_path, COUNT, SEED, progress=False, chunk=CHUNK)
    (tmp_path / "annotations/train/index-0001.npz").unlink()
    lost = sorted(tmp_path.rglob("*.jpg"))[CHUNK]
    lost.unlink()
    kept = sorted(tmp_path.rglob("*.jpg"))[0]
    before = kept.stat().st_mtime_ns
    generate(tmp_path, COUNT, SEED, progress=False, chunk=CHUNK)
    assert content(tmp_path) == content(whole)
    assert kept.stat().st_mtime_ns == before


def test_half_written_index_is_written_again(whole: Path, tmp_path: Path) -> None:
    generate(tmp_path, COUNT, SEED, progress=False, chunk=CHUNK)
    index = tmp_path / "annotations/train/index-0002.npz"
    index.write_bytes(index.read_bytes()[:200])
    generate(tmp_path, COUNT, SEED, progress=False, chunk=CHUNK)
    assert content(tmp_path) == content(whole)


def test_set_of_another_seed_is_refused(tmp_path: Path) -> None:
    generate(tmp_path, 1, SEED, progress=False)
    with pytest.raises(UserError, match=f"seed {SEED}"):
        generate(tmp_path, 1, SEED + 1, progress=False)


def test_full_disk_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Path, data: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(UserError, match="No space left"):
        generate(tmp_path, 1, SEED, progress=False)


def test_unwritable_folder_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    assert main(["--out", str(blocked / "set"), "--count", "1"]) == 2
    assert capsys.readouterr().err.startswith("error: Cannot write to")


@pytest.mark.parametrize("shard", ["2/2", "-1/2", "1", "a/b", "0/0"])
def test_bad_shard_exits_2(shard: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["--out", "x", "--count", "1", f"--shard={shard}"])
    assert stop.value.code == 2
    assert "is not I/N" in capsys.readouterr().err


@pytest.mark.parametrize("more", [["--shard", "0/2"], ["--judge"]])
def test_ray_shares_out_the_shards_itself(more: list[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main([*(["--out", "x", "--count", "1"] if "--shard" in more else []), "--ray", "auto", *more])
    assert stop.value.code == 2


@pytest.mark.parametrize(
    "arguments",
    [
        ["--out", "x"],
        ["--out", "x", "--count", "0"],
        ["--out", "x", "--count", "1", "--seed", "-1"],
        ["--out", "x", "--judge"],
        [],
    ],
)
def test_bad_command_exits_2(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2


def test_preview_is_written(tmp_path: Path) -> None:
    assert main(["--out", str(tmp_path), "--count", "1", "--preview"]) == 0
    assert (tmp_path / "preview.png").stat().st_size > 10_000


def test_annotations_have_interhands_fields_and_project_to_the_joints(whole: Path) -> None:
    folder = whole / "annotations/train"
    data, cameras, joints = (
        json.loads((folder / f"InterHand2.6M_train_{name}.json").read_text()) for name in ("data", "camera", "joint_3d")
    )
    assert len(data["images"]) == len(data["annotations"]) == COUNT
    files = np.concatenate([np.load(f)["files"] for f in sorted(folder.glob("index-*.npz"))])
    joints_px = np.concatenate([np.load(f)["joints_px"] for f in sorted(folder.glob("index-*.npz"))])
    for image, annotation, name, px in zip(data["images"], data["annotations"], files, joints_px, strict=True):
        assert set(image) >= IMAGE_FIELDS
        assert set(annotation) >= ANNOTATION_FIELDS
        assert annotation["image_id"] == image["id"]
        assert image["file_name"] == name
        assert (whole / "images/train" / name).is_file()
        camera = cameras[str(image["capture"])]
        pose = joints[str(image["capture"])][str(image["frame_idx"])]
        assert set(camera) == CAMERA_FIELDS
        assert set(pose) == JOINT_FIELDS
        assert annotation["hand_type"] == pose["hand_type"] and pose["hand_type"] in ("right", "left", "interacting")
        campos, camrot, focal, princpt = (
            np.array(camera[f][image["camera"]]) for f in ("campos", "camrot", "focal", "princpt")
        )
        seen = (np.array(pose["world_coord"]) - campos) @ camrot.T
        valid = np.array(annotation["joint_valid"]) > 0
        assert valid.any()
        np.testing.assert_allclose(
            (seen[:, :2] / np.where(valid, seen[:, 2], 1)[:, None] * focal + princpt)[valid], px[valid], atol=0.2
        )
