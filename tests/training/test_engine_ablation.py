"""The engine's ablation: a tiny one from the command line, its resumption, and its table of known errors."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from digit import checkpoint
from digit.lite import DigitLite
from digit.training import engine_ablation as module
from digit.training.engine_ablation import WHOLE, EngineAblation, Row, main, markdown


@pytest.fixture
def annotations(tmp_path: Path) -> Path:
    """Two photographs of a right hand."""
    rows = []
    joints_px = np.zeros((42, 2))
    joints_px[:21] = np.random.default_rng(0).uniform(60, 180, (21, 2))
    for i in range(2):
        image = tmp_path / f"images/handgraph/{i}.png"
        image.parent.mkdir(parents=True, exist_ok=True)
        assert cv2.imwrite(str(image), np.full((240, 320, 3), 90, np.uint8))
        rows.append(
            {
                "image": f"images/handgraph/{i}.png", "side": "right", "K": [[300, 0, 160], [0, 300, 120], [0, 0, 1]],
                "joints_mm": np.c_[joints_px - 100, np.full(42, 500)].tolist(), "joints_px": joints_px.tolist(),
                "joint_valid": [1] * 21 + [0] * 21, "bbox_xywh": [60, 60, 120, 120],
            }
        )  # fmt: skip
    path = tmp_path / "annotations.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def test_an_ablation_runs_writes_its_table_and_goes_on(
    annotations: Path,
    tiny_set: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(module, "COMPONENTS", {"skin": "plain skin"})
    out, weights = tmp_path / "out", tmp_path / "weights.safetensors"
    checkpoint.save(weights, DigitLite(), {})
    command = [
        "--annotations", str(annotations), "--validation", str(tiny_set), "--out", str(out), "--pictures", "4",
        "--steps", "2", "--batch", "2", "--threads", "1", "--workers", "0", "--seeds", "2", "--start", str(weights),
        "--input-size", "96",
    ]  # fmt: skip
    assert main(command) == 0
    table = (out / "table.md").read_text()
    assert capsys.readouterr().out.strip().endswith(table.strip())
    rows = json.loads((out / "table.json").read_text())
    assert [(row["without"], row["seed"]) for row in rows] == [(WHOLE, 0), (WHOLE, 1), ("skin", 0)]
    assert all(len(row["nme"]) == 2 and row["mpjpe_mm"] > 0 and row["renders_mpjpe_mm"] > 0 for row in rows)
    assert "without skin" in next((out / "sets" / "skin").rglob("seed.txt")).read_text()
    kept = (out / "rows" / "skin-0.json").stat().st_mtime_ns
    (out / "rows" / f"{WHOLE.replace(' ', '-')}-1.json").unlink()  # as if killed between training and measuring
    assert main(command) == 0
    assert json.loads((out / "table.json").read_text()) == rows
    assert (out / "rows" / "skin-0.json").stat().st_mtime_ns == kept
    assert main([*command, "--rate", "1e-4"]) == 2
    assert "with other settings" in capsys.readouterr().err


def test_photographs_of_another_set_are_refused(
    annotations: Path,
    tiny_set: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(module, "SET", "studio")
    command = ["--annotations", str(annotations), "--validation", str(tiny_set), "--out", str(tmp_path / "out")]
    assert main([*command, "--pictures", "2", "--steps", "1", "--batch", "2", "--threads", "1", "--workers", "0"]) == 2
    assert "has no photographs of the set 'studio'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("plan", "photographs", "sentence"), [("{", True, "is damaged"), (None, False, "nowhere.jsonl")]
)
def test_bad_files_are_told_before_anything_is_drawn(
    plan: str | None,
    photographs: bool,
    sentence: str,
    annotations: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("digit.synth.generate.generate", lambda *_, **__: pytest.fail("drawn first"))
    if plan is not None:
        (tmp_path / "plan.json").write_text(plan)
    given = annotations if photographs else tmp_path / "nowhere.jsonl"
    assert main(["--annotations", str(given), "--validation", str(tmp_path), "--out", str(tmp_path)]) == 2
    assert sentence in capsys.readouterr().err


def test_the_table_tells_a_worse_row_from_an_equal_one(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    nme = rng.uniform(0.03, 0.05, 200)
    rows = [
        Row(WHOLE, 0, nme.tolist(), 20.0, 0.99, 50.0),
        Row(WHOLE, 1, rng.permutation(nme).tolist(), 20.5, 0.98, 51.0),
        Row("skin", 0, (nme + 0.01).tolist(), 25.0, 0.9, 60.0),
    ]
    text = markdown(rows, EngineAblation(tmp_path, tmp_path, Path("digit-lite.safetensors"), None, tmp_path))
    lines = [line for line in text.splitlines() if line.startswith("| ")][2:]
    assert lines[0].startswith(f"| nothing: {WHOLE}, seed 0 | {np.median(nme):.4f} | - | 20.0 | 0.990 | 50.0 |")
    assert "| +0.0000 [-" in lines[1] and "the trunk frozen, starting from digit-lite.safetensors" in text
    assert "| skin | " in lines[2] and "| +0.0100 [+0.01" in lines[2]
