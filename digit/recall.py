"""Reading a frame's heatmaps again, with the frame before in mind: who is who, and which of several peaks is the joint.

Where hands rub, one picture often does not say which is the left one. The heatmaps of both hands then have two peaks,
one on each hand, and their means, which the network answers, lie between the hands. A hand does not leave its place
from one frame to the next, so each place is weighed by how likely the joint is to have come there: Bayes' rule, with a
Gaussian around where it was, and a floor for a hand that went elsewhere. The same for the other names: the likelier
ones are taken, so that a network that exchanges the hands for a frame is read as what it means.
"""

from dataclasses import replace

import numpy as np

from digit.prediction import CROP_SIZE, Prediction
from digit.skeleton import JOINTS_PER_HAND

#: Standard deviation of a joint's way in a frame of `FRAME_S`, in hand sizes, and the share of joints that may be
#: anywhere. Chosen on rendered clips (seeds 22 and 32, the table in `assets/digit-lite.history.md`).
STEP, ANYWHERE = 0.2, 0.03
#: After longer a hand may be farther, after less its joints are still read no better.
FRAME_S = 1 / 30
#: No probability counts as nearer to 0 than this.
_LEAST = 1e-6
_LEAST_MASS = 1e-4
#: A hand that looks smaller, as one end on, still moves as one of this size does.
_LEAST_SIZE_PX = 16.0
#: Standard deviation of the window around a joint whose places count as at the joint. Of windows around places this one
#: comes nearest to the square one around cells: the odds that a joint gains are off by 0.2 (rms; a square one by 1.1).
_WINDOW_PX = 12.0


def recall(prediction: Prediction, hands: np.ndarray, seconds: float = FRAME_S) -> Prediction:
    """The prediction with the joints that are likeliest after those of the frame before.

    A joint's confidence changes as its odds do, with how much of the heatmap lies around it instead of around its mean.
    A prediction without places stays as it is.

    Args:
        hands: (2, 21, 2) in crop pixels where the right and the left hand were; nan for one that was not there.
        seconds: since then.
    """
    if prediction.places is None or np.isnan(hands).any(axis=(1, 2)).all():
        return prediction
    shares, *sums = np.ascontiguousarray(prediction.places.transpose(2, 0, 1))  # (42, K) each, which numpy likes
    where = np.stack(sums) / np.maximum(shares, _LEAST)  # (3, 42, K)
    step = STEP * max(seconds / FRAME_S, 1.0)
    named, exchanged = (shares * _likelihood(where, before, step) for before in (hands, hands[::-1]))
    likelier = named if _evidence(named) >= _evidence(exchanged) else exchanged
    likelier = likelier / np.maximum(likelier.sum(axis=1, keepdims=True), _LEAST)
    joints = np.ascontiguousarray((likelier * where).sum(axis=2).T, np.float32)
    gained = _log_odds(_mass(shares, where, joints)) - _log_odds(_mass(shares, where, prediction.joints_2p5d))
    confidence = (1 / (1 + np.exp(-_log_odds(prediction.confidence) - gained))).astype(np.float32)
    joints.flags.writeable = confidence.flags.writeable = False
    return replace(prediction, joints_2p5d=joints, confidence=confidence, places=None)


def _mass(shares: np.ndarray, where: np.ndarray, joints: np.ndarray) -> np.ndarray:
    """(42,) about what `digit.heatmap.read` has for the confidence of joints (42, 3), of their places (3, 42, K)."""
    away = np.square(where[:2] - joints.T[:2, :, None]).sum(axis=0)
    return (shares * np.exp(-away / (2 * _WINDOW_PX**2))).sum(axis=1)


def _log_odds(probability: np.ndarray) -> np.ndarray:
    kept = np.clip(probability.astype(np.float64), _LEAST_MASS, 1 - _LEAST_MASS)
    return np.log(kept / (1 - kept))


def _likelihood(where: np.ndarray, hands: np.ndarray, step: float) -> np.ndarray:
    """(42, K) how much likelier than anywhere in the crop a joint comes to each of its places (3, 42, K)."""
    sizes = np.maximum(np.ptp(hands, axis=1).max(axis=1), _LEAST_SIZE_PX)
    variance = np.repeat((step * sizes) ** 2, JOINTS_PER_HAND)[:, None].astype(np.float32)
    before = hands.reshape(-1, 2).T[..., None].astype(np.float32)
    away = np.square(where[:2] - before).sum(axis=0)
    came = CROP_SIZE**2 / (2 * np.pi * variance) * np.exp(-away / (2 * variance))
    return np.nan_to_num(ANYWHERE + (1 - ANYWHERE) * came, nan=1.0)


def _evidence(joint: np.ndarray) -> float:
    """Mean log-likelihood of the joints, of (42, K) probabilities of each place."""
    return float(np.log(joint.sum(axis=1) + _LEAST).mean())
