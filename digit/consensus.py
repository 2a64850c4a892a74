"""Network and landmarker on a hand that both see: where they agree, the joints are their mean.

The network learns on renders, where MediaPipe is a worse guide than it is on photographs, so it leans less on its prior
than the prior deserves there. Their errors differ, and the mean of two answers that agree is better than either.
Where hands meet they seldom agree, and the network alone speaks. Depths are the network's own.
"""

from dataclasses import replace
from functools import partial

from digit.follower import apart
from digit.prediction import Prediction, Prior
from digit.skeleton import SIDES, SLOTS

#: Alike: a hand lies so near to the landmarker's (`apart`).
ALIKE_BELOW = 0.05


def consensus(prediction: Prediction, prior: Prior | None) -> Prediction:
    """The prediction for a crop with the landmark prior of that crop, (42, 4), whatever sides that gives its hands."""
    if prior is None or not prior[:, 3].any():
        return prediction
    seen_px = [prior[SLOTS[side], :2] for side in SIDES if prior[SLOTS[side], 3].all()]
    joints_2p5d = prediction.joints_2p5d.copy()
    for side in SIDES:
        hand_px = joints_2p5d[SLOTS[side], :2]
        near_px = min(seen_px, key=partial(apart, hand_px), default=None)
        if near_px is not None and apart(hand_px, near_px) < ALIKE_BELOW:
            hand_px += (near_px - hand_px) / 2
    joints_2p5d.flags.writeable = False
    return replace(prediction, joints_2p5d=joints_2p5d)
