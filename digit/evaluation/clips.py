"""How steady the whole live loop is on a clip: two hands, swaps, distance to MediaPipe, jitter.

The loop is measured as people run it: ``launcher.py --headless`` in a process of its own, whose table of Scenes is read
back. MediaPipe's own hands in the same frames are the reference, as there is no truth for clips; beside a clip of
`digit.synth.moving` there is.
"""

import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
import pyarrow as pa
from tqdm import tqdm

from digit.calibration import WITHIN
from digit.errors import UserError
from digit.landmarker import HandLandmarks, Landmarker
from digit.skeleton import JOINTS_PER_HAND, SIDES, WRIST

#: A hand lies on a true one within such a share of its size.
_FOUND_WITHIN = 0.5
#: How far from any other hand one is that is not there, in shares of a hand's size.
_NO_HAND = 1e6
VIDEO_SUFFIXES = (".mp4", ".mkv", ".mov", ".avi", ".webm", ".m4v")

#: (F, 2, 21, 2) joints of the right and left hand in image pixels, frame by frame; nan where there is no hand.
Tracks = npt.NDArray[np.float64]


def clip_paths(path: Path) -> list[Path]:
    """The video files of a folder, or the file itself. Raises UserError when there is none."""
    if path.is_file():
        return [path]
    paths = sorted(p for p in path.glob("*") if p.suffix.lower() in VIDEO_SUFFIXES)
    if not paths:
        raise UserError(f"{path} holds no video file; check --clips.")
    return paths


def measure_clip(
    path: Path, launcher_options: Sequence[str], hand_model: Path | None = None, max_frames: int | None = None
) -> dict[str, float | int | None]:
    """Figures of one clip (`clip_figures`, `truth_figures`). Raises UserError when the loop cannot run on it."""
    with tempfile.TemporaryDirectory() as folder:
        tracks, confidence = read_tracks(run_loop(path, Path(folder), launcher_options, max_frames))
    figures = clip_figures(tracks, landmarker_tracks(path, len(tracks), hand_model))
    truth = read_truth(path)
    return figures if truth is None else figures | truth_figures(tracks, confidence, truth)


def read_truth(path: Path) -> Tracks | None:
    """The joints that `digit.synth.moving` wrote beside a clip. Raises UserError when they cannot be read."""
    file = path.with_suffix(".npz")
    if not file.is_file():
        return None
    try:
        with np.load(file) as truth:
            joints_px = truth["joints_px"].astype(np.float64)
        if joints_px.shape[1:] != (2, JOINTS_PER_HAND, 2):
            raise ValueError(f"joints_px of shape {joints_px.shape}, not (F, 2, {JOINTS_PER_HAND}, 2)")
        return joints_px
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise UserError(f"Cannot read the truth in {file} ({error}); write the clip again.") from error


def run_loop(path: Path, folder: Path, launcher_options: Sequence[str], max_frames: int | None) -> Path:
    """The table of Scenes that the headless loop writes. Its own error becomes a UserError."""
    command = [sys.executable, "-m", "launcher", "--video", str(path), "--headless", "--out", str(folder)]
    command += [*launcher_options, *(["--max-frames", str(max_frames)] if max_frames else [])]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1].removeprefix("error: ")
        raise UserError(f"The live loop failed on {path.name}: {last}")
    return folder / "scenes.arrow"


def read_tracks(scenes: Path) -> tuple[Tracks, npt.NDArray[np.float64]]:
    """The hands that the Scenes give out, smoothed where the loop smooths, and their joints' confidences (F, 2, 21)."""
    with pa.OSFile(str(scenes)) as file, pa.ipc.open_stream(file) as stream:
        rows: list[list[dict[str, Any]]] = stream.read_all()["hands"].to_pylist()
    tracks = np.full((len(rows), 2, JOINTS_PER_HAND, 2), np.nan)
    confidence = np.full(tracks.shape[:3], np.nan)
    for row, hands in enumerate(rows):
        for hand in hands:
            side = SIDES.index(hand["side"])
            tracks[row, side] = np.reshape(hand["joints_px"], (JOINTS_PER_HAND, 2))
            confidence[row, side] = hand["confidence"]
    return tracks, confidence


