"""Clips of moving hands: the motion, the truth beside them, and how the loop is measured against it."""

from pathlib import Path

import av
import numpy as np
import pytest

from digit.errors import UserError
from digit.evaluation.clips import read_truth, truth_figures
from digit.geometry import project
from digit.skeleton import BONES
from digit.synth import hand_model
from digit.synth.__main__ import main
from digit.synth.contact import gap_mm
from digit.synth.meetings import MEETINGS, mirrored, sample_pair, skin
from digit.synth.motion import Motion, hands_at, sample_motion
from digit.synth.moving import SIZE, MovingClip, write_clips

ARM = (-0.55, -0.6, -0.5)


@pytest.fixture(scope="module")
def motions() -> list[Motion]:
    return [sample_motion(np.random.default_rng([4, n]), hand_model.shared(), 3.0, ARM) for n in range(6)]


def test_hands_move_without_jumps_and_keep_their_bones(motions: list[Motion]) -> None:
    for motion in motions:
        frames = [hands_at(motion, hand_model.shared(), n / 60) for n in range(180)]
        for side in ("right", "left"):
            joints = np.stack([hands[side].joints_mm for hands in frames])
            assert np.linalg.norm(np.diff(joints, axis=0), axis=-1).max() < 75  # 4.5 m/s
            child, parent = np.array(BONES).T
            bones = np.linalg.norm(joints[:, child] - joints[:, parent], axis=-1)
            assert np.ptp(bones, axis=0).max() < 0.01


def test_hands_meet_and_hardly_run_into_each_other(motions: list[Motion]) -> None:
    gaps = np.array([gap_mm(hands_at(motion, hand_model.shared(), n / 10)) for motion in motions for n in range(30)])
    assert (gaps < 5).mean() > 0.3  # they touch often
    assert np.percentile(gaps, 5) > -16  # half a finger


def test_keys_are_passed_through(motions: list[Motion]) -> None:
    for motion in motions:
        assert motion.seconds[0] == 0.0 and motion.seconds[-1] >= 3.0
        for key, second in zip(motion.keys[1:3], motion.seconds[1:3], strict=True):
            wanted, found = skin(hand_model.shared(), motion.shape, key), hands_at(motion, hand_model.shared(), second)
            for side, hand in wanted.items():
                np.testing.assert_allclose(found[side].joints_mm, hand.joints_mm, atol=0.01)


def test_a_mirrored_pair_is_the_pair_in_a_mirror() -> None:
    model = hand_model.shared()
    pair = sample_pair(np.random.default_rng(3), model, 5, MEETINGS["fist in palm"], ARM)
    hands, other = skin(model, 5, pair), skin(model, 5, mirrored(pair))
    for side, opposite in (("right", "left"), ("left", "right")):
        np.testing.assert_allclose(other[opposite].joints_mm, hands[side].joints_mm * [-1, 1, 1], atol=1e-3)


def test_a_set_is_written_once_and_its_truth_lies_on_the_pictures(tmp_path: Path) -> None:
    assert main(["--out", str(tmp_path), "--count", "1", "--seed", "9", "--clips", "0.2"]) == 0
    clip = tmp_path / "0009-000.mp4"
    written = clip.stat().st_mtime_ns
    truth = read_truth(clip)
    assert truth is not None and truth.shape == (6, 2, 21, 2)
    with np.load(clip.with_suffix(".npz")) as data:
        np.testing.assert_allclose(
            project(data["joints_mm"].reshape(-1, 3), data["K"]), truth.reshape(-1, 2), atol=0.01
        )
    with av.open(str(clip)) as file:
        pictures = [frame.to_ndarray(format="rgb24") for frame in file.decode(video=0)]
    assert len(pictures) == 6 and pictures[0].shape == (SIZE, SIZE, 3)
    drawn = next(MovingClip(9, 0, 0.2).images()).astype(float)
    assert np.abs(drawn - pictures[0]).mean() < 6  # what H.264 does to it
    write_clips(tmp_path, 1, 9, 0.2)
    assert clip.stat().st_mtime_ns == written
    with pytest.raises(UserError, match=r"0009-000\.npz is of 0\.2 seconds, not 0\.5"):
        write_clips(tmp_path, 1, 9, 0.5)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0009-000.mp4", "0009-000.npz"]


@pytest.mark.parametrize("wrong", [["--clips", "x"], ["--clips", "2", "--preview"], ["--clips", "2", "--shard", "0/2"]])
def test_options_that_do_not_go_together(wrong: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--out", str(tmp_path), "--count", "1", *wrong])
    assert "--clips" in capsys.readouterr().err


def test_a_folder_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="Cannot write"):
        write_clips(tmp_path / "file", 1)


def hands(*x: tuple[float | None, float | None]) -> np.ndarray:
    """(F, 2, 21, 2) hands 20 px wide around these x; None is no hand."""
    shape = np.stack([np.linspace(-10, 10, 21), np.zeros(21)], axis=-1)
    return np.array([[shape + np.array([np.nan if at is None else at, 0]) for at in frame] for frame in x])


def test_truth_figures_by_hand() -> None:
    true = hands((0, 100), (0, 100), (0, 100), (0, 100))
    loop = hands((1.9, 100), (100, 1), (None, 3), (50, 100))
    # Found: 1.9 and 0 px away; both under the wrong names, 0 and 1 px; the right one as left, 3 px; the left one, 0 px.
    # Joints are right in the first frame's hands and in the last one's left hand.
    confidence = np.where(np.isnan(loop[..., 0]), np.nan, np.array([0.9, 0.2])[:, None])
    by_hand = (0.1**2 + 2 * 0.9**2 + 2 * 0.8**2 + 2 * 0.2**2) / 7
    assert truth_figures(loop, confidence, true) == {
        "found_share": 0.75, "sides_right": 0.5, "nme": round(0.5 / 20, 4),
        "joints_right": round(3 / 7, 4), "joints_said": 0.5, "brier": round(by_hand, 4),
    }  # fmt: skip
    assert truth_figures(loop, confidence, true[:1])["joints_right"] == 1.0  # a truth that ends before the clip
    nothing = truth_figures(hands((None, None)), np.full((1, 2, 21), np.nan), true[:1])
    assert nothing == {"found_share": 0.0} | dict.fromkeys(
        ("sides_right", "nme", "joints_right", "joints_said", "brier")
    )


def test_a_broken_truth(tmp_path: Path) -> None:
    assert read_truth(tmp_path / "clip.mp4") is None
    (tmp_path / "clip.npz").write_bytes(b"no truth")
    with pytest.raises(UserError, match="Cannot read the truth"):
        read_truth(tmp_path / "clip.mp4")
