"""Write labelled pictures: InterHand2.6M's folders and annotation files, and a compact index for quick training.

Each picture depends on (seed, index) and the photographs that the machine has (`digit.synth.backgrounds`) alone, so
shards of like machines join to the same set and a killed run goes on where it stopped.
"""

import json
import os
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from tqdm import tqdm

from digit.errors import UserError
from digit.skeleton import FIRST_PART, JOINTS_PER_HAND, PARTS_PER_HAND, SIDES, SLOTS
from digit.synth import hand_model
from digit.synth.appearance import linear_bytes, photograph, sample_look, shade_gaps
from digit.synth.backgrounds import sample_background
from digit.synth.components import NONE, good_photograph, simplified
from digit.synth.lens import bent, bent_pixels, seen_joints, straight_camera
from digit.synth.people import person_view, sample_person, sample_props
from digit.synth.render import Rendering, shared_renderer
from digit.synth.scenes import sample_scene

SIZE = 320
CHUNK = 500
SPLIT = "train"
#: Grows when the same seed and index give another picture or other labels, so that one set never mixes two engines.
ENGINE = 13
#: A hand that shows fewer pixels of itself, or fewer of its joints, gives nobody a chance: such a picture is drawn
#: anew, so many times at most.
SHOWN_PIXELS, SHOWN_JOINTS, _TRIES = 500, 3, 8
#: A joint counts as visible if its own hand's surface lies at most this far in front of it, mm.
VISIBLE_MM = 16.0


@dataclass(frozen=True, slots=True)
class Picture:
    """One labelled picture."""

    image: np.ndarray  # (320, 320, 3) uint8 RGB
    parts: np.ndarray  # (320, 320) uint8 part classes
    depth_mm: np.ndarray  # (320, 320) float32
    joints_mm: np.ndarray  # (42, 3) float32 camera space as K sees it (`digit.synth.lens`); zeros for an absent hand
    joints_px: np.ndarray  # (42, 2) float32
    joint_valid: np.ndarray  # (42,) uint8: its hand is there and it lies in the picture
    visible: np.ndarray  # (42,) uint8: valid and not behind something
    K: np.ndarray  # (3, 3)
    hands: np.ndarray  # (2,) uint8: right, left
    bbox: np.ndarray  # (4,) x, y, width, height around the valid joints, with the place of a hand that is not there
    quality: int  # of the JPEG file


def picture(seed: int, index: int, without: frozenset[str] = NONE) -> Picture:
    """Picture ``index`` of the set ``seed``. Of each of its hands something is to be seen."""
    made = draw(np.random.default_rng([seed, index]), without)
    for again in range(1, _TRIES):
        if shows_its_hands(made):
            break
        made = draw(np.random.default_rng([seed, index, again]), without)
    return made


def shows_its_hands(made: Picture) -> bool:
    """Whether enough of each hand is to be seen."""
    for i, side in enumerate(SIDES):
        first = FIRST_PART[side]
        pixels = np.count_nonzero((made.parts >= first) & (made.parts < first + PARTS_PER_HAND))
        if made.hands[i] and (pixels < SHOWN_PIXELS or made.visible[SLOTS[side]].sum() < SHOWN_JOINTS):
            return False
    return True


