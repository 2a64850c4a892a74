"""``scenes.arrow``: rows that are on disk when `Table.write` returns, and a reader that stops at a broken one."""

import os
from pathlib import Path
from typing import Any, Self

import pyarrow as pa

from demo.recording.format import END_OF_STREAM, SCHEMA

#: Columns that the first sessions did not have.
_LATER = {"own_crops"}


class Table:
    """Writes one record batch a row. Open it with ``with``."""

    def __init__(self, path: Path) -> None:
        """Raises OSError when the file cannot be written, as does `write`."""
        self._file = open(path, "wb", buffering=0)  # noqa: SIM115 - closed in `close`
        self._good = 0  # bytes up to the last whole row
        try:
            self._append(SCHEMA.serialize().to_pybytes())
        except OSError:
            self._file.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def size(self) -> int:
        """Bytes so far."""
        return self._good

    def write(self, row: dict[str, Any]) -> None:
        """Add a row of `row_from_scene`."""
        self._append(pa.RecordBatch.from_pylist([row], SCHEMA).serialize().to_pybytes())

    def close(self) -> None:
        """End the stream, so that every Arrow reader takes it. What a full disk left of a row is cut off."""
        try:
            if self._file.seekable():
                self._file.truncate(self._good)
                self._file.seek(self._good)
            self._file.write(END_OF_STREAM)
        finally:
            self._file.close()

    def _append(self, message: bytes) -> None:
        left = memoryview(message)
        while left:
            written = self._file.write(left)
            left = left[written or 0 :]
        self._good += len(message)


def read_batches(path: Path) -> tuple[list[Any], int, bool]:
    """The whole rows of a table as record batches of one, the bytes up to their end, and whether the stream was ended.

    A batch of many rows, as other programs write it, becomes many of one. A file that breaks off, or ends in rubbish,
    gives what comes before. Raises OSError when it cannot be read and ValueError when it is no table of Scenes at all.
    """
    batches: list[Any] = []
    if os.path.getsize(path) == 0:
        return batches, 0, False
    with pa.memory_map(str(path)) as file:
        messages = pa.ipc.MessageReader.open_stream(file)
        try:
            schema = pa.ipc.read_schema(messages.read_next_message())
        except (pa.ArrowInvalid, OSError, StopIteration) as error:
            raise ValueError(f"{path} is no Arrow stream") from error
        missing = set(SCHEMA.names) - _LATER - set(schema.names)
        if missing:
            raise ValueError(f"{path} has no column {', '.join(sorted(missing))}")
        good = file.tell()
        while True:
            try:
                message = messages.read_next_message()
                batch = pa.ipc.read_record_batch(message, schema)
                batch.validate(full=True)
            except StopIteration:
                return batches, good, file.tell() >= good + len(END_OF_STREAM)
            except (pa.ArrowInvalid, OSError):
                return batches, good, False
            batches.extend(batch.slice(i, 1) for i in range(batch.num_rows))
            good = file.tell()
