"""The exports' command line."""

from pathlib import Path

import pytest

from demo.recording.export.__main__ import main
from demo.recording.reader import read_session
from tests.demo.recording.scenes import record, scenes

MADE = scenes(6)


def test_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    session = read_session(record(tmp_path / "dance", MADE))
    assert main([str(session.folder), "--to", "npz", "--out", str(tmp_path / "a.npz")]) == 0
    assert capsys.readouterr().out.strip() == str(tmp_path / "a.npz")
    assert (tmp_path / "a.npz").exists()


def test_paths_may_be_relative(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = record(tmp_path / "dance", MADE)
    monkeypatch.chdir(folder)
    assert main([".", "--to", "csv"]) == 0
    assert (folder / "dance.csv").exists()
    assert main([".", "--to", "coco", "--out", "."]) == 2
    assert "error: There is already a folder" in capsys.readouterr().err


def test_a_table_that_breaks_off_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = record(tmp_path / "dance", MADE)
    assert main([str(folder), "--to", "csv"]) == 0
    assert "note" not in capsys.readouterr().err
    table = folder / "scenes.arrow"
    table.write_bytes(table.read_bytes()[: table.stat().st_size // 2])
    rows = len(read_session(folder))
    assert main([str(folder), "--to", "csv"]) == 0
    assert f"breaks off after {rows} frames" in capsys.readouterr().err