def landmarker_tracks(path: Path, frames: int, hand_model: Path | None = None) -> list[tuple[HandLandmarks, ...]]:
    """What MediaPipe in video mode sees in the first frames of a clip."""
    seen: list[tuple[HandLandmarks, ...]] = []
    with Landmarker("video", hand_model) as landmarker, av.open(str(path)) as video:
        frame_ms = 1000 / float(video.streams.video[0].average_rate or 30)
        decoded = islice(video.decode(video=0), frames)
        for index, frame in enumerate(tqdm(decoded, total=frames, desc=f"MediaPipe on {path.name}", leave=False)):
            seen.append(landmarker(frame.to_ndarray(format="rgb24"), round(index * frame_ms)))
    return seen


def clip_figures(tracks: Tracks, seen: Sequence[Sequence[HandLandmarks]]) -> dict[str, float | int | None]:
    """Steadiness of one clip.

    ``two_hand_share`` and ``mediapipe_two_hand_share``: share of frames. ``swaps_per_1000``: `count_swaps` per 1000
    frames; ``joint_swaps_per_1000``: the same by joints. ``mediapipe_distance``: median over hands that both see, in
    shares of MediaPipe's box. ``jitter``: `jitter`. ``left_on_left_share``: of the frames with two hands, those
    whose left wrist lies left of the right one in the picture: 1 to their owner's eyes and 0 to a webcam, unless arms
    cross.
    """
    frames = len(tracks)
    both = np.all(np.isfinite(tracks[:, :, 0, 0]), axis=1)
    wrists_x = tracks[both, :, WRIST, 0]
    distances = mediapipe_distances(tracks, seen)
    shaking = jitter(tracks)
    return {
        "frames": frames,
        "two_hand_share": _share(both),
        "mediapipe_two_hand_share": _share(np.array([len(hands) == 2 for hands in seen])),
        "swaps_per_1000": round(1000 * count_swaps(tracks) / frames, 2) if frames else None,
        "joint_swaps_per_1000": round(1000 * count_swaps(tracks, by_joints=True) / frames, 2) if frames else None,
        "mediapipe_distance": round(float(np.median(distances)), 4) if distances.size else None,
        "jitter": round(shaking, 5) if shaking is not None else None,
        "left_on_left_share": _share(wrists_x[:, 1] < wrists_x[:, 0]),
    }


def total_of_clips(clips: Sequence[dict[str, float | int | None]]) -> dict[str, float | int | None]:
    """Figures of all clips: the frames' sum, each other figure's mean weighted by frames."""
    total: dict[str, float | int | None] = {"frames": sum(int(clip["frames"] or 0) for clip in clips)}
    for name in dict.fromkeys(name for clip in clips for name in clip if name != "frames"):  # some clips have a truth
        known = [(value, clip["frames"] or 0) for clip in clips if (value := clip.get(name)) is not None]
        weight = sum(frames for _, frames in known)
        total[name] = round(sum(value * frames for value, frames in known) / weight, 5) if weight else None
    return total


