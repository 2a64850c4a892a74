import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from digit import backends, checkpoint
from digit.backends import check, exports
from digit.backends import openvino as openvino_backend
from digit.backends.session import LoadedBackend
from digit.errors import UserError
from digit.prediction import Prediction
from tests.digit import golden

CROP = np.random.default_rng(0).integers(0, 256, (256, 256, 3), dtype=np.uint8)
PRIOR = np.random.default_rng(1).uniform((0, 0, -50, 0), (256, 256, 50, 1), (42, 4)).astype(np.float32)


@pytest.fixture(scope="module")
def w32(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("weights")
    torch.save(golden.official_state_dict(), folder / "official.pt")
    checkpoint.save(folder / "w32.safetensors", checkpoint.load_official(folder / "official.pt"), {})
    return folder / "w32.safetensors"


def assert_same(one: Prediction, other: Prediction) -> None:
    """Within 0.02 px, 0.05 mm, 1e-3 in probabilities; labels may differ where two parts tie."""
    np.testing.assert_allclose(one.joints_2p5d[:, :2], other.joints_2p5d[:, :2], rtol=0, atol=0.02)
    np.testing.assert_allclose(one.joints_2p5d[:, 2], other.joints_2p5d[:, 2], rtol=0, atol=0.05)
    np.testing.assert_allclose(one.confidence, other.confidence, atol=1e-3)
    np.testing.assert_allclose(one.handedness, other.handedness, atol=1e-3)
    assert one.root_depth_mm == pytest.approx(other.root_depth_mm, abs=0.05)
    assert (one.part_labels != other.part_labels).mean() < 1e-3


def both(model: str, weights: Path, prior: np.ndarray | None) -> tuple[Prediction, Prediction]:
    predictions: list[Prediction] = []
    for name in ("openvino", "torch"):
        backend = backends.load(name, model, weights)
        predictions.append(backend(CROP, prior))
        backend.close()
    return predictions[0], predictions[1]


@pytest.mark.parametrize("prior", [None, PRIOR], ids=["no prior", "prior"])
def test_openvino_equals_torch_on_lite(cache: Path, lite: Path, prior: np.ndarray | None):
    ours, reference = both("digit-lite", lite, prior)
    assert reference.joints_2p5d[:, :2].std() > 5  # the sharpened maps do say something
    assert_same(ours, reference)


def test_the_prior_reaches_the_network(cache: Path, lite: Path):
    with_prior, without = both("digit-lite", lite, PRIOR)[0], both("digit-lite", lite, None)[0]
    assert np.abs(with_prior.joints_2p5d - without.joints_2p5d).max() > 0.1


def test_openvino_equals_torch_on_w32(cache: Path, w32: Path):
    ours, reference = both("digit-w32", w32, PRIOR)
    assert_same(ours, reference)


@pytest.mark.skipif(bool(backends.available()["cuda"]), reason=backends.available()["cuda"] or "-")
@pytest.mark.parametrize("model", ["digit-lite", "digit-w32"])
def test_cuda_answers_as_torch_does(request: pytest.FixtureRequest, model: str):
    weights: Path = request.getfixturevalue(model.removeprefix("digit-"))
    backend = backends.load("cuda", model, weights)  # compares them
    first, again = backend(CROP, PRIOR), backend(CROP, PRIOR)
    backend.close()
    assert np.array_equal(first.joints_2p5d, again.joints_2p5d)


@pytest.mark.parametrize("name", ["openvino", "torch"])
def test_a_prediction_is_whole_and_frozen(cache: Path, lite: Path, name: str):
    told: list[str] = []
    backend = backends.load(name, weights=lite, progress=told.append)
    assert (backend.name, backend.model) == (name, "digit-lite")
    assert backend.weights_sha256 == checkpoint.sha256(lite)
    assert backend.why.endswith(".")
    assert told
    first, second = backend(CROP), backend(255 - CROP)
    arrays = (first.joints_2p5d, first.confidence, first.part_labels, first.handedness)
    assert [(a.shape, a.dtype.name) for a in arrays] == [
        ((42, 3), "float32"), ((42,), "float32"), ((128, 128), "uint8"), ((2,), "float32"),
    ]  # fmt: skip
    assert not any(array.flags.writeable for array in arrays)
    assert isinstance(first.root_depth_mm, float)
    assert not np.array_equal(first.joints_2p5d, second.joints_2p5d)
    again = backend(CROP)
    assert np.allclose(again.joints_2p5d, first.joints_2p5d, atol=1e-4)
    backend.close()
    backend.close()
    with pytest.raises(RuntimeError, match="closed"):
        backend(CROP)


class FirstPixel:
    """A session that answers with the crop's first pixel, in buffers that the next start spoils."""

    def __init__(self, at_once: int) -> None:
        self.at_once = at_once
        self.told: list[str] = []
        self._answered: list[np.ndarray] = []

    def start(self, crop: np.ndarray, prior: np.ndarray) -> Callable[[], list[np.ndarray]]:
        for buffer in self._answered:
            buffer[...] = -1
        pixel = int(crop[0, 0, 0, 0])
        self.told.append(f"start {pixel}")
        starts, answers = (sum(told.startswith(word) for told in self.told) for word in ("start", "answer"))
        assert starts - answers <= self.at_once
        shapes = ((42, 3), (42,), (128, 128), (2,), (), (42, 1, 4))
        buffers = [np.full((1, *shape), pixel, np.float32) for shape in shapes]

        def wait() -> list[np.ndarray]:
            self.told.append(f"answer {pixel}")
            self._answered = buffers
            return buffers

        return wait

    def close(self) -> None:
        self.told.append("close")


def test_crops_line_up_behind_the_one_under_way():
    session = FirstPixel(at_once=1)
    backend = LoadedBackend(session, "fake", "digit-lite", "", "")
    crops = [np.full((256, 256, 3), n, np.uint8) for n in range(4)]
    first, second = backend.start(crops[0]), backend.start(crops[1])
    assert session.told == ["start 0"]
    assert first().joints_2p5d[0, 0] == 0
    assert session.told == ["start 0", "answer 0", "start 1"]  # at once, whoever asks for the answer and when
    assert backend(crops[2]).joints_2p5d[0, 0] == 2  # another one in between, as for a search
    assert second().joints_2p5d[0, 0] == 1 and first().joints_2p5d[0, 0] == 0
    left = backend.start(crops[3])
    backend.close()
    assert session.told[-2:] == ["start 3", "close"]
    with pytest.raises(RuntimeError, match="closed"):
        left()


def test_a_session_gets_as_many_crops_as_it_takes():
    session = FirstPixel(at_once=2)
    backend = LoadedBackend(session, "fake", "digit-lite", "", "")
    answers = [backend.start(np.full((256, 256, 3), n, np.uint8)) for n in range(3)]
    assert session.told == ["start 0", "start 1"]
    assert answers[0]().joints_2p5d[0, 0] == 0
    assert session.told == ["start 0", "start 1", "answer 0", "start 2"]
    assert [answer().joints_2p5d[0, 0] for answer in answers] == [0, 1, 2]
    backend.close()


def test_openvino_answers_two_crops_at_once_as_one_by_one(cache: Path, lite: Path):
    backend = backends.load("openvino", weights=lite)
    crops = [np.roll(CROP, 20 * n, axis=1) for n in range(5)]
    alone = [backend(crop, PRIOR) for crop in crops]
    answers = [backend.start(crop, PRIOR) for crop in crops]
    for answer, one in zip(answers[::-1], alone[::-1], strict=True):  # the last is asked for first
        np.testing.assert_array_equal(answer().joints_2p5d, one.joints_2p5d)
        np.testing.assert_array_equal(answer().part_labels, one.part_labels)
    for crop in crops:
        backend.start(crop)
    backend.close()  # with two under way


@pytest.mark.parametrize(
    ("crop", "prior", "message"),
    [
        (CROP[:128], None, r"crop is \(256, 256, 3\) uint8; got \(128, 256, 3\) uint8"),
        (CROP.astype(np.float32), None, "got .* float32"),
        (CROP, PRIOR[:21], r"prior is \(42, 4\) float32; got \(21, 4\)"),
        (CROP, PRIOR.astype(np.float64), "got .* float64"),
        (CROP, np.full((42, 4), np.nan, np.float32), "finite"),
    ],
)
def test_wrong_arrays_are_refused(lite: Path, crop: np.ndarray, prior: np.ndarray | None, message: str):
    backend = backends.load("torch", weights=lite)
    with pytest.raises(ValueError, match=message):
        backend(crop, prior)
    backend.close()


def test_a_crop_that_is_a_view_of_a_picture(cache: Path, lite: Path):
    backend = backends.load("openvino", weights=lite)
    flipped = backend(CROP[:, ::-1])
    assert np.array_equal(flipped.joints_2p5d, backend(CROP[:, ::-1].copy()).joints_2p5d)
    backend.close()


def test_unusable_choices_are_one_sentence(lite: Path, tmp_path: Path):
    names = "auto, tensorrt, cuda, openvino-int8, openvino, torch"
    with pytest.raises(UserError, match=f"no backend 'tpu'; choose one of {names}"):
        backends.load("tpu", weights=lite)
    with pytest.raises(UserError, match="no model 'digit-xl'; choose one of digit-lite, digit-w32"):
        backends.load(model="digit-xl", weights=lite)
    with pytest.raises(UserError, match="holds weights of digit-lite, not of digit-w32"):
        backends.load(model="digit-w32", weights=lite)
    with pytest.raises(UserError, match="There is no weights file"):
        backends.load(weights=tmp_path / "none.safetensors")
    cut = tmp_path / "cut.safetensors"
    cut.write_bytes(lite.read_bytes()[:9999])
    with pytest.raises(UserError, match="damaged or cut short"):
        backends.load(weights=cut)


def test_a_backend_that_does_not_run_here(lite: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(backends, "why_no_cuda", lambda: "there is no NVIDIA driver")
    with pytest.raises(UserError, match="'cuda' does not run here: there is no NVIDIA driver"):
        backends.load("cuda", weights=lite)


def test_available_and_models_name_everything(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    assert list(backends.available()) == ["tensorrt", "cuda", "openvino-int8", "openvino", "torch"]
    assert set(backends.PRECISION) == set(backends.available())
    assert backends.available()["torch"] == ""
    monkeypatch.setattr(checkpoint, "weights_path", lambda model: tmp_path / f"{model}.safetensors")
    (tmp_path / "digit-lite.safetensors").touch()
    assert backends.models()["digit-lite"] == ""
    assert "no weights at" in backends.models()["digit-w32"]


@pytest.mark.parametrize("fault", ["cut", "changed", "no manifest", "valid manifest, no network", "no reference"])
def test_a_damaged_cache_is_made_again(cache: Path, lite: Path, fault: str, monkeypatch: pytest.MonkeyPatch):
    ir = openvino_backend.export_of(lite, checkpoint.sha256(lite), "fp32", lambda _: None)
    exported = {path.name: path.read_bytes() for path in ir.iterdir()}

    def export_again(module: str, weights: Path, folder: Path) -> str:
        for name, content in exported.items():
            (folder / name).write_bytes(content)
        return ""

    monkeypatch.setattr(exports, "in_another_process", export_again)
    weights = ir / "predictor.bin"
    whole = weights.read_bytes()
    if fault == "cut":
        weights.write_bytes(whole[: len(whole) // 2])
    elif fault == "changed":
        weights.write_bytes(whole[:1000] + bytes([whole[1000] ^ 255]) + whole[1001:])
    elif fault == "no manifest":
        (ir / exports.MANIFEST).unlink()
    else:
        (ir / ("predictor.xml" if "network" in fault else check.FILE)).write_text("<net/>")
        exports.seal(ir, checkpoint.sha256(lite))
    told: list[str] = []
    backend = backends.load("openvino", weights=lite, progress=told.append)
    assert any("once for these weights" in sentence for sentence in told)
    assert np.isfinite(backend(CROP).joints_2p5d).all()
    backend.close()
    assert weights.read_bytes() == whole
    assert not list(ir.parent.glob("part-*"))


def test_a_cached_network_loads_without_torch(cache: Path, lite: Path):
    backends.load("openvino", weights=lite).close()
    code = (
        "import sys, pathlib, numpy as np\n"
        "from digit import backends\n"
        "from digit.backends import exports\n"
        "exports.user_cache_path = lambda name: pathlib.Path(sys.argv[2]) / name\n"
        "backend = backends.load('auto', weights=pathlib.Path(sys.argv[1]))\n"
        "backend(np.zeros((256, 256, 3), np.uint8))\n"
        "print(backend.name, backends.models() and 'torch' in sys.modules)\n"
        "backend.close()\n"
    )
    if not backends.available()["cuda"]:
        code = code.replace("'auto'", "'openvino'")
    root = Path(backends.__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code, str(lite), str(cache)],
        env={**os.environ, "PYTHONPATH": str(root)}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.stdout.split() == ["openvino", "False"], done.stderr


def test_ctrl_c_is_safe_after_two_models_were_freed(lite: Path, cache: Path):
    """In another process, because the fault that this guards against is a segmentation fault."""
    code = (
        "import sys, signal; from pathlib import Path; from digit.backends import exports, load;"
        "exports.user_cache_path = lambda name: Path(sys.argv[2]) / name;"
        "a, b = (load('openvino', weights=Path(sys.argv[1])) for _ in range(2)); a.close(); b.close();"
        "signal.signal(signal.SIGINT, lambda *_: print('told')); signal.raise_signal(signal.SIGINT)"
    )
    root = Path(backends.__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code, str(lite), str(cache)], cwd=root, capture_output=True, text=True)
    assert (done.returncode, done.stdout.strip()) == (0, "told"), done.stderr


def test_the_package_imports_numpy_alone():
    code = "import sys, digit.backends; print([m for m in ('torch', 'openvino', 'safetensors') if m in sys.modules])"
    root = Path(backends.__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr


def test_an_unwritable_cache_is_one_sentence(lite: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "file").touch()
    monkeypatch.setattr(exports, "user_cache_path", lambda name: tmp_path / "file" / name)
    with pytest.raises(UserError, match=r"cache folder .* cannot be written"):
        backends.load("openvino", weights=lite)


def test_a_failed_export_is_one_sentence(cache: Path, tmp_path: Path):
    bad = tmp_path / "bad.safetensors"
    bad.write_bytes(b"x")
    with pytest.raises(UserError, match=r"could not be prepared for OpenVINO: .* is no weights file"):
        openvino_backend.export_of(bad, "0" * 64, "fp32", lambda _: None)
