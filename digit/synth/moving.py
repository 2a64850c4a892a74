"""Clips of two hands in motion, with the truth beside them: what trackers are measured and tuned on.

A clip is ``NAME.mp4`` and ``NAME.npz``: joints_px (F, 2, 21, 2) and joints_mm (F, 2, 21, 3) of the right and left hand
in InterHand2.6M's order, camera space, and K (3, 3). Both hands are always there, though one may hide the other, or a
thing or an arm both.
"""

import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from tqdm import tqdm

from digit.errors import UserError
from digit.geometry import project
from digit.skeleton import SIDES
from digit.synth import hand_model
from digit.synth.appearance import photograph, sample_look
from digit.synth.generate import in_room
from digit.synth.hand_model import HandModel, PosedHand, annotated, place
from digit.synth.motion import Motion, hands_at, sample_motion
from digit.synth.people import sample_props
from digit.synth.render import shared_renderer
from digit.synth.scenes import camera_from_person, elbow_from, sample_hold, sample_viewer
from digit.synth.video import FPS, write_video

SIZE = 480
#: All that the hands do spans such a share of the picture, from such a distance in mm.
_SPAN, _DISTANCE_MM = (0.55, 0.9), (350.0, 800.0)


class MovingClip:
    """Clip ``index`` of the set ``seed``."""

    def __init__(self, seed: int, index: int, seconds: float) -> None:
        rng = np.random.default_rng([seed, index])
        self._model: HandModel = hand_model.shared()
        viewer = sample_viewer(rng)
        held = sample_hold(rng, viewer)
        self.motion: Motion = sample_motion(rng, self._model, seconds, elbow_from(held))
        self._times = np.arange(round(seconds * FPS)) / FPS
        camera = camera_from_person(rng, viewer)
        self._turn, self._shift = camera @ held, np.zeros(3)
        joints = np.concatenate([self._joints(self.hands_at(t)) for t in self._times[:: FPS // 6]])
        middle = (joints.min(axis=0) + joints.max(axis=0)) / 2
        nearest = float(joints[:, 2].min() - middle[2])
        self._shift = np.array([0.0, 0.0, max(rng.uniform(*_DISTANCE_MM), 140.0 - nearest)]) - middle
        seen = joints + self._shift
        seen = seen[:, :2] / seen[:, 2:]
        low, high = seen.min(axis=0), seen.max(axis=0)
        focal = rng.uniform(*_SPAN) * SIZE / float((high - low).max())
        cx, cy = (SIZE - 1) / 2 - focal * (low + high) / 2
        self.K = np.array([[focal, 0, cx], [0, focal, cy], [0, 0, 1]])
        self._look = sample_look(rng)
        facing = float(camera[2, 2]) < -0.75
        self._props = sample_props(rng, self.hands_at(seconds / 2), self.K, SIZE, self._look, facing)
        self._room, self._camera = ([seed, index, n] for n in (1, 2))  # the same in each frame

    def hands_at(self, second: float) -> dict[str, PosedHand]:
        """Both hands in camera space (mm)."""
        hands = hands_at(self.motion, self._model, second)
        return {side: place(hand, self._turn, self._shift) for side, hand in hands.items()}

    def truth(self) -> dict[str, np.ndarray]:
        """What ``NAME.npz`` holds."""
        joints_mm = np.stack([self._joints(self.hands_at(t)).reshape(2, -1, 3) for t in self._times])
        joints_px = project(joints_mm.reshape(-1, 3), self.K).reshape(*joints_mm.shape[:-1], 2)
        return {"joints_px": joints_px.astype(np.float32), "joints_mm": joints_mm.astype(np.float32), "K": self.K}

    def images(self) -> Iterator[np.ndarray]:
        """(480, 480, 3) uint8 RGB frames."""
        renderer = shared_renderer(SIZE)
        for second in self._times:
            drawn = renderer.draw(self.hands_at(second), self.K, self._look, self._props)
            light = in_room(drawn, np.random.default_rng(self._room), SIZE)
            yield photograph(light, np.random.default_rng(self._camera))

    @staticmethod
    def _joints(hands: dict[str, PosedHand]) -> np.ndarray:
        return np.concatenate([annotated(hands[side].joints_mm) for side in SIDES])


def write_clips(out: Path, count: int, seed: int = 0, seconds: float = 4.0) -> None:
    """Write clips that are not there yet.

    Raises:
        UserError: the folder cannot be written, or holds one of these clips in another length.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        for index in tqdm(range(count), unit="clip"):
            path = out / f"{seed:04d}-{index:03d}.mp4"
            if path.with_suffix(".npz").is_file():  # the truth is written last
                _check_length(path.with_suffix(".npz"), seconds)
                continue
            clip = MovingClip(seed, index, seconds)
            write_video(path, clip.images(), crf=20, preset="veryfast")
            part = path.with_suffix(".part.npz")
            np.savez_compressed(part, allow_pickle=False, **clip.truth())
            part.replace(path.with_suffix(".npz"))
    except OSError as error:
        raise UserError(f"Cannot write to {out} ({error.strerror}); free some space or give another --out.") from error


def _check_length(truth: Path, seconds: float) -> None:
    """Raises UserError where the clip beside the truth lasts longer or shorter, or the truth is damaged."""
    try:
        # Opened here: numpy leaves a file open that is not a whole zip.
        with truth.open("rb") as file, np.load(file) as data:
            frames = len(data["joints_px"])
    except (ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise UserError(f"{truth} is damaged ({error}); delete it and run the same command again.") from error
    if frames != round(seconds * FPS):
        raise UserError(f"{truth} is of {frames / FPS:g} seconds, not {seconds:g}; give that length or another --out.")
