"""Judge how real the hands look: MediaPipe learned on photographs, so run it on renders of one hand.

A constant offset of a joint means that it sits in another place than people annotate it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count as count_up
from itertools import islice
from pathlib import Path

import numpy as np

from digit.errors import UserError
from digit.evaluation.annotations import read_annotations
from digit.landmarker import HandLandmarks, Landmarker
from digit.metrics import bbox_size, nme
from digit.skeleton import JOINTS, JOINTS_PER_HAND, SIDES, SLOTS, WRIST
from digit.synth import hand_model
from digit.synth.generate import SIZE, Picture, picture
from digit.synth.scenes import sample_scene

_MIDDLE = JOINTS.index("middle1")


@dataclass(frozen=True, slots=True, eq=False)
class Opinion:
    """MediaPipe against our labels of one picture."""

    pose: np.ndarray  # (21, 3) as `pose_of`
    error: float  # mean joint distance over the bbox's longer side; nan when no hand was found
    same_side: bool
    offsets: np.ndarray  # (21, 2) MediaPipe minus ours, thumbwards and fingerwards, share of the hand's size; or nan


@dataclass(frozen=True, slots=True)
class Verdict:
    """MediaPipe against our labels over ``count`` pictures of one hand."""

    count: int
    found: float  # share of pictures
    nme: float  # median over the found ones of `Opinion.error`
    handedness: float  # share of found hands with the true side
    offsets: np.ndarray  # (21, 2) median


def opinions(count: int = 150, seed: int = 0) -> list[Opinion]:
    """Of the first ``count`` pictures of one whole hand in a set. Raises UserError without MediaPipe's model."""
    with Landmarker("image", max_hands=1) as landmarker:
        return [_opinion(made, landmarker(made.image)) for made in islice(one_hand_pictures(seed), count)]


def _opinion(made: Picture, found: Sequence[HandLandmarks]) -> Opinion:
    side = SIDES[int(made.hands.argmax())]
    truth, pose = made.joints_px[SLOTS[side]], pose_of(made.joints_mm[SLOTS[side]], side == "left")
    if not found:
        return Opinion(pose, float("nan"), False, np.full((JOINTS_PER_HAND, 2), np.nan))
    away = found[0].joints_px - truth
    box = np.concatenate([truth.min(axis=0), np.ptp(truth, axis=0)])
    error = float(nme(np.linalg.norm(away, axis=-1), bbox_size(box)).mean())
    return Opinion(pose, error, found[0].side == side, _in_hand_frame(away, truth))


def judge(given: Sequence[Opinion]) -> Verdict:
    """The opinions in sum."""
    found = [opinion for opinion in given if np.isfinite(opinion.error)]
    if not found:
        return Verdict(len(given), 0.0, float("nan"), float("nan"), np.full((JOINTS_PER_HAND, 2), np.nan))
    return Verdict(
        len(given),
        len(found) / len(given),
        float(np.median([opinion.error for opinion in found])),
        float(np.mean([opinion.same_side for opinion in found])),
        np.median([opinion.offsets for opinion in found], axis=0),
    )


def pose_of(joints_mm: np.ndarray, left: bool) -> np.ndarray:
    """(21, 3) a hand as a right one, in the camera's axes, from its wrist, in lengths of its palm."""
    pose = (joints_mm - joints_mm[WRIST]) * ([-1.0, 1.0, 1.0] if left else 1.0)
    return pose / max(float(np.linalg.norm(pose[_MIDDLE])), 1e-6)


def poses_of_photographs(annotations: Path) -> np.ndarray:
    """(N, 21, 3) of the photographs of one whole hand. Raises UserError when there are none."""
    poses = [
        pose_of(photograph.joints_mm[SLOTS[photograph.side]], photograph.side == "left")
        for photograph in read_annotations(annotations)
        if photograph.joints_mm is not None and photograph.side in ("right", "left")
        if photograph.joint_valid[SLOTS[photograph.side]].all()
    ]
    if not poses:
        raise UserError(f"{annotations} has no photograph of one whole hand in 3D; give another --like.")
    return np.stack(poses)


def nearest(given: Sequence[Opinion], poses: np.ndarray) -> list[Opinion]:
    """Of each pose (N, 21, 3) the opinion of the most similar picture: the same question as the photographs ask.

    A set asks harder ones: hands from every side, in every shape. What is left between its verdict and that of the
    photographs is how the hands look.
    """
    ours = np.stack([opinion.pose for opinion in given])
    return [given[int(np.linalg.norm(ours - pose, axis=-1).mean(axis=-1).argmin())] for pose in poses]


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
