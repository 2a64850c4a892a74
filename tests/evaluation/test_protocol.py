"""A network that knows the truth has no error; one that is off by a known amount has that error."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from torch import nn

from digit import interhand, metrics
from digit.errors import UserError
from digit.evaluation import protocol
from digit.evaluation.protocol import Results, given_roots_mm, lift, on_other_skeleton, run
from digit.interhand import Index
from tests.evaluation.oracle import Oracle
from tests.interhand_set import write_rootnet, write_set


def results(network: nn.Module, index: Index, **options) -> Results:
    return run(network, "oracle", index, "test", batch=3, **options)


def test_the_truth_has_no_error(index: Index) -> None:
    found = results(Oracle(index), index)
    assert len(found) == 4 and found.root_depths == "true"
    assert found.mpjpe.all_mm < 0.01 and found.absolute_mpjpe.all_mm < 0.01 and found.mrrpe_mm < 0.01
    assert found.miou == pytest.approx(np.ones(4)) and metrics.miou(found.confusion) == pytest.approx(1.0)
    assert metrics.handedness_ap(found.handedness, found.hands) == 1.0
    assert found.interacting.tolist() == [True, True, False, False]
    assert np.isfinite(found.overlap[:2]).all() and np.isnan(found.overlap[2:]).all()


def test_errors_are_what_was_put_in(index: Index) -> None:
    """All joints but the wrists 8 mm too deep, each along its own ray; the left hand 30 mm too far behind the right."""
    found = results(Oracle(index, shift_mm=8.0, far_mm=30.0), index)
    rays = [np.linalg.norm(sample.joints_mm / sample.joints_mm[:, 2:], axis=1) for sample in index]
    for row, sample in enumerate(index):
        valid = np.flatnonzero(sample.joint_valid)
        # The left hand as a whole stands 30 mm behind its place where there are two.
        expected = [8.0 * rays[row][j] if j % 21 != 20 else 0.0 for j in valid if j < 21 or not sample.interacting]
        errors = found.errors_mm[row, [j for j in valid if j < 21 or not sample.interacting]]
        assert errors == pytest.approx(expected, abs=0.02)
    assert found.mrrpe_mm == pytest.approx(np.mean([30.0 * rays[row][41] for row in (0, 1)]), abs=0.02)
    assert found.mpjpe.per_joint_mm[[20, 41]].max() < 0.01
    assert found.absolute_mpjpe.interacting_mm > found.mpjpe.interacting_mm + 5
    assert found.picture_mm == pytest.approx(np.nanmean(found.errors_mm, axis=1))


def test_without_segmentation_or_masks_there_is_no_miou(small_set: Path, index: Index) -> None:
    assert not results(Oracle(index, parts=False), index).has_parts
    bare = replace(index, parts=np.full(len(index), b"", "S1"))
    assert not results(Oracle(index), bare).has_parts


def test_rootnet_depths_are_taken_where_they_are(tmp_path: Path) -> None:
    """RootNet says 50 mm too far for the right wrist: only absolute errors see it."""
    folder = write_set(tmp_path / "set", count=4, split="test", sequence="x")
    depths = interhand.read(folder, "test").joints_mm[:, [20, 41], 2] + [50.0, 0.0]
    write_rootnet(folder, "rootnet_interhand2.6m_output_test.json", {500 + i: tuple(d) for i, d in enumerate(depths)})
    index = interhand.read(folder, "test")
    found = results(Oracle(index), index)
    assert found.root_depths == "rootnet"
    assert 40 < found.absolute_mpjpe.interacting_mm < 75 and found.mpjpe.interacting_mm < 8
    assert results(Oracle(index), index, root_depths_from="true").absolute_mpjpe.all_mm < 0.01


def test_rootnet_has_to_know_every_hand(index: Index) -> None:
    with pytest.raises(UserError, match="RootNet's root depths are missing"):
        results(Oracle(index), index, root_depths_from="rootnet")


def test_lift_follows_equation_4(index: Index) -> None:
    two, left = index[0], index[2]
    pose = np.zeros((42, 3))
    pose[:, :2] = 128.0
    deep = lift(two, pose, np.array([0.1, 0.9]), 25.0, np.array([500.0, 900.0]))
    assert deep[[20, 41], 2].tolist() == [500, 525], "no given depth of the left wrist enters where there are two hands"
    for h_right, expected in ((0.1, 900), (0.9, 525)):
        deep = lift(left, pose, np.array([h_right, 0.9]), 25.0, np.array([500.0, 900.0]))
        assert deep[41, 2] == expected
    deep = lift(left, pose, np.array([0.9, 0.9]), 25.0, given_roots_mm(left, "true"))
    assert deep[41, 2] == pytest.approx(left.joints_mm[41, 2]) and np.isfinite(deep).all()


@pytest.mark.parametrize("workers", [0, 2])
def test_broken_pictures_are_left_out_and_named(tmp_path: Path, capfd, workers: int) -> None:
    folder = write_set(tmp_path / "set", count=4, split="test", sequence="x")
    index = interhand.read(folder, "test")
    network = Oracle(index, order=[0, 2, 3])
    (folder / "images/test/image000001.jpg").write_bytes(b"no picture")
    found = results(network, index, workers=workers)
    assert len(found) == 3 and found.mpjpe.all_mm < 0.01
    told = capfd.readouterr().err
    assert "Skipped 1 of 4 samples of this run" in told and "image000001.jpg" in told


def test_no_picture_at_all_is_an_error(tmp_path: Path) -> None:
    folder = write_set(tmp_path / "set", count=2, split="test", sequence="x")
    index = interhand.read(folder, "test")
    network = Oracle(index)
    for picture in (folder / "images/test").iterdir():
        picture.unlink()
    with pytest.raises(UserError, match="No picture of the split test"):
        results(network, index)


def test_a_landmarker_gives_priors_to_networks_that_take_them(index: Index) -> None:
    seen: list[tuple[int, ...]] = []

    def see_hands(image: np.ndarray):
        seen.append(image.shape)
        return ()

    loaded = protocol.load_sample(index[0], 0, see_hands)
    assert seen == [(320, 320, 3)] and not loaded.prior.any()


def test_mapped_skeletons_keep_their_wrists(index: Index) -> None:
    found = results(Oracle(index), index)
    doubled = on_other_skeleton(found, lambda hands, _: 2 * hands)
    np.testing.assert_allclose(doubled.predicted_mm[:, [20, 41]], found.predicted_mm[:, [20, 41]])
    relative = found.predicted_mm[:, :20] - found.predicted_mm[:, 20:21]
    np.testing.assert_allclose(doubled.predicted_mm[:, :20] - doubled.predicted_mm[:, 20:21], 2 * relative, rtol=1e-5)
