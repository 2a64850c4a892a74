"""A session on disk: the names of its files, the columns of its table, and a Scene as one row and back.

A session is a folder: ``info.json`` (what was recorded with what), ``scenes.arrow`` (an Arrow IPC stream, one row a
Scene), ``video.mkv`` (its pictures, at the rows' ``video_ms``), ``events.jsonl`` (a line a marker) and
``thumbnail.jpg``. All of them only grow while recording, so a killed recording keeps all that was finished.
"""

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
import pyarrow as pa

from demo.records import Frame, Hand, Scene, SeenCrop

VERSION = 1
INFO, SCENES, VIDEO = "info.json", "scenes.arrow", "video.mkv"
EVENTS, THUMBNAIL = "events.jsonl", "thumbnail.jpg"
#: Where a recording goes on; whoever holds its lock is writing the session.
LOCK = ".recording"
#: Ends an Arrow IPC stream.
END_OF_STREAM = b"\xff\xff\xff\xff\x00\x00\x00\x00"
#: Sides of the part labels.
PART_CELLS = 128


@dataclass(frozen=True, slots=True)
class Event:
    """A marker that somebody set while recording."""

    time_ns: int  # monotonic, on the clock of the Scenes
    label: str


def _field(name: str, kind: Any, what: str, unit: str = "") -> Any:
    return pa.field(name, kind, metadata={"unit": unit, "meaning": what} if unit else {"meaning": what})


_HAND = pa.struct(
    [
        _field("side", pa.string(), "right or left"),
        _field("score", pa.float32(), "probability that this hand is in the picture", "1"),
        _field("joints_px", pa.list_(pa.float32(), 21 * 2), "x, y of joint 0, of joint 1, …; image pixels", "px"),
        _field("joints_mm", pa.list_(pa.float32(), 21 * 3), "x, y, z of each joint in camera space", "mm"),
        _field("confidence", pa.list_(pa.float32(), 21), "of each joint", "1"),
    ]
)

_SEEN_CROP = pa.struct(
    [
        _field("image_from_crop", pa.list_(pa.float64(), 6), "2×3 affine from crop pixels to image pixels", "px"),
        _field("part_labels", pa.binary(), "zlib of 128 rows of 128 uint8: part class over the crop"),
    ]
)

#: The fields of `demo.records.Scene`, arrays flattened row by row. Joints are in InterHand2.6M order.
SCHEMA = pa.schema(
    [
        _field("index", pa.int64(), "frame index from the source; gaps are frames that were not inferred"),
        _field("time_ns", pa.int64(), "capture time on the monotonic clock", "ns"),
        _field("wall_ns", pa.int64(), "the same moment by the wall clock, since 1970 UTC", "ns"),
        _field("emitted_ns", pa.int64(), "when the loop finished the Scene, monotonic", "ns"),
        _field("video_ms", pa.int64(), "presentation time of the picture in video.mkv", "ms"),
        _field("width", pa.int32(), "of the picture", "px"),
        _field("height", pa.int32(), "of the picture", "px"),
        _field("hands", pa.list_(_HAND), "as shown: smoothed if the loop smoothed"),
        _field("hands_raw", pa.list_(_HAND), "the same hands before smoothing"),
        _field("handedness", pa.list_(pa.float32(), 2), "probability of the right, the left hand", "1"),
        _field("image_from_crop", pa.list_(pa.float64(), 6), "2×3 affine from crop pixels to image pixels", "px"),
        _field("part_labels", pa.binary(), "zlib of 128 rows of 128 uint8: part class over the crop"),
        _field("K", pa.list_(pa.float64(), 9), "3×3 camera intrinsics", "px"),
        _field("K_origin", pa.string(), "focal (given) or field of view (assumed)"),
        _field("crop_origin", pa.string(), "what placed the crop"),
        _field("timings_ms", pa.map_(pa.string(), pa.float64()), "time by stage of the loop", "ms"),
        _field("own_crops", pa.list_(_SEEN_CROP), "of the right and the left hand, if the network saw each alone"),
    ],
    metadata={"format": "digit-live session", "version": str(VERSION)},
)


