"""The training set: broken pictures are skipped, named and counted; epochs differ, samples repeat."""

from dataclasses import replace
from multiprocessing import active_children

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from digit.errors import UserError
from digit.training.augment import PAPER, draw_warp
from digit.training.dataset import CropDataset, draws, read_index
from digit.training.loader import micro_batches
from digit.training.processes import Process
from digit.training.stream import SampleStream
from tests.interhand_set import write_set


@pytest.fixture
def own_set(tmp_path):
    return write_set(tmp_path / "set", count=4)


def test_a_sample_has_what_training_needs(tiny_set):
    sample = CropDataset(read_index([tiny_set]), augment=PAPER)[0]
    shapes = {name: (tuple(value.shape), value.dtype) for name, value in sample.items()}
    assert shapes == {
        "image": ((256, 256, 3), torch.uint8),
        "parts": ((128, 128), torch.uint8),
        "parts_valid": ((), torch.bool),
        "joints": ((42, 3), torch.float32),
        "valid": ((42,), torch.bool),
        "hands": ((2,), torch.float32),
        "hands_valid": ((), torch.bool),
        "root_depth_mm": ((), torch.float32),
        "root_valid": ((), torch.bool),
        "prior": ((42, 4), torch.float32),
    }


def test_samples_repeat_and_epochs_differ(tiny_set):
    index = read_index([tiny_set])
    one, other = (CropDataset(index, augment=PAPER, seed=3) for _ in range(2))
    for name, value in one[2].items():
        assert torch.equal(value, other[2][name]), name
    assert not torch.equal(one[2]["joints"], one[2 + len(index)]["joints"])
    still = CropDataset(index, augment=False, prior=False)
    assert torch.equal(still[2]["image"], still[2 + len(index)]["image"])


def test_what_a_picture_shows_does_not_tell_where_its_crop_lies():
    """Not in a set of the training's own seed either: sides come from a picture's first draws, shifts from a warp's."""
    pictures = np.stack([np.random.default_rng([3, i]).random(4) for i in range(1000)])
    warps = [draw_warp(draws(3, i), replace(PAPER, rotation_share=1.0)) for i in range(1000)]
    shifts = np.array([(*warp.shift, warp.scale, warp.rotation_deg) for warp in warps])
    assert np.abs(np.corrcoef(pictures.T, shifts.T)[:4, 4:]).max() < 0.12


def test_broken_pictures_are_named_once_and_replaced(own_set, capfd):
    (own_set / "images/train/image000001.jpg").write_bytes(b"no picture")
    (own_set / "masks/train/image000002.png").write_bytes(b"no mask")
    data = CropDataset(read_index([own_set]), augment=False, prior=False)
    for _ in range(2):
        torch.testing.assert_close(data[1], data[3], msg="the next whole picture stands in")
    assert [path.name for path in data.broken] == ["image000001.jpg", "image000002.jpg"]
    told = capfd.readouterr().err
    assert told.count("Skipped sample 1: Cannot read the picture") == 1
    assert told.count("Skipped sample 2: The mask") == 1


def test_workers_share_what_is_broken(own_set):
    (own_set / "images/train/image000000.jpg").unlink()
    data = CropDataset(read_index([own_set]), augment=False)
    batch = next(iter(DataLoader(data, batch_size=4, num_workers=1)))
    assert batch["image"].shape == (4, 256, 256, 3)
    assert [path.name for path in data.broken] == ["image000000.jpg"]


def test_nothing_readable_is_an_error(own_set):
    for picture in (own_set / "images/train").iterdir():
        picture.unlink()
    with pytest.raises(UserError, match="No picture from"):
        CropDataset(read_index([own_set]), augment=False)[0]


@pytest.mark.parametrize("workers", [0, 1])
def test_it_is_one_sentence_from_a_worker_too(workers, own_set):
    for picture in (own_set / "images/train").iterdir():
        picture.unlink()
    data, alone = CropDataset(read_index([own_set]), augment=False), Process(0, 1, torch.device("cpu"))
    batches = micro_batches(data, SampleStream(4, 0, 0, 2, 2), alone, workers, spawn=True)
    with pytest.raises(UserError, match=r"^No picture from .* can be read; check the data folder\.$"):
        next(batches)
    assert active_children() == []


def test_a_picture_without_mask_counts_as_unsegmented(own_set):
    (own_set / "masks/train/image000001.png").unlink()
    data = CropDataset(read_index([own_set]), augment=False)
    assert [bool(data[i]["parts_valid"]) for i in range(3)] == [True, False, True]
    assert not data[1]["parts"].any() and data[0]["parts"].any()


def test_several_folders_join(own_set, tiny_set):
    index = read_index([own_set, tiny_set])
    assert len(index) == 12
    assert index[4].image_path.parts[-4] == tiny_set.name
    np.testing.assert_array_equal(index[5].joints_mm, read_index([tiny_set])[1].joints_mm)
    with pytest.raises(UserError, match="--data"):
        read_index([])
