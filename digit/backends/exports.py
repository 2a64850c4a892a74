"""Exported networks on disk: folders beside the weights that ship, or in the user's cache.

A folder holds an export's files and ``manifest.json`` with the sha256 of each and of the weights. In the cache its name
is a hash of all that made it. It appears whole or not at all; one that is damaged is deleted and made again.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from platformdirs import user_cache_path

from digit import checkpoint
from digit.errors import UserError
from digit.variants import GRAPH_CODE

MANIFEST = "manifest.json"
#: The code that every key holds.
_GRAPH_CODE = (*GRAPH_CODE, "backends/export", "backends/rewrite")
_PACKAGE = Path(checkpoint.__file__).parent

Progress = Callable[[str], None]


def beside(weights: Path, precision: str) -> Path:
    """Where the export of a weights file ships, as ``assets/digit-lite.openvino/int8``."""
    return weights.with_suffix(".openvino") / precision


def shipped(weights: Path, weights_sha256: str, precision: str) -> Path | None:
    """The whole export that came with these very weights, if one did."""
    folder = beside(weights, precision)
    return folder if manifest(folder).get("weights_sha256") == weights_sha256 else None


def key(weights_sha256: str, *made_by: str) -> str:
    """Name of a cache folder: weights, graph code, and what else made the export (versions, GPU, precision …)."""
    made = "\n".join((weights_sha256, *made_by, code(*_GRAPH_CODE)))
    return hashlib.sha256(made.encode()).hexdigest()[:32]


def code(*modules: str) -> str:
    """Hash of modules of ours, like "backends/half": an export that other code made is another one."""
    return hashlib.sha256(b"".join((_PACKAGE / f"{name}.py").read_bytes() for name in modules)).hexdigest()


def folder_of(kind: str, name: str) -> Path:
    """Where the cache keeps an export of this kind ("openvino", "tensorrt" …)."""
    return user_cache_path("digit-live") / kind / name


def cached(kind: str, name: str, weights_sha256: str, make: Callable[[Path], None]) -> Path:
    """The whole export of this name, made now by ``make(folder)`` when it is missing or damaged.

    Raises:
        UserError: the cache folder cannot be written, or what ``make`` raises.
    """
    folder = folder_of(kind, name)
    if manifest(folder):
        return folder
    try:
        shutil.rmtree(folder, ignore_errors=True)
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="part-", dir=folder.parent) as scratch:
            part = Path(scratch) / "export"
            part.mkdir()
            make(part)
            seal(part, weights_sha256)
            if not manifest(folder):  # another process may have been faster
                part.rename(folder)
    except OSError as error:
        raise UserError(f"The cache folder {folder.parent} cannot be written: {error.strerror or error}.") from error
    return folder


def seal(folder: Path, weights_sha256: str) -> None:
    """Write the manifest of a finished export."""
    files = {path.name: checkpoint.sha256(path) for path in sorted(folder.iterdir()) if path.name != MANIFEST}
    (folder / MANIFEST).write_text(json.dumps({"weights_sha256": weights_sha256, "files": files}, indent=1) + "\n")


def replace(target: Path, folder: Path, weights_sha256: str) -> None:
    """Seal an export and put it in the place of an older one. Raises UserError when it cannot be written."""
    try:
        seal(folder, weights_sha256)
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(folder, target)
    except OSError as error:
        raise UserError(f"Cannot write {target} ({error.strerror or error}); give another folder.") from error


def manifest(folder: Path) -> dict[str, object]:
    """The manifest of a whole export; empty when something is missing or changed."""
    try:
        read = json.loads((folder / MANIFEST).read_text())
        whole = all(checkpoint.sha256(folder / name) == sha256 for name, sha256 in read["files"].items())
        return read if whole and read["files"] else {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def command(module: str, *arguments: object) -> tuple[list[str], dict[str, str]]:
    """How to run a module of ours in another process: its command line and environment."""
    path = os.pathsep.join(filter(None, (str(_PACKAGE.parent), os.environ.get("PYTHONPATH"))))
    return [sys.executable, "-m", module, *map(str, arguments)], {**os.environ, "PYTHONPATH": path}


def in_another_process(module: str, *arguments: object) -> str:
    """Run a module of ours and wait; what it imports does not stay with us. "" or the last line that it complained."""
    line, environment = command(module, *arguments)
    done = subprocess.run(line, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    return "" if done.returncode == 0 else last_words(done.stderr, done.returncode)


def last_words(stderr: str, returncode: int) -> str:
    """The last line of a process that failed."""
    lines = stderr.strip().splitlines() or [f"exit code {returncode}"]
    return lines[-1].removeprefix("error: ")
