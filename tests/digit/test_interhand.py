"""The reader on tiny sets in both releases' layouts, and on two real samples where they are at hand."""

import json
from pathlib import Path

import numpy as np
import pytest

from digit import interhand
from digit.errors import UserError
from digit.interhand import read, splits_of
from tests.interhand_set import K, draw_hands, write_rootnet, write_set

REAL = Path("/work/shared/real/interhand_format")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_set(tmp_path / "set", count=4, split="test", sequence="0000_neutral")


def edit(folder: Path, kind: str, change) -> None:
    path = folder / "annotations/test" / f"InterHand2.6M_test_{kind}.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    change(content)
    path.write_text(json.dumps(content), encoding="utf-8")


def test_samples_in_camera_space(folder: Path) -> None:
    index = read(folder, "test")
    rng = np.random.default_rng(0)
    for i, sample in enumerate(index):
        *_, joints_mm, valid = draw_hands(i, rng)
        np.testing.assert_allclose(sample.joints_mm[valid], joints_mm[valid], atol=1e-3)
        np.testing.assert_array_equal(sample.joint_valid, valid)
        np.testing.assert_allclose(sample.K, K)
        px = joints_mm[valid] @ K.T
        np.testing.assert_allclose(sample.joints_px[valid], px[:, :2] / px[:, 2:], atol=1e-3)
        np.testing.assert_array_equal(sample.root_known, sample.hands)
        assert sample.image_path.is_file() and sample.parts_path is not None and sample.parts_path.is_file()
    assert [s.interacting for s in index] == [True, True, False, False]
    assert [s.hands.tolist() for s in index][2:] == [[False, True], [True, False]]
    assert [s.annotation_id for s in index] == [500, 501, 502, 503]
    assert np.isnan(index.rootnet_mm).all() and index.skipped == ()


def test_drawn_sets_read_the_same(folder: Path, tmp_path: Path) -> None:
    """Same hands, flat flags, a camera at the origin and the joints' own box."""
    drawn = read(write_set(tmp_path / "drawn", count=4), "train")
    for real, sample in zip(read(folder, "test"), drawn, strict=True):
        np.testing.assert_allclose(sample.joints_mm[sample.joint_valid], real.joints_mm[real.joint_valid], atol=1e-3)
        np.testing.assert_allclose(sample.bbox, real.bbox, atol=1e-6)


def test_drawn_sets_know_wrists_outside_the_picture(tmp_path: Path) -> None:
    folder = write_set(tmp_path / "drawn", count=4, split="test")
    edit(folder, "data", lambda data: data["annotations"][0]["joint_valid"].__setitem__(20, 0))
    assert read(folder, "test")[0].root_known.tolist() == [True, True]
    assert not read(folder, "test")[0].joint_valid[20]


def test_first_release_and_its_subsets(tmp_path: Path) -> None:
    folder = write_set(tmp_path / "v0", count=4, split="val", annotations="all", sequence="x")
    write_set(folder, count=2, split="val", annotations="machine_annot", sequence="x")
    assert len(read(folder, "val")) == 4
    assert len(read(folder, "val", "machine")) == 2
    with pytest.raises(UserError, match="has no human annotations of the split val"):
        read(folder, "val", "human")
    assert splits_of(folder) == ["val"]


def test_final_release_and_its_subsets(folder: Path) -> None:
    ids = folder / "annotations/test/aid_human_annot_test.txt"
    ids.write_text("501\n503\n", encoding="utf-8")
    assert [s.annotation_id for s in read(folder, "test", "human")] == [501, 503]
    with pytest.raises(UserError, match="aid_machine_annot_test"):
        read(folder, "test", "machine")
    ids.write_text("five\n", encoding="utf-8")
    with pytest.raises(UserError, match="no list of annotation ids"):
        read(folder, "test", "human")


def test_the_5_fps_folder_is_found(folder: Path) -> None:
    parent = folder.parent / "download"
    parent.mkdir()
    folder.rename(parent / "InterHand2.6M_5fps_batch1")
    assert len(read(parent, "test")) == 4
    assert splits_of(parent) == ["test"]


def test_rootnet_depths(folder: Path) -> None:
    write_rootnet(folder, "rootnet_interhand2.6m_output_test.json", {500: (510.0, 520.0), 502: (1.0, 530.0)})
    write_rootnet(folder, "rootnet_interhand2.6m_output_val.json", {500: (0.0, 0.0)})
    assert read(folder, "test")[0].rootnet_mm.tolist() == [510, 520]
    assert np.isnan(read(folder, "test")[1].rootnet_mm).all()
    write_rootnet(folder, "rootnet_interhand2.6m_output_all_test.json", {501: (7.0, 8.0)})
    assert read(folder, "test")[1].rootnet_mm.tolist() == [7, 8]
    other = folder / "rootnet_output/rootnet_interhand2.6m_output_val.json"
    assert read(folder, "test", rootnet=other)[0].rootnet_mm.tolist() == [0, 0]
    other.write_text('[{"abs_depth": 1}]', encoding="utf-8")
    with pytest.raises(UserError, match="no RootNet result"):
        read(folder, "test", rootnet=other)


