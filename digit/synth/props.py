"""What may be seen beside hands and is none: people (`anny_body`), mugs, bottles, pens, telephones, cards."""

import functools
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import platformdirs

from digit.synth.anny_body import extract_bodies

BODIES = 20
_CACHE_VERSION = 2
_ROUND = 28  # sides of a cylinder


@dataclass(frozen=True, slots=True)
class Mesh:
    """A surface in its own frame; a body's is that of `anny_body.extract_bodies`, a thing's fills a cube of 2 mm."""

    vertices_mm: np.ndarray  # (V, 3)
    faces: np.ndarray  # (F, 3) anticlockwise from outside
    normals: np.ndarray  # (V, 3)
    paint: np.ndarray  # (V, 3) lips, ears, eyeball, 0..1


@dataclass(frozen=True, slots=True)
class Bodies:
    """People of several ages and shapes, from the chest up."""

    meshes: tuple[Mesh, ...]
    scale: np.ndarray  # (S,) of the head against an adult's
    eye_x_mm: np.ndarray  # (S,)


@dataclass(frozen=True, slots=True)
class Prop:
    """One mesh in camera space and its paint; colours are linear RGB."""

    mesh: int | str  # a body's number or one of ``THINGS``
    camera_from_prop: np.ndarray  # (4, 4), mm
    stretch: np.ndarray  # (3,) factor on the mesh
    skin: np.ndarray
    blush: np.ndarray
    lips: np.ndarray
    hair: np.ndarray
    iris: np.ndarray
    cloth: np.ndarray  # also a thing's colour
    cloth2: np.ndarray
    cloth_scale: float
    gloss: float
    hair_shape: np.ndarray  # (4,) hairline, thickness and length in mm, strength of the beard
    collar_mm: float
    seed: np.ndarray  # (3,)


@functools.cache
def bodies() -> Bodies:
    """The people of this process: from the user's cache, or taken from ``anny`` once (about 10 s)."""
    path = Path(platformdirs.user_cache_dir("digit-live")) / f"bodies-{BODIES}-v{_CACHE_VERSION}.npz"
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(f".{os.getpid()}.npz")
        arrays: dict[str, Any] = {**extract_bodies(BODIES)}
        np.savez_compressed(part, **arrays)
        part.replace(path)
    with np.load(path) as data:
        found = dict(data)
    paint = np.stack([found["lips"], found["ears"], found["eyeball"]], 1)
    meshes = tuple(_mesh(v, found["faces"], paint) for v in found["vertices_mm"])
    return Bodies(meshes, found["scale"], found["eye_x_mm"])


def _mesh(vertices: np.ndarray, faces: np.ndarray, paint: np.ndarray | None = None) -> Mesh:
    corners = vertices[faces].astype(np.float64)
    across = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals = np.zeros((len(vertices), 3))
    for k in range(3):
        np.add.at(normals, faces[:, k], across)
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-9)
    painted = np.zeros((len(vertices), 3)) if paint is None else paint
    return Mesh(vertices.astype(np.float32), faces, normals.astype(np.float32), painted.astype(np.float32))


def _box() -> Mesh:
    """Each side has corners of its own, so that edges are sharp."""
    sides = []
    for axis in range(3):
        for sign in (-1.0, 1.0):
            side = np.zeros((4, 3))
            side[:, axis] = sign
            side[:, (axis + 1) % 3] = np.array([-1, 1, 1, -1]) * sign
            side[:, (axis + 2) % 3] = [-1, -1, 1, 1]
            sides.append(side)
    faces = np.concatenate([np.array([[0, 1, 2], [0, 2, 3]]) + 4 * n for n in range(6)])
    return _mesh(np.concatenate(sides), faces.astype(np.int32))


def _cylinder() -> Mesh:
    """Along y, with lids."""
    angle = np.linspace(0, 2 * np.pi, _ROUND, endpoint=False)
    ring = np.stack([np.cos(angle), np.zeros(_ROUND), np.sin(angle)], 1)
    up = np.array([0.0, 1.0, 0.0])
    vertices = np.concatenate([ring - up, ring + up, ring - up, ring + up, [-up, up]])
    k, after = np.arange(_ROUND), (np.arange(_ROUND) + 1) % _ROUND
    wall = np.concatenate([np.stack([k, k + _ROUND, after], 1), np.stack([after, k + _ROUND, after + _ROUND], 1)])
    low = np.stack([k + 2 * _ROUND, after + 2 * _ROUND, np.full(_ROUND, 4 * _ROUND)], 1)
    high = np.stack([after + 3 * _ROUND, k + 3 * _ROUND, np.full(_ROUND, 4 * _ROUND + 1)], 1)
    return _mesh(vertices, np.concatenate([wall, low, high]).astype(np.int32))


def _handle() -> Mesh:
    """A ring about z, a sixth as thick as wide."""
    around, along = np.meshgrid(*[np.linspace(0, 2 * np.pi, n, endpoint=False) for n in (_ROUND, 8)], indexing="ij")
    radius = 0.83 + 0.17 * np.cos(along)
    vertices = np.stack([radius * np.cos(around), radius * np.sin(around), 0.17 * np.sin(along)], -1).reshape(-1, 3)
    i, j = np.meshgrid(np.arange(_ROUND), np.arange(8), indexing="ij")
    a, b = (8 * i + j).ravel(), (8 * ((i + 1) % _ROUND) + j).ravel()
    c, d = (8 * ((i + 1) % _ROUND) + (j + 1) % 8).ravel(), (8 * i + (j + 1) % 8).ravel()
    return _mesh(vertices, np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)]).astype(np.int32))


THINGS = {"box": _box(), "cylinder": _cylinder(), "handle": _handle()}
