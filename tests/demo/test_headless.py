"""Headless runs end to end, read back by readers that know nothing of ours."""

import json
import os
import threading
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa
import pytest

from demo.approach import InTurn
from demo.camera import Camera
from demo.detector import LateDetector
from demo.headless import run_headless
from demo.pipeline import Pipeline, Settled
from demo.recording.video import fitted
from demo.records import Scene
from demo.settings import Settings
from digit.errors import UserError
from tests.demo.clips import truncated, two_hands, write_clip
from tests.demo.recording.scenes import without_pictures
from tests.demo.scripted import ColourBackend, ColourDetector, draw_hands


def colour_pipeline(settings: Settings, tell: Callable[[str], None]) -> Pipeline:
    return Pipeline(settings, ColourBackend(), InTurn(ColourDetector()))


def pictures(path: Path) -> list[np.ndarray]:
    """RGB frames of a video, by OpenCV."""
    capture, frames = cv2.VideoCapture(str(path)), []
    while True:
        read, bgr = capture.read()
        if not read:
            capture.release()
            return frames
        frames.append(bgr[..., ::-1])


def rows(path: Path) -> list[dict]:
    with pa.ipc.open_stream(path) as reader:
        return reader.read_all().to_pylist()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(source="video", path=write_clip(tmp_path / "clip.mp4", two_hands(15)))


