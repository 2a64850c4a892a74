"""Runs of a few steps: resumed to the same bytes, in stages, stopped, told of a full disk."""

import json
import os
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from digit import checkpoint
from digit.errors import UserError
from digit.training import checkpoints
from digit.training import train as module
from digit.training.recipe import LITE, PAPER, Recipe, recipe_of
from digit.training.train import Run, Stopped, train
from digit.variants import VARIANTS, build, find
from tests.interhand_set import write_set

#: A step in a fraction of a second.
QUICK = replace(PAPER, rate=1e-3, batch=4)


def run(data: Path, out: Path, recipe: Recipe = QUICK, **changes: Any) -> Run:
    options: dict[str, Any] = {
        "variant": "baseline/lite", "recipe": recipe, "out": out, "data": (data,), "steps": 4, "size": 64,
        "precision": "fp32", "threads": 1, "workers": 0, "curves": False,
    }  # fmt: skip
    return Run(**(options | changes))


def weights(path: Path) -> dict[str, torch.Tensor]:
    return checkpoint.load(path).state_dict()


def break_off_after(monkeypatch: pytest.MonkeyPatch, steps: int, how: Callable[[], None]) -> None:
    """Something happens in the middle of the step that follows."""
    original, calls = module.optimise, [0]

    def optimise(*args: Any, **options: Any) -> dict[str, torch.Tensor]:
        calls[0] += 1
        terms = original(*args, **options)
        if calls[0] == steps + 1:
            how()
        return terms

    monkeypatch.setattr(module, "optimise", optimise)


def killed() -> None:
    raise InterruptedError("killed")


RESUMED = {
    "averaged weights, AdamW, prior": {"variant": "digit-lite", "recipe": replace(LITE, batch=2)},
    "scaled gradients, micro-batches": {"precision": "fp16", "recipe": replace(QUICK, batch=2), "micro_batch": 1},
    "two stages": {"variant": "segm-to-pose-two-stage/lite", "recipe": replace(QUICK, batch=2), "micro_batch": 2},
}


