"""Reads a session back, whole or broken off."""

import json
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import av
import av.error
import numpy as np
import pyarrow as pa

from demo.recording.format import EVENTS, SCENES, SCHEMA, VIDEO, Event, scene_from_row
from demo.recording.info import Info, read_info
from demo.recording.table import read_batches
from demo.recording.video import unfitted
from demo.records import Scene
from digit.errors import UserError
from digit.skeleton import JOINTS_PER_HAND, SIDES

Quantity = Literal["joints_px", "joints_mm", "confidence"]
_WIDTHS = {"joints_px": 2, "joints_mm": 3, "confidence": 1}


@dataclass(frozen=True, eq=False)
class Session:
    """One recording. ``batches`` holds Arrow record batches of one row each."""

    folder: Path
    info: Info
    batches: tuple[Any, ...]
    events: tuple[Event, ...]
    ended: bool  # the table was closed; False for a recording that was killed

    def __len__(self) -> int:
        return len(self.batches)

    @property
    def video(self) -> Path:
        """The pictures."""
        return self.folder / VIDEO

    @cached_property
    def table(self) -> Any:
        """All rows as one `pyarrow.Table`."""
        return pa.Table.from_batches(self.batches, SCHEMA if not self.batches else None).combine_chunks()

    @cached_property
    def times_ns(self) -> np.ndarray:
        """(N,) int64 capture times."""
        return self.column("time_ns")

    @cached_property
    def video_ms(self) -> np.ndarray:
        """(N,) int64 presentation times; -1 where a row has no picture."""
        return np.array([-1 if v is None else v for v in self.table["video_ms"].to_pylist()], np.int64)

    def column(self, name: str) -> np.ndarray:
        """(N,) values of a plain column."""
        return np.array(self.table[name].to_pylist())

    def row(self, i: int) -> dict[str, Any]:
        """All values of one row."""
        return self.batches[i].to_pylist()[0]

    def scene(self, i: int, picture: np.ndarray | None = None) -> Scene:
        """The Scene of a row, around the video's (H, W, 3) picture; black without one."""
        row = self.row(i)
        width, height = row["width"], row["height"]
        image = np.zeros((height, width, 3), np.uint8) if picture is None else unfitted(picture, width, height)
        image.setflags(write=False)
        return scene_from_row(row, image)

    def hands(self, quantity: Quantity, raw: bool = False) -> np.ndarray:
        """(N, 2, 21, D) float32 of the right and the left hand; nan where there is none. Confidence has D = 1."""
        values = np.full((len(self), len(SIDES), JOINTS_PER_HAND, _WIDTHS[quantity]), np.nan, np.float32)
        hands = self.table["hands_raw" if raw else "hands"].combine_chunks()
        rows = hands.value_parent_indices().to_numpy(zero_copy_only=False)
        flat = hands.flatten()
        sides = np.array([SIDES.index(side) for side in flat.field("side").to_pylist()], int)
        points = flat.field(quantity).flatten().to_numpy(zero_copy_only=False)
        values[rows, sides] = points.reshape(len(rows), JOINTS_PER_HAND, _WIDTHS[quantity])
        return values

    def scenes(self, start: int = 0) -> Generator[Scene]:
        """Every Scene with its picture, in order."""
        pictures = self.pictures(start)
        with closing(pictures):
            for i, picture in pictures:
                yield self.scene(i, picture)

    def pictured(self) -> Generator[tuple[int, Scene]]:
        """(row, Scene) of every row whose picture the video has. Raises UserError when it has none."""
        none = True
        with closing(self.pictures()) as pictures:
            for i, picture in pictures:
                if picture is not None:
                    none = False
                    yield i, self.scene(i, picture)
        if none:
            raise UserError(f"The session {self.folder.name} holds no picture; its numbers are in {SCENES}.")

    def pictures(self, start: int = 0) -> Generator[tuple[int, np.ndarray | None]]:
        """(row, (H, W, 3) uint8 RGB picture or None where the video has none), from a row on."""
        decoded = self._decoded(start)
        with closing(decoded):
            at_ms, picture = next(decoded, (None, None))
            for i in range(start, len(self)):
                wanted_ms = self.video_ms[i]
                while at_ms is not None and at_ms < wanted_ms:
                    at_ms, picture = next(decoded, (None, None))
                yield i, picture if at_ms == wanted_ms else None

    def _decoded(self, start: int) -> Generator[tuple[int, np.ndarray]]:
        """(presentation time in ms, picture) from at or before a row on, up to the end or the first break."""
        if len(self) == 0 or not self.video.exists():
            return
        with _open_video(self.video) as container:
            stream = container.streams.video[0]
            stream.thread_type = "AUTO"
            if start > 0:
                container.seek(max(int(self.video_ms[start]), 0), stream=stream, backward=True)
            wanted_ms = self.video_ms[start]
            try:
                for picture in container.decode(stream):
                    at_ms = round(float(picture.pts * picture.time_base) * 1000)
                    if at_ms >= wanted_ms:  # earlier ones are only decoded
                        yield at_ms, picture.to_ndarray(format="rgb24")
            except av.error.FFmpegError:
                return  # the last picture of a killed recording


def _open_video(path: Path) -> Any:
    try:
        container = av.open(str(path.absolute()))
    except (OSError, av.error.FFmpegError) as error:
        raise UserError(f"The video {path} cannot be read ({error}); the session's numbers are in {SCENES}.") from error
    if not container.streams.video:
        container.close()
        raise UserError(f"The video {path} holds no picture; the session's numbers are in {SCENES}.")
    return container


def read_session(folder: Path) -> Session:
    """The session of a folder, finished or not. Raises UserError when the folder holds none."""
    try:
        batches, _, ended = read_batches(folder / SCENES)
    except FileNotFoundError as error:
        raise UserError(f"{folder} is no session: it has no {SCENES}; give the folder of a recording.") from error
    except (OSError, ValueError) as error:
        raise UserError(f"{folder} cannot be read as a session ({error}); give the folder of a recording.") from error
    return Session(folder, read_info(folder), tuple(batches), tuple(read_events(folder)), ended)


def read_events(folder: Path) -> Iterator[Event]:
    """The markers that are whole."""
    try:
        lines = (folder / EVENTS).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return
    for line in lines:
        try:
            value = json.loads(line)
            yield Event(int(value["time_ns"]), str(value["label"]))
        except (ValueError, KeyError, TypeError):
            return  # the last line of a killed recording


def is_session(folder: Path) -> bool:
    """True for a folder with a table of Scenes."""
    return (folder / SCENES).is_file()


def sessions_in(folder: Path) -> list[Path]:
    """The sessions right below a folder, by name. A name with a dot at its start is a redo's that was broken off.

    Raises OSError.
    """
    return sorted(p for p in folder.iterdir() if is_session(p) and not p.name.startswith("."))