@pytest.mark.parametrize(
    ("kind", "change", "reason"),
    [
        ("data", lambda d: d["annotations"][1].pop("bbox"), "no 'bbox'"),
        ("data", lambda d: d["annotations"][1].update(bbox=[0, 0, 0, 5]), "box"),
        ("data", lambda d: d["annotations"][1].update(joint_valid=[1] * 21), "21 flags"),
        ("data", lambda d: d["annotations"][1].update(hand_type="both"), "hand type 'both'"),
        ("data", lambda d: d["annotations"][1].update(image_id=9), "no picture has the id 9"),
        ("data", lambda d: d["images"][1].update(camera="9"), "no camera 9"),
        ("camera", lambda d: d["1"]["focal"].update({"400012": [0, 0]}), "no focal length"),
        ("joint_3d", lambda d: d["1"].clear(), "no joints of capture 1, frame 7"),
        ("joint_3d", lambda d: d["1"]["7"].update(world_coord=[[1, 2, 3]]), "reshape"),
        ("joint_3d", lambda d: d["1"]["7"].update(world_coord=[[0, 0, -9000]] * 42), "behind the camera"),
    ],
)
def test_bad_samples_are_skipped_and_named(folder: Path, capsys, kind: str, change, reason: str) -> None:
    edit(folder, kind, change)
    index = read(folder, "test")
    assert [s.annotation_id for s in index] == [500, 502, 503]
    assert len(index.skipped) == 1 and reason in index.skipped[0]
    told = capsys.readouterr().err
    assert "Skipped 1 of 4 samples of" in told and index.skipped[0] in told


def test_many_bad_samples_are_counted(capsys) -> None:
    interhand.say_skipped([f"image{i}: broken" for i in range(50)], 90, "a set")
    told = capsys.readouterr().err
    assert "Skipped 50 of 90" in told and "image19" in told and "image20" not in told and "30 more" in told


@pytest.mark.parametrize("kind", ["data", "camera", "joint_3d"])
def test_missing_and_broken_files_end_in_one_sentence(folder: Path, kind: str) -> None:
    path = folder / "annotations/test" / f"InterHand2.6M_test_{kind}.json"
    whole = path.read_text(encoding="utf-8")
    path.write_text(whole[: len(whole) // 2], encoding="utf-8")
    with pytest.raises(UserError, match=rf"{kind}\.json cannot be read"):
        read(folder, "test")
    path.unlink()
    with pytest.raises(UserError, match=r"There is no .*json|holds no annotations/test"):
        read(folder, "test")


def test_files_of_another_kind(folder: Path) -> None:
    edit(folder, "data", lambda data: data.pop("images"))
    with pytest.raises(UserError, match=r"no InterHand2\.6M annotations"):
        read(folder, "test")


def test_nothing_usable_is_an_error(folder: Path) -> None:
    edit(folder, "camera", lambda cameras: cameras.clear())
    with pytest.raises(UserError, match="No sample of"):
        read(folder, "test")


def test_masks_in_the_wrong_place(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no folder of masks"):
        read(folder, "test", parts=tmp_path / "none")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="holds no mask of any picture"):
        read(folder, "test", parts=tmp_path / "empty")
    for mask in (folder / "masks/test").iterdir():
        mask.unlink()
    (folder / "masks/test").rmdir()
    assert read(folder, "test")[0].parts_path is None


def test_pictures_and_masks_that_cannot_be_read(folder: Path) -> None:
    sample = read(folder, "test")[0]
    assert interhand.read_picture(sample.image_path).shape == (320, 320, 3)
    assert sample.parts_path is not None
    assert interhand.read_parts(sample.parts_path, (320, 320)).max() > 16
    with pytest.raises(UserError, match="not one part class"):
        interhand.read_parts(sample.parts_path, (320, 321))
    with pytest.raises(UserError, match="Cannot read the picture"):
        interhand.read_picture(folder / "none.jpg")


@pytest.mark.skipif(not REAL.is_dir(), reason="the two real samples are not here")
def test_real_samples() -> None:
    """The dataset's own files: the camera is right when the projected joints lie where the real box says."""
    index = read(REAL, "test")
    assert len(index) == 2 and splits_of(REAL) == ["test"]
    assert [s.interacting for s in index] == [True, False]
    assert index[1].hands.tolist() == [True, False] and index[1].joint_valid.sum() == 21
    for sample in index:
        seen = sample.joints_px[sample.joint_valid]
        size = np.ptp(seen, axis=0)
        np.testing.assert_allclose(sample.bbox, [*(seen.min(axis=0) - 0.1 * size), *(1.2 * size)], atol=0.01)
        height, width, _ = interhand.read_picture(sample.image_path).shape
        assert (seen > 0).all() and (seen < [width, height]).all()
        assert sample.parts_path is None