def row_from_scene(scene: Scene, video_ms: int | None, wall_ns: int) -> dict[str, Any]:
    """The Scene's values by column."""
    height, width = scene.frame.image.shape[:2]
    return {
        "index": scene.frame.index,
        "time_ns": scene.frame.time_ns,
        "wall_ns": wall_ns,
        "emitted_ns": scene.emitted_ns,
        "video_ms": video_ms,
        "width": width,
        "height": height,
        "hands": [_row_from_hand(hand) for hand in scene.hands],
        "hands_raw": [_row_from_hand(hand) for hand in scene.hands_raw],
        "handedness": scene.handedness.tolist(),
        "image_from_crop": _flat(scene.image_from_crop),
        "part_labels": None if scene.part_labels is None else _packed(scene.part_labels),
        "K": _flat(scene.K),
        "K_origin": scene.K_origin,
        "crop_origin": scene.crop_origin,
        "timings_ms": list(scene.timings_ms.items()),
        "own_crops": [
            {"image_from_crop": _flat(seen.image_from_crop), "part_labels": _packed(seen.part_labels)}
            for seen in scene.own_crops
        ],
    }


def scene_from_row(row: Mapping[str, Any], image: np.ndarray) -> Scene:
    """The Scene of a row, around its (H, W, 3) uint8 RGB picture."""
    return Scene(
        frame=Frame(row["index"], row["time_ns"], image),
        hands=tuple(_hand_from_row(hand) for hand in row["hands"]),
        hands_raw=tuple(_hand_from_row(hand) for hand in row["hands_raw"]),
        handedness=_array(row["handedness"], np.float32),
        image_from_crop=None if row["image_from_crop"] is None else _array(row["image_from_crop"], np.float64, 2, 3),
        part_labels=_unpacked(row["part_labels"]),
        K=_array(row["K"], np.float64, 3, 3),
        K_origin=row["K_origin"],
        crop_origin=row["crop_origin"],
        timings_ms=MappingProxyType(dict(row["timings_ms"])),
        emitted_ns=row["emitted_ns"],
        own_crops=tuple(
            SeenCrop(_array(seen["image_from_crop"], np.float64, 2, 3), labels)
            for seen in row.get("own_crops") or ()  # which sessions of older versions do not have
            if (labels := _unpacked(seen["part_labels"])) is not None
        ),
    )


def _packed(part_labels: np.ndarray) -> bytes:
    return zlib.compress(part_labels.tobytes(), 1)


def _unpacked(packed: bytes | None) -> np.ndarray | None:
    """None also for labels that the disk has spoilt: the row's joints are worth more than they."""
    if packed is None:
        return None
    try:
        return np.frombuffer(zlib.decompress(packed), np.uint8).reshape(PART_CELLS, PART_CELLS)
    except (zlib.error, ValueError):
        return None


def _row_from_hand(hand: Hand) -> dict[str, Any]:
    return {
        "side": hand.side,
        "score": hand.score,
        "joints_px": _flat(hand.joints_px),
        "joints_mm": _flat(hand.joints_mm),
        "confidence": hand.confidence.tolist(),
    }


def _hand_from_row(row: Mapping[str, Any]) -> Hand:
    return Hand(
        side=row["side"],
        score=row["score"],
        joints_px=_array(row["joints_px"], np.float32, 21, 2),
        joints_mm=_array(row["joints_mm"], np.float32, 21, 3),
        confidence=_array(row["confidence"], np.float32),
    )


def _flat(array: np.ndarray | None) -> list[float] | None:
    return None if array is None else array.reshape(-1).tolist()


def _array(values: Any, kind: type, *shape: int) -> np.ndarray:
    array = np.array(values, kind).reshape(shape or -1)
    array.flags.writeable = False
    return array
