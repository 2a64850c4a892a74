"""The rest hands have human measures, and posing moves them as fingers move."""

import numpy as np
import pytest

from digit.geometry import ADULT_BONES_MM, RADIOGRAPH_BONES_MM
from digit.skeleton import BONES, FINGERS, JOINTS, WRIST
from digit.synth.hand_model import ANGLES, HandModel, annotated, mirror_x, pose
from digit.synth.poses import SHAPE_NAMES, sample_angles

#: Base to tip, mm, children included. The thumb starts at its saddle joint.
LENGTHS_MM = {"thumb": (65, 135), "index": (55, 105), "middle": (60, 115), "ring": (57, 110), "pinky": (43, 85)}


def finger(name: str) -> list[int]:
    return [JOINTS.index(f"{name}{n}") for n in (1, 2, 3, 4)]


@pytest.mark.parametrize("name", FINGERS)
def test_fingers_have_human_lengths(model: HandModel, name: str) -> None:
    bones = np.linalg.norm(np.diff(model.joints_mm[:, finger(name)], axis=1), axis=-1)
    low, high = LENGTHS_MM[name]
    assert ((bones.sum(1) > low) & (bones.sum(1) < high)).all()
    assert (bones > 10).all()
    if name != "thumb":
        assert (bones[:, 0] > bones[:, 1]).all()


def test_average_hand_has_the_proportions_of_adult_radiographs(model: HandModel) -> None:
    joints = model.joints_mm[0]
    lengths = np.array([np.linalg.norm(joints[child] - joints[parent]) for child, parent in BONES])
    scale = lengths[9:12].sum() / RADIOGRAPH_BONES_MM[9:12].sum()
    fingers = slice(4, None)  # the thumb's first bone stays a fifth short: its skin would stretch too far
    np.testing.assert_allclose(lengths[fingers], scale * RADIOGRAPH_BONES_MM[fingers], rtol=0.2)


def test_annotated_joints_of_straight_fingers_have_adult_bones() -> None:
    straight = np.zeros((2, 21, 3), np.float32)
    straight[:, WRIST] = [5.0, -3.0, 400.0]
    for (child, parent), length_mm in reversed(list(zip(BONES, RADIOGRAPH_BONES_MM, strict=True))):
        straight[:, child] = straight[:, parent] + length_mm * np.array([[0.0, 1.0, 0.0], [0.6, 0.0, 0.8]])
    moved = annotated(straight)
    for (child, parent), length_mm in zip(BONES, ADULT_BONES_MM, strict=True):
        np.testing.assert_allclose(np.linalg.norm(moved[:, child] - moved[:, parent], axis=-1), length_mm, rtol=1e-4)


def test_annotated_moves_knuckles_and_middle_joints_only(model: HandModel) -> None:
    before = model.joints_mm.copy()
    moved = np.linalg.norm(annotated(model.joints_mm) - before, axis=-1)
    of_fingers = [JOINTS.index(f"{name}{n}") for name in FINGERS[1:] for n in (1, 2)]
    assert (moved[:, of_fingers] > 0.3).all() and (moved < 6).all()
    assert (np.delete(moved, of_fingers, axis=1) == 0).all()
    np.testing.assert_array_equal(model.joints_mm, before)


def test_middle_finger_is_longest_and_little_one_shortest(model: HandModel) -> None:
    length = {
        name: np.linalg.norm(np.diff(model.joints_mm[:, finger(name)], axis=1), axis=-1).sum(1) for name in FINGERS[1:]
    }
    for name in ("index", "ring"):
        assert (length["middle"] > length[name]).all()
        assert (length[name] > length["pinky"]).all()


@pytest.mark.parametrize("shape", [0, 17, 63])
@pytest.mark.parametrize("name", ["fist", "open", "pinch"])
def test_posing_keeps_bone_lengths(model: HandModel, shape: int, name: str) -> None:
    rest = pose(model, shape, np.zeros(len(ANGLES))).joints_mm
    bent = pose(model, shape, sample_angles(np.random.default_rng(shape), name)).joints_mm
    for f in FINGERS:
        before, after = (np.linalg.norm(np.diff(j[finger(f)], axis=0), axis=-1) for j in (rest, bent))
        np.testing.assert_allclose(before, after, atol=0.05)


@pytest.mark.parametrize("name", FINGERS[1:])
def test_flexion_bends_a_finger_to_the_palm(model: HandModel, name: str) -> None:
    angles = np.zeros(len(ANGLES))
    straight = pose(model, 0, angles).joints_mm
    angles[ANGLES.index(f"{name}_flex")] = 60
    bent = pose(model, 0, angles).joints_mm
    tip = JOINTS.index(f"{name}4")
    assert bent[tip, 2] < straight[tip, 2] - 30  # z goes out of the back of the hand
    others = [j for j in range(21) if j not in finger(name)]
    np.testing.assert_allclose(bent[others], straight[others], atol=1e-4)


def test_angles_keep_human_limits() -> None:
    rng = np.random.default_rng(0)
    drawn = np.array([sample_angles(rng, name) for name in (None, *SHAPE_NAMES) for _ in range(40)])
    assert np.isfinite(drawn).all()
    for finger_name in FINGERS[1:]:
        middle = drawn[:, ANGLES.index(f"{finger_name}_middle")]
        assert middle.min() >= -2 and middle.max() <= 108
        assert np.abs(drawn[:, ANGLES.index(f"{finger_name}_side")]).max() <= 24


def test_left_hand_is_the_mirrored_right_one(model: HandModel) -> None:
    right = pose(model, 3, sample_angles(np.random.default_rng(1), "gun"))
    left = mirror_x(right)
    np.testing.assert_array_equal(left.joints_mm * (-1, 1, 1), right.joints_mm)
    np.testing.assert_array_equal(mirror_x(left).vertices_mm, right.vertices_mm)
    thumb, pinky = JOINTS.index("thumb4"), JOINTS.index("pinky4")
    assert right.joints_mm[thumb, 0] < right.joints_mm[WRIST, 0] < right.joints_mm[pinky, 0]
