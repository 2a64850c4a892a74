"""Joints, bones and parts of two hands in InterHand2.6M order, and the order maps of its neighbours.

A hand has 21 joints, each finger from tip to base (thumb, index, middle, ring, pinky), the wrist last. Two hands have
42: right 0-20, left 21-41. A hand has 16 parts: the palm (wrist included) and three segments a finger. Two hands and
the background make 33 part classes (DIGIT, Fig. 4): 0 background, 1-16 right, 17-32 left.
"""

import numpy as np

SIDES = ("right", "left")
FINGERS = ("thumb", "index", "middle", "ring", "pinky")

#: Joint names of one hand; ``thumb4`` is a tip, ``thumb1`` the finger's base.
JOINTS = (*(f"{finger}{n}" for finger in FINGERS for n in (4, 3, 2, 1)), "wrist")
JOINTS_PER_HAND = len(JOINTS)
WRIST = JOINTS.index("wrist")

#: Parent of each joint of one hand; the wrist is its own parent.
PARENTS = tuple(WRIST if name == "wrist" or name.endswith("1") else i + 1 for i, name in enumerate(JOINTS))

#: (child, parent) of each of a hand's 20 bones.
BONES = tuple((child, parent) for child, parent in enumerate(PARENTS) if child != parent)

#: Joint slots of each side among the 42.
SLOTS = {"right": slice(0, JOINTS_PER_HAND), "left": slice(JOINTS_PER_HAND, 2 * JOINTS_PER_HAND)}
#: Wrist (root) of each of the 42 joints.
ROOTS = tuple(WRIST + JOINTS_PER_HAND * (j // JOINTS_PER_HAND) for j in range(2 * JOINTS_PER_HAND))
#: (child, parent) of the 40 bones of both hands.
BONES_42 = BONES + tuple((c + JOINTS_PER_HAND, p + JOINTS_PER_HAND) for c, p in BONES)

#: Part names of one hand; segment 1 of a finger starts at its base joint, segment 3 ends in its tip.
PARTS = ("palm", *(f"{finger}{n}" for finger in FINGERS for n in (1, 2, 3)))
PARTS_PER_HAND = len(PARTS)
BACKGROUND = 0
PART_CLASSES = 1 + 2 * PARTS_PER_HAND
#: First part class of each side.
FIRST_PART = {"right": 1, "left": 1 + PARTS_PER_HAND}

#: Joint names in wrist-first order (MediaPipe, FreiHAND, OneHand10K): wrist, then each finger from base to tip.
WRIST_FIRST = ("wrist", *(f"{finger}{n}" for finger in FINGERS for n in (1, 2, 3, 4)))
#: ``interhand = wrist_first[FROM_WRIST_FIRST]``, and the inverse.
FROM_WRIST_FIRST = np.array([WRIST_FIRST.index(name) for name in JOINTS])
TO_WRIST_FIRST = np.array([JOINTS.index(name) for name in WRIST_FIRST])


def mirrored_joints() -> np.ndarray:
    """The (42,) permutation that swaps the two hands."""
    return np.r_[JOINTS_PER_HAND : 2 * JOINTS_PER_HAND, 0:JOINTS_PER_HAND]


def mirrored_parts() -> np.ndarray:
    """The (33,) lookup table that swaps the two hands' part classes."""
    right = np.arange(PARTS_PER_HAND) + FIRST_PART["right"]
    left = np.arange(PARTS_PER_HAND) + FIRST_PART["left"]
    return np.r_[BACKGROUND, left, right]
