"""Keypoints with their pictures for training tools: COCO and InterHand2.6M.

Both are folders, of the frames that have a picture. Annotations are the network's answers, not ground truth; each file
says so.
"""

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from demo.recording.export import Progress
from demo.recording.reader import Session
from digit.skeleton import BONES, JOINTS, SIDES

_JPEG_QUALITY = 95
_NOTE = "Answers of a network, recorded with Digit Live. Not ground truth."
#: COCO: a joint below this confidence is marked as hidden.
_VISIBLE = 0.3


def write_coco(session: Session, target: Path, progress: Progress) -> None:
    """``annotations.json`` in COCO's keypoint format, one annotation a hand, and ``images/``.

    Category 1 is the right hand and 2 the left; 21 keypoints in InterHand2.6M order. COCO counts pixels from the
    corner of the picture, so half a pixel is added to x and y.
    """
    (target / "images").mkdir(parents=True)
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for i, scene in session.pictured():
        name = f"images/{i:06d}.jpg"
        _save(target / name, scene.frame.image)
        height, width = scene.frame.image.shape[:2]
        images.append({"id": i + 1, "file_name": name, "width": width, "height": height})
        for hand in scene.hands:
            points = hand.joints_px.astype(float) + 0.5
            inside = ((points >= 0) & (points <= [width, height])).all(axis=1)
            visible = np.where(inside, np.where(hand.confidence >= _VISIBLE, 2, 1), 0)
            low, size = points.min(axis=0), np.ptp(points, axis=0)
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": i + 1,
                    "category_id": 1 + SIDES.index(hand.side),
                    "keypoints": [
                        round(float(v), 3)
                        for (x, y), seen in zip(points, visible, strict=True)
                        for v in ((x, y, seen) if seen else (0, 0, 0))
                    ],
                    "num_keypoints": int((visible > 0).sum()),
                    "bbox": [round(float(v), 3) for v in (*low, *size)],
                    "area": round(float(size.prod()), 3),
                    "iscrowd": 0,
                    "score": round(hand.score, 5),
                }
            )
        progress((i + 1) / len(session))
    skeleton = [[child + 1, parent + 1] for child, parent in BONES]
    categories = [
        {
            "id": 1 + n,
            "name": f"{side}_hand",
            "supercategory": "hand",
            "keypoints": list(JOINTS),
            "skeleton": skeleton,
        }
        for n, side in enumerate(SIDES)
    ]
    _dump(
        target / "annotations.json",
        {"info": {"description": _NOTE}, "images": images, "annotations": annotations, "categories": categories},
    )


def write_interhand(session: Session, target: Path, progress: Progress) -> None:
    """InterHand2.6M's folder: ``images/session`` and ``annotations/session`` with its three JSON files.

    One capture "0". Each K has a camera of its own, named from "0" on, whose space is the world, so ``world_coord`` is
    camera space in millimetres.
    """
    pictures, split = target / "images" / "session", target / "annotations" / "session"
    split.mkdir(parents=True)
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    joints: dict[str, Any] = {}
    cameras: dict[tuple[float, ...], str] = {}  # K, row by row -> name
    for i, scene in session.pictured():
        height, width = scene.frame.image.shape[:2]
        camera = cameras.setdefault(tuple(scene.K.reshape(-1).tolist()), str(len(cameras)))
        name = f"Capture0/{camera}/image{i:06d}.jpg"
        (pictures / name).parent.mkdir(parents=True, exist_ok=True)
        _save(pictures / name, scene.frame.image)
        world, valid = np.zeros((42, 3)), np.zeros((42, 1), int)
        boxes: list[np.ndarray] = []
        for hand in scene.hands:
            slot = SIDES.index(hand.side) * 21
            world[slot : slot + 21], valid[slot : slot + 21] = hand.joints_mm, 1
            boxes.append(hand.joints_px)
        present = {hand.side for hand in scene.hands}
        kind = "interacting" if len(present) == 2 else next(iter(present), "")
        if not kind:
            continue
        points = np.concatenate(boxes)
        images.append(
            {
                "id": i,
                "file_name": name,
                "width": width,
                "height": height,
                "capture": 0,
                "subject": 0,
                "seq_name": session.folder.name,
                "camera": camera,
                "frame_idx": i,
            }
        )
        annotations.append(
            {
                "id": i,
                "image_id": i,
                "bbox": [float(v) for v in (*points.min(axis=0), *np.ptp(points, axis=0))],
                "joint_valid": valid.tolist(),
                "hand_type": kind,
                "hand_type_valid": 1,
                "is_decent": 1,
            }
        )
        joints[str(i)] = {
            "world_coord": world.tolist(),
            "joint_valid": valid.tolist(),
            "hand_type": kind,
            "hand_type_valid": True,
        }
        progress((i + 1) / len(session))
    _dump(split / "InterHand2.6M_session_data.json", {"images": images, "annotations": annotations})
    capture = {
        "focal": {name: [K[0], K[4]] for K, name in cameras.items()},
        "princpt": {name: [K[2], K[5]] for K, name in cameras.items()},
        "campos": {name: [0.0, 0.0, 0.0] for name in cameras.values()},
        "camrot": {name: np.eye(3).tolist() for name in cameras.values()},
    }
    _dump(split / "InterHand2.6M_session_camera.json", {"0": capture})
    _dump(split / "InterHand2.6M_session_joint_3d.json", {"0": joints})
    (target / "README.txt").write_text(_NOTE + "\n", encoding="utf-8")


def _save(path: Path, image: np.ndarray) -> None:
    encoded = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])[1]
    path.write_bytes(encoded.tobytes())


def _dump(path: Path, values: object) -> None:
    path.write_text(json.dumps(values, allow_nan=False), encoding="utf-8")
