"""Scenes as an Arrow IPC stream: one row each, so that pandas, polars and pyarrow open it in a line."""

from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow as pa

from demo.records import Hand, Scene

_HAND = pa.struct(
    [
        ("side", pa.string()),
        ("score", pa.float32()),
        ("joints_px", pa.list_(pa.float32(), 21 * 2)),  # x, y of joint 0, of joint 1, …
        ("joints_mm", pa.list_(pa.float32(), 21 * 3)),
        ("confidence", pa.list_(pa.float32(), 21)),
    ]
)

#: The columns: the fields of `demo.records.Scene`, arrays flattened row by row.
SCHEMA = pa.schema(
    [
        ("index", pa.int64()),
        ("time_ns", pa.int64()),
        ("emitted_ns", pa.int64()),
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("hands", pa.list_(_HAND)),
        ("hands_raw", pa.list_(_HAND)),
        ("handedness", pa.list_(pa.float32(), 2)),
        ("image_from_crop", pa.list_(pa.float64(), 6)),
        ("part_labels", pa.binary()),  # 128 rows of 128 uint8
        ("K", pa.list_(pa.float64(), 9)),
        ("K_origin", pa.string()),
        ("crop_origin", pa.string()),
        ("timings_ms", pa.map_(pa.string(), pa.float64())),
    ]
)


class SceneTable:
    """Open it with ``with``. Each row is on disk when `write` returns."""

    def __init__(self, path: Path) -> None:
        """Raises OSError when the file cannot be written, as does `write`."""
        self._file = open(path, "wb")  # noqa: SIM115 - closed in __exit__
        self._writer = pa.ipc.new_stream(self._file, SCHEMA, options=pa.ipc.IpcWriteOptions(compression="lz4"))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._writer.close()
        finally:
            self._file.close()

    def write(self, scene: Scene) -> None:
        """Add one row."""
        self._writer.write_batch(pa.RecordBatch.from_pylist([row_from_scene(scene)], SCHEMA))
        self._file.flush()


def row_from_scene(scene: Scene) -> dict[str, Any]:
    """The scene's values by column."""
    height, width = scene.frame.image.shape[:2]
    return {
        "index": scene.frame.index,
        "time_ns": scene.frame.time_ns,
        "emitted_ns": scene.emitted_ns,
        "width": width,
        "height": height,
        "hands": [_hand(hand) for hand in scene.hands],
        "hands_raw": [_hand(hand) for hand in scene.hands_raw],
        "handedness": scene.handedness,
        "image_from_crop": _flat(scene.image_from_crop),
        "part_labels": None if scene.part_labels is None else scene.part_labels.tobytes(),
        "K": _flat(scene.K),
        "K_origin": scene.K_origin,
        "crop_origin": scene.crop_origin,
        "timings_ms": list(scene.timings_ms.items()),
    }


def _hand(hand: Hand) -> dict[str, Any]:
    return {
        "side": hand.side,
        "score": hand.score,
        "joints_px": _flat(hand.joints_px),
        "joints_mm": _flat(hand.joints_mm),
        "confidence": hand.confidence,
    }


def _flat(array: np.ndarray | None) -> np.ndarray | None:
    return None if array is None else array.reshape(-1)
