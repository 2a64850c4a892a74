"""Looks change, shapes do not."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from digit.training.augment import WEBCAM, Crop, Warp, restyle
from digit.training.dataset import CropDataset, read_index
from digit.training.looks import restyled


@pytest.fixture
def crop(tiny_set) -> Crop:
    return CropDataset(read_index([tiny_set]), augment=False).crop(0, Warp())


def edges(image: np.ndarray) -> np.ndarray:
    grey = cv2.GaussianBlur(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32), (0, 0), 3)
    return np.hypot(cv2.Sobel(grey, -1, 1, 0), cv2.Sobel(grey, -1, 0, 1))


def test_looks_differ_and_edges_stay(crop: Crop):
    kept = [crop.image.copy(), crop.parts.copy()]
    alike, moved = [], []
    for seed in range(40):
        image = restyled(crop.image, crop.parts, np.random.default_rng(seed))
        assert image.shape == crop.image.shape and image.dtype == np.uint8
        moved.append(np.abs(image.astype(int) - crop.image).mean())
        alike.append(np.corrcoef(edges(image).ravel(), edges(crop.image).ravel())[0, 1])
    assert min(moved) > 1 and np.median(moved) > 8
    assert np.median(alike) > 0.85
    np.testing.assert_array_equal(crop.image, kept[0])
    np.testing.assert_array_equal(crop.parts, kept[1])


def test_the_same_draw_gives_the_same_look_and_labels_stay(crop: Crop):
    always, never = replace(WEBCAM, restyle_share=1.0), replace(WEBCAM, restyle_share=0.0)
    first, second = (restyle(crop, np.random.default_rng(3), always) for _ in range(2))
    np.testing.assert_array_equal(first.image, second.image)
    assert not np.array_equal(first.image, crop.image)
    assert first.parts is crop.parts and first.joints_2p5d is crop.joints_2p5d
    rng = np.random.default_rng(3)
    assert restyle(crop, rng, never) is crop
    assert rng.random() == np.random.default_rng(3).random()  # nothing was drawn
    assert restyle(crop, rng, WEBCAM.still()) is crop
