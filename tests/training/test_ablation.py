"""Ablations: a tiny one from the command line, its resumption, and what the table says of known errors."""

import json
from pathlib import Path

import numpy as np
import pytest

from digit.training import ablation as module
from digit.training.ablation import main
from digit.training.ablation_table import ROWS, Cell, Row, markdown, summary, verdict


def command(data: Path, out: Path, *more: str) -> list[str]:
    return [
        "--table", "2", "--budget", "10", "--data", str(data), "--validation", str(data), "--out", str(out),
        "--size", "64", "--batch", "2", "--threads", "1", "--workers", "0", *more,
    ]  # fmt: skip


def cell(mm: float, two: int = 30, seed: int = 0) -> Cell:
    """Errors around a mean; a third of the pictures shows one hand, wrongly placed."""
    rng = np.random.default_rng(seed)
    interacting = np.arange(3 * two // 2) < two
    joint_mm = np.where(interacting[:, None], mm + rng.normal(0, 1, (len(interacting), 42)), 500.0)
    return Cell(joint_mm, np.where(interacting, 2 * mm, np.nan), np.full(len(interacting), np.nan), interacting, 1.0)


def test_an_ablation_runs_writes_its_table_and_is_not_run_twice(
    tiny_set: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(module, "planned_steps", lambda ablation, pictures: 1)
    assert main(command(tiny_set, tmp_path)) == 0
    text = (tmp_path / "table.md").read_text()
    assert capsys.readouterr().out.strip().endswith(text.strip())
    for row in ROWS[2]:
        assert f"| {row.name} | {row.mpjpe_mm:.2f} |" in text
    figures = json.loads((tmp_path / "table.json").read_text())
    assert figures["settings"]["samples a cell"] == 2
    assert figures["rows"]["Baseline"]["part_miou"] == [None, None, None]
    assert figures["rows"]["Baseline + BL + SL"]["part_miou"][0] >= 0
    assert all(row["mpjpe"][0] > 0 and row["mrrpe"][0] > 0 for row in figures["rows"].values())
    before = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("cell.npz")}
    assert len(before) == 5
    missing = tmp_path / "cells/baseline-0/cell.npz"
    missing.unlink()  # as if killed between training and evaluation
    assert main(command(tiny_set, tmp_path)) == 0
    again = json.loads((tmp_path / "table.json").read_text())["rows"]
    assert {name: row["mpjpe"] for name, row in again.items()} == {n: r["mpjpe"] for n, r in figures["rows"].items()}
    assert all(p.stat().st_mtime_ns == before[p] for p in before if p != missing)


def test_the_plan_is_made_once_and_other_settings_are_refused(
    tiny_set: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(module, "seconds_a_sample", lambda run: 0.5)
    monkeypatch.setattr(module, "trained_cell", lambda ablation, row, seed, steps, index: cell(steps, seed=seed))
    assert main(command(tiny_set, tmp_path)) == 0
    # 600 s, less 5 cells of 5 s and of 8 pictures of 0.5 s, over 5 cells of 2 x 0.5 s a step.
    assert json.loads((tmp_path / "plan.json").read_text())["steps"] == pytest.approx(111, abs=1)
    monkeypatch.setattr(module, "seconds_a_sample", lambda run: pytest.fail("planned twice"))
    assert main(command(tiny_set, tmp_path)) == 0
    assert main(command(tiny_set, tmp_path, "--rate", "1e-4")) == 2
    assert capsys.readouterr().err.strip().endswith("holds an ablation with another rate; give another --out.")


@pytest.mark.parametrize("wrong", [("--batch", "0"), ("--budget", "nan"), ("--workers", "-1")])
def test_a_bad_option_exits_2(wrong: tuple[str, str], tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as stop:
        main(command(tmp_path, tmp_path, *wrong))
    assert stop.value.code == 2


def test_a_damaged_plan_is_named(tiny_set: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "plan.json").write_text("{")
    assert main(command(tiny_set, tmp_path)) == 2
    error = capsys.readouterr().err
    assert "plan.json is damaged" in error and error.count("\n") == 1


def test_too_small_a_budget_is_refused(tiny_set: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "seconds_a_sample", lambda run: 60.0)
    assert main(command(tiny_set, tmp_path)) == 2


def test_the_speed_of_a_variant_is_measured(tiny_set: Path, tmp_path: Path) -> None:
    ablation = module.Ablation(7, (tiny_set,), tiny_set, tmp_path, 1.0, size=64, batch=2, threads=1, workers=0)
    two_stages = ROWS[7][-1]
    assert 0 < module.seconds_a_sample(module._run(ablation, two_stages, 0, 1), steps=1) < 60


def cells_of(mm: dict[str, float]) -> dict[Row, list[Cell]]:
    return {row: [cell(mm[row.variant])] for row in ROWS[2]}


def test_the_verdict_names_each_order() -> None:
    as_paper = {row.variant: row.mpjpe_mm for row in ROWS[2]}
    sentences = verdict(cells_of(as_paper))
    assert sentences[-1] == (
        "The paper's order appears in the means: 4 of 4 pairs stand as in the paper, 4 of them beyond the interval."
    )
    assert "Baseline + BL before Baseline: appears, by +1.48 mm" in sentences[0]
    reversed_pair = verdict(cells_of(as_paper | {"baseline-bl": 25.0}))
    assert "is reversed" in reversed_pair[0]
    assert "does not appear in the means: 3 of 4" in reversed_pair[-1]


def test_only_interacting_hands_count() -> None:
    found = summary(2, cells_of({row.variant: row.mpjpe_mm for row in ROWS[2]}))
    value, low, high = found["rows"]["Baseline"]["mpjpe"]
    assert value == pytest.approx(21.91, abs=0.1) and low < value < high
    assert found["rows"]["Baseline"]["mrrpe"][0] == pytest.approx(2 * 21.91)


def test_one_seed_says_that_it_knows_no_spread() -> None:
    cells = cells_of({row.variant: row.mpjpe_mm for row in ROWS[2]})
    assert "one seed, so the spread" in markdown(2, cells, {})
    assert "and 2 seeds." in markdown(2, {row: found * 2 for row, found in cells.items()}, {})


def test_a_cell_is_read_as_written(tmp_path: Path) -> None:
    made = cell(20.0)
    made.write(tmp_path / "cell.npz")
    for a, b in zip(made, Cell.read(tmp_path / "cell.npz"), strict=True):
        np.testing.assert_array_equal(a, b)
