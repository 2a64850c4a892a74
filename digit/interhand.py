"""Read InterHand2.6M's own files, of the dataset itself or of sets that `digit.synth` drew: one reader for both.

Layouts (see the dataset's page): ``DIR/images/SPLIT/…``; in v1.0 ``DIR/annotations/SPLIT/InterHand2.6M_SPLIT_*.json``
(both may lie inside ``DIR/InterHand2.6M_5fps_batch1``), in v0.0 ``DIR/annotations/{all,human_annot,machine_annot}/…``.
Optional: ``DIR/rootnet_output/rootnet_interhand2.6m_output*_SPLIT.json`` with absolute root depths, and
``DIR/masks/SPLIT/…png``, one part class (`digit.skeleton`) a pixel, named like the picture.

A sample that cannot be used is skipped, named on stderr and kept in `Index.skipped`; a file that cannot is a UserError.
"""

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from tqdm import tqdm

from digit.errors import UserError
from digit.geometry import Array, project
from digit.interhand_files import Subset, find_annotations, read_files
from digit.skeleton import PART_CLASSES

SPLITS = ("train", "val", "test")
#: How many skipped samples are named on stderr; `Index.skipped` has them all.
NAMED = 20
#: Rows that are gathered before they become columns.
CHUNK = 10_000


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """One picture with its labels. Camera space is x right, y down, z forward, mm."""

    annotation_id: int
    image_path: Path
    parts_path: Path | None  # part classes of each pixel; None where the set has no masks
    K: Array  # (3, 3)
    joints_mm: Array  # (42, 3) camera space; meaningless where not known
    joints_px: Array  # (42, 2) picture pixels
    joint_valid: np.ndarray  # (42,) bool: annotated; in drawn sets also inside the picture
    root_known: np.ndarray  # (2,) bool: the right, the left wrist's position is true
    bbox: Array  # (4,) x, y, width, height around all hands, pixels
    hands: np.ndarray  # (2,) bool: the right, the left hand is there
    hands_valid: bool  # whether ``hands`` was annotated
    rootnet_mm: Array  # (2,) absolute depth of the right, the left wrist as RootNet estimates it; nan without

    @property
    def interacting(self) -> bool:
        return bool(self.hands.all())


@dataclass(frozen=True, slots=True, eq=False)
class Index:
    """The labels of many pictures in columns, so that a million fit in memory and worker processes share them."""

    annotation_ids: np.ndarray  # (N,) int64
    images: np.ndarray  # (N,) bytes, paths
    parts: np.ndarray  # (N,) bytes, paths; empty for none
    intrinsics: np.ndarray  # (N, 4) float64: focal x, y, centre x, y
    joints_mm: np.ndarray  # (N, 42, 3) float32
    joint_valid: np.ndarray  # (N, 42) bool
    root_known: np.ndarray  # (N, 2) bool
    bboxes: np.ndarray  # (N, 4) float64
    hands: np.ndarray  # (N, 2) bool
    hands_valid: np.ndarray  # (N,) bool
    rootnet_mm: np.ndarray  # (N, 2) float32
    skipped: tuple[str, ...] = ()  # "picture: reason" of each sample that is not here

    def __len__(self) -> int:
        return len(self.annotation_ids)

    def __getitem__(self, i: int) -> Sample:
        if not -len(self) <= i < len(self):
            raise IndexError(i)
        fx, fy, cx, cy = self.intrinsics[i]
        K = np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]])
        joints_mm = self.joints_mm[i].astype(np.float64)
        with np.errstate(divide="ignore", invalid="ignore"):
            joints_px = np.nan_to_num(project(joints_mm, K), posinf=0.0, neginf=0.0)
        return Sample(
            annotation_id=int(self.annotation_ids[i]),
            image_path=Path(self.images[i].decode()),
            parts_path=Path(self.parts[i].decode()) if self.parts[i] else None,
            K=K,
            joints_mm=joints_mm,
            joints_px=joints_px,
            joint_valid=self.joint_valid[i],
            root_known=self.root_known[i],
            bbox=self.bboxes[i],
            hands=self.hands[i],
            hands_valid=bool(self.hands_valid[i]),
            rootnet_mm=self.rootnet_mm[i].astype(np.float64),
        )

    def take(self, rows: np.ndarray) -> "Index":
        """The samples at these positions."""
        columns = {f.name: getattr(self, f.name)[rows] for f in fields(self) if f.name != "skipped"}
        return Index(**columns, skipped=self.skipped)


