import json
from pathlib import Path

import numpy as np
import pytest
import torch

from digit import checkpoint
from digit.calibration import Calibration
from digit.errors import UserError
from digit.lite import DigitLite
from digit.predict import joint_probability
from digit.training import calibration
from digit.training.calibration import Crops, calibrated, fit, logistic, main, reliability

TRUE = Calibration(mass=1.5, size=2.0, prior=-0.6, offset=0.7, presence=0.8, presence_offset=-0.5)


def drawn(count: int) -> Crops:
    """A network that is what `TRUE` says of it."""
    rng = np.random.default_rng(0)
    crops = Crops(
        mass=rng.uniform(0.01, 0.99, (count, 42)),
        sizes=rng.uniform(0.1, 0.8, (count, 2)),
        told=(rng.random((count, 42)) < 0.5).astype(float),
        logits=rng.normal(0, 3, (count, 2)),
        right=np.zeros((count, 42), bool),
        judged=rng.random((count, 42)) < 0.8,
        hands=np.zeros((count, 2), bool),
        group=np.arange(count),
    )
    confidence, handedness = calibrated(crops, TRUE)
    return crops._replace(right=rng.random((count, 42)) < confidence, hands=rng.random((count, 2)) < handedness)


def test_finds_the_numbers_that_made_the_truth() -> None:
    found = fit(drawn(3000))
    for name, value in TRUE.as_dict().items():
        assert getattr(found, name) == pytest.approx(value, abs=0.15)


def test_held_out_probabilities_come_true() -> None:
    crops = drawn(2000)
    confidence, _ = calibrated(crops.half(1), fit(crops.half(0)))
    judged, right = crops.half(1).judged, crops.half(1).right
    before = reliability(crops.half(1).mass[judged], right[judged])
    after = reliability(confidence[judged], right[judged])
    assert after.ece < 0.02 < before.ece
    assert after.weight.sum() == pytest.approx(1)


def test_half_by_picture() -> None:
    halves = [drawn(10).half(which).group.tolist() for which in (0, 1)]
    assert halves == [[0, 2, 4, 6, 8], [1, 3, 5, 7, 9]]


def test_more_mass_and_a_larger_hand_are_more_certain() -> None:
    mass = torch.linspace(0, 1, 42).expand(2, 42)
    probability = joint_probability(mass, torch.tensor([[0.2, 0.2], [0.6, 0.6]]), TRUE)
    assert (probability.diff(dim=1) >= 0).all() and (probability[1] > probability[0]).all()
    assert ((probability > 0) & (probability < 1)).all()


def test_a_joint_that_a_prior_spoke_of_is_less_certain() -> None:
    mass, sizes, told = torch.full((1, 42), 0.5), torch.full((1, 2), 0.4), torch.zeros(1, 42)
    told[0, 3] = 1
    probability = joint_probability(mass, sizes, TRUE, told)
    alone = joint_probability(mass, sizes, TRUE)
    assert torch.equal(probability[0, 4:], alone[0, 4:])
    assert probability[0, 3].logit().item() == pytest.approx(alone[0, 3].logit().item() - 0.6, abs=1e-5)


@pytest.mark.parametrize("truth", [True, False])
def test_nothing_to_fit(truth: bool) -> None:
    with pytest.raises(UserError, match="nothing to fit"):
        logistic(np.ones((5, 1)), np.full(5, truth))


def test_certainty_that_means_nothing_is_said() -> None:
    crops = drawn(500)
    with pytest.raises(UserError, match="says nothing"):
        fit(crops._replace(right=~crops.right))


def test_right_is_within_a_tenth_of_the_true_hand() -> None:
    true = torch.zeros(1, 42, 3)
    true[0, :21, 0] = torch.linspace(50, 150, 21)
    valid = torch.zeros(1, 42, dtype=torch.bool)
    valid[0, :21] = True
    found = true.clone()
    found[0, 0, 1], found[0, 1, 1] = 9.9, 10.1
    right, judged = calibration._judged(found.numpy(), {"joints": true, "valid": valid})
    assert right[0, :3].tolist() == [True, False, True]
    assert (judged == valid.numpy()).all()


def test_command_keeps_the_numbers_in_the_weights(
    tiny_set: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    weights = tmp_path / "w.safetensors"
    torch.manual_seed(0)
    checkpoint.save(weights, DigitLite(), {"seed": 0})
    before = checkpoint.load(weights).state_dict()
    assert checkpoint.calibration(weights) is None
    monkeypatch.setattr(calibration, "EMPTY", 4)
    monkeypatch.setattr(calibration, "fit", lambda _: TRUE)
    assert main(["--weights", str(weights), "--data", str(tiny_set), "--count", "4"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["calibration"] == TRUE.as_dict()
    assert printed["empty"]["crops"] >= 1
    assert checkpoint.calibration(weights) == TRUE
    assert checkpoint.read_metadata(weights)["recipe"] == {"seed": 0}
    after = checkpoint.load(weights).state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert weights.with_suffix(".reliability.png").stat().st_size > 1000


def test_no_data_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--data", str(tmp_path / "none")]) == 2
    assert capsys.readouterr().err.startswith("error: ")
