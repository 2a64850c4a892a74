"""int8: made from synthetic crops, measured against the truth, refused when it costs too much."""

from pathlib import Path

import cv2
import numpy as np
import openvino
import pytest

from digit import checkpoint
from digit.backends import check, export, exports, quantize, samples, tensorrt
from digit.backends.openvino import OpenVinoSession
from digit.backends.rewrite import rewrite, take_small_crops
from digit.errors import UserError

FLOATS = exports.beside(checkpoint.weights_path("digit-lite"), "fp32")
TRUTH = samples.read("check", 4)


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quantize, "CALIBRATION", 4)
    monkeypatch.setattr(samples, "read", lambda half, count=None: TRUTH)


@pytest.fixture
def quick(few: None, monkeypatch: pytest.MonkeyPatch) -> None:
    make = quantize._quantize
    monkeypatch.setattr(quantize, "_quantize", lambda *args: make(*args, quick=True))


def test_int8_is_int8_where_it_may_be(quick: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(quantize, "WORST_MPJPE_MM", 1e3)
    monkeypatch.setattr(quantize, "WORST_MIOU_POINTS", 1e3)
    report = quantize.int8_ir(FLOATS, tmp_path)
    assert report.startswith("int8 on 4 synthetic crops: MPJPE ")
    kinds = {kind for op in _quantized_inputs(tmp_path) for kind in op}
    assert {"Convolution", "GroupConvolution", "Add"} <= kinds
    assert not kinds & {*quantize.FLOAT_TYPES, "MatMul"}  # products are of vectors
    assert (tmp_path / "predictor.bin").stat().st_size < 0.6 * (FLOATS / "predictor.bin").stat().st_size
    assert np.array_equal(check.read(tmp_path).crop, check.read(FLOATS).crop)


def _quantized_inputs(folder: Path) -> list[set[str]]:
    ops = openvino.Core().read_model(folder / "predictor.xml").get_ops()
    fakes = [op for op in ops if op.get_type_name() == "FakeQuantize"]
    inputs = [op for op in fakes if op.input_value(0).get_node().get_type_name() != "Constant"]
    return [{target.get_node().get_type_name() for target in op.output(0).get_target_inputs()} for op in inputs]


def test_int8_that_costs_too_much_is_refused(few: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    tried: list[object] = []
    scores = iter([quantize.Accuracy(20.0, 60.0)] + [quantize.Accuracy(25.0, 60.0)] * len(quantize.FLOAT_PARTS))
    monkeypatch.setattr(quantize, "_quantize", lambda floats, out, calibration, parts: tried.append(parts))
    monkeypatch.setattr(quantize, "accuracy", lambda folder, truth: next(scores))
    with pytest.raises(UserError, match=r"int8 costs too much accuracy .*MPJPE 20.00 -> 25.00 mm"):
        quantize.int8_ir(FLOATS, tmp_path)
    assert tried == list(quantize.FLOAT_PARTS)


def test_more_stays_float_until_int8_is_good_enough(few: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    scores = iter([quantize.Accuracy(20.0, 60.0), quantize.Accuracy(21.0, 60.0), quantize.Accuracy(20.2, 59.6)])
    monkeypatch.setattr(quantize, "_quantize", lambda *_: None)
    monkeypatch.setattr(quantize, "accuracy", lambda folder, truth: next(scores))
    assert quantize.int8_ir(FLOATS, tmp_path).endswith(f"with {quantize.FLOAT_PARTS[1][0]} in float")


def test_accuracy_by_hand(monkeypatch: pytest.MonkeyPatch):
    """Two joints off by (3, 4) px at 2 mm a pixel: 10 mm each; the wrists' own error is aligned away."""
    truth = samples.Samples(
        images=np.zeros((1, 256, 256, 3), np.uint8),
        priors=np.zeros((1, 42, 4), np.float32),
        joints_2p5d=np.zeros((1, 42, 3), np.float32),
        valid=np.isin(np.arange(42), (0, 1, 20))[None],
        parts=np.repeat([[[0], [1]]], 64, axis=1).repeat(128, axis=2).astype(np.uint8),
        mm_per_px=np.array([2.0]),
    )
    joints = np.zeros((1, 42, 3), np.float32)
    joints[0, :21] += (50, 0, 0)
    joints[0, :2] += (3, 4, 0)
    labels = np.zeros((1, 128, 128), np.uint8)

    class Session:
        def __init__(self, folder: Path):
            pass

        def start(self, crop: np.ndarray, prior: np.ndarray):
            return lambda: [joints, None, labels]

        def close(self) -> None: ...

    monkeypatch.setattr(quantize, "OpenVinoSession", Session)
    found = quantize.accuracy(Path(), truth)
    assert found.mpjpe_mm == pytest.approx(20 / 3)
    assert found.miou_points == 0  # the one part is never found; background does not count


def test_bad_arguments_are_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "file").touch()
    weights = str(checkpoint.weights_path("digit-lite"))
    for main, arguments, said in (
        (quantize.main, [str(tmp_path / "none"), str(tmp_path / "out")], "holds no fp32 export"),
        (quantize.main, [str(FLOATS), str(tmp_path / "file")], "File exists"),
        (export.main, [weights, str(tmp_path / "file")], "cannot be written to"),
    ):
        assert main(arguments) == 2
        error = capsys.readouterr().err
        assert error.startswith("error: ") and said in error and error.count("\n") == 1
    for main in (quantize.main, tensorrt.main):
        with pytest.raises(SystemExit) as caught:
            main([])
        assert caught.value.code == 2


def test_without_nncf_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(__import__("sys").modules, "nncf", None)
    with pytest.raises(UserError, match=r"pip install 'digit-live\[int8\]' or use the backend openvino"):
        quantize.int8_ir(FLOATS, tmp_path)


def test_the_rewritten_argmax_is_the_same_with_ties():
    scores = np.random.default_rng(0).integers(-2, 3, (1, 33, 16, 16)).astype(np.float32)
    scores[:, :, 8:] *= 200
    answer = rewritten_argmax(scores)
    assert answer.dtype == np.int64
    assert np.array_equal(answer, scores.argmax(axis=1))


def test_the_rewritten_argmax_takes_another_class_only_within_a_step():
    scores = np.random.default_rng(0).normal(0, 5, (1, 33, 128, 128)).astype(np.float32)
    answer = rewritten_argmax(scores)
    assert (answer != scores.argmax(axis=1)).mean() < 0.001
    taken = np.take_along_axis(scores, answer[:, None], axis=1)[:, 0]
    assert (scores.max(axis=1) - taken).max() <= 1 / 1024


def rewritten_argmax(scores: np.ndarray) -> np.ndarray:
    from openvino import opset13

    given = opset13.parameter(list(scores.shape), np.float32)
    top = opset13.topk(given, opset13.constant(1), 1, "max", "value", index_element_type="i64")
    model = openvino.Model([opset13.squeeze(top.output(1), opset13.constant(1))], [given])
    rewrite(model)
    assert "TopK" not in {op.get_type_name() for op in model.get_ops()}
    config = {"INFERENCE_PRECISION_HINT": "f32"}
    return openvino.Core().compile_model(model, "CPU", config)(scores)[0]


@pytest.mark.parametrize("antialias", [False, True])
def test_a_crop_that_is_shrunk_first_is_taken_small(antialias: bool):
    from openvino import opset13

    crop = opset13.parameter([1, 256, 256, 3], np.uint8, name="crop")
    crop.output(0).get_tensor().set_names({"crop"})
    planes = opset13.transpose(opset13.convert(crop, "f32"), opset13.constant(np.array([0, 3, 1, 2])))
    sizes, axes = opset13.constant(np.array([192, 192])), opset13.constant(np.array([2, 3]))
    small = opset13.interpolate(
        opset13.divide(planes, opset13.constant(np.float32(255))), sizes, "linear_onnx", "sizes", axes=axes,
        coordinate_transformation_mode="pytorch_half_pixel", antialias=antialias,
    )  # fmt: skip
    model = openvino.Model([opset13.relu(small)], [crop])
    image = cv2.GaussianBlur(np.random.default_rng(0).integers(0, 256, (256, 256, 3), np.uint8), (0, 0), 3)
    before = openvino.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})(image[None])[0]
    take_small_crops(model)
    if antialias:  # another resize than OpenCV's stays where it is
        assert model.input(0).shape[1] == 256
        return
    assert "Interpolate" not in {op.get_type_name() for op in model.get_ops()}
    shrunk = cv2.resize(image, (192, 192), interpolation=cv2.INTER_LINEAR)
    after = openvino.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})(shrunk[None])[0]
    np.testing.assert_allclose(after, before, atol=1 / 255)


