"""The landmark network's int8 form: what it is calibrated on, and how it is compared with float."""

from pathlib import Path

import numpy as np
import pytest

from digit import follower
from digit.landmarker import model_file
from digit.training import landmarks_int8
from digit.training.landmarks_int8 import Moved, moved, quantized, squares
from tests.interhand_set import write_set


@pytest.fixture(scope="module")
def cut_out(tmp_path_factory: pytest.TempPathFactory) -> np.ndarray:
    folder = tmp_path_factory.mktemp("set")
    write_set(folder)
    return squares(folder, 6, seed=0)


def test_squares_are_the_followers(cut_out: np.ndarray):
    assert cut_out.dtype == np.uint8
    assert cut_out.shape[1:] == (follower.SIDE, follower.SIDE, 3)
    assert len(cut_out) >= 4


def test_a_network_does_not_differ_from_itself(cut_out: np.ndarray, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(follower, "PRESENT_AT", -1.0)  # there are no hands in these pictures
    network = follower.network_of(model_file())
    plain = landmarks_int8._with_plain_weights(follower.float_model(network))
    weights = [node.input_value(1).get_node().get_type_name() for node in plain.get_ordered_ops() if depthwise(node)]
    assert weights
    assert set(weights) <= {"Constant", "Reshape"}
    assert moved(follower.float_model(network), plain, cut_out) == Moved(0.0, 0.0, 0.0, 0.0)


def depthwise(node: object) -> bool:
    return node.get_type_name() == "GroupConvolution"  # type: ignore[attr-defined]


def test_int8_answers_about_as_float_does(cut_out: np.ndarray, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(follower, "PRESENT_AT", -1.0)
    ints = quantized(model_file(), cut_out)
    assert sum(node.get_type_name() == "FakeQuantize" for node in ints.get_ordered_ops()) > 50
    change = moved(follower.float_model(follower.network_of(model_file())), ints, cut_out)
    assert 0 < change.landmarks < 0.1


def test_a_folder_that_is_none_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert landmarks_int8.main(["--data", str(tmp_path / "none"), "--out", str(tmp_path / "out")]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert len(error.splitlines()) == 1
    assert not (tmp_path / "out").exists()
