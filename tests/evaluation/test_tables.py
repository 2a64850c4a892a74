"""The paper's tables with made-up results: layout, the paper's own figures, and ours in the right cells."""

from dataclasses import replace

import numpy as np
import pytest

from digit import metrics
from digit.errors import UserError
from digit.evaluation import summary, tables
from digit.evaluation.paper import ROWS_OF_VARIANT, TABLES
from digit.evaluation.protocol import Results
from digit.evaluation.tables import MEASURED, Evaluated, Table
from digit.variants import VARIANTS


def results(error_mm: float, split: str = "test", count: int = 6, seed: int = 0) -> Results:
    """Joints but the wrists off by ``error_mm``, a little different for each picture; every third has one hand."""
    rng = np.random.default_rng(seed)
    truth = rng.normal(0, 50, (count, 42, 3)) + np.array([0, 0, 600])
    predicted = truth.copy()
    offsets = error_mm * 21 / 20 * (1 + 0.01 * np.arange(count) - 0.01 * (count - 1) / 2)
    predicted[:, np.arange(42) % 21 != 20, 0] += offsets[:, None]
    predicted[:, 21:] += [0, 0, 2 * error_mm]
    interacting = np.arange(count) % 3 != 0
    valid = np.ones((count, 42), bool)
    valid[~interacting, 21:] = False
    hands = np.stack([np.ones(count, bool), interacting], axis=1)
    return Results(
        name="made up",
        split=split,
        root_depths="true",
        predicted_mm=predicted.astype(np.float32),
        truth_mm=truth.astype(np.float32),
        joint_valid=valid,
        interacting=interacting,
        handedness=hands * 0.8 + 0.1,
        hands=hands,
        hands_valid=np.ones(count, bool),
        miou=np.linspace(0.05, 0.95, count),
        overlap=np.where(interacting, np.linspace(0, 1, count), np.nan),
        confusion=np.eye(33, dtype=np.int64),
    )


@pytest.fixture
def two() -> list[Evaluated]:
    """A baseline off by 20 mm on test, a DIGIT off by 15 mm; on val 24 and 18."""
    return [
        Evaluated(name, variant, {"val": results(1.2 * mm, "val"), "test": results(mm)})
        for name, variant, mm in (("mine", "baseline", 20.0), ("better", "digit-w32", 15.0))
    ]


def row(table: Table, name: str) -> dict[str, object]:
    return dict(zip(table.columns, dict(table.rows)[name], strict=True))


@pytest.mark.parametrize("name", list(TABLES))
def test_the_papers_tables_are_whole(name: str) -> None:
    for cells in TABLES[name].rows.values():
        assert len(cells) == len(TABLES[name].columns)


@pytest.mark.parametrize("name", ["1", "6"])
@pytest.mark.parametrize("column", range(4))
def test_the_papers_improvements_follow_from_its_rows(name: str, column: int) -> None:
    """A wrongly typed figure would show here."""
    rows = TABLES[name].rows
    before, after = float(rows["InterHand2.6M [37]"][column]), float(rows["Ours"][column])  # type: ignore[arg-type]
    assert 100 * (1 - after / before) == pytest.approx(float(rows["% in improvement over [37]"][column]), abs=0.09)  # type: ignore[arg-type]


def test_variants_of_the_paper_exist() -> None:
    assert set(ROWS_OF_VARIANT) <= set(VARIANTS)
    rows = {name for table in TABLES.values() for name in (*table.rows, *table.columns)}
    assert {name for names in ROWS_OF_VARIANT.values() for name in names} <= rows


def test_table_1(two: list[Evaluated]) -> None:
    table = tables.table("1", two)
    assert table.columns == ("MPJPE Val", "MRRPE Val", "MPJPE Test", "MRRPE Test")
    assert row(table, "Ours")["MPJPE Test"] == 14.27
    assert row(table, "mine (Baseline)")["MPJPE Test"] == pytest.approx(20.0, abs=0.3)
    assert row(table, "better (Ours)")["MPJPE Val"] == pytest.approx(18.0, abs=0.3)
    assert row(table, "better (Ours)")["MRRPE Test"] == pytest.approx(30.0, abs=0.01)
    gain = row(table, "% in improvement of better over mine")
    assert gain["MPJPE Val"] == pytest.approx(25.0) and gain["MRRPE Test"] == pytest.approx(25.0, abs=0.01)
    assert any(note.startswith("Paired t-test, test: mine - better = 5.0") for note in table.notes)
    assert "Handedness accuracy, val: mine 100.00 %." in table.notes


def test_other_splits_get_columns_of_their_own(two: list[Evaluated]) -> None:
    one = Evaluated("mine", "digit-lite", {"train": results(20.0, "train")})
    table = tables.table("5", [one])
    assert table.columns == ("MPJPE Val", "MPJPE Test", "MPJPE Train")
    assert row(table, "mine (digit-lite)")["MPJPE Val"] is None
    assert row(table, "mine (digit-lite)")["MPJPE Train"] == pytest.approx(20.0, abs=0.5)
    assert row(table, "Ours") == {"MPJPE Val": 13.54, "MPJPE Test": 11.32, "MPJPE Train": None}
    assert not any("t-test" in note for note in table.notes)


