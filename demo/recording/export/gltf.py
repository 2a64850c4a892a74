"""glTF 2.0 (.glb): the 26 OpenXR joints of each hand as nodes with animated rotations, and bones to look at.

Space: OpenXR's view space at the camera, metres, y up, which is glTF's own.
"""

from pathlib import Path
from typing import Any

import numpy as np

from demo.recording.export import Progress
from demo.recording.export.skeleton import Animation, animations
from demo.recording.reader import Session
from demo.streams.openxr import JOINTS, PARENTS, WRIST

_FLOAT, _UNSIGNED_SHORT = 5126, 5123
_ARRAY_BUFFER, _ELEMENT_ARRAY_BUFFER = 34962, 34963
#: Half the width of a drawn bone against its length.
_BONE_WIDTH = 0.12
_RGBA = {"right": [0.85, 0.35, 0.25, 1.0], "left": [0.25, 0.5, 0.9, 1.0]}


def write_gltf(session: Session, target: Path, progress: Progress) -> None:
    """Write one binary file with one animation for both hands."""
    import pygltflib as gl

    file = gl.GLTF2(scene=0, scenes=[gl.Scene(nodes=[])], asset=gl.Asset(generator="Digit Live", version="2.0"))
    data = _Data(file, gl)
    animation = gl.Animation(name=session.folder.name)
    hands = animations(session)
    for n, hand in enumerate(hands):
        _add_hand(file, data, gl, animation, hand)
        progress((n + 1) / (len(hands) + 1))
    file.animations.append(animation)
    file.buffers.append(gl.Buffer(byteLength=len(data.bytes)))
    file.set_binary_blob(bytes(data.bytes))
    target.write_bytes(b"".join(file.save_to_bytes()))


class _Data:
    """The file's one buffer, and the accessors into it."""

    def __init__(self, file: Any, gl: Any) -> None:
        self._file, self._gl = file, gl
        self.bytes = bytearray()

    def add(self, array: np.ndarray, kind: str, target: int | None = None) -> int:
        """Append a float32 or uint16 array; answers its accessor."""
        raw = np.ascontiguousarray(array)
        self._file.bufferViews.append(
            self._gl.BufferView(buffer=0, byteOffset=len(self.bytes), byteLength=raw.nbytes, target=target)
        )
        self.bytes += raw.tobytes()
        self.bytes += b"\0" * (-len(self.bytes) % 4)
        flat = raw.reshape(len(raw), -1)
        self._file.accessors.append(
            self._gl.Accessor(
                bufferView=len(self._file.bufferViews) - 1,
                componentType=_FLOAT if raw.dtype == np.float32 else _UNSIGNED_SHORT,
                count=len(raw),
                type=kind,
                min=flat.min(axis=0).tolist(),
                max=flat.max(axis=0).tolist(),
            )
        )
        return len(self._file.accessors) - 1


def _add_hand(file: Any, data: _Data, gl: Any, animation: Any, hand: Animation) -> None:
    first = len(file.nodes)
    material = len(file.materials)
    file.materials.append(
        gl.Material(
            name=hand.side,
            pbrMetallicRoughness=gl.PbrMetallicRoughness(
                baseColorFactor=_RGBA[hand.side], metallicFactor=0.0, roughnessFactor=0.7
            ),
        )
    )
    for joint, name in enumerate(JOINTS):
        children = [first + c for c, p in enumerate(PARENTS) if p == joint and c != joint]
        place = hand.roots_m[0] if joint == WRIST else hand.offsets_m[joint]
        node = gl.Node(
            name=f"{hand.side}_{name}",
            children=children,
            translation=place.tolist(),
            rotation=hand.rotations[0, joint].tolist(),
        )
        file.nodes.append(node)
    for joint in range(len(JOINTS)):
        ends = [hand.offsets_m[c] for c, p in enumerate(PARENTS) if p == joint and c != joint]
        ends = [end for end in ends if np.linalg.norm(end) > 1e-4]
        if ends:
            file.nodes[first + joint].mesh = len(file.meshes)
            file.meshes.append(_bones(data, gl, ends, material))
    file.scenes[0].nodes.append(first + WRIST)
    times = data.add(hand.seconds.astype(np.float32), "SCALAR")
    animation.samplers.append(
        gl.AnimationSampler(input=times, output=data.add(hand.roots_m.astype(np.float32), "VEC3"))
    )
    _channel(gl, animation, first + WRIST, "translation")
    for joint in range(len(JOINTS)):
        turns = data.add(hand.rotations[:, joint].astype(np.float32), "VEC4")
        animation.samplers.append(gl.AnimationSampler(input=times, output=turns))
        _channel(gl, animation, first + joint, "rotation")


def _channel(gl: Any, animation: Any, node: int, path: str) -> None:
    target = gl.AnimationChannelTarget(node=node, path=path)
    animation.channels.append(gl.AnimationChannel(sampler=len(animation.samplers) - 1, target=target))


def _bones(data: _Data, gl: Any, ends: list[np.ndarray], material: int) -> Any:
    """One mesh of four-sided spindles from the joint to each of its children."""
    corners: list[np.ndarray] = []
    faces: list[list[int]] = []
    for end in ends:
        length, start = float(np.linalg.norm(end)), len(corners)
        along = end / length
        side = np.cross(along, [1.0, 0, 0] if abs(along[0]) < 0.9 else [0, 1.0, 0])
        side /= np.linalg.norm(side)
        up, middle, width = np.cross(along, side), end * 0.2, length * _BONE_WIDTH
        ring = [middle + width * v for v in (side, up, -side, -up)]
        corners += [np.zeros(3), *ring, end]
        for k in range(4):
            here, there = start + 1 + k, start + 1 + (k + 1) % 4
            faces += [[start, there, here], [start + 5, here, there]]
    primitive = gl.Primitive(
        attributes=gl.Attributes(POSITION=data.add(np.array(corners, np.float32), "VEC3", _ARRAY_BUFFER)),
        indices=data.add(np.array(faces, np.uint16).reshape(-1), "SCALAR", _ELEMENT_ARRAY_BUFFER),
        material=material,
    )
    return gl.Mesh(primitives=[primitive])
