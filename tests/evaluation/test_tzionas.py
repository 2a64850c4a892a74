"""The skeleton map learns a known difference between two skeletons and is used on predictions."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from digit.errors import UserError
from digit.evaluation import tzionas
from digit.interhand import Index
from digit.skeleton import SLOTS, WRIST

QUICK = tzionas.Training(rate=2e-3, batch=64, patience=20, max_epochs=110)


def many_hands(count: int = 400) -> Index:
    """Random hands around one shape, all joints known."""
    rng = np.random.default_rng(0)
    shape = rng.normal(0, 40, (42, 3))
    joints = (shape + rng.normal(0, 8, (count, 42, 3)) + [0, 0, 600]).astype(np.float32)
    yes = np.ones((count, 2), bool)
    return Index(
        np.arange(count), np.full(count, b""), np.full(count, b""), np.ones((count, 4)), joints,
        np.ones((count, 42), bool), yes, np.ones((count, 4)), yes, yes[:, 0], np.full((count, 2), np.nan),
    )  # fmt: skip


def other_skeleton(index: Index) -> Index:
    """Fingers a fifth longer, and a bone less for the thumb's base: what two definitions of joints differ by."""
    joints = index.joints_mm.copy()
    for slots in SLOTS.values():
        wrist = joints[:, slots][:, WRIST : WRIST + 1]
        joints[:, slots] = wrist + (joints[:, slots] - wrist) * 1.2
        joints[:, slots.start + 3] += np.array([6.0, -4.0, 3.0], np.float32)
    return replace(index, joints_mm=joints)


@pytest.fixture(scope="module")
def learnt() -> tuple[tzionas.SkeletonMap, dict[str, float]]:
    index = many_hands()
    return tzionas.fit(index, other_skeleton(index), QUICK)


def test_the_map_learns_the_difference(learnt) -> None:
    skeleton_map, held_out = learnt
    unseen = many_hands(450)
    unseen = unseen.take(np.arange(400, 450))
    source, target = tzionas.pairs(unseen, other_skeleton(unseen), "right")
    mapped = tzionas.mapper(skeleton_map)(source, "right")
    before = np.linalg.norm(source - target, axis=-1).mean()
    after = np.linalg.norm(mapped - target, axis=-1).mean()
    assert after < 0.4 * before and max(held_out.values()) < 0.4 * before
    assert np.abs(mapped[:, WRIST]).max() == 0


def test_a_map_is_as_the_paper_says(learnt) -> None:
    shapes = {name: tuple(t.shape) for name, t in learnt[0].state_dict().items() if name.startswith("sides.left")}
    assert shapes == {
        "sides.left.0.weight": (512, 63),
        "sides.left.0.bias": (512,),
        "sides.left.2.weight": (63, 512),
        "sides.left.2.bias": (63,),
    }


def test_maps_are_kept_on_disk(learnt, tmp_path: Path) -> None:
    file = tmp_path / "map.safetensors"
    tzionas.save(file, learnt[0])
    hands = many_hands(3).joints_mm[:, :21]
    hands = hands - hands[:, WRIST:]
    first, second = (tzionas.mapper(m)(hands, "left") for m in (learnt[0], tzionas.load(file)))
    np.testing.assert_array_equal(first, second)
    with pytest.raises(UserError, match="There is no skeleton map"):
        tzionas.load(tmp_path / "none")
    file.write_bytes(b"something else")
    with pytest.raises(UserError, match="is no skeleton map or is damaged"):
        tzionas.load(file)
    with pytest.raises(UserError, match="cannot be written"):
        tzionas.save(tmp_path / "no folder" / "map", learnt[0])


def test_only_whole_hands_of_both_sets_pair() -> None:
    index = many_hands(4)
    index.joint_valid[1, 5] = False
    other = other_skeleton(index).take(np.array([3, 1, 0]))
    source, target = tzionas.pairs(index, other, "right")
    np.testing.assert_allclose(source, (index.joints_mm[:, :21] - index.joints_mm[:, 20:21])[[0, 3]])
    assert len(target) == 2 and len(tzionas.pairs(index, other, "left")[0]) == 3
    stranger = replace(index, annotation_ids=index.annotation_ids + 100)
    with pytest.raises(UserError, match="share no annotation id"):
        tzionas.pairs(index, stranger, "left")


def test_command(tmp_path: Path, small_set: Path, capsys, monkeypatch) -> None:
    monkeypatch.setattr(tzionas, "UNTIL_CONVERGENCE", replace(QUICK, max_epochs=2))
    out = tmp_path / "map.safetensors"
    arguments = ["--source", str(small_set), "--target", str(small_set), "--split", "val", "--out", str(out)]
    assert tzionas.main(arguments) == 0
    assert capsys.readouterr().out.startswith("held-out joint error: right ")
    tzionas.load(out)
    assert tzionas.main([*arguments[:-1], str(tmp_path / "no" / "map")]) == 2
    assert capsys.readouterr().err.splitlines()[-1].startswith("error: The skeleton map cannot be written")
