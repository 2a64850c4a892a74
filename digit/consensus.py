"""Network and landmarker on a hand that both see: where they agree, the joints are their mean.

The network learns on renders, where MediaPipe is a worse guide than it is on photographs, so it leans less on its prior
than the prior deserves there. Their errors differ, and the mean of two answers that agree is better than either.
Where hands meet they seldom agree, and the network alone speaks. Depths are the network's own.
"""

from dataclasses import replace

import numpy as np

from digit.prediction import Prediction, Prior
from digit.skeleton import SIDES, SLOTS

#: Alike: the joints of a hand lie so near to the landmarker's on average, in sizes of the hand.
ALIKE_BELOW = 0.05


def consensus(prediction: Prediction, prior: Prior | None) -> Prediction:
    """The prediction for a crop with the landmark prior of that crop, (42, 4), whatever sides that gives its hands."""
    if prior is None or not prior[:, 3].any():
        return prediction
    joints_2p5d = prediction.joints_2p5d.copy()
    for side in SIDES:
        hand_px = joints_2p5d[SLOTS[side], :2]
        seen_px = min((_seen(prior, other) for other in SIDES), key=lambda seen_px: _apart(hand_px, seen_px))
        if _apart(hand_px, seen_px) < ALIKE_BELOW:
            hand_px += (seen_px - hand_px) / 2
    joints_2p5d.flags.writeable = False
    return replace(prediction, joints_2p5d=joints_2p5d)


def _seen(prior: Prior, side: str) -> np.ndarray:
    """(21, 2) crop pixels; infinite where the landmarker does not see all of the hand."""
    hand = prior[SLOTS[side]]
    return hand[:, :2] if hand[:, 3].all() else np.full((len(hand), 2), np.inf, np.float32)


def _apart(hand_px: np.ndarray, seen_px: np.ndarray) -> float:
    """Mean distance of the joints in sizes of the hand."""
    size_px = max(float(np.ptp(hand_px, axis=0).max()), 1.0)
    return float(np.linalg.norm(hand_px - seen_px, axis=1).mean()) / size_px