@pytest.mark.parametrize("case", RESUMED)
def test_a_killed_run_ends_with_the_same_bytes(
    case: str, tiny_set: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = RESUMED[case] | {"checkpoint_every_s": 0.0}
    whole = weights(train(run(tiny_set, tmp_path / "whole", **options)))
    with monkeypatch.context() as patch, pytest.raises(InterruptedError):
        break_off_after(patch, 2, killed)
        train(run(tiny_set, tmp_path / "killed", **options))
    assert checkpoints.read(tmp_path / "killed/state.pt")["step"] == 2
    resumed = weights(train(run(tiny_set, tmp_path / "killed", **options)))
    assert resumed.keys() == whole.keys()
    assert all(torch.equal(resumed[name], whole[name]) for name in whole)
    first, second = (checkpoints.read(tmp_path / name / "state.pt") for name in ("whole", "killed"))
    assert first["step"] == second["step"] == 4
    assert first["scaler"] == second["scaler"]
    for i, moments in first["optimizer"]["state"].items():
        assert all(torch.equal(moment, second["optimizer"]["state"][i][name]) for name, moment in moments.items())


def test_a_run_killed_before_any_checkpoint_starts_again(
    tiny_set: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With another number of worker processes too."""
    whole = weights(train(run(tiny_set, tmp_path / "whole", steps=2)))
    with monkeypatch.context() as patch, pytest.raises(InterruptedError):
        break_off_after(patch, 1, killed)
        train(run(tiny_set, tmp_path / "killed", steps=2))
    assert not (tmp_path / "killed/state.pt").exists()
    again = weights(train(run(tiny_set, tmp_path / "killed", steps=2, workers=2)))
    assert all(torch.equal(again[name], whole[name]) for name in whole)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stopped_run_saves_the_step_in_hand(
    number: signal.Signals, tiny_set: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = signal.getsignal(number)
    break_off_after(monkeypatch, 1, lambda: os.kill(os.getpid(), number))
    with pytest.raises(Stopped):
        train(run(tiny_set, tmp_path))
    assert checkpoints.read(tmp_path / "state.pt")["step"] == 2
    assert signal.getsignal(number) is before


def test_each_stage_changes_its_own_modules(tiny_set: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options = {"variant": "segm-to-pose-two-stage/lite", "recipe": replace(QUICK, batch=2), "checkpoint_every_s": 0.0}
    states: list[dict[str, torch.Tensor]] = []
    original = checkpoints.write

    def keep(path: Path, content: Any) -> None:
        states.append({name: tensor.clone() for name, tensor in content["net"].items()})
        original(path, content)

    monkeypatch.setattr(checkpoints, "write", keep)
    train(run(tiny_set, tmp_path, **options))

    def changed(a: int, b: int) -> set[str]:
        return {name.split(".")[0] for name in states[a] if not torch.equal(states[a][name], states[b][name])}

    assert changed(0, 1) == {"backbone", "segmentation"}
    assert changed(1, 3) == {"semantic", "fusion", "estimator"}


def test_a_frozen_trunk_stays(tiny_set: Path, tmp_path: Path) -> None:
    """Of a network whose trunk is a part of its backbone; a trunk that thaws later keeps the others' moments."""
    frozen = replace(QUICK, trunk_rate=0.0)
    states = [checkpoints.read(train(run(tiny_set, tmp_path, frozen, steps=n)).parent / "state.pt") for n in (1, 2)]
    moved = {name for name in states[0]["net"] if not torch.equal(states[0]["net"][name], states[1]["net"][name])}
    assert moved and not [name for name in moved if name.startswith("backbone.trunk.")]
    train(run(tiny_set, tmp_path, replace(frozen, trunk_rate=1e-4), steps=3))
    thawed = checkpoints.read(tmp_path / "state.pt")
    steps = {int(moments["step"]) for moments in thawed["optimizer"]["state"].values()}
    assert steps == {1, 3}


def test_a_trunk_thaws_from_a_stage_on(tiny_set: Path, tmp_path: Path) -> None:
    options = {"variant": "digit-lite", "recipe": replace(LITE, batch=2, trunk_rate=1e-4, trunk_from=3)}
    states = [checkpoints.read(train(run(tiny_set, tmp_path, steps=n, **options)).parent / "state.pt") for n in (1, 2)]
    moved = {name for name in states[0]["net"] if not torch.equal(states[0]["net"][name], states[1]["net"][name])}
    parts = {".".join(name.split(".")[:3]) for name in moved if name.startswith("trunk.")}
    assert parts == {"trunk.stages.3", "trunk.stages.4"}


def test_a_trunk_is_pulled_back(tiny_set: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So strongly that it ends where it is pulled to: what learns of it, not what is frozen."""
    published = build("digit-lite").get_submodule("trunk").state_dict()
    monkeypatch.setattr(
        "digit.training.pretrained.load_hand_trunk", lambda trunk, file: trunk.load_state_dict(published)
    )
    recipe = replace(LITE, batch=2, trunk_rate=1e-4, trunk_from=3, trunk_pull=1e18, averaged=False)
    found = weights(train(run(tiny_set, tmp_path, recipe, variant="digit-lite", pull_to=Path("file"))))
    ours = {name.removeprefix("trunk."): tensor for name, tensor in found.items() if name.startswith("trunk.")}
    ours = {name: tensor for name, tensor in ours.items() if name.endswith("weight")}  # biases begin as zeros
    alike = {name for name, tensor in ours.items() if torch.equal(tensor, published[name])}
    assert alike == {name for name in ours if name.startswith(("stages.3.", "stages.4."))}


def test_the_first_format_of_digit_lite_is_resumed(tiny_set: Path, tmp_path: Path) -> None:
    options = {"variant": "digit-lite", "recipe": replace(LITE, batch=2)}
    train(run(tiny_set, tmp_path, steps=1, **options))
    state = checkpoints.read(tmp_path / "state.pt")
    checkpoints.write(tmp_path / "state.pt", {name: state[name] for name in ("net", "ema", "optimizer", "step")})
    train(run(tiny_set, tmp_path, steps=2, **options))
    assert checkpoints.read(tmp_path / "state.pt")["step"] == 2


def test_the_log_tells_the_loss_and_scores(tiny_set: Path, tmp_path: Path) -> None:
    train(run(tiny_set, tmp_path, validation=tiny_set, curves=True, steps=2))
    loss, scores = (json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines())
    assert loss["step"] == scores["step"] == 2
    assert loss["loss"] == pytest.approx(loss["pose"] + loss["handedness"] + loss["root_depth"], rel=1e-3)
    found = scores["validation"]["none"]
    assert found["mpjpe_mm"] > 0 and 0 <= found["handedness"] <= 1
    assert found["part_miou"] is None  # the baseline has no segmentation
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(tmp_path / "curves")).Reload()
    tags = events.Tags()
    assert {"loss/loss", "loss/pose", "validation_mpjpe_mm/none", "run/rate"} <= set(tags["scalars"])
    assert tags["images"] == ["validation"]
    assert (events.Images("validation")[0].width, events.Images("validation")[0].height) == (5 * 256, 4 * 256)


def test_two_pictures_are_learnt_by_heart(tmp_path: Path) -> None:
    pictures = write_set(tmp_path / "pictures", count=2)
    recipe = replace(QUICK, rate=2e-3, batch=2)
    train(run(pictures, tmp_path / "run", recipe, variant="digit/lite", validation=pictures, augment=False, steps=80))
    loss, scores = (json.loads(line) for line in (tmp_path / "run/log.jsonl").read_text().splitlines())
    assert loss["step"] == 80
    found = scores["validation"]["none"]
    # Untrained: about 90 mm, 0.3.
    assert found["mpjpe_mm"] < 20 and found["nme"] < 0.06 and found["handedness"] == 1


def test_missing_tensorboard_is_one_sentence(tiny_set: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "torch.utils.tensorboard.writer", None)
    with pytest.raises(UserError, match="--no-curves"):
        train(run(tiny_set, tmp_path, curves=True))


def test_a_full_disk_ends_the_run_and_keeps_its_checkpoint(
    tiny_set: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    resource = pytest.importorskip("resource")
    train(run(tiny_set, tmp_path, steps=1))
    old, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, hard))
    try:
        with pytest.raises(UserError, match="free some space, then run the same command again"):
            train(run(tiny_set, tmp_path, steps=2))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (old, hard))
    assert checkpoints.read(tmp_path / "state.pt")["step"] == 1
    train(run(tiny_set, tmp_path, steps=2))
    assert checkpoints.read(tmp_path / "state.pt")["step"] == 2


def test_a_state_is_whole_only_when_its_weights_are(
    tiny_set: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise UserError("The disk is full.")

    with monkeypatch.context() as patch, pytest.raises(UserError, match="full"):
        patch.setattr(checkpoint, "save", full)
        train(run(tiny_set, tmp_path, steps=1))
    assert weights(train(run(tiny_set, tmp_path, steps=1)))


@pytest.mark.parametrize("other", [{"optimizer": "muon"}, {"trunk_rate": 1e-4}])
def test_moments_of_another_optimizer_or_trunk_are_refused(
    other: dict[str, Any], tiny_set: Path, tmp_path: Path
) -> None:
    train(run(tiny_set, tmp_path, steps=1))
    with pytest.raises(UserError, match=r"another optimizer or trunk\); give another --out\.$"):
        train(run(tiny_set, tmp_path, replace(QUICK, **other), steps=2))


def test_a_validation_set_has_to_be_whole(tmp_path: Path) -> None:
    held = write_set(tmp_path / "held", 3)
    (held / "images/train/image000001.jpg").write_bytes(b"no picture")
    with pytest.raises(UserError, match=r"image000001\.jpg cannot be read; a validation set has to be whole"):
        train(run(write_set(tmp_path / "set", 4), tmp_path / "out", validation=held, steps=1))


@pytest.mark.parametrize("split", ["train", "val"])
def test_validation_on_what_was_learnt_is_told(split: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    data = write_set(write_set(tmp_path / "set", 4), 4, split)
    train(run(data, tmp_path / "out", validation=tmp_path / "out/../set", steps=1))
    assert ("is trained on and has no val split" in capfd.readouterr().err) == (split == "train")


def test_a_foreign_checkpoint_is_refused(tiny_set: Path, tmp_path: Path) -> None:
    checkpoints.write(tmp_path / "state.pt", {"net": {}, "variant": "baseline/lite"})
    with pytest.raises(UserError, match="--out"):
        train(run(tiny_set, tmp_path))
    checkpoints.write(tmp_path / "state.pt", {"net": {}, "variant": "internet"})
    with pytest.raises(UserError, match=r"holds a run of internet; give another --out or --variant internet\.$"):
        train(run(tiny_set, tmp_path))


def test_a_batch_that_cannot_be_shared_is_refused(tiny_set: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"batch of 4 .* micro-batches of 3"):
        train(run(tiny_set, tmp_path, micro_batch=3))


def test_rendering_needs_a_length(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="give --steps"):
        train(Run("baseline/lite", PAPER, tmp_path))


def test_a_run_starts_from_given_weights(tiny_set: Path, tmp_path: Path) -> None:
    first = train(run(tiny_set, tmp_path / "first", steps=1))
    still = replace(QUICK, rate=0.0)
    second = train(run(tiny_set, tmp_path / "second", still, steps=1, start=first, seed=5))
    a, b = weights(first), weights(second)
    assert all(torch.equal(a[name], b[name]) for name in a if "running" not in name and "batches" not in name)
    with pytest.raises(UserError, match="another variant"):
        train(run(tiny_set, tmp_path / "third", variant="baseline-bl-sl/lite", start=first))


def test_every_variant_has_a_recipe_of_its_source() -> None:
    assert recipe_of(find("digit")) == PAPER and recipe_of(find("digit-lite")) == LITE
    assert recipe_of(find("digit/resnet-50")).rate == recipe_of(find("baseline/resnet-50")).rate == 1e-3
    assert recipe_of(find("internet")).rate == 1e-4
    assert all(recipe_of(v).batch in (32, 64) for v in VARIANTS.values())


def test_pictures_that_cannot_be_read_are_counted_at_the_end(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    write_set(tmp_path / "set", 6, "train")
    next((tmp_path / "set/images").rglob("*.jpg")).write_bytes(b"no picture")
    train(run(tmp_path / "set", tmp_path / "out"))
    assert "1 pictures of the sets could not be read and were left out." in capfd.readouterr().err


def test_a_network_is_evaluated_at_the_size_that_it_was_trained_with(tiny_set: Path, tmp_path: Path) -> None:
    file = train(run(tiny_set, tmp_path / "out", steps=1))
    network, plain = checkpoint.load_as_trained(file).eval(), checkpoint.load(file).eval()
    image = torch.rand(1, 3, 256, 256)
    with torch.no_grad():
        found = network(image).heatmap_logits
        expected = plain(torch.nn.functional.avg_pool2d(image, 4)).heatmap_logits
    torch.testing.assert_close(found, expected)