def test_a_damaged_file_of_samples_is_one_sentence(tmp_path: Path):
    (tmp_path / "calibration.npz").write_bytes(samples.PATH.read_bytes()[:5000])
    for path in (tmp_path / "calibration.npz", tmp_path / "none.npz"):
        with pytest.raises(UserError, match="missing or damaged; fetch the repository's assets folder again"):
            samples.read("check", path=path)


def test_the_samples_are_what_they_say():
    first, check_half = samples.read("calibrate"), samples.read("check")
    assert len(first) == len(check_half) == 96
    assert check_half.images.shape == (96, 256, 256, 3)
    assert not any(np.array_equal(a, b) for a in first.images for b in check_half.images[:8])
    assert check_half.parts.max() <= 32
    assert ((check_half.mm_per_px > 0.2) & (check_half.mm_per_px < 10)).all()


def test_shipping_writes_both_precisions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    weights = tmp_path / "digit-lite.safetensors"
    weights.write_bytes(checkpoint.weights_path("digit-lite").read_bytes())

    def copied(source: Path, out: Path) -> str:
        for name in (*export.IR, check.FILE):
            (out / name).write_bytes((FLOATS / name).read_bytes())
        return "int8 on no crops"

    monkeypatch.setattr(export, "openvino_ir", lambda weights, folder, half: copied(FLOATS, folder) and None)
    monkeypatch.setattr(quantize, "int8_ir", copied)
    assert export.main(["ship", str(weights)]) == 0
    digest = checkpoint.sha256(weights)
    for precision in ("fp32", "int8"):
        assert exports.shipped(weights, digest, precision) == tmp_path / "digit-lite.openvino" / precision
        assert exports.shipped(weights, "0" * 64, precision) is None
    OpenVinoSession(tmp_path / "digit-lite.openvino" / "int8").close()
