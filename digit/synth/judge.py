"""Judge how real the hands look: MediaPipe learned on photographs, so run it on renders of one hand.

A constant offset of a joint means that it sits in another place than people annotate it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count as count_up
from itertools import islice

import numpy as np

from digit.landmarker import Landmarker
from digit.metrics import bbox_size, nme
from digit.skeleton import JOINTS, JOINTS_PER_HAND, SIDES, SLOTS, WRIST
from digit.synth import hand_model
from digit.synth.generate import SIZE, Picture, picture
from digit.synth.scenes import sample_scene


@dataclass(frozen=True, slots=True)
class Verdict:
    """MediaPipe against our labels over ``count`` pictures of one hand."""

    count: int
    found: float  # share of pictures
    nme: float  # median over pictures of the mean joint distance over the bbox's longer side
    handedness: float  # share of found hands with the true side
    offsets: np.ndarray  # (21, 2) median, MediaPipe minus ours, thumbwards and fingerwards, share of the hand's size


def judge(count: int = 150, seed: int = 0) -> Verdict:
    """Run MediaPipe on the first ``count`` pictures of one whole hand in a set. Raises UserError without its model."""
    errors: list[float] = []
    same_side: list[bool] = []
    offsets: list[np.ndarray] = []
    with Landmarker("image", max_hands=1) as landmarker:
        for made in islice(one_hand_pictures(seed), count):
            found = landmarker(made.image)
            if not found:
                continue
            side = SIDES[int(made.hands.argmax())]
            truth = made.joints_px[SLOTS[side]]
            away = found[0].joints_px - truth
            box = np.concatenate([truth.min(axis=0), np.ptp(truth, axis=0)])
            errors.append(float(nme(np.linalg.norm(away, axis=-1), bbox_size(box)).mean()))
            same_side.append(found[0].side == side)
            offsets.append(_in_hand_frame(away, truth))
    if not errors:
        return Verdict(count, 0.0, float("nan"), float("nan"), np.full((len(JOINTS), 2), np.nan))
    return Verdict(
        count, len(errors) / count, float(np.median(errors)), float(np.mean(same_side)), np.median(offsets, 0)
    )


def one_hand_pictures(seed: int) -> Iterator[Picture]:
    """The pictures of a set that show one hand with all its joints inside."""
    for index in count_up():
        if len(sample_scene(np.random.default_rng([seed, index]), hand_model.shared(), SIZE).hands) == 1:
            made = picture(seed, index)
            if made.hands.sum() == 1 and made.joint_valid.sum() == JOINTS_PER_HAND:
                yield made


def _in_hand_frame(away_px: np.ndarray, truth_px: np.ndarray) -> np.ndarray:
    """(21, 2) offsets along the picture of the palm: thumbwards across it and from the wrist to the middle finger.

    Both axes are unit vectors of the picture; the size is that of the bbox.
    """
    fingerwards = truth_px[JOINTS.index("middle1")] - truth_px[WRIST]
    fingerwards = fingerwards / max(float(np.linalg.norm(fingerwards)), 1e-6)
    thumbwards = np.array([-fingerwards[1], fingerwards[0]])
    across = truth_px[JOINTS.index("index1")] - truth_px[JOINTS.index("pinky1")]
    thumbwards *= 1.0 if across @ thumbwards >= 0 else -1.0
    return np.stack([away_px @ thumbwards, away_px @ fingerwards], -1) / float(np.ptp(truth_px, axis=0).max())


def report(verdict: Verdict) -> str:
    """The verdict as lines of text."""
    lines = [
        f"found {verdict.found:.1%} of {verdict.count}, median NME {verdict.nme:.4f}, "
        f"true side {verdict.handedness:.1%} of the found",
        "offset of MediaPipe's joint from ours, % of hand size:",
        f"{'joint':>10} {'thumbwards':>11} {'fingerwards':>12}",
    ]
    lines += [f"{n:>10} {100 * x:11.1f} {100 * y:12.1f}" for n, (x, y) in zip(JOINTS, verdict.offsets, strict=True)]
    return "\n".join(lines)
