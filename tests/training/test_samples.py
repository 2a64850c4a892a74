"""What int8 costs the shipped digit-lite, on crops of a set."""

import re
from pathlib import Path

import pytest

from digit import checkpoint
from digit.training.samples import main


def test_the_cost_of_int8_is_measured_and_no_file_written(
    tiny_set: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("digit.training.samples.write", lambda *_: pytest.fail("written"))
    assert main(["--check", str(tiny_set), "--count", "4"]) == 0
    line = capsys.readouterr().out
    found = re.fullmatch(r"int8 on 4 synthetic crops: MPJPE (\S+) -> (\S+) mm, part mIoU (\S+) -> (\S+) points\n", line)
    assert found and abs(float(found[1]) - float(found[2])) < 5 and 0 < float(found[4]) < 100


def test_without_exports_it_says_what_to_do(
    tiny_set: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    weights = tmp_path / "digit-lite.safetensors"
    weights.write_bytes(checkpoint.weights_path("digit-lite").read_bytes())
    monkeypatch.setattr(checkpoint, "weights_path", lambda model: weights)
    assert main(["--check", str(tiny_set), "--count", "1"]) == 2
    assert "make them with python -m digit.backends.export ship" in capsys.readouterr().err
