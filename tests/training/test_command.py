"""``python -m digit.training``: what it refuses, and recipes from options."""

from pathlib import Path

import pytest

from digit import checkpoint
from digit.training.__main__ import arguments, main, recipe
from digit.training.schedule import Drops, WarmupStableDecay


def given(*options: str):
    return arguments().parse_args(["--data", "x", "--out", "y", *options])


def test_options_change_single_values_of_the_recipe() -> None:
    paper = recipe(given("--variant", "digit"))
    assert (paper.rate, paper.batch, paper.schedule, paper.optimizer) == (1e-4, 64, Drops(50, (40,)), "adam")
    changed = recipe(given("--variant", "digit", "--ablation", "--rate", "3e-4", "--batch", "32", "--trunk-rate", "0"))
    assert (changed.rate, changed.batch, changed.schedule, changed.trunk_rate) == (3e-4, 32, Drops(30, (10, 20)), 0.0)
    lite = recipe(given("--decay", "7"))
    assert lite.schedule == WarmupStableDecay(200, 7) and lite.averaged


PULLED = ["--trunk-rate", "1", "--trunk-pull", "9", "--pull-to", "x.tflite"]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--variant", "nothing"], "There is no variant 'nothing'"),
        (["--variant", "internet", "--backbone", "lite"], "backbone of its own"),
        (["--variant", "digit", "--decay", "3"], "--decay belongs to digit-lite"),
        (["--variant", "baseline/lite", "--steps", "1", "--start", "nowhere.safetensors"], "nowhere.safetensors"),
        (["--variant", "baseline/lite", "--steps", "1", "--trunk", "x.tflite"], "x.tflite"),
        (["--variant", "baseline/lite", "--steps", "1", "--trunk-pull", "9"], "--pull-to"),
        (["--variant", "digit-lite", "--steps", "1", "--trunk-rate", "1", "--pull-to", "x.tflite"], "--trunk-pull"),
        (["--variant", "digit", "--steps", "1", *PULLED], "lite trunk"),
        (["--variant", "baseline/lite"], "annotations"),
    ],
)
def test_a_bad_command_is_one_sentence(
    options: list[str], sentence: str, tiny_set: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tiny_set if "--steps" in options else tmp_path
    command = ["--data", str(data), "--out", str(tmp_path / "run"), "--workers", "0", "--no-curves", *options]
    assert main(command) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ") and error.count("\n") == 1
    assert sentence in error, error


@pytest.mark.parametrize(
    "options",
    [
        ["--size", "100"],
        ["--batch", "0"],
        ["--synth"],
        ["--workers", "-1"],
        ["--seed", "-1"],
        ["--rate", "-1"],
        ["--checkpoint-every", "-1"],
        ["--validate-every", "nan"],
    ],
)
def test_a_bad_option_exits_2(options: list[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        given(*options)
    assert stop.value.code == 2


def test_the_weights_are_exported_in_half_precision(tiny_set: Path, tmp_path: Path) -> None:
    out, export = tmp_path / "run", tmp_path / "small.safetensors"
    command = ["--variant", "baseline/lite", "--data", str(tiny_set), "--out", str(out), "--export", str(export)]
    command += ["--steps", "1", "--batch", "2", "--size", "64", "--workers", "0", "--threads", "1", "--no-curves"]
    assert main(command) == 0
    metadata = checkpoint.read_metadata(export)
    assert metadata["model"] == "baseline/lite" and metadata["recipe"]["step"] == 1
    assert export.stat().st_size < 0.6 * (out / "weights.safetensors").stat().st_size
