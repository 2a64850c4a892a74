"""`python -m digit.evaluate --data` from the command line, with real but untrained networks."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from digit import checkpoint, evaluate, variants
from digit.evaluation import command, tzionas
from digit.evaluation.command import TABLE_NAMES
from digit.landmarker import HandLandmarks
from tests.interhand_set import write_set

REAL = Path("/work/shared/real/interhand_format")


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder = tmp_path_factory.mktemp("weights")
    torch.manual_seed(0)
    paths = {name: folder / f"{name.replace('/', '-')}.safetensors" for name in ("baseline/lite", "digit-lite")}
    for name, path in paths.items():
        checkpoint.save(path, variants.build(name), {}, half=True, model=name)
    return [str(path) for path in paths.values()]


def error_of(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    assert evaluate.main(arguments) == 2
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert last.startswith("error: ")
    return last


def test_every_table_and_figure(small_set: Path, weights: list[str], tmp_path: Path, capsys) -> None:
    arguments = ["--data", str(small_set), "--weights", *weights, "--table", *TABLE_NAMES]
    arguments += ["--figures", str(tmp_path / "out"), "--pictures", "1", "--joint", "left wrist", "--backend", "torch"]
    arguments += ["--worst"]
    assert evaluate.main(arguments) == 0
    out = capsys.readouterr().out
    for number in range(1, 9):
        assert f"Table {number}." in out
    assert "Fig. 8." in out and "Fig. 15." in out and "Generalization" in out
    assert "baseline-lite (Baseline, lite)" in out and "digit-lite" in out and "Paired t-test, val" in out
    pages = {path.stem: cv2.imread(str(path)) for path in (tmp_path / "out").iterdir()}
    assert set(pages) == {"fig05", "fig07", "fig08", "fig15", "fig17", "fig18", "fig19"}
    for page in pages.values():
        assert page.std() > 10 and min(page.shape[:2]) > 150


def test_summary_as_one_line_of_json(small_set: Path, weights: list[str], capsys) -> None:
    arguments = ["--data", str(small_set), "--weights", weights[1], "--split", "test", "--json", "--limit", "2"]
    assert evaluate.main(arguments) == 0
    out = capsys.readouterr().out
    assert out.count("\n") == 1
    figures = json.loads(out)["splits"]["digit-lite"]["test"]
    assert figures["pictures"] == 2 and figures["root_depths"] == "true"
    assert set(figures["mpjpe_by_mask_iou_mm"]) >= {"SH", "IH 0"}


def test_tables_as_json(small_set: Path, weights: list[str], capsys) -> None:
    assert evaluate.main(["--data", str(small_set), "--weights", weights[0], "--table", "1", "--json"]) == 0
    tables = json.loads(capsys.readouterr().out)["tables"]
    (table,) = tables.values()
    assert table["rows"]["Ours"]["MPJPE Val"] == 16.72
    assert table["rows"]["baseline-lite (Baseline, lite)"]["MPJPE Val"] > 0


def test_table_8_needs_no_pictures(weights: list[str], capsys) -> None:
    assert evaluate.main(["--table", "8", "--weights", *weights]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert next(line for line in lines if line.startswith("digit-lite")).split()[1:3] == ["5.9", "M"]


def test_a_skeleton_map_is_used(small_set: Path, weights: list[str], tmp_path: Path, capsys) -> None:
    file = tmp_path / "map.safetensors"
    tzionas.save(file, tzionas.SkeletonMap())
    plain = ["--data", str(small_set), "--weights", weights[1], "--split", "test", "--json"]
    found: list[dict[str, float]] = []
    for arguments in (plain, [*plain, "--skeleton", str(file)]):
        assert evaluate.main(arguments) == 0
        found.append(json.loads(capsys.readouterr().out)["splits"]["digit-lite"]["test"])
    assert found[0]["mpjpe_mm"] != found[1]["mpjpe_mm"] and found[0]["mrrpe_mm"] == found[1]["mrrpe_mm"]


def test_bad_options_end_in_one_sentence(small_set: Path, weights: list[str], tmp_path: Path, capsys) -> None:
    data = ["--data", str(small_set), "--weights", *weights]
    assert "name --data, --annotations or --clips" in error_of([], capsys)
    assert "give a set with --data" in error_of(["--table", "1"], capsys)
    assert "holds no annotations of any split" in error_of(["--data", str(tmp_path)], capsys)
    assert "--limit 0" in error_of([*data, "--limit", "0"], capsys)
    assert "given twice" in error_of(["--data", str(small_set), "--weights", weights[0], weights[0]], capsys)
    for backend in ("openvino", "openvino-int8", "tensorrt", "tpu"):
        assert "leave --backend away" in error_of([*data, "--backend", backend], capsys)
    assert "--workers -1" in error_of([*data, "--workers", "-1"], capsys)
    assert "There is no joint 'nose'" in error_of([*data, "--figures", str(tmp_path / "f"), "--joint", "nose"], capsys)
    assert "holds no annotations/train" in error_of([*data, "--split", "train"], capsys)
    assert "There is no" in error_of([*data, "--root-depths", str(tmp_path / "none.json")], capsys)
    assert "made from a set" in error_of(["--annotations", "x.jsonl", "--table", "1"], capsys)
    assert "one file with --weights" in error_of(["--annotations", "x.jsonl", "--weights", *weights], capsys)


def test_a_landmarkers_hands_reach_the_network(small_set: Path, weights: list[str], capsys, monkeypatch) -> None:
    class Everywhere:
        """Sees one right hand in the middle of every picture."""

        def __init__(self, *_: object, **__: object) -> None: ...
        def __enter__(self):
            return self

        def __exit__(self, *_: object) -> None: ...
        def __call__(self, image: np.ndarray) -> list[HandLandmarks]:
            middle = np.array(image.shape[1::-1]) / 2 + np.random.default_rng(0).normal(0, 30, (21, 2))
            return [HandLandmarks("right", 0.9, middle, np.zeros((21, 3), np.float32))]

    monkeypatch.setattr(command, "Landmarker", Everywhere)
    found: list[float] = []
    for prior in ("none", "mediapipe"):
        arguments = ["--data", str(small_set), "--weights", weights[1], "--split", "val", "--prior", prior, "--json"]
        assert evaluate.main(arguments) == 0
        found.append(json.loads(capsys.readouterr().out)["splits"]["digit-lite"]["val"]["mpjpe_mm"])
    assert found[0] != found[1]


def test_sets_of_digit_synth_have_only_train(tmp_path: Path, weights: list[str], capsys) -> None:
    folder = write_set(tmp_path / "set", count=3)
    assert evaluate.main(["--data", str(folder), "--weights", weights[1], "--table", "5"]) == 0
    assert "MPJPE Train" in capsys.readouterr().out


@pytest.mark.skipif(not REAL.is_dir(), reason="the two real samples are not here")
def test_real_samples(weights: list[str], capsys) -> None:
    assert evaluate.main(["--data", str(REAL), "--weights", weights[1], "--table", "1", "5"]) == 0
    assert "1 pictures of one hand, 1 of two" in capsys.readouterr().out
    assert "needs part masks" in error_of(["--data", str(REAL), "--weights", weights[1], "--table", "3"], capsys)
