"""Redo: the same answer each time, many at once, and what goes wrong stays alone."""

import json
import shutil
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from demo.approach import InTurn
from demo.headless import run_headless
from demo.pipeline import Pipeline
from demo.recording import redo as redo_module
from demo.recording.compare import compare, write_side_by_side
from demo.recording.compare import main as compare_main
from demo.recording.reader import Session, read_session
from demo.recording.redo import Job, jobs_of, redo, redo_all, settings_from_text, settings_of, settings_text
from demo.settings import Settings
from digit.errors import UserError
from tests.demo.clips import two_hands, write_clip
from tests.demo.recording.scenes import record, scenes, without_pictures
from tests.demo.scripted import ColourBackend, ColourDetector


def colour_pipeline(settings: Settings, tell: Callable[[str], None]) -> Pipeline:
    return Pipeline(settings, ColourBackend(), InTurn(ColourDetector()))


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A headless recording of a clip, with a focal length that is not the default's."""
    folder = tmp_path_factory.mktemp("recorded")
    clip = write_clip(folder / "clip.mp4", two_hands(12))
    settings = Settings(source="video", path=clip, fov_deg=50.0, prior=False)
    run_headless(settings, folder / "session", open_pipeline=colour_pipeline)
    return folder / "session"


def numbers(session: Session) -> list[object]:
    return session.table.drop_columns(["timings_ms", "emitted_ns"]).to_pylist()


def test_redo_equals_live_and_itself(recorded: Path, tmp_path: Path) -> None:
    for name in ("once", "twice"):
        assert redo(Job(recorded, tmp_path / name), Settings(), colour_pipeline) == 12
    live, once, twice = (read_session(p) for p in (recorded, tmp_path / "once", tmp_path / "twice"))
    assert numbers(once) == numbers(twice)
    assert once.video.read_bytes() == live.video.read_bytes()
    for name in ("index", "time_ns", "wall_ns", "video_ms", "K", "width"):
        assert once.table[name].to_pylist() == live.table[name].to_pylist()
    difference = compare(live, once)  # the codec moves the discs' edges a little
    assert difference.both_share == 1.0
    assert difference.picture_px < 0.5
    assert (once.info.smooth, once.info.prior) == (True, False)
    assert once.info.started_wall_ns == live.info.started_wall_ns


def test_k_comes_from_the_recording(recorded: Path) -> None:
    session = read_session(recorded)
    settings = settings_of(session, Settings())
    assert settings.fov_deg == pytest.approx(50.0)
    assert settings.focal_px is None
    turned = replace(session.info, width=session.info.height, height=session.info.width)
    assert settings_of(replace(session, info=turned), Settings()).fov_deg == pytest.approx(50.0)
    given = replace(session, info=replace(session.info, K_origin="focal"))
    assert settings_of(given, Settings()).focal_px == session.info.K[0]


