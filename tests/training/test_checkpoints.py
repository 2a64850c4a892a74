"""Checkpoints are whole or not there."""

from pathlib import Path

import pytest
import torch

from digit.errors import UserError
from digit.training import checkpoints

resource = pytest.importorskip("resource")


def test_what_is_written_is_read(tmp_path: Path) -> None:
    checkpoints.write(tmp_path / "state.pt", {"net": {"a": torch.arange(3)}, "step": 7})
    found = checkpoints.read(tmp_path / "state.pt")
    assert found["step"] == 7 and found["net"]["a"].tolist() == [0, 1, 2]
    assert [p.name for p in tmp_path.iterdir()] == ["state.pt"]


def test_a_full_disk_is_one_sentence_and_keeps_the_old_checkpoint(tmp_path: Path) -> None:
    """The limit on a file's size stands in for a disk: the write breaks off half way."""
    path = tmp_path / "state.pt"
    checkpoints.write(path, {"step": 1})
    old, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        with pytest.raises(UserError, match=r"^Cannot write .*state\.pt \(.+\); free some space.*is kept\.$"):
            checkpoints.write(path, {"step": 2, "net": torch.zeros(1_000_000)})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (old, hard))
    assert checkpoints.read(path) == {"step": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["state.pt"]


@pytest.mark.parametrize("content", [b"", b"no checkpoint", b"PK\x03\x04 cut short"])
def test_a_damaged_checkpoint_is_one_sentence(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "state.pt").write_bytes(content)
    with pytest.raises(UserError, match=r"damaged or no checkpoint; give another --out\.$"):
        checkpoints.read(tmp_path / "state.pt")
