"""What MediaPipe saw is written once, found again, and follows the crop."""

from pathlib import Path

import numpy as np
import pytest

from digit.errors import UserError
from digit.geometry import apply_affine
from digit.lite import DigitLite
from digit.skeleton import SLOTS, mirrored_joints
from digit.training import calibration, seen
from digit.training.augment import Warp
from digit.training.dataset import CropDataset, read_index
from digit.training.prior import EXCHANGED, SEEN_SHARE, draw_prior, seen_prior
from digit.training.validate import held_out, seen_of
from tests.interhand_set import write_set

LOOKED: list[int] = []


class FakeLandmarker:
    """Sees one right hand, at a place that says which picture it was."""

    def __init__(self, *_: object, **__: object) -> None: ...

    def __enter__(self) -> "FakeLandmarker":
        return self

    def __exit__(self, *_: object) -> None: ...

    def __call__(self, image: np.ndarray) -> tuple[object, ...]:
        LOOKED.append(1)
        height, width = image.shape[:2]
        return (Hand(np.array([width, height]) / 2 + image.mean() / 50),)


class Hand:
    side, score = "right", 1.0

    def __init__(self, at: np.ndarray) -> None:
        self.joints_px = np.tile(at, (21, 1)).astype(np.float32)
        self.joints_rel_mm = np.zeros((21, 3), np.float32)


class Here:
    """In place of the pool: the fake does not reach other processes."""

    def __init__(self, _: int) -> None: ...

    def __enter__(self) -> "Here":
        return self

    def __exit__(self, *_: object) -> None: ...

    map = staticmethod(map)


@pytest.fixture
def looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(seen, "Landmarker", FakeLandmarker)
    monkeypatch.setattr(seen, "ProcessPoolExecutor", Here)
    folder = write_set(tmp_path / "set", count=4)
    assert seen.write(folder) == 4
    return folder


def test_a_second_run_has_nothing_left_to_do(looked_at: Path) -> None:
    before = len(LOOKED)
    assert seen.main([str(looked_at)]) == 0
    assert len(LOOKED) == before


def test_a_set_that_has_grown_is_looked_at_again_where_it_is_new(
    looked_at: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(seen, "CHUNK", 2)
    assert seen.write(looked_at) == 4  # the chunks of before are no longer whole
    write_set(looked_at, count=5)
    before = len(LOOKED)
    assert seen.write(looked_at) == 5 and len(LOOKED) - before == 1
    write_set(looked_at, count=6)
    assert seen.write(looked_at) == 6 and len(LOOKED) - before == 3
    index, found = read_index([looked_at]), seen.read([looked_at])
    assert len(found) == 6 and found(index[5].image_path) is not None


def test_each_picture_has_its_own(looked_at: Path) -> None:
    index, found = read_index([looked_at]), seen.read([looked_at])
    assert len(found) == 4 and len(seen.read([looked_at], "val")) == 0
    data = CropDataset(index, augment=False, prior="seen", seen=found)
    places = []
    for i in range(4):
        prior = found(index[i].image_path)
        assert prior is not None and prior[SLOTS["right"], 3].all() and not prior[SLOTS["left"]].any()
        crop = data.crop(i, Warp())
        np.testing.assert_allclose(data[i]["prior"][0, :2], apply_affine(crop.crop_from_image, prior[:1, :2])[0], 1e-4)
        places.append(float(prior[0, 0]))
    assert len(set(places)) == 4


def test_certainty_is_calibrated_on_what_mediapipe_saw(looked_at: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calibration, "EMPTY", 1)
    pictures = CropDataset(held_out(looked_at), augment=False, seen=seen_of(looked_at))
    said = calibration.answers(DigitLite().eval(), pictures)
    assert said.keys() == {"none", "mediapipe", "empty"}
    assert said["mediapipe"].told[:, SLOTS["right"]].all() and not said["mediapipe"].told[:, SLOTS["left"]].any()
    assert not said["none"].told.any()


def test_a_mirrored_crop_has_the_mirrored_hands(tiny_set: Path) -> None:
    data = CropDataset(read_index([tiny_set]), augment=False)
    sample, plain = data.index[0], data.crop(0, Warp())
    truth = np.c_[sample.joints_px, np.zeros(42), np.ones(42)].astype(np.float32)
    for warp in (Warp(), Warp(flip=True), Warp(flip=True, rotation_deg=30.0, scale=1.2)):
        crop = data.crop(0, warp)
        np.testing.assert_allclose(seen_prior(crop, truth)[:, :2], crop.joints_2p5d[:, :2], atol=0.01)
    assert (mirrored_joints()[:21] >= 21).all() and not plain.flipped


def test_a_hand_outside_the_crop_is_no_part_of_its_prior(tiny_set: Path) -> None:
    data = CropDataset(read_index([tiny_set]), augment=False)
    crop = data.crop(0, Warp())
    truth = np.c_[data.index[0].joints_px, np.zeros(42), np.ones(42)].astype(np.float32)
    truth[SLOTS["left"], 0] += 2000
    prior = seen_prior(crop, truth)
    assert prior[SLOTS["right"], 3].all() and not prior[SLOTS["left"]].any()


def test_a_stated_share_of_priors_is_near_what_was_seen(tiny_set: Path) -> None:
    data = CropDataset(read_index([tiny_set]), augment=False)
    crop, rng = data.crop(0, Warp()), np.random.default_rng(0)
    away = np.c_[data.index[0].joints_px + 40.0, np.zeros(42), np.ones(42)].astype(np.float32)
    expected = seen_prior(crop, away)
    priors = np.stack([draw_prior(crop, rng, away) for _ in range(400)])
    shown = priors[(priors[..., 3] > 0).any(axis=1)]
    near = [np.linalg.norm(p[:, :2] - expected[:, :2], axis=1)[p[:, 3] > 0].mean() < 8 for p in shown]
    assert abs(np.mean(near) - SEEN_SHARE * (1 - EXCHANGED)) < 0.08  # the rest was drawn, or its sides exchanged


def test_a_damaged_file_is_named(looked_at: Path) -> None:
    file = looked_at / "annotations" / "train" / "landmarks-0000.npz"
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(UserError, match=r"landmarks-0000\.npz is damaged"):
        seen.read([looked_at])
