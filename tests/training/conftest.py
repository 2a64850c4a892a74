"""A tiny folder of labelled pictures in the layout of `digit.synth`, drawn with OpenCV: a fan of fingers a hand."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from digit.skeleton import FIRST_PART, PARTS_PER_HAND


@pytest.fixture(scope="session")
def tiny_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tiny")
    for name in ("images/train", "masks/train", "annotations/train"):
        (folder / name).mkdir(parents=True)
    rng = np.random.default_rng(0)
    count, size = 8, 320
    joints_mm = np.zeros((count, 42, 3), np.float32)
    joints_px = np.zeros((count, 42, 2), np.float32)
    valid = np.zeros((count, 42), np.uint8)
    K = np.array([[500.0, 0, 160], [0, 500, 160], [0, 0, 1]])
    files = [f"{i:06d}.jpg" for i in range(count)]
    for i in range(count):
        picture = np.full((size, size, 3), rng.integers(0, 90), np.uint8)
        mask = np.zeros((size, size), np.uint8)
        for side, sign in ((0, -1), (1, 1)):
            if i % 4 == 2 + side:
                continue
            wrist = np.array([sign * 60 + rng.normal(0, 10), 60, 500.0])
            hand = np.empty((21, 3))
            hand[20] = wrist
            for f in range(5):
                tip = wrist + np.array([sign * (f - 2) * 22.0, -110, rng.normal(0, 10)])
                hand[4 * f : 4 * f + 4] = wrist + np.outer([1, 0.8, 0.6, 0.4], tip - wrist)
            slot = slice(21 * side, 21 * side + 21)
            px = hand @ K.T
            joints_mm[i, slot], joints_px[i, slot] = hand, px[:, :2] / px[:, 2:]
            valid[i, slot] = 1
            first = FIRST_PART["right" if side == 0 else "left"]
            for f in range(5):
                for joint in range(3):
                    a, b = (tuple(int(v) for v in joints_px[i, 21 * side + 4 * f + joint + k]) for k in (0, 1))
                    cv2.line(picture, a, b, (220, 170 - 20 * f, 140), 9)
                    cv2.line(mask, a, b, first + 1 + 3 * f + (2 - joint), 9)
        assert mask.max() <= 2 * PARTS_PER_HAND
        cv2.imwrite(str(folder / "images/train" / files[i]), picture)
        cv2.imwrite(str(folder / "masks/train" / files[i].replace("jpg", "png")), mask)
    np.savez(
        folder / "annotations/train/index-000.npz",
        files=np.array(files),
        joints_mm=joints_mm,
        joints_px=joints_px,
        joint_valid=valid,
    )
    return folder
