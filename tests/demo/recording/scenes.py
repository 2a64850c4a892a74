"""Scenes to record: the procedural hands over small pictures, at even times, some without hands."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from demo.recording.format import SCENES
from demo.recording.info import new_info
from demo.recording.writer import SessionWriter
from demo.records import Frame, Scene, SeenCrop
from demo.settings import Settings
from tests.gui.hands import scene

STEP_NS = 33_333_333
START_NS = 5_000_000_000


def picture(i: int, height: int = 90, width: int = 160) -> np.ndarray:
    """(H, W, 3) uint8 RGB: a smooth gradient, and a grey block whose place says which picture this is."""
    y, x = np.mgrid[:height, :width]
    image = np.stack([60 + 60 * x / width, 60 + 60 * y / height, np.full((height, width), 90.0)], -1).astype(np.uint8)
    left = 10 * (i % 14)
    image[20:60, left : left + 20] = 220
    image.setflags(write=False)
    return image


def block_of(image: np.ndarray) -> int:
    """Which picture this is, modulo 14."""
    return round(float(np.nonzero(image[30:50, :, 2].mean(0) > 160)[0][0]) / 10)


def scenes(n: int, height: int = 90, width: int = 160) -> list[Scene]:
    """Every seventh shows no hand and every fifth only the left; smoothed hands differ from raw ones."""
    made = []
    for i in range(n):
        sides = () if i % 7 == 3 else ("left",) if i % 5 == 2 else ("right", "left")
        whole = scene(i, sides, i / 30)
        hands = tuple(replace(hand, joints_mm=hand.joints_mm + np.float32(0.25)) for hand in whole.hands)
        time_ns = START_NS + i * STEP_NS
        frame = Frame(2 * i, time_ns, picture(i, height, width))  # every other frame was inferred
        made.append(replace(whole, frame=frame, hands=hands, emitted_ns=time_ns + 40_000_000, own_crops=own_crops(i)))
    return made


def own_crops(i: int) -> tuple[SeenCrop, ...]:
    """Of every third Scene: two."""
    labels = (np.arange(128 * 128).reshape(128, 128) % 33).astype(np.uint8)
    return tuple(SeenCrop(np.array([[0.2, 0, i], [0, 0.2, at]]), labels) for at in (10, 40)) if i % 3 == 0 else ()


def record(folder: Path, made: list[Scene], **info: object) -> Path:
    """A finished session."""
    with SessionWriter(folder, replace(new_info(Settings(), "test"), fps=30.0, **info)) as writer:
        for one in made:
            writer.write(one)
    return folder


def without_pictures(folder: Path, rows: set[int]) -> Path:
    """The session, whose video has no picture at the times of these rows any more."""
    table = pa.ipc.open_stream((folder / SCENES).read_bytes()).read_all()
    moved_ms = [ms + 1 if i in rows else ms for i, ms in enumerate(table["video_ms"].to_pylist())]
    at = table.schema.get_field_index("video_ms")
    table = table.set_column(at, table.schema.field(at), pa.array(moved_ms, pa.int64()))
    with pa.ipc.new_stream(folder / SCENES, table.schema) as stream:
        stream.write_table(table)
    return folder


def assert_same(a: Scene, b: Scene) -> None:
    """All but the picture's pixels."""
    assert (a.frame.index, a.frame.time_ns, a.emitted_ns) == (b.frame.index, b.frame.time_ns, b.emitted_ns)
    assert a.frame.image.shape == b.frame.image.shape
    for ours, theirs in ((a.hands, b.hands), (a.hands_raw, b.hands_raw)):
        assert [hand.side for hand in ours] == [hand.side for hand in theirs]
        for x, y in zip(ours, theirs, strict=True):
            assert np.float32(x.score) == np.float32(y.score)
            for name in ("joints_px", "joints_mm", "confidence"):
                assert getattr(x, name).dtype == getattr(y, name).dtype == np.float32
                assert (getattr(x, name) == getattr(y, name)).all()
    for name in ("handedness", "image_from_crop", "part_labels", "K"):
        x, y = getattr(a, name), getattr(b, name)
        assert (x is None) == (y is None)
        assert x is None or (x.shape == y.shape and (x == y).all())
    for x, y in zip(a.own_crops, b.own_crops, strict=True):
        assert (x.image_from_crop == y.image_from_crop).all()
        assert x.part_labels.dtype == y.part_labels.dtype == np.uint8 and (x.part_labels == y.part_labels).all()
    assert (a.K_origin, a.crop_origin, dict(a.timings_ms)) == (b.K_origin, b.crop_origin, dict(b.timings_ms))
