"""Sessions for other programs: ``python -m demo.recording.export DIR --to FORMAT``, and the window's menu."""

import importlib
import importlib.util
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from demo.recording.reader import Session
from digit.errors import UserError

#: Told the share that is done, 0 to 1; may raise to cancel.
Progress = Callable[[float], None]


@dataclass(frozen=True, slots=True)
class Export:
    """One format."""

    title: str  # in the menu
    suffix: str  # of the file; empty for a folder
    module: str  # has ``write(session: Session, target: Path, progress: Progress) -> None``, or write_NAME
    package: str = ""  # the import that it needs beyond the app's own

    def file_of(self, session: Session, name: str) -> Path:
        """Where it goes unless somebody says otherwise."""
        return session.folder / (f"{name}{self.suffix}" if not self.suffix else f"{session.folder.name}{self.suffix}")


_HERE = "demo.recording.export"
EXPORTS = {
    "csv": Export("CSV: one line a joint", ".csv", f"{_HERE}.tables"),
    "parquet": Export("Parquet: all columns", ".parquet", f"{_HERE}.tables"),
    "npz": Export("NumPy .npz: arrays", ".npz", f"{_HERE}.tables"),
    "jsonl": Export("JSON Lines: one object a frame", ".jsonl", f"{_HERE}.tables"),
    "coco": Export("COCO keypoints, with pictures", "", f"{_HERE}.keypoints"),
    "interhand": Export("InterHand2.6M, with pictures", "", f"{_HERE}.keypoints"),
    "mp4": Export("Overlay video, MP4", ".mp4", f"{_HERE}.overlay_video"),
    "rerun": Export("Rerun recording", ".rrd", f"{_HERE}.rerun_file", "rerun"),
    "bvh": Export("BVH animation, a file a hand", "", f"{_HERE}.bvh"),
    "gltf": Export("glTF animation", ".glb", f"{_HERE}.gltf", "pygltflib"),
}


def export(session: Session, name: str, target: Path, progress: Progress = lambda _: None) -> Path:
    """Write a session in a format of EXPORTS to a file or, for some formats, a folder; answers where it is.

    It appears there whole or not at all. Raises UserError for an unknown format, a package that is not installed, a
    session without frames, and a target that cannot be written or is a folder with something in it, and whatever
    ``progress`` raises.
    """
    if name not in EXPORTS:
        raise UserError(f"There is no format {name}; choose one of {', '.join(EXPORTS)}.")
    chosen = EXPORTS[name]
    if chosen.package and importlib.util.find_spec(chosen.package) is None:
        raise UserError(f"The format {name} needs the package {chosen.package}; run: pip install 'digit-live[export]'")
    if len(session) == 0:
        raise UserError(f"The session {session.folder.name} holds no frame, so there is nothing to export.")
    write = getattr(importlib.import_module(chosen.module), f"write_{name}")
    if target.is_dir() and any(target.iterdir()):  # it may hold anything, so it is never replaced
        raise UserError(f"There is already a folder {target}; choose another name or remove it first.")
    unfinished = target.with_name(f".{target.stem}.part{target.suffix}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _remove(unfinished)
        progress(0.0)
        write(session, unfinished, progress)
        os.replace(unfinished, target)
    except OSError as error:
        why = error.strerror or error
        raise UserError(f"Cannot write {target} ({why}); choose another place or free some space.") from error
    finally:
        _remove(unfinished)
    progress(1.0)
    return target


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    elif path.exists():
        path.unlink()
