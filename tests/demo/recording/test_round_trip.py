"""What was recorded is what is read: by our reader and by ones that know nothing of ours."""

import json
import sys
import zlib
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pyarrow as pa
import pytest

from demo.recording.finalise import finalise
from demo.recording.format import row_from_scene, scene_from_row
from demo.recording.info import Info, new_info, read_info
from demo.recording.reader import read_session
from demo.recording.video import fitted, unfitted
from demo.recording.writer import SessionWriter, new_folder
from demo.records import Scene
from demo.settings import Settings
from demo.sources import open_source
from digit.errors import UserError
from tests.demo.recording.scenes import assert_same, block_of, record, scenes


@pytest.fixture(scope="module")
def made() -> list[Scene]:
    return scenes(40)


@pytest.fixture(scope="module", params=["h264", "mjpeg"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, made: list[Scene]) -> Path:
    return record(tmp_path_factory.mktemp(request.param) / "a session, with ünusual name", made, codec=request.param)


def test_scenes_come_back_exactly(folder: Path, made: list[Scene]) -> None:
    session = read_session(folder)
    assert session.ended
    back = list(session.scenes())
    assert len(back) == len(session) == len(made)
    for a, b in zip(back, made, strict=True):
        assert_same(a, b)
        error = np.abs(a.frame.image.astype(int) - b.frame.image).mean()
        assert error < 6, "the codec's error"
        assert not a.frame.image.flags.writeable


def test_rows_of_older_versions_have_no_own_crops(made: list[Scene]) -> None:
    row = row_from_scene(made[0], 0, 0)
    del row["own_crops"]
    back = scene_from_row(row, made[0].frame.image)
    assert_same(back, replace(made[0], own_crops=()))


def test_spoilt_part_labels_leave_the_joints(made: list[Scene]) -> None:
    row = row_from_scene(made[0], 0, 0)
    row["part_labels"] = row["part_labels"][:-5] + bytes(5)
    row["own_crops"][0]["part_labels"] = zlib.compress(b"short")
    back = scene_from_row(row, made[0].frame.image)
    assert_same(back, replace(made[0], part_labels=None, own_crops=made[0].own_crops[1:]))


def test_a_table_that_another_program_wrote(tmp_path: Path, made: list[Scene]) -> None:
    """It has one batch of many rows, or lacks columns."""
    written = (record(tmp_path, made[:6]) / "scenes.arrow").read_bytes()
    table = pa.ipc.open_stream(written).read_all().combine_chunks()
    for without in ([], ["own_crops"], ["hands_raw"]):
        kept = table.drop_columns(without)
        with pa.ipc.new_stream(tmp_path / "scenes.arrow", kept.schema) as stream:
            stream.write_table(kept)
        if "hands_raw" in without:
            with pytest.raises(UserError, match="has no column hands_raw"):
                read_session(tmp_path)
        else:
            back = list(read_session(tmp_path).scenes())
            assert [scene.frame.index for scene in back] == [scene.frame.index for scene in made[:6]]
            assert_same(back[5], replace(made[5], own_crops=() if without else made[5].own_crops))


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no colons in names")
def test_a_colon_in_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    session = finalise(record(Path("10:30"), scenes(2)))
    assert [block_of(picture) for _, picture in session.pictures()] == [0, 1]
    with closing(open_source(Settings(source="video", path=session.video), live=False)) as source:
        assert len(list(source)) == 2


def test_any_row_has_its_own_picture(folder: Path) -> None:
    session = read_session(folder)
    for row in (0, 7, 39, 21):
        i, picture = next(session.pictures(row))
        assert i == row
        assert block_of(picture) == row % 14


def test_a_naive_reader_sees_the_same_numbers(folder: Path, made: list[Scene]) -> None:
    table = pa.ipc.open_stream(folder / "scenes.arrow").read_all()
    assert table.schema.field("time_ns").metadata[b"unit"] == b"ns"
    hand = table.schema.field("hands").type.value_type
    assert hand.field("joints_mm").metadata[b"unit"] == b"mm"
    for row, scene in zip(table.to_pylist(), made, strict=True):
        assert row["index"] == scene.frame.index
        for told, true in zip(row["hands"], scene.hands, strict=True):
            assert told["joints_mm"] == true.joints_mm.reshape(-1).tolist()
            assert told["joints_px"] == true.joints_px.reshape(-1).tolist()
        if scene.part_labels is not None:
            assert zlib.decompress(row["part_labels"]) == scene.part_labels.tobytes()
        for told, true in zip(row["own_crops"], scene.own_crops, strict=True):
            assert told["image_from_crop"] == true.image_from_crop.reshape(-1).tolist()
            assert zlib.decompress(told["part_labels"]) == true.part_labels.tobytes()
    with av.open(str(folder / "video.mkv")) as video:
        times_ms = [round(float(frame.time) * 1000) for frame in video.decode(video=0)]
    assert times_ms == [row["video_ms"] for row in table.to_pylist()]
    expected = [(scene.frame.time_ns - made[0].frame.time_ns) // 1_000_000 for scene in made]
    assert times_ms == expected


def test_pandas_reads_it_in_a_line(folder: Path) -> None:
    frame = pa.ipc.open_stream(folder / "scenes.arrow").read_pandas()
    assert len(frame) == 40
    assert frame["time_ns"].diff().dropna().eq(33_333_333).all()


def test_arrays_have_nan_where_there_is_no_hand(folder: Path, made: list[Scene]) -> None:
    session = read_session(folder)
    smooth, raw = session.hands("joints_mm"), session.hands("joints_mm", raw=True)
    assert smooth.shape == (40, 2, 21, 3)
    for i, scene in enumerate(made):
        sides = {hand.side: hand for hand in scene.hands}
        for n, side in enumerate(("right", "left")):
            if side in sides:
                assert (smooth[i, n] == sides[side].joints_mm).all()
            else:
                assert np.isnan(smooth[i, n]).all()
    assert np.nanmax(np.abs(smooth - raw - 0.25)) < 1e-4


def test_info_says_what_was_recorded(folder: Path, made: list[Scene]) -> None:
    values = json.loads((folder / "info.json").read_text(encoding="utf-8"))
    assert (values["version"], values["finished"], values["rows"], values["dropped"]) == (1, True, 40, 0)
    assert (values["width"], values["height"]) == (160, 90)
    assert np.reshape(values["K"], (3, 3)) == pytest.approx(made[0].K)
    assert values["seconds"] == pytest.approx(39 / 30, abs=0.01)
    both = [len(scene.hands) == 2 for scene in made]
    assert values["hands_share"][0] == pytest.approx(sum(both) / 40, abs=1e-3)
    assert read_info(folder).source_name == "test"


def test_odd_sizes_and_changes_of_size_come_back(tmp_path: Path) -> None:
    mixed = [*scenes(2, 91, 161), *scenes(2, 180, 320), *scenes(1, 60, 200)]
    for i, scene in enumerate(mixed):
        object.__setattr__(scene.frame, "time_ns", 1000 + i * 40_000_000)
    session = read_session(record(tmp_path / "s", mixed))
    for a, b in zip(session.scenes(), mixed, strict=True):
        assert a.frame.image.shape == b.frame.image.shape


def test_unfitted_undoes_fitted() -> None:
    image = np.tile(np.linspace(0, 255, 200).astype(np.uint8)[None, :, None], (100, 1, 3))
    assert (unfitted(fitted(image, 200, 100), 200, 100) == image).all()
    assert (unfitted(fitted(image[:99, :199], 200, 100), 199, 99) == image[:99, :199]).all()
    back = unfitted(fitted(image, 160, 90), 200, 100)
    assert np.abs(back.astype(int) - image).mean() < 3


def test_times_that_stand_still_or_jump_are_ordinary(tmp_path: Path) -> None:
    made = scenes(6)
    jumps_ns = (0, 0, 33_000_000, 10_000_000, 3_600_000_000_000, 3_600_033_000_000)
    for scene, at_ns in zip(made, jumps_ns, strict=True):
        object.__setattr__(scene.frame, "time_ns", 10**12 + at_ns)
    session = read_session(record(tmp_path / "s", made))
    assert session.times_ns.tolist() == [10**12 + at for at in jumps_ns]
    assert [block_of(picture) for _, picture in session.pictures()] == list(range(6))


def test_two_recordings_in_one_second(tmp_path: Path) -> None:
    folders = {new_folder(tmp_path / "deep" / "sessions") for _ in range(4)}
    assert len(folders) == 4


def test_a_folder_is_written_by_one_only(tmp_path: Path) -> None:
    with (
        SessionWriter(tmp_path, new_info(Settings(), "one")),
        pytest.raises(BlockingIOError),
        SessionWriter(tmp_path, new_info(Settings(), "two")),
    ):
        raise AssertionError("two writers")


def test_what_is_no_session_is_said(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"is no session"):
        read_session(tmp_path)
    (tmp_path / "scenes.arrow").write_text("hello, this is not Arrow")
    with pytest.raises(UserError, match="cannot be read as a session"):
        read_session(tmp_path)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"K": "x", "fps": "fast", "rows": 1.5}', '{"fps": NaN, "seconds": Infinity}']
)
def test_a_broken_info_refuses_nothing(tmp_path: Path, text: str) -> None:
    record(tmp_path, scenes(3))
    (tmp_path / "info.json").write_text(text)
    session = read_session(tmp_path)
    assert session.info == Info()
    assert len(list(session.scenes())) == 3
