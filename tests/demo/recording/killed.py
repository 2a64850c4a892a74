"""A recording that goes on until somebody kills its process."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from demo.recording.format import Event
from demo.recording.info import new_info
from demo.recording.writer import SessionWriter
from demo.settings import Settings
from tests.demo.recording.scenes import scenes

#: Made when the server that forks the processes imports this, once for all.
SCENES = scenes(14)


def keep_recording(folder: Path, codec: Any, written: Any) -> None:
    """``written`` counts the Scenes that are whole."""
    writer = SessionWriter(folder, new_info(Settings(codec=codec), "killed"))
    for i in range(100_000):
        frame = replace(SCENES[i % 14].frame, index=i, time_ns=10**9 + i * 33_000_000)
        writer.write(replace(SCENES[i % 14], frame=frame))
        writer.mark(Event(i, f"{i}"))
        written.value = i + 1