def test_table_3_splits_all_by_the_miou_of_the_last(two: list[Evaluated]) -> None:
    lame = [Evaluated(e.name, e.variant, dict(e.by_split)) for e in two]
    lame[0].by_split["val"] = replace(lame[0].by_split["val"], miou=np.full(6, np.nan))
    table = tables.table("3", lame)
    assert dict(table.rows)["pictures"] == ("1", "1", "2", "1", "1")
    expected = metrics.by_range(two[1].by_split["val"].picture_mm, two[1].by_split["val"].miou, (0.8, 1.0))[0]
    assert row(table, "better (W/ segm.)")["[0.8, 1.0]"] == f"{expected.mean:.1f} ± {expected.std:.1f}"
    assert str(row(table, "Difference")["[0.8, 1.0]"]).startswith("6.")
    without = [Evaluated("a", "baseline", {"val": replace(two[0].by_split["val"], miou=np.full(6, np.nan))})]
    with pytest.raises(UserError, match="Table 3 needs part masks"):
        tables.table("3", without)


def test_table_4_has_methods_as_columns(two: list[Evaluated]) -> None:
    table = tables.table("4", two)
    assert table.columns == ("InterHand2.6M [37]", "Baseline", "Ours", "mine (Baseline)", "better (Ours)")
    single, interacting = str(row(table, "Test")["mine (Baseline)"]).split("/")
    assert float(single) == pytest.approx(two[0].by_split["test"].absolute_mpjpe.single_mm, abs=0.006)
    assert float(interacting) > float(single)
    assert row(table, "Val")["Ours"] == "63.12/90.55"
    assert any("no RootNet result" in note for note in table.notes)


def test_a_table_without_its_data_is_an_error(two: list[Evaluated]) -> None:
    single = replace(results(1.0), interacting=np.zeros(6, bool))
    with pytest.raises(UserError, match="Table 1 needs pictures of two hands"):
        tables.table("1", [Evaluated("a", "internet", {"test": single})])
    both = replace(results(1.0), interacting=np.ones(6, bool))
    with pytest.raises(UserError, match="Table 5 needs pictures of one hand"):
        tables.table("5", [Evaluated("a", "internet", {"test": both})])


def test_figures_8_and_15_by_hand(two: list[Evaluated]) -> None:
    """Overlaps of the interacting pictures 1, 2, 4, 5 are 0.2, 0.4, 0.8, 1."""
    found = tables.by_overlap(two[0].by_split["test"], two[0].by_split["test"].picture_mm)
    assert [(name, r.count) for name, r in found.items()] == [
        ("SH", 2), ("IH 0", 0), ("IH 0.00-0.17", 0), ("IH 0.17-0.33", 1), ("IH 0.33-0.50", 1), ("IH 0.50-0.67", 0),
        ("IH 0.67-0.83", 1), ("IH 0.83-1.00", 1),
    ]  # fmt: skip
    assert found["IH 0.83-1.00"].mean == pytest.approx(two[0].by_split["test"].picture_mm[5])
    figure = tables.table("fig8", two)
    assert row(figure, "mine (baseline)")["IH 0"] is None
    assert row(tables.table("fig15", two), "better (digit-w32)")["IH 0.33-0.50"] == "0.410 ± 0.000"
    without = [Evaluated("a", "baseline", {"val": replace(results(1.0), miou=np.full(6, np.nan))})]
    with pytest.raises(UserError, match=r"Fig\. 15 needs part masks"):
        tables.table("fig15", without)


def test_a_zero_overlap_stands_alone() -> None:
    apart = replace(results(1.0), overlap=np.where(np.arange(6) % 3 != 0, 0.0, np.nan))
    assert tables.by_overlap(apart, apart.picture_mm)["IH 0"].count == 4


def test_text_is_aligned_and_plain(two: list[Evaluated]) -> None:
    lines = tables.table("2", two).text().splitlines()
    assert lines[0].startswith("Table 2.") and lines[2].split()[:2] == ["Ablation", "Study"]
    body = lines[4 : lines.index(lines[1], 4)]
    assert {len(line) for line in body if line != MEASURED} == {len(lines[1])}
    assert "Baseline + BL + SF*" in lines[7]
    assert body[-1].split()[-1] == "25.00"


def test_figures_for_json(two: list[Evaluated]) -> None:
    rows = tables.table("1", two).figures()["rows"]
    assert isinstance(rows, dict) and MEASURED not in rows
    assert rows["Baseline"]["MRRPE Test"] == 31.36 and rows["mine (Baseline)"]["MRRPE Test"] == pytest.approx(
        40, abs=0.1
    )


def test_summary(two: list[Evaluated]) -> None:
    table = summary.summary_table(two)
    assert [name for name, _ in table.rows] == ["mine, val", "mine, test", "better, val", "better, test"]
    assert row(table, "better, test")["MRRPE"] == pytest.approx(30.0, abs=0.01)
    assert row(table, "better, test")["handedness acc. %"] == 100.0
    figures = summary.figures(two[1].by_split["test"])
    assert figures["pictures"] == 6 and figures["interacting"] == 4
    per_joint = figures["mpjpe_per_joint_mm"]
    assert isinstance(per_joint, dict) and per_joint["right wrist"] == 0.0 and per_joint["left ring3"] > 14
    assert figures["part_miou"] == 1.0


def test_pictures_of_unknown_hands_do_not_judge_handedness() -> None:
    known = results(1.0)
    wrong = replace(known, handedness=1 - known.handedness, hands_valid=np.arange(6) < 0)
    assert summary.figures(wrong)["handedness_accuracy"] is None
    assert summary.figures(replace(wrong, hands_valid=np.ones(6, bool)))["handedness_accuracy"] == 0.0
