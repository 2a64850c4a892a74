"""Replay: what was seen live, at any place and speed, with no network anywhere near."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from demo.recording.player import GAP_NS, Player, playing_times_ns
from demo.records import Scene
from demo.settings import Settings
from digit.errors import UserError
from tests.demo.recording.scenes import assert_same, block_of, record, scenes

MADE = scenes(60)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return record(tmp_path_factory.mktemp("player") / "s", MADE)


@pytest.fixture
def play(folder: Path) -> Iterator[Callable[..., Player]]:
    players = []

    def play(**changes: object) -> Player:
        player = Player(Settings(source="session", path=folder, **changes))
        players.append(player)
        return player.start()

    yield play
    assert all(player.stop() for player in players)


def wait_for(player: Player, row: int) -> Scene:
    """The Scene of this row, once it is shown."""
    end = time.monotonic() + 20
    while time.monotonic() < end:
        scene = player.poll()
        if scene is not None and scene.frame.index == 2 * row:
            return scene
        time.sleep(0.002)
    raise AssertionError(f"row {row} never came")


def test_it_plays_to_the_end_and_stands_there(play: Callable[..., Player]) -> None:
    player = play()
    assert_same(wait_for(player, 59), MADE[59])
    assert player.paused
    assert not player.ended
    player.pause(False)  # again from the start
    wait_for(player, 59)


def test_seek_and_step_show_exactly_what_was_seen(play: Callable[..., Player]) -> None:
    player = play()
    wait_for(player, 0)
    player.pause(True)
    for row in (42, 7, 8, 55):
        player.seek(row)
        scene = wait_for(player, row)
        assert_same(scene, MADE[row])
        assert block_of(scene.frame.image) == row % 14
    player.step(-1)
    assert_same(wait_for(player, 54), MADE[54])
    player.step(2)
    wait_for(player, 56)
    player.seek(10_000)
    wait_for(player, 59)
    player.seek(-3)
    wait_for(player, 0)
    assert player.paused


def test_raw_or_smoothed(play: Callable[..., Player]) -> None:
    player = play(smooth=False)
    player.pause(True)
    player.seek(20)
    scene = wait_for(player, 20)
    assert (scene.hands[0].joints_mm == MADE[20].hands_raw[0].joints_mm).all()
    player.apply(Settings(source="session", path=player.session.folder, smooth=True))
    assert_same(wait_for(player, 20), MADE[20])
    with pytest.raises(ValueError, match="new player"):
        player.apply(Settings())


def test_loop(play: Callable[..., Player]) -> None:
    player = play(repeat=True)
    player.set_speed(4.0)
    wait_for(player, 59)
    wait_for(player, 0)
    assert not player.paused


def test_speed_is_between_a_tenth_and_four(play: Callable[..., Player]) -> None:
    player = play()
    for asked, taken in ((0.01, 0.1), (0.5, 0.5), (9, 4.0)):
        player.set_speed(asked)
        assert player.speed == taken


def test_thumbnails_come_by_themselves(play: Callable[..., Player]) -> None:
    player = play()
    end = time.monotonic() + 20
    while len(player.thumbnails) < 48 and time.monotonic() < end:
        time.sleep(0.02)
    assert len(player.thumbnails) == 48
    assert {0, 59} <= set(player.thumbnails)
    assert player.thumbnails[0].shape == (99, 176, 3)


def test_a_gap_is_not_waited_for() -> None:
    times_ns = playing_times_ns(np.array([5, 40, 40, 30, 10**15], np.int64))
    assert times_ns.tolist() == [0, 35, 35, 35, 35 + GAP_NS]


def test_what_cannot_be_played_is_said(tmp_path: Path) -> None:
    for path, words in ((tmp_path, "is no session"), (record(tmp_path / "empty", []), "holds no frame")):
        player = Player(Settings(source="session", path=path)).start()
        end = time.monotonic() + 20
        with pytest.raises(UserError, match=words):
            while time.monotonic() < end:
                player.poll()
        assert player.stop()


def test_replay_and_export_load_no_network(folder: Path, tmp_path: Path) -> None:
    code = f"""
import sys, time
for name in ("torch", "mediapipe", "openvino", "PyQt6"):
    sys.modules[name] = None  # an import of it fails
from pathlib import Path
from demo.settings import Settings
from demo.recording.player import Player
from demo.recording.export import export, EXPORTS
from demo.recording.reader import read_session
player = Player(Settings(source="session", path=Path({str(folder)!r}))).start()
scene, end = None, time.monotonic() + 20
while scene is None and time.monotonic() < end:
    scene = player.poll()
print(scene.frame.index, player.stop())
for name in EXPORTS:
    export(read_session(Path({str(folder)!r})), name, Path({str(tmp_path)!r}) / name)
print("exported")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0].endswith("True")
    assert done.stdout.splitlines()[-1] == "exported"