def test_as_live_the_detector_is_late_and_every_frame_comes_out(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    detectors: list[ColourDetector] = []

    def late(settings: Settings, tell: Callable[[str], None]) -> Pipeline:
        detectors.append(ColourDetector())
        return Pipeline(settings, ColourBackend(), InTurn(LateDetector(detectors[-1])))

    monkeypatch.setattr("demo.headless.open_late_pipeline", late)
    monkeypatch.setattr("demo.headless.open_exact_pipeline", colour_pipeline)
    for as_live in (True, False):
        figures, _ = run_headless(settings, None, as_live=as_live)
        assert (figures["frames"], figures["two_hand_share"]) == (15, 1.0)
    (detector,) = detectors
    assert detector.looks > 0 and detector.closed


def test_a_cameras_scene_does_not_wait_for_the_next_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    out = threading.Semaphore(1)  # one for the first picture, and one for each Scene

    class Patient:
        def isOpened(self) -> bool:
            return True

        def read(self) -> tuple[bool, np.ndarray | None]:
            return out.acquire(timeout=10), draw_hands(180, 320, right=(100, 90), left=(220, 90))[..., ::-1]

        def release(self) -> None: ...

    class Telling(Pipeline):
        def finish(self, settled: Settled) -> Scene:
            scene = super().finish(settled)
            out.release()
            return scene

    monkeypatch.setattr("demo.headless.open_source", lambda _, live: Camera(0, lambda _: Patient()))
    monkeypatch.setattr(
        "demo.headless.open_pipeline", lambda *_: Telling(settings, ColourBackend(), InTurn(ColourDetector()))
    )
    settings = Settings(source="camera")
    figures, _ = run_headless(settings, None, 6)
    assert (figures["frames"], figures["two_hand_share"]) == (6, 1.0)


def test_every_frame_comes_out(settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "deep" / "out"
    figures, notice = run_headless(settings, out, open_pipeline=colour_pipeline)
    assert notice == ""
    assert figures["frames"] == 15
    assert figures["two_hand_share"] == 1.0
    assert (figures["backend"], figures["model"]) == ("colour", "discs")
    assert {"detect", "predict", "lift", "smooth"} <= set(figures["latency_ms"])
    assert figures["latency_ms"]["predict"].keys() == {"p50", "p95"}
    assert json.loads(json.dumps(figures)) == figures
    captured = capsys.readouterr()
    assert captured.out == ""  # stdout is for the figures
    assert "15/15" in captured.err

    frames, table = pictures(out / "overlay.mp4"), rows(out / "scenes.arrow")
    assert len(frames) == len(table) == 15
    assert [row["index"] for row in table] == list(range(15))
    assert np.diff([row["time_ns"] for row in table]) == pytest.approx(50e6)
    for i in (0, 7, 14):
        right, left = table[i]["hands"]
        assert (right["side"], left["side"]) == ("right", "left")
        joints_px = np.array(table[i]["hands_raw"][0]["joints_px"]).reshape(21, 2)
        assert joints_px.mean(axis=0) == pytest.approx([100 + i, 90], abs=6)
        assert np.array(right["joints_mm"]).reshape(21, 3)[:, 2].min() > 0
        labels = np.frombuffer(zlib.decompress(table[i]["part_labels"]), np.uint8).reshape(128, 128)
        assert set(np.unique(labels)) == {0, 1, 17}
        # The disc was pure red; half of it is the right palm's grey now.
        assert frames[i][80, 100 + i].astype(int)[1] > 30
    assert dict(table[3]["timings_ms"]).keys() >= {"crop", "predict"}


def test_the_video_keeps_the_sources_speed(settings: Settings, tmp_path: Path) -> None:
    run_headless(settings, tmp_path, open_pipeline=colour_pipeline)
    capture = cv2.VideoCapture(str(tmp_path / "overlay.mp4"))
    assert capture.get(cv2.CAP_PROP_FPS) == pytest.approx(20, rel=0.05)
    capture.release()


@pytest.mark.parametrize("name", ["overlay.mp4", "video.mkv", "link.mkv", "."])
def test_the_source_is_never_written_over(settings: Settings, tmp_path: Path, name: str) -> None:
    out = tmp_path / "out"
    run_headless(settings, out, 4, colour_pipeline)
    (out / "link.mkv").symlink_to(out / "video.mkv")
    again = Settings(source="session" if name == "." else "video", path=out / name)
    before = {path: path.read_bytes() for path in out.iterdir()}
    with pytest.raises(UserError, match=r"would be written over; give another --out DIR"):
        run_headless(again, out, open_pipeline=colour_pipeline)
    assert {path: path.read_bytes() for path in out.iterdir()} == before


def test_a_session_keeps_its_clock(settings: Settings, tmp_path: Path) -> None:
    """The monotonic one of its recording, which may have been days ago, and what the wall clock said then."""
    run_headless(settings, tmp_path / "old", 4, colour_pipeline)
    table = pa.ipc.open_stream((tmp_path / "old" / "scenes.arrow").read_bytes()).read_all()
    for name in ("time_ns", "wall_ns"):
        at = table.schema.get_field_index(name)
        moved = pa.array([value - 10**16 for value in table[name].to_pylist()], pa.int64())
        table = table.set_column(at, table.schema.field(at), moved)
    with pa.ipc.new_stream(tmp_path / "old" / "scenes.arrow", table.schema) as stream:
        stream.write_table(table)
    run_headless(Settings(source="session", path=tmp_path / "old"), tmp_path / "new", open_pipeline=colour_pipeline)
    for old, new in zip(rows(tmp_path / "old" / "scenes.arrow"), rows(tmp_path / "new" / "scenes.arrow"), strict=True):
        assert (old["time_ns"], old["wall_ns"]) == (new["time_ns"], new["wall_ns"])
    infos = [json.loads((tmp_path / name / "info.json").read_text()) for name in ("old", "new")]
    assert infos[0]["started_wall_ns"] == infos[1]["started_wall_ns"]


def test_frames_without_a_picture_are_left_out_and_counted(settings: Settings, tmp_path: Path) -> None:
    run_headless(settings, tmp_path / "old", 6, colour_pipeline)
    again = Settings(source="session", path=without_pictures(tmp_path / "old", {2, 5}))
    figures, notice = run_headless(again, None, open_pipeline=colour_pipeline)
    assert figures["frames"] == 4
    assert notice.startswith("2 of the 6 frames have no picture")


def test_max_frames(settings: Settings, tmp_path: Path) -> None:
    figures, _ = run_headless(settings, tmp_path, 4, colour_pipeline)
    assert figures["fps"] is None  # most of the four were under way before the first was there
    assert figures["frames"] == len(pictures(tmp_path / "overlay.mp4")) == len(rows(tmp_path / "scenes.arrow")) == 4


def test_without_files_there_are_the_same_figures(settings: Settings, tmp_path: Path) -> None:
    before = sorted(tmp_path.rglob("*"))
    figures, _ = run_headless(settings, None, open_pipeline=colour_pipeline)
    assert (figures["frames"], figures["two_hand_share"]) == (15, 1.0)
    assert 0 < figures["frame_ms"]["p50"] <= figures["frame_ms"]["p95"]
    assert sorted(tmp_path.rglob("*")) == before


def test_truncated_video_up_to_the_cut(tmp_path: Path) -> None:
    cut = truncated(write_clip(tmp_path / "clip.avi", two_hands(40)), 0.5)
    figures, notice = run_headless(Settings(source="video", path=cut), tmp_path / "out", open_pipeline=colour_pipeline)
    assert 12 <= figures["frames"] <= 28
    assert "breaks off" in notice
    assert len(rows(tmp_path / "out" / "scenes.arrow")) == figures["frames"]


def test_pictures_of_different_sizes_share_one_video(tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for i, size in enumerate([(90, 161), (90, 160), (200, 100)]):
        cv2.imwrite(str(folder / f"{i}.png"), np.full((*size, 3), 100, np.uint8))
    figures, _ = run_headless(Settings(source="images", path=folder), tmp_path / "out", open_pipeline=colour_pipeline)
    assert (figures["frames"], figures["two_hand_share"]) == (3, 0.0)
    assert {frame.shape for frame in pictures(tmp_path / "out" / "overlay.mp4")} == {(90, 162, 3)}
    assert rows(tmp_path / "out" / "scenes.arrow")[2]["hands"] == []
    assert rows(tmp_path / "out" / "scenes.arrow")[2]["part_labels"] is None


def test_fitted_keeps_the_whole_picture() -> None:
    fit = fitted(np.full((200, 100, 3), 255, np.uint8), 160, 90)
    assert fit.shape == (90, 160, 3)
    assert (fit[:, :, 0] > 0).mean() == pytest.approx(45 / 160, abs=0.02)


def test_a_fault_in_the_middle_leaves_readable_files(settings: Settings, tmp_path: Path) -> None:
    class Failing(ColourBackend):
        def __call__(self, crop: np.ndarray, prior: np.ndarray | None = None):
            if len(self.priors) == 6:
                raise RuntimeError("out of memory")
            return super().__call__(crop, prior)

    with pytest.raises(RuntimeError, match="out of memory"):
        run_headless(settings, tmp_path, open_pipeline=lambda s, tell: Pipeline(s, Failing(), InTurn(ColourDetector())))
    # Two frames begin before a hand is known and have one crop; the next two have one for each hand.
    assert len(pictures(tmp_path / "overlay.mp4")) == len(rows(tmp_path / "scenes.arrow")) == 4


@pytest.mark.parametrize("size", [(1800, 2), (2, 3200)])
def test_pictures_of_one_line(tmp_path: Path, size: tuple[int, int]) -> None:
    clip = write_clip(tmp_path / "clip.mp4", [np.zeros((*size, 3), np.uint8)] * 3)
    figures, _ = run_headless(Settings(source="video", path=clip), tmp_path / "out", open_pipeline=colour_pipeline)
    assert figures["frames"] == len(rows(tmp_path / "out" / "scenes.arrow")) == 3


def test_unwritable_sessions(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    recorded = replace(settings, record=True, sessions=tmp_path / "file" / "sessions")
    with pytest.raises(UserError, match=r"Cannot write to the folder .*sessions"):
        run_headless(recorded, tmp_path / "out", open_pipeline=colour_pipeline)


def test_unwritable_folder(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UserError, match=r"Cannot write to the folder .*--out"):
        run_headless(settings, tmp_path / "file" / "out", open_pipeline=colour_pipeline)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a device that is always full")
@pytest.mark.parametrize("name", ["overlay.mp4", "scenes.arrow"])
def test_full_disk(settings: Settings, tmp_path: Path, name: str) -> None:
    (tmp_path / name).symlink_to("/dev/full")
    with pytest.raises(UserError, match="free some space"):
        run_headless(settings, tmp_path, open_pipeline=colour_pipeline)
