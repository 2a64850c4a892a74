"""Where InterHand2.6M's files lie and how one annotation becomes a row of `digit.interhand.Index`."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from digit.errors import UserError
from digit.skeleton import JOINTS_PER_HAND, ROOTS, WRIST

Subset = Literal["all", "human", "machine"]
#: Whether the right, the left hand is there, by the dataset's word.
HAND_TYPES = {"right": (True, False), "left": (False, True), "interacting": (True, True)}
#: InterHand2.6M's boxes are the valid joints' box times this, in both directions; `digit.synth` writes the joints' own.
BBOX_OVER_JOINTS = 1.2
#: What `digit.synth` writes as its sequence's name. There the true place of every joint of a hand is known.
DRAWN = "synthetic"
#: Folders under v0.0's annotations, and the lists of annotation ids in v1.0's.
_V0_FOLDERS = {"all": "all", "human": "human_annot", "machine": "machine_annot"}
_BATCH = "InterHand2.6M_5fps_batch1"


@dataclass(frozen=True, slots=True, eq=False)
class Files:
    """The parsed files of one split."""

    annotations: list[dict[str, Any]]
    images: dict[int, dict[str, Any]]
    cameras: dict[str, Any]
    joints: dict[str, Any]
    image_folder: Path
    parts: Path | None
    rootnet_mm: dict[int, Any]
    _world: dict[tuple[str, str], np.ndarray] = field(default_factory=dict[tuple[str, str], np.ndarray])

    def name(self, annotation: dict[str, Any]) -> str:
        """How a sample is called in messages."""
        image = self.images.get(annotation.get("image_id", -1), {})
        return str(image.get("file_name", f"annotation {annotation.get('id')}"))

    def row(self, annotation: dict[str, Any]) -> dict[str, Any]:
        """The columns of one sample. Raises KeyError, TypeError or ValueError where it cannot be used."""
        image = self._image(annotation)
        camera, intrinsics = self._camera(image)
        joints_mm = camera(self._joints(image)).astype(np.float32)
        # The real files nest each flag in a list of its own, ours do not.
        valid = np.asarray(annotation["joint_valid"]).ravel() > 0
        if valid.shape != (len(ROOTS),):
            raise ValueError(f"{valid.size} flags of joints, not {len(ROOTS)}")
        if annotation["hand_type"] not in HAND_TYPES:
            raise ValueError(f"hand type {annotation['hand_type']!r}")
        if not (np.isfinite(joints_mm[valid]).all() and (joints_mm[valid, 2] > 0).all()):
            raise ValueError("a joint is nowhere or behind the camera")
        hands = np.array(HAND_TYPES[annotation["hand_type"]])
        drawn = image.get("seq_name") == DRAWN
        roots = [WRIST, WRIST + JOINTS_PER_HAND]
        name = str(image["file_name"])
        return {
            "annotation_ids": np.int64(annotation["id"]),
            "images": np.bytes_(str(self.image_folder / name).encode()),
            "parts": np.bytes_(str((self.parts / name).with_suffix(".png")).encode() if self.parts else b""),
            "intrinsics": intrinsics,
            "joints_mm": joints_mm,
            "joint_valid": valid,
            "root_known": valid[roots] | (hands & drawn),
            "bboxes": _bbox(annotation["bbox"], BBOX_OVER_JOINTS if drawn else 1.0),
            "hands": hands,
            "hands_valid": np.bool_(annotation.get("hand_type_valid", True)),
            "rootnet_mm": np.asarray(self.rootnet_mm.get(annotation["id"], (np.nan, np.nan)), np.float32).reshape(2),
        }

    def _image(self, annotation: dict[str, Any]) -> dict[str, Any]:
        image = self.images.get(annotation["image_id"])
        if image is None:
            raise ValueError(f"no picture has the id {annotation['image_id']}")
        return image

    def _camera(self, image: dict[str, Any]) -> tuple[Any, np.ndarray]:
        capture, camera = str(image["capture"]), str(image["camera"])
        known = self.cameras.get(capture, {})
        if camera not in known.get("camrot", {}):
            raise ValueError(f"no camera {camera} in capture {capture}")
        rotation = np.asarray(known["camrot"][camera], np.float64).reshape(3, 3)
        position = np.asarray(known["campos"][camera], np.float64).reshape(3)
        intrinsics = np.asarray([*known["focal"][camera], *known["princpt"][camera]], np.float64).reshape(4)
        if not (np.isfinite(intrinsics).all() and (intrinsics[:2] > 0).all()):
            raise ValueError(f"camera {camera} of capture {capture} has no focal length")
        return (lambda world: (world - position) @ rotation.T), intrinsics

    def _joints(self, image: dict[str, Any]) -> np.ndarray:
        """World coordinates (42, 3); kept, because some hundred cameras saw each moment."""
        key = str(image["capture"]), str(image["frame_idx"])
        if key not in self._world:
            frame = self.joints.get(key[0], {}).get(key[1])
            if frame is None:
                raise ValueError(f"no joints of capture {key[0]}, frame {key[1]}")
            self._world[key] = np.asarray(frame["world_coord"], np.float64).reshape(len(ROOTS), 3)
        return self._world[key]


def find_annotations(folder: Path, split: str, subset: Subset) -> tuple[Path, Path] | None:
    """(dataset's own folder, folder of the split's JSON files), v0.0 or v1.0; None where neither is."""
    for root in (folder, folder / _BATCH):
        for annotations in (root / "annotations" / _V0_FOLDERS[subset], root / "annotations" / split):
            if (annotations / f"InterHand2.6M_{split}_data.json").is_file():
                return root, annotations
    return None


def read_files(folder: Path, split: str, subset: Subset, parts: Path | None, rootnet: Path | None) -> Files:
    """Parse what one split needs. Raises UserError when a file is missing, damaged or of another kind."""
    found = find_annotations(folder, split, subset)
    if found is None and subset != "all" and find_annotations(folder, split, "all") is not None:
        raise UserError(f"{folder} has no {subset} annotations of the split {split}; take --subset all.")
    if found is None:
        raise UserError(
            f"{folder} holds no annotations/{split}/InterHand2.6M_{split}_data.json; give the folder of InterHand2.6M, "
            "or make a set with python -m digit.synth."
        )
    root, annotations = found
    data, cameras, joints = (
        _json(annotations / f"InterHand2.6M_{split}_{k}.json") for k in ("data", "camera", "joint_3d")
    )
    try:
        images: dict[int, dict[str, Any]] = {image["id"]: image for image in data["images"]}
        wanted: list[dict[str, Any]] = list(data["annotations"])
    except (KeyError, TypeError) as error:
        raise UserError(f"{annotations} holds no InterHand2.6M annotations (no {error}); fetch them again.") from error
    for kind, content in (("camera", cameras), ("joint_3d", joints)):
        if not isinstance(content, dict):
            raise UserError(f"{annotations}/InterHand2.6M_{split}_{kind}.json is not by capture; fetch it again.")
    if annotations.name == split and subset != "all":
        ids = _ids(annotations / f"aid_{subset}_annot_{split}.txt")
        wanted = [annotation for annotation in wanted if annotation.get("id") in ids]
    masks = parts if parts is not None else root / "masks" / split
    if parts is not None and not parts.is_dir():
        raise UserError(f"There is no folder of masks {parts}.")
    return Files(
        annotations=wanted,
        images=images,
        cameras=cameras,
        joints=joints,
        image_folder=root / "images" / split,
        parts=masks if masks.is_dir() else None,
        rootnet_mm=_rootnet(root, split, subset, rootnet),
    )


def _json(path: Path) -> Any:
    try:
        with path.open(encoding="utf-8") as file:
            return json.load(file)
    except FileNotFoundError as error:
        raise UserError(f"There is no {path}; it belongs to the annotations, so fetch them again.") from error
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read ({error}); fetch it again.") from error


def _ids(path: Path) -> set[int]:
    """The annotation ids of v1.0's human or machine subset, one a line."""
    try:
        return {int(line) for line in path.read_text(encoding="utf-8").split()}
    except FileNotFoundError as error:
        raise UserError(f"This annotation subset needs {path}; fetch it from InterHand2.6M's page.") from error
    except (OSError, ValueError) as error:
        raise UserError(f"{path} is no list of annotation ids ({error}); fetch it again.") from error


