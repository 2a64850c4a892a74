"""The judge's offsets are in the hand's own frame."""

import numpy as np

from digit.synth.generate import Picture
from digit.synth.judge import Verdict, _in_hand_frame, judge, one_hand_pictures, report


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
    verdict = judge(12, seed=2)
    assert 0.4 <= verdict.found <= 1
    assert verdict.nme < 0.2
    assert np.isfinite(verdict.offsets).all()
    assert "wrist" in report(verdict)


def test_nothing_found_is_reported() -> None:
    text = report(Verdict(3, 0.0, float("nan"), float("nan"), np.full((21, 2), np.nan)))
    assert text.startswith("found 0.0% of 3")
