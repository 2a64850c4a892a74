"""How `auto` chooses, and how an answer is checked before it is used."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from digit import backends, checkpoint, follower
from digit.backends import check, exports, fastest, samples
from digit.backends import openvino as openvino_backend
from digit.errors import UserError

CROP = np.random.default_rng(0).integers(0, 256, (256, 256, 3), dtype=np.uint8)
PRIOR = np.zeros((42, 4), np.float32)


@pytest.fixture
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("why_no_cuda", "why_no_tensorrt"):
        monkeypatch.setattr(backends, name, lambda: "there is no NVIDIA driver")


def test_auto_takes_the_first_that_works(cache: Path, lite: Path, no_gpu: None, monkeypatch: pytest.MonkeyPatch):
    backend = backends.load(weights=lite)
    assert backend.name == "openvino"
    no_driver = "tensorrt: there is no NVIDIA driver; cuda: there is no NVIDIA driver"
    assert backend.why == f"openvino is the fastest here ({no_driver})."
    backend.close()

    def broken(*_: object) -> None:
        raise UserError("The cache folder cannot be written.")

    monkeypatch.setattr(openvino_backend, "export_of", broken)
    backend = backends.load(weights=lite)
    assert backend.name == "torch"
    assert "openvino: The cache folder cannot be written)" in backend.why
    backend.close()


def test_auto_measures_the_cpus_two_once(cache: Path, no_gpu: None, monkeypatch: pytest.MonkeyPatch):
    """The shipped weights come in both precisions, so nothing is exported for this."""
    digest = checkpoint.sha256(checkpoint.weights_path("digit-lite"))
    told: list[str] = []
    backend = backends.load(progress=told.append)
    backend.close()
    known = fastest.remembered(digest)
    assert set(known) == {"openvino-int8", "openvino"}
    assert backend.name == min(known, key=lambda name: known[name])
    assert f"{backend.name} at {known[backend.name]:.1f} ms" in backend.why
    assert any("Measuring" in sentence for sentence in told)

    monkeypatch.setattr(fastest, "remembered", lambda _: {"openvino-int8": 9.0, "openvino": 3.0})
    backend = backends.load(progress=told.append)
    backend.close()
    assert backend.name == "openvino"
    assert "with openvino at 3.0 ms, openvino-int8 at 9.0 ms" in backend.why
    assert sum("Measuring" in sentence for sentence in told) == 1


def test_a_race_lets_all_take_turns_and_closes_them():
    turns: list[str] = []

    class Runner:
        def __init__(self, name: str):
            self.name = name

        def start(self, crop: np.ndarray, prior: np.ndarray):
            turns.append(self.name)
            return list

        def close(self) -> None:
            turns.append(f"{self.name} closed")

    known = fastest.race({"a": Runner("a"), "b": Runner("b")})
    count = fastest.WARM_UP + fastest.TURNS
    assert turns == ["a", "b"] * count + ["a closed", "b closed"]
    assert all(0 <= ms < 1000 for ms in known.values())


@pytest.mark.parametrize(("wrong", "taken"), [("int8", "openvino"), ("fp32", "openvino-int8")])
def test_one_wrong_export_leaves_the_other(
    cache: Path, no_gpu: None, wrong: str, taken: str, monkeypatch: pytest.MonkeyPatch
):
    """It is told why, nothing is measured, and what was opened for that is closed."""
    opened: list[openvino_backend.OpenVinoSession] = []
    closed: list[openvino_backend.OpenVinoSession] = []

    class Session(openvino_backend.OpenVinoSession):
        def __init__(self, folder: Path):
            super().__init__(folder)
            opened.append(self)

        def close(self) -> None:
            closed.append(self)
            super().close()

    monkeypatch.setattr(openvino_backend, "OpenVinoSession", Session)
    monkeypatch.setattr(check, "fault", lambda outputs, reference, kind: "off by 9" if kind == wrong else "")
    monkeypatch.setattr(fastest, "remembered", lambda _: {})
    told: list[str] = []
    backend = backends.load(progress=told.append)
    assert backend.name == taken
    assert f"OpenVINO in {wrong} does not answer as the reference does (off by 9)" in backend.why
    assert not any("Measuring" in sentence for sentence in told)
    backend.close()
    assert len(opened) == 3 and set(opened) == set(closed)


def test_an_export_that_openvino_cannot_read_is_one_sentence(tmp_path: Path):
    shipped = checkpoint.weights_path("digit-lite")
    weights = Path(shutil.copy(shipped, tmp_path))
    folder = exports.beside(weights, "fp32")
    shutil.copytree(exports.beside(shipped, "fp32"), folder)
    (folder / "predictor.xml").write_text("<net/>")
    exports.seal(folder, checkpoint.sha256(weights))
    with pytest.raises(UserError, match=r"'openvino' cannot open .*: Unable to read the model"):
        backends.load("openvino", weights=weights)


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_what_ships_agrees_with_torch(precision: str):
    """On crops that no network learned from. Redo with: python -m digit.backends.export ship"""
    weights = checkpoint.weights_path("digit-lite")
    folder = exports.shipped(weights, checkpoint.sha256(weights), precision)
    assert folder is not None, "the export in assets/ is not of these weights"
    ours, reference = openvino_backend.OpenVinoSession(folder), backends.load("torch")
    assert reference.session is not None
    crops = samples.read("check")
    faults = [
        check.fault([output[0] for output in ours.start(crop, prior)()], answer, precision)
        for crop, prior in zip(crops.images[:, None], crops.priors[:, None], strict=True)
        if (answer := check.Reference(crop, prior, tuple(a[0] for a in reference.session.start(crop, prior)())))
    ]
    ours.close()
    reference.close()
    # One in eight: a crop that the network itself finds hard may tip over.
    assert sum(map(bool, faults)) <= len(crops) / 8, faults


@pytest.mark.parametrize("folder", [exports.beside(checkpoint.weights_path("digit-lite"), "int8"), follower.INT8])
def test_int8_that_ships_does_not_saturate_where_there_is_no_vnni(folder: Path) -> None:
    """There two products of uint8 and int8 meet in 16 bits: 2 x 255 x 64 fits. Depthwise ones, 5-D, do not meet."""
    from openvino import Core, Type

    constants = [n for n in Core().read_model(folder / "predictor.xml").get_ops() if n.get_type_name() == "Constant"]
    weights = [n.data for n in constants if n.get_element_type() == Type.i8 and n.data.ndim < 5]
    assert len(weights) > 20
    assert max(int(np.abs(w.astype(int)).max()) for w in weights) <= 64


def test_int8_made_in_another_way_is_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    before = {precision: openvino_backend.name_of("0", precision) for precision in ("fp32", "int8")}
    monkeypatch.setattr(checkpoint, "sha256", lambda _: "another quantize.py")
    after = {precision: openvino_backend.name_of("0", precision) for precision in before}
    assert after["fp32"] == before["fp32"]
    assert after["int8"] != before["int8"]
    monkeypatch.setattr(openvino_backend, "_nncf", lambda: "another nncf")
    assert openvino_backend.name_of("0", "int8") != after["int8"]


def test_an_answer_that_is_wrong_is_not_used(cache: Path, lite: Path, no_gpu: None, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(check, "fault", lambda *_: "joint_px off by 44, allowed 0.05")
    with pytest.raises(UserError, match=r"does not answer as the reference does .joint_px off by 44"):
        backends.load("openvino", weights=lite)
    backend = backends.load(weights=lite)
    backend.close()
    assert backend.name == "torch"


def test_the_check_sees_each_kind_of_fault():
    crop, prior = np.zeros((1, 256, 256, 3), np.uint8), np.zeros((1, 42, 4), np.float32)
    joints = np.random.default_rng(0).uniform(0, 256, (1, 42, 3)).astype(np.float32)
    labels = np.zeros((1, 128, 128), np.uint8)
    places = np.concatenate([np.ones((1, 42, 1)), joints], axis=2)[:, :, None].repeat(2, axis=2) / 2
    good = (joints, np.full((1, 42), 0.9, np.float32), labels, np.full((1, 2), 0.5, np.float32), np.zeros(1), places)
    reference = check.Reference(crop, prior, good)
    assert check.fault(good, reference, "fp32") == ""
    wrong_labels = labels.copy()
    wrong_labels[:, :20] = 3
    for at, value, said in (
        (0, joints + np.array([3, 4, 0]), "joint_px off by 5, allowed 0.05"),
        (0, joints + np.array([0, 0, 2]), "depth_mm off by 2,"),
        (0, joints * np.nan, "joint_px off by nan"),
        (2, wrong_labels, "labels off by 0.156"),
        (3, good[3] + 0.2, "probability off by 0.2"),
        (4, good[4] - 7, "root_mm off by 7"),
        (5, places + np.array([0, 0.5, 0, 0]), "joint_px off by 1, allowed 0.05"),
        (5, places + np.array([0, 0, 0, 1]), "depth_mm off by 2,"),
    ):
        answer = [value if i == at else output for i, output in enumerate(good)]
        assert said in check.fault(answer, reference, "fp32")


def test_a_crop_is_not_copied_on_its_way():
    given: list[np.ndarray] = []

    class Seen:
        at_once = 1

        def start(self, crop: np.ndarray, prior: np.ndarray):
            given.extend((crop, prior))
            return lambda: [np.zeros(shape) for shape in ((1, 42, 3), (1, 1), (1, 1), (1, 1), 1, (1, 42, 1, 4))]

        def close(self) -> None: ...

    backends.LoadedBackend(Seen(), "seen", "baseline", "0", "for a test.")(CROP, PRIOR)
    assert np.shares_memory(given[0], CROP)
    assert np.shares_memory(given[1], PRIOR)


def test_processors_of_one_name_that_differ_in_pace_are_told_apart(tmp_path: Path) -> None:
    def named(flags: str) -> str:
        cpuinfo = tmp_path / "cpuinfo"
        one = f"processor : 0\nmodel name : Some CPU\n{flags}\n"
        cpuinfo.write_text(one + one)
        return fastest.processor(cpuinfo)

    assert named("flags : fpu avx2 avx512f avx512_vnni") == "2 x Some CPU, AVX-512 VNNI"
    assert named("flags : fpu avx2") == "2 x Some CPU, AVX2"
    assert named("Features : fp asimd") == "2 x Some CPU"
    assert fastest.processor(tmp_path / "missing")
