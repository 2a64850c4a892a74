"""Named meetings of two hands: they touch as told, without running into each other, and fingers interleave."""

import itertools

import numpy as np
import pytest

from digit.skeleton import JOINTS
from digit.synth.contact import SOFTNESS_MM, gap_mm, spheres
from digit.synth.hand_model import ANGLES, TURNED_BONES, HandModel, bone_transforms, transforms_and_axes
from digit.synth.meetings import MEETINGS, sample_meeting
from digit.synth.poses import sample_angles

APART = {"clap", "crossed", "anything", "fingertips touch", "frame"}
PRESSED = [name for name, meeting in MEETINGS.items() if meeting.cling]


@pytest.mark.parametrize("name", list(MEETINGS))
def test_hands_touch_and_do_not_run_into_each_other(model: HandModel, name: str) -> None:
    gaps = [gap_mm(sample_meeting(np.random.default_rng([seed, 3]), model, 7 * seed, name)) for seed in range(4)]
    assert min(gaps) >= -SOFTNESS_MM - 0.1
    assert min(gaps) < (60 if name in APART else 8)


@pytest.mark.parametrize("name", PRESSED)
def test_hands_that_press_or_grip_touch_in_many_places(model: HandModel, name: str) -> None:
    """Not in one, as two stiff hands do."""
    touching: list[int] = []
    for seed in range(5):
        hands = sample_meeting(np.random.default_rng([seed, 4]), model, 9 * seed, name)
        (right, reach), (left, _) = spheres(hands["right"]), spheres(hands["left"])
        gaps = np.linalg.norm(right[:, None] - left[None], axis=2) - reach[:, None] - reach[None]
        touching.append(int((gaps.min(axis=1) < 2).sum()))
    assert np.median(touching) >= 10


@pytest.mark.parametrize("name", ["prayer", "palm rub"])
def test_palms_that_lie_on_each_other_are_parallel(model: HandModel, name: str) -> None:
    index, pinky, wrist = (JOINTS.index(joint) for joint in ("index1", "pinky1", "wrist"))
    for seed in range(6):
        hands = sample_meeting(np.random.default_rng([seed, 6]), model, 9 * seed, name)
        across = [hands[side].joints_mm[[index, pinky]] - hands[side].joints_mm[wrist] for side in ("right", "left")]
        normals = [np.cross(*pair) for pair in across]
        cosine = normals[0] @ normals[1] / np.prod([np.linalg.norm(normal) for normal in normals])
        assert abs(cosine) > np.cos(np.radians(25))


@pytest.mark.parametrize("name", ["interlocked", "interlocked straight"])
def test_fingers_of_interlocked_hands_take_turns(model: HandModel, name: str) -> None:
    """Across the palms (z of the person's frame) no two neighbours belong to one hand, save at most one pair.

    In four fifths of many draws; of few, chance decides.
    """
    middles = [JOINTS.index(f"{finger}2") for finger in ("index", "middle", "ring", "pinky")]
    taking_turns = 0
    for seed in range(36):
        hands = sample_meeting(np.random.default_rng([seed, 5]), model, seed, name)
        height = {(side, j): hands[side].joints_mm[j, 2] for side in hands for j in middles}
        sides = [side for side, _ in sorted(height, key=lambda key: height[key])]
        taking_turns += sum(a != b for a, b in itertools.pairwise(sides)) >= 6
    assert taking_turns >= 27


def test_turn_axes_are_the_derivative_of_posing(model: HandModel) -> None:
    angles, step = sample_angles(np.random.default_rng(2), "grasp"), 1e-3

    def joints(angles_deg: np.ndarray) -> np.ndarray:
        turns, shifts = bone_transforms(model, 3, angles_deg)
        return np.einsum("jab,jb->ja", turns[model.joint_bones], model.joints_mm[3]) + shifts[model.joint_bones]

    _, _, axes, points = transforms_and_axes(model, 3, angles)
    for n, name in enumerate(ANGLES[:-3]):
        moved = angles.copy()
        moved[n] += step
        measured = (joints(moved) - joints(angles)) / np.radians(step)
        carried = np.abs(measured).max(1) > 1e-6
        assert carried.any() or name.endswith("twist")
        told = np.cross(axes[n], joints(angles) - points[n])
        np.testing.assert_allclose(told[carried], measured[carried], atol=0.05)
        assert TURNED_BONES[n] >= 2


def test_many_poses_at_once_are_each_pose(model: HandModel) -> None:
    poses = np.stack([sample_angles(np.random.default_rng(seed), name) for seed, name in enumerate(("fist", "open"))])
    together = transforms_and_axes(model, 3, poses)
    for n, angles in enumerate(poses):
        alone = transforms_and_axes(model, 3, angles)
        for found, wanted in zip(together, alone, strict=True):
            np.testing.assert_allclose(found[n], wanted, atol=1e-9)
        for found, wanted in zip(together, bone_transforms(model, 3, angles), strict=False):
            np.testing.assert_allclose(found[n], wanted, atol=1e-9)