def truth_figures(tracks: Tracks, confidence: np.ndarray, truth: Tracks) -> dict[str, float | int | None]:
    """Against the true joints (F, 2, 21, 2), whichever hand of the truth a hand of the loop lies on.

    ``found_share``: of the true hands (nan where there is none), those on which one lies, within half a hand's size.
    ``sides_right``: of these, those under their own name. ``nme``: their median distance in hand sizes.
    ``joints_right``: of the joints, those that lie where the true one of their name does (`digit.calibration.WITHIN`).
    ``joints_said``: the mean of their ``confidence`` (F, 2, 21). ``brier``: the mean of its squared distance to 1 for a
    right joint, to 0 for another.
    """
    distances: list[float] = []
    right = 0
    for hands, true in zip(tracks, truth, strict=False):
        # [a, b]: the loop's hand a and the true hand b
        apart = np.linalg.norm(hands[:, None] - true[None], axis=-1).mean(axis=-1) / hand_sizes(true)
        apart = np.nan_to_num(apart, nan=_NO_HAND)
        keep, exchange = apart.diagonal(), apart[::-1].diagonal()
        kept = keep.sum() <= exchange.sum()
        found = [float(each) for each in (keep if kept else exchange) if each < _FOUND_WITHIN]
        distances += found
        right += len(found) if kept else 0
    both = slice(min(len(tracks), len(truth)))
    true_hands = int(np.isfinite(truth[both, :, WRIST, 0]).sum())
    there = np.isfinite(confidence[both])
    off = np.linalg.norm(tracks[both] - truth[both], axis=-1) / hand_sizes(truth[both])[..., None]
    said, true = confidence[both][there], off[there] <= WITHIN
    return {
        "found_share": round(len(distances) / true_hands, 4) if true_hands else None,
        "sides_right": round(right / len(distances), 4) if distances else None,
        "nme": round(float(np.median(distances)), 4) if distances else None,
        "joints_right": _share(true),
        "joints_said": _share(said),
        "brier": _share((said - true) ** 2),
    }


def count_swaps(tracks: Tracks, by_joints: bool = False) -> int:
    """How often the sides change places from one frame to the next.

    Two hands: keeping the sides moves the hands farther than exchanging them. One hand before and one after: the side
    changed, yet the hand stayed within half its size. A hand moves as its middle does, or ``by_joints`` as far as its
    joints do on average. Middles of hands that lie on each other change places without any joint doing so: those of the
    truth of 24 rendered clips did twice in 2,880 frames.
    """
    points, size = tracks if by_joints else tracks.mean(axis=2, keepdims=True), hand_sizes(tracks)
    swaps = 0
    for before, after in zip(range(len(tracks) - 1), range(1, len(tracks)), strict=True):
        was, now = ~np.isnan(tracks[before, :, 0, 0]), ~np.isnan(tracks[after, :, 0, 0])
        if was.all() and now.all():
            keep = _way(points[before], points[after]).sum()
            swaps += int(_way(points[before, ::-1], points[after]).sum() < keep)
        elif was.sum() == now.sum() == 1 and not (was & now).any():
            step = _way(points[before, was.argmax()], points[after, now.argmax()])
            swaps += int(step < size[before, was.argmax()] / 2)
    return swaps


def _way(before: np.ndarray, after: np.ndarray) -> npt.NDArray[np.float64]:
    """(...) how far points (..., P, 2) went on average."""
    return np.linalg.norm(after - before, axis=-1).mean(axis=-1)


def mediapipe_distances(tracks: Tracks, seen: Sequence[Sequence[HandLandmarks]]) -> npt.NDArray[np.float64]:
    """Mean joint distance of each hand that MediaPipe saw to the nearer hand of the loop, over MediaPipe's box size."""
    distances: list[float] = []
    for hands, reference in zip(tracks, seen, strict=False):
        found = hands[~np.isnan(hands[:, 0, 0])]
        for hand in reference if len(found) else ():
            size = hand_sizes(hand.joints_px)
            distances.append(float(np.linalg.norm(found - hand.joints_px, axis=-1).mean(axis=-1).min() / size))
    return np.array(distances)


def jitter(tracks: Tracks) -> float | None:
    """Median length of the joints' second difference in time, over the hand's size; None without any."""
    bend = np.linalg.norm(tracks[2:] - 2 * tracks[1:-1] + tracks[:-2], axis=-1) / hand_sizes(tracks)[1:-1, :, None]
    known = bend[~np.isnan(bend)]
    return float(np.median(known)) if known.size else None


def hand_sizes(joints_px: np.ndarray) -> npt.NDArray[np.float64]:
    """(...) longer side of the box around the joints (..., 21, 2)."""
    return np.ptp(np.asarray(joints_px, np.float64), axis=-2).max(axis=-1)


def _share(flags: np.ndarray) -> float | None:
    return round(float(flags.mean()), 4) if flags.size else None
