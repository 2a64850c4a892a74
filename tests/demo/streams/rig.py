"""Synthetic hands whose bones' true rotations are known: the rig of `digit.synth`, posed."""

from dataclasses import dataclass

import numpy as np

from digit.synth import hand_model, poses
from digit.synth.hand_model import ANGLES, BONE_PARENTS, BONES, HandModel, rotation

#: OpenXR's axes of a right hand in the rig's (x to the little finger, y to the fingers, z out of the back).
VIEW_FROM_RIG = np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])
CAMERA_FROM_VIEW = np.array([1.0, -1.0, -1.0])
_THUMB, _FINGER = ("metacarpal", "proximal", "distal"), ("proximal", "intermediate", "distal")


def openxr_name(bone: str) -> str:
    """OpenXR's joint of a bone of the rig."""
    if bone == "hand":
        return "palm"
    finger = {"pinky": "little"}.get(bone[:-1], bone[:-1])
    return f"{finger}_{(_THUMB if finger == 'thumb' else _FINGER)[int(bone[-1]) - 1]}"


@dataclass(frozen=True, slots=True)
class TrueHands:
    """Right hands, N of them."""

    joints_mm: np.ndarray  # (N, 21, 3) camera space
    frames: dict[str, np.ndarray]  # OpenXR joint -> (N, 3, 3) true orientation in view space


def posed(model: HandModel, shape: int, angles_deg: np.ndarray) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Joints (21, 3) in mm and the frame of each bone, in view space."""
    turns, shifts = bone_turns(model, shape, dict(zip(ANGLES, angles_deg, strict=True)))
    bones = model.joint_bones
    joints = np.einsum("jab,jb->ja", turns[bones], model.joints_mm[shape]) + shifts[bones]
    frames = {}
    for b, bone in enumerate(BONES[1:], 1):
        rest = np.stack([-model.flex_axes[shape, b], model.lift_axes[shape, b], -model.along_axes[shape, b]], -1)
        rest = VIEW_FROM_RIG.T if bone == "hand" else rest
        frames[openxr_name(bone)] = VIEW_FROM_RIG @ turns[b] @ rest
    return joints @ VIEW_FROM_RIG.T, frames


def bone_turns(model: HandModel, shape: int, angle: dict[str, float]) -> tuple[np.ndarray, np.ndarray]:
    """Forward kinematics, written out: (17, 3, 3) turn and (17, 3) shift of each bone; the hand stays."""
    turns, shifts = np.tile(np.eye(3), (len(BONES), 1, 1)), np.zeros((len(BONES), 3))
    for b, bone in enumerate(BONES[2:], 2):
        finger, segment = bone[:-1], bone[-1]
        lift, flex, along = model.lift_axes[shape, b], model.flex_axes[shape, b], model.along_axes[shape, b]
        straight = -model.rest_deg[shape, b]
        if bone == "thumb1":
            local = rotation(lift, angle["thumb_lift"]) @ rotation(flex, angle["thumb_flex"])
            local = local @ rotation(along, angle["thumb_twist"])
        elif segment == "1":
            local = rotation(lift, angle[f"{finger}_side"]) @ rotation(flex, straight + angle[f"{finger}_flex"])
        else:
            which = "end" if segment == "3" else "base" if finger == "thumb" else "middle"
            local = rotation(flex, straight + angle[f"{finger}_{which}"])
        parent, pivot = BONE_PARENTS[b], model.pivots_mm[shape, b]
        turns[b] = turns[parent] @ local
        shifts[b] = turns[parent] @ (pivot - local @ pivot) + shifts[parent]
    return turns, shifts


def random_rotation(rng: np.random.Generator) -> np.ndarray:
    q, r = np.linalg.qr(rng.normal(size=(3, 3)))
    q = q * np.sign(np.diag(r))
    return q * np.sign(np.linalg.det(q))


def true_hands(count: int, seed: int) -> TrueHands:
    """Hands of many shapes in what people do with them, seen from everywhere."""
    rng = np.random.default_rng(seed)
    model = hand_model.shared()
    all_joints, all_frames = [], []
    for _ in range(count):
        joints, frames = posed(model, int(rng.integers(len(model.joints_mm))), poses.sample_angles(rng))
        turn = random_rotation(rng)
        all_joints.append((joints @ turn.T) * CAMERA_FROM_VIEW + rng.uniform((-300, -200, 300), (300, 200, 900)))
        all_frames.append({name: turn @ frame for name, frame in frames.items()})
    return TrueHands(np.array(all_joints), {n: np.stack([f[n] for f in all_frames]) for n in all_frames[0]})