def draw(rng: np.random.Generator, without: frozenset[str] = NONE) -> Picture:
    """One scene, drawn and labelled, whatever is to be seen of its hands; ``without`` some of `COMPONENTS`."""
    scene = sample_scene(rng, hand_model.shared(), SIZE, without)
    look = simplified(sample_look(rng), without)
    K = straight_camera(scene.K, scene.bend, SIZE) if scene.bend else scene.K
    props = sample_props(rng, scene.hands, K, SIZE, look, scene.facing)
    props = () if "people and things" in without else props
    drawn = shared_renderer(SIZE).draw(scene.hands, K, look, props)
    if scene.bend:
        drawn = _through_lens(drawn, bent_pixels(scene.K, scene.bend, SIZE))
    light = in_room(drawn, rng, SIZE, without)
    parts = drawn.parts.copy()
    if rng.random() < 0.05 and "people and things" not in without:
        light, parts = _occlude(light, parts, rng)
    image = good_photograph(light) if "camera" in without else photograph(light, rng)

    joints_mm = np.zeros((42, 3), np.float32)
    present = np.zeros(42, bool)
    for side, hand in scene.hands.items():
        joints_mm[SLOTS[side]] = seen_joints(hand_model.annotated(hand.joints_mm), scene.bend)
        present[SLOTS[side]] = True
    px = np.zeros((42, 2), np.float32)
    projected = joints_mm[present] @ scene.K.T
    px[present] = projected[:, :2] / projected[:, 2:]
    valid = present & ((px >= 0) & (px <= SIZE - 1)).all(axis=1)
    cell = px.round().astype(int).clip(0, SIZE - 1)
    in_front = joints_mm[:, 2] - drawn.depth_mm[cell[:, 1], cell[:, 0]]
    shown = parts[cell[:, 1], cell[:, 0]].astype(int)
    own = np.repeat([FIRST_PART[side] for side in SIDES], JOINTS_PER_HAND)
    # Not what lies just behind the other hand's skin, where hands press.
    visible = valid & (in_front < VISIBLE_MM) & (own <= shown) & (shown < own + PARTS_PER_HAND)
    hands = np.array([side in scene.hands for side in SIDES], np.uint8)
    around = np.concatenate([px[valid], scene.framed_px.clip(0, SIZE - 1)]) if "pairs" in without else px[valid]
    low, high = around.min(axis=0, initial=SIZE), around.max(axis=0, initial=0)
    bbox = np.concatenate([low, high - low]) if len(around) else np.zeros(4)
    quality = 95 if "camera" in without else int(rng.integers(55, 96))
    return Picture(
        image, parts, drawn.depth_mm, joints_mm, px, valid.astype(np.uint8), visible.astype(np.uint8), scene.K, hands,
        bbox, quality,
    )  # fmt: skip


def person_without_hands(rng: np.random.Generator, size: int) -> np.ndarray:
    """(size, size, 3) uint8 RGB: a face, a neck or a chest without any hand."""
    look = sample_look(rng)
    focal, depth = size * rng.uniform(0.6, 1.4), rng.uniform(300, 900)
    half = (size - 1) / 2
    K = np.array([[focal, 0, half], [0, focal, half], [0, 0, 1]])
    middle = depth * np.array([*(rng.normal(0, 0.2, 2) * size / focal), 1.0])
    view = person_view(rng)
    at = rng.choice([-20.0, -110.0, -240.0], p=[0.6, 0.25, 0.15])
    person = sample_person(rng, look, view, middle - view @ np.array([0.0, at, 0.0]))
    return photograph(in_room(shared_renderer(size).draw({}, K, look, (person,)), rng, size), rng)


def in_room(drawn: Rendering, rng: np.random.Generator, size: int, without: frozenset[str] = NONE) -> np.ndarray:
    """(size, size, 3) float32 linear light of what was drawn before a background."""
    background = linear_bytes(sample_background(rng, size, "photographs" not in without))
    strength, radius_px = rng.uniform(0.1, 0.5), rng.uniform(4, 14)
    shade = shade_gaps(drawn.depth_mm, 0.0 if "light" in without else strength, radius_px)
    # Colour is already weighted by coverage, which is soft at edges.
    bare = 1 - drawn.coverage
    return cv2.multiply(drawn.colour, cv2.merge([shade] * 3)) + cv2.multiply(background, cv2.merge([bare] * 3))


