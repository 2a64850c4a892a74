import numpy as np
import pytest

from digit.evaluation.protocol import crop_of, load_sample
from digit.evaluation.silhouettes import hand_mask, overlap
from digit.interhand import Index
from digit.metrics import mask_iou


def test_masks_cover_what_is_seen_of_a_hand(index: Index) -> None:
    for row in range(len(index)):
        sample = index[row]
        loaded = load_sample(sample, row)
        assert loaded.parts is not None
        for side, of_side in (
            ("right", (loaded.parts > 0) & (loaded.parts <= 16)),
            ("left", loaded.parts > 16),
        ):
            mask = hand_mask(sample, side, loaded.crop_from_image)
            assert mask.any() == of_side.any()
            assert (mask & of_side).sum() >= 0.9 * of_side.sum()


def test_hands_apart_do_not_overlap_and_equal_hands_do(index: Index) -> None:
    sample = index[0]
    crop_from_image = crop_of(sample)
    assert overlap(sample, crop_from_image) == 0.0
    for array in (sample.joints_px, sample.joints_mm):
        array[21:] = array[:21]
    assert overlap(sample, crop_from_image) == 1.0
    sample.joints_px[21:, 0] += 12.0
    masks = [hand_mask(sample, side, crop_from_image) for side in ("right", "left")]
    assert 0.1 < overlap(sample, crop_from_image) == mask_iou(*masks) < 0.9


def test_one_hand_has_no_overlap(index: Index) -> None:
    assert np.isnan(overlap(index[2], crop_of(index[2])))


def test_few_known_joints_make_no_mask(index: Index) -> None:
    sample = index[0]
    sample.joint_valid[:10] = False
    assert not hand_mask(sample, "right", crop_of(sample)).any()


@pytest.mark.parametrize("size", [64, 256])
def test_masks_of_other_sizes_agree(index: Index, size: int) -> None:
    sample = index[0]
    share = [hand_mask(sample, "right", crop_of(sample), s).mean() for s in (128, size)]
    assert share[0] == pytest.approx(share[1], rel=0.15)