def join(indices: Sequence[Index]) -> Index:
    """The samples of several sets behind each other."""
    columns = {
        f.name: np.concatenate([getattr(index, f.name) for index in indices])
        for f in fields(Index)
        if f.name != "skipped"
    }
    return Index(**columns, skipped=tuple(name for index in indices for name in index.skipped))


def read_picture(path: Path) -> np.ndarray:
    """(H, W, 3) uint8 RGB. Raises UserError when the file is no picture."""
    picture = cv2.imread(str(path), cv2.IMREAD_COLOR_RGB) if path.is_file() else None
    if picture is None:
        raise UserError(f"Cannot read the picture {path}; check that it is there and whole.")
    return picture


def read_parts(path: Path, size: tuple[int, ...]) -> np.ndarray:
    """(H, W) uint8 part classes of a picture of that (H, W). Raises UserError when the file holds something else."""
    parts = cv2.imread(str(path), cv2.IMREAD_UNCHANGED) if path.is_file() else None
    if parts is None or parts.dtype != np.uint8 or parts.shape != size or parts.max() >= PART_CLASSES:
        raise UserError(
            f"The mask {path} is not one part class 0-{PART_CLASSES - 1} a pixel in its picture's size; make it again."
        )
    return parts


def say_skipped(skipped: Sequence[str], total: int, where: object) -> None:
    """Count and name what was left out, on stderr and around any progress bar. Silent when nothing was."""
    if not skipped:
        return
    named = [f"  {name}" for name in skipped[:NAMED]]
    rest = [f"  … and {len(skipped) - NAMED} more"] if len(skipped) > NAMED else []
    tqdm.write("\n".join([f"Skipped {len(skipped)} of {total} samples of {where}:", *named, *rest]), file=sys.stderr)


def splits_of(folder: Path) -> list[str]:
    """The splits that a dataset folder has annotations of, in the order train, val, test."""
    return [split for split in SPLITS if find_annotations(folder, split, "all") is not None]


def read(
    folder: Path, split: str = "train", subset: Subset = "all", parts: Path | None = None, rootnet: Path | None = None
) -> Index:
    """The samples of one split.

    Args:
        folder: the dataset's folder, see the module.
        subset: which annotators: all, human (H) or machine (M).
        parts: folder of part masks, instead of ``folder/masks/split``.
        rootnet: RootNet's result file, instead of the one in ``folder/rootnet_output``.

    Raises:
        UserError: a file is missing or damaged, or no sample can be used.
    """
    files = read_files(folder, split, subset, parts, rootnet)
    rows: list[dict[str, Any]] = []
    chunks: list[Index] = []
    skipped: list[str] = []
    progress: Iterable[dict[str, Any]] = tqdm(
        files.annotations, desc=f"reading {folder.name}/{split}", unit="sample", leave=False, delay=1.0
    )
    for annotation in progress:
        try:
            rows.append(files.row(annotation))
        except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
            reason = f"no {error}" if isinstance(error, KeyError) else str(error)
            skipped.append(f"{files.name(annotation)}: {reason}")
        if len(rows) == CHUNK:
            chunks.append(_index(rows))
            rows.clear()
    chunks += [_index(rows)] if rows else []
    say_skipped(skipped, len(files.annotations), f"{folder}, {split}")
    if not chunks:
        raise UserError(f"No sample of {folder}, {split} ({subset}) can be used; the files may be of different sets.")
    index = replace(join(chunks), skipped=tuple(skipped))
    _check_masks_found(index, files.parts)
    return index


def _index(rows: list[dict[str, Any]]) -> Index:
    columns: dict[str, Any] = {name: np.stack([row[name] for row in rows]) for name in rows[0]}
    return Index(**columns)


def _check_masks_found(index: Index, parts: Path | None) -> None:
    """A wrong folder of masks would train without any, so look for a few of them."""
    looked_for = index.parts[:: max(1, len(index) // 20)]
    if parts is not None and not any(Path(path.decode()).is_file() for path in looked_for):
        first = looked_for[0].decode()
        raise UserError(f"{parts} holds no mask of any picture looked for, such as {first}; name masks like pictures.")
