"""Weights between two others."""

from pathlib import Path

import pytest
import torch

from digit import checkpoint
from digit.networks import network
from digit.training.average import average, main
from digit.variants import find


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("weights")
    for seed in (0, 1):
        torch.manual_seed(seed)
        checkpoint.save(folder / f"{seed}.safetensors", network(find("digit-lite")), {"seed": seed})
    return folder / "0.safetensors", folder / "1.safetensors"


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
def test_each_number_lies_on_the_line_between_both(two: tuple[Path, Path], share: float, tmp_path: Path) -> None:
    out = tmp_path / "between.safetensors"
    assert main([*map(str, two), "--out", str(out), "--share", str(share)]) == 0
    a, b, between = (checkpoint.load(path).state_dict() for path in (*two, out))
    for name, found in between.items():
        if found.is_floating_point():
            torch.testing.assert_close(found, (1 - share) * a[name] + share * b[name], atol=2e-3, rtol=2e-3)
    metadata = checkpoint.read_metadata(out)
    assert metadata["recipe"] == {"average": [{"seed": 0}, {"seed": 1}], "share": share}
    assert checkpoint.calibration(out) is None


def test_different_networks_and_missing_files(
    two: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "baseline.safetensors"
    checkpoint.save(other, network(find("baseline/lite")), {}, model="baseline/lite")
    for wrong, said in ((other, "different networks"), (tmp_path / "none", "none")):
        assert main([str(two[0]), str(wrong), "--out", str(tmp_path / "out")]) == 2
        assert said in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main([*map(str, two), "--out", str(tmp_path / "out"), "--share", "2"])
    assert not (tmp_path / "out").exists()


def test_the_middle_by_default(two: tuple[Path, Path], tmp_path: Path) -> None:
    average(*two, tmp_path / "a")
    average(*two[::-1], tmp_path / "b")
    a, b = (checkpoint.load(tmp_path / name).state_dict() for name in "ab")
    for name, found in a.items():
        torch.testing.assert_close(found, b[name], atol=1e-3, rtol=1e-3)
