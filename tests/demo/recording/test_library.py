"""What can be done with a session as a whole."""

import sys
from pathlib import Path

import pytest

from demo.recording import library
from demo.recording.finalise import unfinished
from demo.recording.format import LOCK
from demo.recording.info import new_info, read_info
from demo.recording.writer import SessionWriter
from demo.settings import Settings
from digit.errors import UserError
from tests.demo.recording.scenes import record, scenes


def test_the_newest_comes_first(tmp_path: Path) -> None:
    record(tmp_path / "z", scenes(4), started_wall_ns=1)
    record(tmp_path / "a", scenes(2), started_wall_ns=2)
    (tmp_path / "no session").mkdir()
    (tmp_path / "a" / LOCK).touch()
    newest, oldest = library.entries(tmp_path)
    assert (newest.folder.name, oldest.folder.name) == ("a", "z")
    assert newest.unfinished
    assert not oldest.unfinished
    assert oldest.bytes == sum((tmp_path / "z" / name).stat().st_size for name in ("scenes.arrow", "video.mkv"))
    assert oldest.thumbnail == tmp_path / "z" / "thumbnail.jpg"
    assert library.entries(tmp_path / "nowhere") == []
    assert library.free_bytes(tmp_path / "nowhere" / "deep") > 0


def test_a_broken_off_redo_is_no_session(tmp_path: Path) -> None:
    (record(tmp_path / ".a.part", scenes(1)) / LOCK).touch()
    assert library.entries(tmp_path) == []
    assert unfinished(tmp_path) == []


def test_rename(tmp_path: Path) -> None:
    folder = record(tmp_path / "old", scenes(1))
    new = library.rename(folder, "  Händeschütteln № 3 ")
    assert new == tmp_path / "Händeschütteln № 3"
    assert library.rename(new, new.name) == new
    for name in ("", " ", "a/b", "..", ".hidden", "ta\tb"):
        with pytest.raises(UserError, match="cannot be a folder's name"):
            library.rename(new, name)
    record(tmp_path / "other", scenes(1))
    with pytest.raises(UserError, match="already a session called other"):
        library.rename(new, "other")


def test_notes_stay(tmp_path: Path) -> None:
    folder = record(tmp_path / "s", scenes(1))
    library.write_notes(folder, "left hand hidden from 0:03")
    assert read_info(folder).notes == "left hand hidden from 0:03"
    assert read_info(folder).rows == 1


def test_trash_not_delete(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = record(tmp_path / "s", scenes(1))
    if sys.platform == "linux":
        monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    trashed: list[Path] = []
    monkeypatch.setattr("send2trash.send2trash", trashed.append)
    library.to_trash(folder)
    assert trashed == [folder]

    def no_trash(path: Path) -> None:
        raise OSError("no trash here")

    monkeypatch.setattr("send2trash.send2trash", no_trash)
    with pytest.raises(UserError, match="could not go to the trash"):
        library.to_trash(folder)


def test_a_recording_is_not_touched(tmp_path: Path) -> None:
    folder = tmp_path / "s"
    with SessionWriter(folder, new_info(Settings(), "x")):
        (entry,) = library.entries(tmp_path)
        assert entry.recording
        assert not entry.unfinished
        with pytest.raises(UserError, match="is being recorded"):
            library.rename(folder, "t")
        with pytest.raises(UserError, match="is being recorded"):
            library.to_trash(folder)