def test_a_plain_video_becomes_a_session(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4", two_hands(5))
    (job,) = jobs_of(tmp_path, tmp_path / "out")
    assert job == Job(clip, tmp_path / "out" / "clip")
    (tmp_path / "out").mkdir()
    assert redo(job, Settings(), colour_pipeline) == 5
    assert len(list(read_session(job.target).scenes())) == 5
    assert job.done


def test_jobs_that_cannot_be(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no session and no video"):
        jobs_of(tmp_path / "nothing", tmp_path / "out")
    folder = record(tmp_path / "all" / "a", scenes(2))
    with pytest.raises(UserError, match="written over the old ones"):
        jobs_of(folder, tmp_path / "all")
    write_clip(tmp_path / "all" / "b.mp4", two_hands(1))
    write_clip(tmp_path / "all" / "b.avi", two_hands(1))
    with pytest.raises(UserError, match="two sources named b"):
        jobs_of(tmp_path / "all", tmp_path / "out")
    (tmp_path / "all" / "b.avi").rename(tmp_path / "all" / ".b.avi")
    record(tmp_path / "all" / ".a.part", scenes(1))  # a redo was broken off
    assert [job.source.name for job in jobs_of(tmp_path / "all", tmp_path / "out")] == ["a", "b.mp4"]


@pytest.mark.parametrize("path", ["link", "data/real", "linked"])
def test_a_source_is_never_written_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    monkeypatch.chdir(tmp_path)
    folder = record(tmp_path / "data" / "real", scenes(2), finished=False)
    (tmp_path / "link").symlink_to(folder)
    (tmp_path / "linked").mkdir()
    (tmp_path / "linked" / "another name").symlink_to(folder)
    with pytest.raises(UserError, match="written over the old ones"):
        jobs_of(Path(path), Path("data"))
    monkeypatch.chdir(folder)
    with pytest.raises(UserError, match="written over the old ones"):
        jobs_of(Path(), Path(".."))


def test_what_is_in_the_way_is_left_alone(tmp_path: Path) -> None:
    for name in ("vids", "holiday"):
        (tmp_path / name).mkdir()
    write_clip(tmp_path / "vids" / "holiday.mp4", two_hands(2))
    (tmp_path / "holiday" / "photo.txt").write_text("mine")
    (job,) = jobs_of(tmp_path / "vids", tmp_path)

    def load(*_: object) -> Pipeline:
        raise AssertionError("no network is needed to see that")

    with pytest.raises(UserError, match="holiday is there already and is no redone session"):
        redo(job, Settings(), load)
    assert (tmp_path / "holiday" / "photo.txt").read_text() == "mine"
    with pytest.raises(UserError, match=r"Cannot write to the folder .*photo\.txt"):
        redo_all([Job(job.source, tmp_path / "holiday" / "photo.txt" / "new")], Settings())


def test_frames_without_a_picture_are_left_out(recorded: Path, tmp_path: Path) -> None:
    source = without_pictures(Path(shutil.copytree(recorded, tmp_path / "in")), {3, 4, 11})
    assert redo(Job(source, tmp_path / "out"), Settings(), colour_pipeline) == 9
    old, new = read_session(source).table.to_pylist(), read_session(tmp_path / "out").table.to_pylist()
    for row, like in zip(new, (row for i, row in enumerate(old) if i not in (3, 4, 11)), strict=True):
        for name in ("index", "time_ns", "wall_ns", "video_ms"):
            assert row[name] == like[name]
    (source / "video.mkv").unlink()
    with pytest.raises(UserError, match="holds no picture"):
        redo(Job(source, tmp_path / "none"), Settings(), colour_pipeline)


def test_no_session_is_begun_after_ctrl_c(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[str] = []
    second, go_on = threading.Event(), threading.Event()

    def in_process(job: Job, *_: object) -> str:
        begun.append(job.source.name)
        if len(begun) > 1:
            second.set()
            go_on.wait(10)
        return ""

    monkeypatch.setattr(redo_module, "_in_process", in_process)
    results = redo_module._on_cores([Job(tmp_path / name, tmp_path / "out") for name in "abc"], Settings(), 1)
    next(results)
    second.wait()
    results.close()  # as an exception does that ends the loop over it
    go_on.set()
    assert begun == ["a", "b"]


@pytest.mark.skipif(sys.platform == "win32", reason="a script stands for Python")
def test_sessions_under_way_are_stopped_with_the_redo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    python, under_way = tmp_path / "python", tmp_path / "slow"
    python.write_text(f'#!/bin/sh\nread told; case "$told" in *slow*) touch {under_way}; exec sleep 600;; esac\n')
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    threads = set(threading.enumerate())
    results = redo_module._on_cores([Job(tmp_path / name, tmp_path / "out") for name in ("a", "slow")], Settings(), 1)
    assert next(results)[1] == ""
    while not under_way.exists():
        time.sleep(0.01)
    results.close()  # as an exception does that ends the loop over it
    for thread in set(threading.enumerate()) - threads:
        thread.join(20)
        assert not thread.is_alive()


def test_settings_travel_as_text() -> None:
    settings = Settings(weights=Path("a b"), streams=("udp:1",), focal_px=3.5)
    assert settings_from_text(json.loads(json.dumps(settings_text(settings)))) == settings


def test_many_are_redone_and_one_failure_stays_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a", "b", "c"):
        record(tmp_path / "in" / name, scenes(3))
    jobs = jobs_of(tmp_path / "in", tmp_path / "out")

    broken = {"b"}

    def in_thread(job: Job, settings: Settings, *_: object) -> str:
        if job.source.name in broken:
            return "it broke"
        redo(job, settings, colour_pipeline)
        return ""

    monkeypatch.setattr(redo_module, "_in_process", in_thread)
    outcome = redo_all(jobs, Settings(), workers=2)
    assert (outcome.done, outcome.skipped, outcome.failed) == (("a", "c"), (), {"b": "it broke"})
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["a", "c"]

    broken.clear()
    outcome = redo_all(jobs, Settings())
    assert (outcome.done, outcome.skipped, outcome.failed) == (("b",), ("a", "c"), {})


def test_a_process_of_its_own_tells_why_it_failed(tmp_path: Path) -> None:
    record(tmp_path / "in", scenes(2))
    settings = Settings(weights=tmp_path / "missing.safetensors", backend="torch")
    outcome = redo_all([Job(tmp_path / "in", tmp_path / "out" / "in")], settings)
    assert list(outcome.failed) == ["in"]
    assert "missing.safetensors" in outcome.failed["in"]
    assert list((tmp_path / "out").iterdir()) == []


def test_a_half_redone_session_is_begun_anew(recorded: Path, tmp_path: Path) -> None:
    class Failing(ColourBackend):
        def __call__(self, crop: np.ndarray, prior: np.ndarray | None = None):
            if len(self.priors) == 6:
                raise RuntimeError("out of memory")
            return super().__call__(crop, prior)

    job = Job(recorded, tmp_path / "s")
    with pytest.raises(RuntimeError):
        redo(job, Settings(), lambda s, _: Pipeline(s, Failing(), InTurn(ColourDetector())))
    assert not job.done
    assert redo(job, Settings(), colour_pipeline) == 12
    assert job.done
    assert [path.name for path in tmp_path.iterdir()] == ["s"]


def test_a_ray_cluster_gets_the_same_jobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The package is heavy and not among the tests'; what it is asked for is what matters here."""
    asked: list[str] = []

    class Remote:
        def __init__(self, function: Callable[..., str]) -> None:
            self.function = function

        def remote(self, job: Job, settings: object) -> Callable[[], str]:
            def task() -> str:
                if job.source.name == "b":
                    raise RuntimeError("the worker died\nand more")
                return self.function(job, settings)

            return task

    ray = SimpleNamespace(
        init=lambda address, log_to_driver: asked.append(address),
        remote=lambda max_retries: Remote,
        wait=lambda pending: (pending[:1], pending[1:]),
        get=lambda task: task(),
        shutdown=lambda: asked.append("shutdown"),
    )
    monkeypatch.setitem(sys.modules, "ray", ray)
    monkeypatch.setattr("demo.recording.cluster.redo", lambda job, settings: redo(job, settings, colour_pipeline))
    for name in ("a", "b"):
        record(tmp_path / "in" / name, scenes(2))
    outcome = redo_all(jobs_of(tmp_path / "in", tmp_path / "out"), Settings(), ray_address="")
    assert (outcome.done, outcome.failed) == (("a",), {"b": "the worker died"})
    assert asked == ["local", "shutdown"]

    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UserError, match=r"digit-live\[cluster\]"):
        redo_all(jobs_of(tmp_path / "in", tmp_path / "elsewhere"), Settings(), ray_address="")


def test_a_comparison_says_how_far_apart(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = scenes(10)
    step_mm = np.float32([3, 0, 4])
    moved = [replace(s, hands=tuple(replace(h, joints_mm=h.joints_mm + step_mm) for h in s.hands)) for s in made]
    a, b = record(tmp_path / "a", made), record(tmp_path / "b", moved[2:])
    found = compare(read_session(a), read_session(b))
    assert found.frames == 8
    assert found.absolute_mm == pytest.approx(5, abs=1e-3)
    assert found.wrist_aligned_mm == pytest.approx(0, abs=1e-3)
    assert found.by_frame_mm[1] is None  # the frame without hands

    assert compare_main([str(a), str(b), "--json", "--out", str(tmp_path / "both.mp4")]) == 0
    assert json.loads(capsys.readouterr().out)["frames"] == 8
    import av

    with av.open(str(tmp_path / "both.mp4")) as video:
        shapes = {frame.to_ndarray(format="rgb24").shape for frame in video.decode(video=0)}
    assert shapes == {(90, 320, 3)}
    c = record(tmp_path / "c", [replace(s, frame=replace(s.frame, index=1000 + s.frame.index)) for s in made])
    with pytest.raises(UserError, match="share no frame"):
        write_side_by_side(read_session(a), read_session(c), tmp_path / "x.mp4")
    assert compare_main([str(a), str(tmp_path)]) == 2
