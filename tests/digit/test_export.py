"""What is written for other runtimes gives the numbers of PyTorch, for every graph of the family."""

import json
from pathlib import Path

import pytest
import torch

from digit import checkpoint, export
from digit.predict import PredictionTensors, Predictor
from digit.variants import VARIANTS, Variant, build, find

#: Pixels and millimetres: heatmaps of random weights are flat, so that sums over their 4,096 cells round differently.
TOLERANCE = PredictionTensors(*map(torch.tensor, (0.05, 1e-3, 0.0, 1e-4, 1e-2, 0.05)))


def graphs() -> list[str]:
    """One variant of each graph, with the small backbone where it may have that."""
    seen: dict[object, str] = {}
    for variant in VARIANTS.values():
        small = variant if variant.own_backbone else find(variant.name, "lite")
        seen.setdefault((small.graph, small.segmentation), small.name)
    return list(seen.values())


def size_of(variant: Variant) -> int:
    """Crops as small as the network takes them, because the graph is what is tested."""
    return 256 if variant.graph == "digit-lite" else 64


def same(ours: PredictionTensors, theirs: PredictionTensors) -> None:
    for name, a, b, tolerance in zip(PredictionTensors._fields, ours, theirs, TOLERANCE, strict=True):
        assert a.shape == b.shape, name
        assert a.dtype == b.dtype, name
        if name == "part_labels":
            assert (a != b).float().mean() < 1e-3
        else:
            assert (a - b).abs().max() <= tolerance, name


@pytest.mark.parametrize("name", graphs())
def test_openvino_by_way_of_onnx_equals_torch(name: str, tmp_path: Path):
    """The IR is written from the ONNX file, so that one run judges both."""
    torch.manual_seed(0)
    predictor = Predictor(build(name)).eval()
    size = size_of(find(name))
    given = export.example(batch=2, size=size)
    with torch.inference_mode():
        wanted = predictor(*given)
    export.write_openvino(predictor, tmp_path / "x.xml", size=size)
    same(export.run(tmp_path / "x.xml", *given), wanted)


def test_another_runtime_agrees(tmp_path: Path):
    runtime = pytest.importorskip("onnxruntime")
    torch.manual_seed(0)
    predictor = Predictor(build("digit/lite")).eval()
    given = export.example(batch=2, size=64)
    export.write_onnx(predictor, tmp_path / "x.onnx", size=64)
    session = runtime.InferenceSession(tmp_path / "x.onnx", providers=["CPUExecutionProvider"])
    answers = session.run(list(export.OUTPUTS), {"crop": given[0].numpy()})
    with torch.inference_mode():
        same(PredictionTensors(*map(torch.from_numpy, answers)), predictor(*given))


def test_the_command_compares_what_it_wrote(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    weights = tmp_path / "x.safetensors"
    checkpoint.save(weights, build("baseline/lite"), {}, model="baseline/lite")
    assert export.main([str(weights), str(tmp_path / "deep" / "x.onnx")]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (tmp_path / "deep" / "x.onnx").is_file()
    assert set(said["largest_difference_to_torch"]) == set(PredictionTensors._fields)
    assert said["largest_difference_to_torch"]["joints_2p5d"] < 0.05
    assert export.main([str(weights), str(tmp_path / "x.tflite")]) == 2
    assert "end it in .onnx or .xml" in capsys.readouterr().err
    assert export.main([str(tmp_path / "none"), str(tmp_path / "x.onnx")]) == 2
    assert capsys.readouterr().err.startswith("error: There is no weights file")