def _through_lens(drawn: Rendering, pixels: np.ndarray) -> Rendering:
    return Rendering(
        bent(drawn.colour, pixels, smooth=True), bent(drawn.coverage, pixels, smooth=True),
        bent(drawn.parts, pixels, smooth=False), bent(drawn.depth_mm, pixels, smooth=False),
    )  # fmt: skip


def _occlude(light: np.ndarray, parts: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A thing in front: a blob or a bar in one colour."""
    cover = np.zeros(parts.shape, np.uint8)
    p, q = rng.integers(0, SIZE, (2, 2))
    if rng.random() < 0.5:
        cv2.line(cover, p.tolist(), q.tolist(), 1, int(rng.integers(6, 28)))
    else:
        cv2.ellipse(cover, p.tolist(), rng.integers(10, 60, 2).tolist(), float(rng.uniform(0, 180)), 0, 360, 1, -1)
    colour = (rng.uniform(0, 0.8) * rng.uniform(0.6, 1.0, 3)).astype(np.float32)
    return np.where(cover[..., None] > 0, colour, light), np.where(cover > 0, np.uint8(0), parts)


def generate(
    out: Path,
    count: int,
    seed: int = 0,
    shard: tuple[int, int] = (0, 1),
    progress: bool = True,
    chunk: int = CHUNK,
    annotate: bool = True,
    without: frozenset[str] = NONE,
) -> None:
    """Write this shard's chunks of a set of ``count`` pictures; chunks that are whole already are left alone.

    Whoever finds all chunks whole writes the annotation files, unless ``annotate`` is off. ``without`` leaves some of
    `digit.synth.components.COMPONENTS` out.

    Raises:
        UserError: the folder cannot be written, the disk is full, or it holds a set of another seed or engine.
    """
    chunks = [range(start, min(start + chunk, count)) for start in range(0, count, chunk)]
    try:
        for folder in ("images", "masks", "annotations"):
            (out / folder / SPLIT).mkdir(parents=True, exist_ok=True)
        _claim(out, seed, without)
        files = [out / "annotations" / SPLIT / f"index-{n:04d}.npz" for n in range(len(chunks))]
        todo = list(zip(chunks, files, strict=True))[shard[0] :: shard[1]]
        with tqdm(total=sum(len(pictures) for pictures, _ in todo), unit="picture", disable=not progress) as bar:
            for pictures, index in todo:
                if not _complete(index, len(pictures)):
                    _write_chunk(out, seed, pictures, index, bar, without)
                else:
                    bar.update(len(pictures))
        if annotate and all(_complete(index, len(p)) for p, index in zip(chunks, files, strict=True)):
            write_annotations(out, files)
    except OSError as error:
        raise UserError(f"Cannot write to {out} ({error.strerror}); free some space or give another --out.") from error


def _claim(out: Path, seed: int, without: frozenset[str]) -> None:
    file = out / "annotations" / SPLIT / "seed.txt"
    claim = f"{seed} of engine {ENGINE}" + "".join(f" without {name}" for name in sorted(without))
    if file.is_file() and file.read_text() != claim:
        raise UserError(f"{out} holds a set of seed {file.read_text()}, not {claim}; give that seed or another --out.")
    file.write_text(claim)


def _complete(index: Path, length: int) -> bool:
    try:
        # Opened here: numpy leaves a file open that is not a whole zip.
        with index.open("rb") as file, np.load(file) as data:
            return len(data["files"]) == length == len(data["bbox"])  # which older versions did not write
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return False


def _write_chunk(out: Path, seed: int, chunk: range, index: Path, bar: Any, without: frozenset[str]) -> None:
    rows: list[Picture] = []
    names: list[str] = []
    for i in chunk:
        made = picture(seed, i, without)
        name = f"image{i:06d}"
        ok, jpeg = cv2.imencode(".jpg", made.image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, made.quality])
        ok_png, png = cv2.imencode(".png", made.parts, [cv2.IMWRITE_PNG_COMPRESSION, 3])
        assert ok and ok_png
        (out / "images" / SPLIT / f"{name}.jpg").write_bytes(jpeg.tobytes())
        (out / "masks" / SPLIT / f"{name}.png").write_bytes(png.tobytes())
        rows.append(made)
        names.append(f"{name}.jpg")
        bar.update()
    part = index.with_suffix(".part.npz")
    fields = ("joints_mm", "joints_px", "joint_valid", "visible", "K", "hands", "bbox")
    arrays: dict[str, Any] = {f: np.stack([getattr(r, f) for r in rows]) for f in fields}
    np.savez_compressed(part, files=np.array(names), **arrays)
    part.replace(index)


def write_annotations(out: Path, files: Sequence[Path]) -> None:
    """InterHand2.6M's three annotation files from these index files; each picture is a capture of one camera."""
    folder = out / "annotations" / SPLIT
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    cameras: dict[str, Any] = {}
    joints: dict[str, Any] = {}
    for file in files:  # and not what an earlier, larger set left behind
        data = dict(np.load(file))
        for name, mm, valid, K, hands, bbox in zip(
            *(data[f] for f in ("files", "joints_mm", "joint_valid", "K", "hands", "bbox")), strict=True
        ):
            i = len(images)
            kind = "interacting" if hands.all() else "right" if hands[0] else "left"
            images.append(
                {"id": i, "file_name": str(name), "width": SIZE, "height": SIZE, "capture": i, "subject": 0,
                 "seq_name": "synthetic", "camera": "0", "frame_idx": 0}
            )  # fmt: skip
            annotations.append(
                {"id": i, "image_id": i, "bbox": bbox.tolist(), "joint_valid": valid.tolist(),
                 "hand_type": kind, "hand_type_valid": True, "is_crowd": 0}
            )  # fmt: skip
            cameras[str(i)] = {
                "campos": {"0": [0.0, 0.0, 0.0]},
                "camrot": {"0": np.eye(3).tolist()},
                "focal": {"0": [float(K[0, 0]), float(K[1, 1])]},
                "princpt": {"0": [float(K[0, 2]), float(K[1, 2])]},
            }
            joints[str(i)] = {
                "0": {"world_coord": mm.round(2).tolist(), "joint_valid": valid[:, None].tolist(), "hand_type": kind,
                      "hand_type_valid": True}
            }  # fmt: skip
    for name, content in (
        ("data", {"images": images, "annotations": annotations}),
        ("camera", cameras),
        ("joint_3d", joints),
    ):
        file = folder / f"InterHand2.6M_{SPLIT}_{name}.json"
        part = file.with_suffix(f".{os.getpid()}.part")  # two shards may end at once
        part.write_text(json.dumps(content))
        part.replace(file)


def contact_sheet(seed: int, count: int, columns: int = 8) -> np.ndarray:
    """(H, W, 3) uint8 RGB: pictures with part borders and joints drawn, for the eye."""
    tiles = [_annotated(picture(seed, i)) for i in range(count)]
    tiles += [np.zeros_like(tiles[0])] * (-count % columns)
    return np.vstack([np.hstack(tiles[i : i + columns]) for i in range(0, len(tiles), columns)])


def _annotated(made: Picture) -> np.ndarray:
    hue = (made.parts.astype(np.float32) * 37 % 180).astype(np.uint8)
    value = np.where(made.parts > 16, 255, 150).astype(np.uint8)
    colours = cv2.cvtColor(np.dstack([hue, np.full_like(hue, 200), value]), cv2.COLOR_HSV2RGB)
    labelled = np.where(made.parts[..., None] > 0, made.image // 2 + colours // 2, made.image)
    for (x, y), valid, visible in zip(made.joints_px, made.joint_valid, made.visible, strict=True):
        if valid:
            colour = (0, 255, 0) if visible else (255, 0, 0)
            cv2.circle(labelled, (round(float(x)), round(float(y))), 2, colour, -1)
    return np.hstack([made.image, labelled])
