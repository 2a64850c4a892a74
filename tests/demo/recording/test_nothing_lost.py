"""Whatever happens to the machine, what was finished is kept: kills, a full disk, a folder that goes away."""

import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from demo.recording import writer as writer_module
from demo.recording.finalise import finalise, unfinished
from demo.recording.info import new_info
from demo.recording.lock import is_locked
from demo.recording.reader import read_session
from demo.recording.recorder import Recorder
from demo.recording.table import read_batches
from demo.recording.writer import SessionWriter
from demo.settings import Settings
from digit.errors import UserError
from tests.demo.recording import killed
from tests.demo.recording.scenes import assert_same, block_of, record, scenes


def wait_until(condition, seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.01)


def test_sigkill_at_ten_random_moments(tmp_path: Path) -> None:
    context = multiprocessing.get_context("forkserver")  # it imports once for all
    context.set_forkserver_preload(["tests.demo.recording.killed"])
    random = np.random.default_rng(int(time.time()))
    for kill in range(10):
        codec = ("h264", "mjpeg")[kill % 2]
        folder = tmp_path / f"killed {kill}"
        written = context.Value("q", 0)
        process = context.Process(target=killed.keep_recording, args=(folder, codec, written))
        process.start()
        wanted = int(random.integers(1, 40))
        wait_until(lambda written=written, wanted=wanted: written.value >= wanted, 60)
        time.sleep(float(random.uniform(0, 0.02)))
        process.kill()
        process.join()
        assert process.exitcode == -signal.SIGKILL
        finished = written.value

        session = read_session(folder)
        assert not session.ended
        assert len(session) >= finished
        pictures = [picture for _, picture in session.pictures() if picture is not None]
        assert len(pictures) >= finished - 1, "at most the last picture is lost"
        assert len(session.events) >= finished - 1
        assert unfinished(tmp_path) == [folder]

        ended = finalise(folder)
        assert ended.ended
        assert ended.info.finished
        assert ended.info.rows == len(ended) == len(session)
        assert (folder / "thumbnail.jpg").exists()
        back = [block_of(picture) for _, picture in ended.pictures() if picture is not None]
        assert back == [i % 14 for i in range(len(pictures))]
        assert unfinished(tmp_path) == []
        finalise(folder)
        assert len(read_session(folder)) == len(ended)


def test_every_cut_of_a_table_is_read(tmp_path: Path) -> None:
    folder = record(tmp_path / "s", scenes(4))
    whole = (folder / "scenes.arrow").read_bytes()
    starts = [read_batches(folder / "scenes.arrow")[1]]
    counts = []
    for cut in range(len(whole) - 1, len(whole) - 13_000, -37):
        (folder / "scenes.arrow").write_bytes(whole[:cut])
        counts.append(len(read_session(folder)))
    assert counts[0] == 4
    assert counts[-1] <= 1
    assert counts == sorted(counts, reverse=True)
    assert starts[0] == len(whole) - 8
    for rubbish in (bytes(5000), b"\xff" * 5000, os.urandom(5000)):
        (folder / "scenes.arrow").write_bytes(whole[:-8] + rubbish)
        assert len(read_session(folder)) == 4


def test_rows_behind_a_broken_one_are_kept_beside_the_table(tmp_path: Path) -> None:
    made = scenes(5)
    good = read_batches(record(tmp_path / "one", made[:1]) / "scenes.arrow")[1]
    folder = record(tmp_path / "s", made)
    whole = bytearray((folder / "scenes.arrow").read_bytes())
    whole[good] ^= 1
    (folder / "scenes.arrow").write_bytes(whole)
    assert len(finalise(folder)) == 1
    assert (folder / "scenes.arrow.rest").read_bytes() == whole[good:]
    assert not (finalise(tmp_path / "one").folder / "scenes.arrow.rest").exists()


def test_a_video_that_is_gone_or_broken_leaves_the_numbers(tmp_path: Path) -> None:
    folder = record(tmp_path / "s", scenes(5))
    (folder / "video.mkv").write_bytes((folder / "video.mkv").read_bytes()[:700])
    assert len(read_session(folder)) == 5
    assert read_session(folder).scene(2).frame.image.max() == 0
    (folder / "video.mkv").unlink()
    (folder / "thumbnail.jpg").unlink()
    assert [scene.frame.index for scene in finalise(folder).scenes()] == [0, 2, 4, 6, 8]


