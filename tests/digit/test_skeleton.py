import numpy as np
import pytest

from digit import skeleton as s


def test_interhand_order():
    assert s.JOINTS[:5] == ("thumb4", "thumb3", "thumb2", "thumb1", "index4")
    assert s.JOINTS[20] == "wrist"
    assert len(set(s.JOINTS)) == s.JOINTS_PER_HAND == 21
    assert s.ROOTS[0] == 20
    assert s.ROOTS[41] == 41
    assert (s.SLOTS["right"], s.SLOTS["left"]) == (slice(0, 21), slice(21, 42))


@pytest.mark.parametrize("joint", range(21))
def test_every_chain_ends_in_the_wrist(joint: int):
    steps = 0
    while joint != s.WRIST:
        finger, n = s.JOINTS[joint][:-1], int(s.JOINTS[joint][-1])
        joint = s.PARENTS[joint]
        assert s.JOINTS[joint] == (f"{finger}{n - 1}" if n > 1 else "wrist")
        steps += 1
    assert steps <= 4


def test_bones_name_each_joint_but_the_wrist_once():
    assert sorted(child for child, _ in s.BONES) == [j for j in range(21) if j != s.WRIST]
    assert s.BONES_42[20:] == tuple((c + 21, p + 21) for c, p in s.BONES)


def test_order_maps_invert_and_go_by_name():
    names = np.array(s.WRIST_FIRST)
    assert names[s.FROM_WRIST_FIRST].tolist() == list(s.JOINTS)
    assert np.array(s.JOINTS)[s.TO_WRIST_FIRST].tolist() == list(s.WRIST_FIRST)
    assert s.WRIST_FIRST[:6] == ("wrist", "thumb1", "thumb2", "thumb3", "thumb4", "index1")


def test_parts():
    assert s.PARTS_PER_HAND == len(s.PARTS) == 16
    assert s.PART_CLASSES == 33
    assert s.FIRST_PART["left"] + s.PARTS_PER_HAND == s.PART_CLASSES


@pytest.mark.parametrize("mirror", [s.mirrored_joints(), s.mirrored_parts()])
def test_mirroring_twice_changes_nothing(mirror: np.ndarray):
    assert np.array_equal(mirror[mirror], np.arange(len(mirror)))
    assert not np.array_equal(mirror, np.arange(len(mirror)))


def test_mirroring_swaps_sides_and_keeps_names():
    assert s.mirrored_joints()[s.SLOTS["right"]].tolist() == list(range(21, 42))
    parts = s.mirrored_parts()
    assert parts[s.BACKGROUND] == s.BACKGROUND
    assert parts[s.FIRST_PART["right"] + 3] == s.FIRST_PART["left"] + 3
