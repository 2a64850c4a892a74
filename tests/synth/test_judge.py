"""The judge's offsets are in the hand's own frame, and photographs ask for the pictures that are most like them."""

import json
from pathlib import Path

import numpy as np
import pytest

from digit.errors import UserError
from digit.skeleton import SLOTS
from digit.synth.generate import Picture
from digit.synth.judge import (
    Opinion,
    _in_hand_frame,
    judge,
    nearest,
    one_hand_pictures,
    opinions,
    pose_of,
    poses_of_photographs,
    report,
)


def test_offset_is_thumbwards_and_fingerwards_on_either_side() -> None:
    truth = np.zeros((21, 2))
    truth[[7, 11, 19]] = [(-30, -80), (0, -100), (40, -70)]  # index, middle and little finger's base; wrist at (0, 0)
    moved_px = np.tile([-10.0, -20.0], (21, 1))
    for mirror in (1, -1):
        flip = np.array([mirror, 1.0])
        np.testing.assert_allclose(_in_hand_frame(moved_px * flip, truth * flip), [[0.1, 0.2]] * 21)


def test_only_whole_single_hands_are_judged() -> None:
    pictures = one_hand_pictures(0)
    some: list[Picture] = [next(pictures) for _ in range(4)]
    assert all(made.hands.sum() == 1 and made.joint_valid.sum() == 21 for made in some)


def test_judge_finds_some_hands() -> None:
    verdict = judge(opinions(12, seed=2))
    assert 0.4 <= verdict.found <= 1
    assert verdict.nme < 0.2
    assert np.isfinite(verdict.offsets).all()
    assert "wrist" in report(verdict)


def opinion(pose: np.ndarray, error: float) -> Opinion:
    return Opinion(pose, error, True, np.zeros((21, 2)))


def test_hands_that_were_not_found_count_as_such() -> None:
    pose = np.zeros((21, 3))
    verdict = judge([opinion(pose, 0.1), opinion(pose, float("nan")), opinion(pose, 0.3), opinion(pose, 0.2)])
    assert (verdict.count, verdict.found, verdict.nme) == (4, 0.75, 0.2)
    assert report(judge([opinion(pose, float("nan"))] * 3)).startswith("found 0.0% of 3")


def test_a_pose_is_the_same_for_both_sides_at_any_place_and_size() -> None:
    rng = np.random.default_rng(0)
    right = rng.normal(0, 50, (21, 3))
    left = right * (-1, 1, 1)
    np.testing.assert_allclose(pose_of(right, False), pose_of(np.add(1.3 * left, (5.0, 6.0, 700.0)), True), atol=1e-9)
    assert np.abs(pose_of(right, False) - pose_of(right, True)).max() > 0.1


def test_each_photograph_asks_for_the_picture_nearest_to_it(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    right, left = rng.normal(0, 50, (2, 21, 3))
    lines: list[str] = []
    for side, hand in (("right", right), ("left", left)):
        joints_mm = np.zeros((42, 3))
        joints_mm[SLOTS[side]] = np.add(hand, (0.0, 0.0, 500.0))
        valid = np.zeros(42, int)
        valid[SLOTS[side]] = 1
        row = {"image": "a.jpg", "K": None, "side": side, "joints_mm": joints_mm.tolist(), "bbox_xywh": [0, 0, 9, 9]}
        lines.append(json.dumps(row | {"joints_px": np.zeros((42, 2)).tolist(), "joint_valid": valid.tolist()}))
    file = tmp_path / "annotations.jsonl"
    file.write_text("\n".join(lines))
    poses = poses_of_photographs(file)
    given = [opinion(rng.normal(0, 1, (21, 3)), 0.5), opinion(pose_of(left, True) + 0.01, 0.2)]
    given.append(opinion(pose_of(right, False) - 0.01, 0.1))
    assert [one.error for one in nearest(given, poses)] == [0.1, 0.2]


def test_photographs_without_a_whole_hand_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "annotations.jsonl"
    row = {"image": "a.jpg", "K": None, "side": "unknown", "joints_mm": None, "bbox_xywh": [0, 0, 9, 9]}
    row |= {"joints_px": np.zeros((42, 2)).tolist(), "joint_valid": np.zeros(42, int).tolist()}
    file.write_text(json.dumps(row))
    with pytest.raises(UserError, match="--like"):
        poses_of_photographs(file)