@pytest.fixture
def small_disk(tmp_path: Path):
    """A file system of 3 MB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(disk)], capture_output=True, text=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip(f"a small file system cannot be mounted here: {mounted.stderr.strip()}")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


@pytest.mark.skipif(sys.platform != "linux" or shutil.which("mount") is None, reason="mounts a tmpfs")
@pytest.mark.parametrize("codec", ["h264", "mjpeg"])
def test_full_disk(small_disk: Path, codec: str) -> None:
    folder, made, written = small_disk / "session", scenes(14, 180, 320), 0
    with (
        pytest.raises(writer_module.WRITE_ERRORS),
        SessionWriter(folder, new_info(Settings(codec=codec), "x")) as writer,
    ):
        for i in range(100_000):
            scene = made[i % 14]
            object.__setattr__(scene.frame, "time_ns", 10**9 + i * 33_000_000)
            writer.write(scene)
            written += 1
    assert written > 20
    session = read_session(folder)
    assert session.ended, "the reserve leaves room for the end"
    assert session.info.finished
    assert session.info.ended_by
    assert len(session) >= written
    assert sum(picture is not None for _, picture in session.pictures()) >= written - 1
    assert not is_locked(folder)


def test_the_recorder_says_that_the_disk_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write, made = SessionWriter.write, scenes(8)

    def full(self: SessionWriter, scene, *rest) -> None:
        if self.info.rows == 5:
            raise OSError(28, "No space left on device")
        write(self, scene, *rest)

    monkeypatch.setattr(SessionWriter, "write", full)
    recorder = Recorder(tmp_path / "s", new_info(Settings(), "x"))
    for scene in made:
        recorder.put(scene)
    wait_until(lambda: recorder.ended)
    recorder.put(made[0])  # the loop goes on
    state = recorder.stop()
    assert "No space left on device" in state.error
    assert state.rows == 5
    session = read_session(tmp_path / "s")
    assert session.ended
    assert "No space left" in session.info.ended_by
    for a, b in zip(session.scenes(), made, strict=False):
        assert_same(a, b)


def test_the_recorder_stops_before_the_disk_is_full(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "s", new_info(Settings(), "x"), leave_free=1 << 60)
    wait_until(lambda: recorder.ended)
    assert "is full" in recorder.state.error
    assert read_session(tmp_path / "s").ended


@pytest.mark.skipif(sys.platform == "win32", reason="Windows keeps the folder of an open file")
def test_the_recorder_says_that_the_folder_is_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("demo.recording.recorder._LOOK_EVERY_S", 0.05)
    recorder = Recorder(tmp_path / "s", new_info(Settings(), "x"))
    recorder.put(scenes(1)[0])
    wait_until(lambda: recorder.state.rows == 1)
    shutil.rmtree(tmp_path / "s")
    wait_until(lambda: recorder.ended)
    assert "is gone" in recorder.state.error
    assert not (tmp_path / "s").exists()


def test_an_unwritable_folder_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    recorder = Recorder(tmp_path / "file" / "s", new_info(Settings(), "x"))
    wait_until(lambda: recorder.ended)
    assert "Cannot write to the folder" in recorder.state.error


def test_a_slow_disk_drops_and_counts_and_never_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import threading

    write, go_on = SessionWriter.write, threading.Event()

    def slow(self: SessionWriter, scene, *rest) -> None:
        go_on.wait()
        write(self, scene, *rest)

    monkeypatch.setattr(SessionWriter, "write", slow)
    recorder = Recorder(tmp_path / "s", new_info(Settings(), "x"), queue_scenes=4)
    made = scenes(20)
    recorder.put(made[0])
    wait_until(lambda: recorder._queue.empty())  # the writer holds the first
    for scene in made[1:]:
        recorder.put(scene)  # none of these may wait, or this test never ends
    go_on.set()
    state = recorder.stop()
    assert (state.rows, state.dropped) == (5, 15)
    session = read_session(tmp_path / "s")
    assert session.info.dropped == 15
    assert session.column("index").tolist() == [0, 2, 4, 6, 8]


def test_a_session_that_is_being_recorded_is_left_alone(tmp_path: Path) -> None:
    folder = tmp_path / "s"
    with SessionWriter(folder, new_info(Settings(), "x")) as writer:
        for scene in scenes(2):
            writer.write(scene)
        assert is_locked(folder)
        assert unfinished(tmp_path) == []
        with pytest.raises(UserError, match="is being recorded"):
            finalise(folder)
    assert not is_locked(folder)
