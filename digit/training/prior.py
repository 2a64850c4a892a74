"""What a single-hand landmarker would have said of a crop, mistakes included, drawn from the truth.

Trained on this, the network trusts a prior that agrees with the picture and overrules one that does not. The rates of
the large mistakes (a missed hand, exchanged sides, a finger taken for its neighbour, a hand somewhere else) are set
well above those of a landmarker on separate hands, because touching hands are where they happen. Where MediaPipe has
looked at the set (`digit.training.seen`), a part of the priors are what it really said.
"""

import numpy as np

from digit.geometry import apply_affine
from digit.prediction import CROP_SIZE
from digit.skeleton import WRIST, mirrored_joints
from digit.training.augment import Crop

HAND = 21
#: Longer side of an average adult hand's box, in mm, for its scale in a picture.
HAND_MM = 170.0
#: Of the priors that are not empty, where MediaPipe has looked. It errs more on renders than on photographs: a network
#: that meets little else (0.7 was tried) trusts it too little where it is right.
SEEN_SHARE = 0.4
#: Of the priors that are not empty, those with all names the wrong way round. MediaPipe errs about both hands at once
#: for whole clips, where palms meet as their owner sees them: a name that is as wrong in each frame must weigh little
#: in each, or the loop, which adds frames up, never learns better.
EXCHANGED = 0.25


def draw_prior(crop: Crop, rng: np.random.Generator, seen: np.ndarray | None = None) -> np.ndarray:
    """A (42, 4) float32 `digit.prediction.Prior` for this crop; all zeros half of the time.

    With fewer empty priors the network leaves the sides to the landmarker and learns to tell them apart far later.
    ``seen`` is what MediaPipe saw in the picture (`seen_prior`).
    """
    prior = np.zeros((2, HAND, 4), np.float32)
    if rng.random() < 0.5:
        return prior.reshape(-1, 4)
    if seen is not None and rng.random() < SEEN_SHARE:
        return _carried(seen_prior(crop, seen), rng)
    joints = crop.joints_2p5d.reshape(2, HAND, 3)
    for side in range(2):
        if not crop.hands[side] or rng.random() < 0.15:
            continue
        slot = 1 - side if rng.random() < 0.06 else side
        if prior[slot, :, 3].any():
            continue
        prior[slot, :, :3] = imagined(joints[side], rng)
        prior[slot, :, 3] = 1.0
    if rng.random() < 0.04:  # a hand where none is
        ghost = int(rng.integers(2))
        source = joints[int(np.argmax(crop.hands))]
        prior[ghost, :, :3] = source + np.r_[rng.normal(0, 60, 2), 0.0]
        prior[ghost, :, 3] = 1.0
    return _named(prior, rng)


def seen_prior(crop: Crop, seen: np.ndarray) -> np.ndarray:
    """What MediaPipe saw in the picture (42, 4), as the prior of a crop of it. Of a mirrored crop the hands' names too.

    MediaPipe looked at the picture as it is; of its mirror image it would mostly have said the mirror image of that. A
    hand whose middle lies outside the crop is no part of its prior.
    """
    prior = seen.astype(np.float32)
    prior[:, :2] = apply_affine(crop.crop_from_image, seen[:, :2]) * seen[:, 3:]
    middles = prior[:, :2].reshape(2, HAND, 2).mean(axis=1)
    prior[np.repeat(((middles < 0) | (middles > CROP_SIZE - 1)).any(axis=1), HAND)] = 0
    return prior[mirrored_joints()] if crop.flipped else prior


def _carried(prior: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """As it is some frames later, followed by optical flow; now and then a hand is lost."""
    hands = prior.reshape(2, HAND, 4)
    for hand in hands:
        if hand[0, 3] and rng.random() < 0.1:
            hand[:] = 0
        elif hand[0, 3]:
            size = float(np.ptp(hand[:, :2], axis=0).max()) + 1.0
            hand[:, :2] += rng.normal(0, 0.012 * size, 2) + rng.normal(0, rng.uniform(0, 0.015) * size, (HAND, 2))
    return _named(hands, rng)


def _named(hands: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(42, 4) of (2, 21, 4), now and then with left and right exchanged."""
    return (hands[::-1] if rng.random() < EXCHANGED else hands).reshape(-1, 4).copy()


def imagined(joints: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """One hand (21, 3) as a landmarker might report it: slightly off, noisy, now and then with a wrong finger."""
    out = joints.astype(np.float64).copy()
    size = float(np.ptp(joints[:, :2], axis=0).max()) + 1.0
    if rng.random() < 0.12:  # one finger taken for its neighbour
        finger = int(rng.integers(1, 4))
        out[4 * finger : 4 * finger + 4] = out[4 * finger + 4 : 4 * finger + 8]
    if rng.random() < 0.15:  # a finger curled that is straight, or the other way round
        finger = int(rng.integers(5))
        base = out[4 * finger + 3]
        out[4 * finger : 4 * finger + 3] = base + (out[4 * finger : 4 * finger + 3] - base) * rng.uniform(0.2, 1.3)
    centre = out[:, :2].mean(axis=0)
    angle = np.deg2rad(rng.normal(0, 5))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) * rng.normal(1, 0.05)
    out[:, :2] = (out[:, :2] - centre) @ turn.T + centre + rng.normal(0, 0.025 * size, 2)
    out[:, :2] += rng.normal(0, rng.uniform(0.005, 0.035) * size, (HAND, 2))
    out[:, 2] = _guessed_depths(out, HAND_MM / size, rng)
    return out


def _guessed_depths(hand: np.ndarray, mm_per_px: float, rng: np.random.Generator) -> np.ndarray:
    """(21,) depths as a single picture suggests them to a landmarker: too flat, the whole hand leaning otherwise.

    Fitted to what MediaPipe says of rendered hands that it places well (303 of seed 105): the true depths times 0.61
    (0.10 to 0.97 in the middle two thirds), leaning by 0.2 to either side, and 7 mm of the joints' own. With true
    depths and only the last, a network trusts MediaPipe's more than its own eyes.
    """
    leaning = (hand[:, :2] - hand[WRIST, :2]) * mm_per_px @ rng.normal(0, 0.2, 2)
    depths = hand[:, 2] * rng.normal(0.6, 0.4) + leaning + rng.normal(0, 7, HAND)
    depths[WRIST] = 0.0  # they are relative to it
    return depths
