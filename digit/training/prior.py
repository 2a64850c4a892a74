"""What a single-hand landmarker would have said of a crop, mistakes included, drawn from the truth.

Trained on this, the network trusts a prior that agrees with the picture and overrules one that does not. The rates of
the large mistakes (a missed hand, exchanged sides, a finger taken for its neighbour, a hand somewhere else) are set
well above those of a landmarker on separate hands, because touching hands are where they happen.
"""

import numpy as np

from digit.training.augment import Crop

HAND = 21


def draw_prior(crop: Crop, rng: np.random.Generator) -> np.ndarray:
    """A (42, 4) float32 `digit.prediction.Prior` for this crop; all zeros half of the time.

    With fewer empty priors the network leaves the sides to the landmarker and learns to tell them apart far later.
    """
    prior = np.zeros((2, HAND, 4), np.float32)
    if rng.random() < 0.5:
        return prior.reshape(-1, 4)
    joints = crop.joints_2p5d.reshape(2, HAND, 3)
    for side in range(2):
        if not crop.hands[side] or rng.random() < 0.15:
            continue
        slot = 1 - side if rng.random() < 0.06 else side
        if prior[slot, :, 3].any():
            continue
        prior[slot, :, :3] = seen(joints[side], rng)
        prior[slot, :, 3] = 1.0
    if rng.random() < 0.04:  # a hand where none is
        ghost = int(rng.integers(2))
        source = joints[int(np.argmax(crop.hands))]
        prior[ghost, :, :3] = source + np.r_[rng.normal(0, 60, 2), 0.0]
        prior[ghost, :, 3] = 1.0
    return prior.reshape(-1, 4)


def seen(joints: np.ndarray, rng: np.random.Generator) -> np.ndarray:
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
    out[:, 2] = out[:, 2] * rng.normal(1, 0.2) + rng.normal(0, 8, HAND)
    return out