def _rootnet(root: Path, split: str, subset: Subset, path: Path | None) -> dict[int, Any]:
    """Annotation id to (right, left) absolute root depth in mm, from RootNet's result file where there is one."""
    if path is None:
        # v0.0 has rootnet_interhand2.6m_output_all_test.json and …_machine_annot_val.json, v1.0 …_output_test.json.
        candidates = sorted((root / "rootnet_output").glob(f"rootnet_interhand2.6m_output*_{split}.json"))
        names = [f"output_{_V0_FOLDERS[subset]}_{split}", f"output_{split}"]
        ranked = [c for name in names for c in candidates if c.stem.endswith(name)] + candidates
        if not ranked:
            return {}
        path = ranked[0]
    results = _json(path)
    try:
        return {
            int(r["annot_id"]): r["abs_depth"] for r in (results.values() if isinstance(results, dict) else results)
        }
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(
            f"{path} is no RootNet result with annot_id and abs_depth ({error}); fetch it again."
        ) from error


def _bbox(bbox: Any, grow: float) -> np.ndarray:
    x, y, width, height = np.asarray(bbox, np.float64).reshape(4)
    if not (np.isfinite([x, y, width, height]).all() and width > 0 and height > 0):
        raise ValueError(f"the box {np.asarray(bbox).tolist()} is empty")
    return np.array([x - (grow - 1) / 2 * width, y - (grow - 1) / 2 * height, grow * width, grow * height])
