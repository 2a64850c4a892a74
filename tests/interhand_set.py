"""Tiny sets in InterHand2.6M's layout, drawn with OpenCV: a fan of fingers a hand on a grey ground."""

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from digit.skeleton import FIRST_PART, PARTS_PER_HAND, SLOTS

SIZE = 320
FOCAL_PX = 500.0
K = np.array([[FOCAL_PX, 0, SIZE / 2], [0, FOCAL_PX, SIZE / 2], [0, 0, 1]])


def hand_types(i: int) -> str:
    """Of picture i: both hands, and one of each side in every four."""
    return {2: "left", 3: "right"}.get(i % 4, "interacting")


def draw_hands(i: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Picture (320, 320, 3), part classes (320, 320), joints (42, 3) in mm and which of them are there (42,)."""
    picture = np.full((SIZE, SIZE, 3), rng.integers(0, 90), np.uint8)
    parts = np.zeros((SIZE, SIZE), np.uint8)
    joints_mm, valid = np.zeros((42, 3)), np.zeros(42, bool)
    for side, sign in (("right", -1), ("left", 1)):
        if hand_types(i) not in (side, "interacting"):
            continue
        wrist = np.array([sign * 60 + rng.normal(0, 10), 60, 500.0])
        hand = np.empty((21, 3))
        hand[20] = wrist
        for f in range(5):
            tip = wrist + np.array([sign * (f - 2) * 22.0, -110, rng.normal(0, 10)])
            hand[4 * f : 4 * f + 4] = wrist + np.outer([1, 0.8, 0.6, 0.4], tip - wrist)
        px = hand @ K.T
        px = px[:, :2] / px[:, 2:]
        joints_mm[SLOTS[side]], valid[SLOTS[side]] = hand, True
        for f in range(5):
            for joint in range(3):
                a, b = (tuple(int(v) for v in px[4 * f + joint + k]) for k in (0, 1))
                cv2.line(picture, a, b, (220, 170 - 20 * f, 140), 9)
                cv2.line(parts, a, b, FIRST_PART[side] + 1 + 3 * f + (2 - joint), 9)
    assert parts.max() <= 2 * PARTS_PER_HAND
    return picture, parts, joints_mm, valid


def write_set(
    folder: Path, count: int = 8, split: str = "train", annotations: str | None = None, sequence: str = "synthetic"
) -> Path:
    """Write a set and return its folder.

    Args:
        annotations: folder under ``annotations``; the split's own by default (v1.0), "all" and so on for v0.0.
        sequence: any name but "synthetic" makes it look like the dataset itself: flags nested, wider boxes, a camera
            that is turned and moved.
    """
    target = folder / "annotations" / (annotations or split)
    real = sequence != "synthetic"
    for path in (folder / "images" / split, folder / "masks" / split, target):
        path.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    turn = cv2.Rodrigues(np.array([0.3, -0.4, 0.2]))[0] if real else np.eye(3)
    position = np.array([100.0, -50.0, 20.0]) if real else np.zeros(3)
    images: list[dict[str, Any]] = []
    rows: list[dict[str, Any]] = []
    joints: dict[str, Any] = {}
    cameras: dict[str, Any] = {}
    for i in range(count):
        picture, parts, joints_mm, valid = draw_hands(i, rng)
        name = f"image{i:06d}.jpg"
        cv2.imwrite(str(folder / "images" / split / name), picture)
        cv2.imwrite(str(folder / "masks" / split / name.replace("jpg", "png")), parts)
        px = joints_mm[valid] @ K.T
        px = px[:, :2] / px[:, 2:]
        low, high = px.min(axis=0), px.max(axis=0)
        if real:
            low, high = low - 0.1 * (high - low), high + 0.1 * (high - low)
        image = {"id": 100 + i, "file_name": name, "width": SIZE, "height": SIZE, "capture": i, "subject": 0}
        images.append(image | {"seq_name": sequence, "camera": "400012", "frame_idx": 7})
        flags = valid.astype(int)
        rows.append(
            {"id": 500 + i, "image_id": 100 + i, "bbox": [*low.tolist(), *(high - low).tolist()], "is_crowd": 0,
             "joint_valid": flags[:, None].tolist() if real else flags.tolist(),
             "hand_type": hand_types(i), "hand_type_valid": True}
        )  # fmt: skip
        world = np.where(valid[:, None], joints_mm @ turn + position, 1.0 if real else 0.0)
        joints[str(i)] = {"7": {"world_coord": world.tolist(), "joint_valid": flags[:, None].tolist()}}
        cameras[str(i)] = {
            "campos": {"400012": position.tolist()},
            "camrot": {"400012": turn.tolist()},
            "focal": {"400012": [FOCAL_PX, FOCAL_PX]},
            "princpt": {"400012": [K[0, 2], K[1, 2]]},
        }
    for kind, content in (
        ("data", {"images": images, "annotations": rows}),
        ("camera", cameras),
        ("joint_3d", joints),
    ):
        (target / f"InterHand2.6M_{split}_{kind}.json").write_text(json.dumps(content), encoding="utf-8")
    return folder


def write_rootnet(folder: Path, name: str, depths_mm: dict[int, tuple[float, float]]) -> None:
    """A RootNet result file: annotation id to absolute depth of the right, the left wrist."""
    target = folder / "rootnet_output"
    target.mkdir(exist_ok=True)
    rows = [{"annot_id": k, "bbox": [0, 0, 1, 1], "abs_depth": list(v)} for k, v in depths_mm.items()]
    (target / name).write_text(json.dumps(rows), encoding="utf-8")
