"""MediaPipe's HandLandmarker: its model file, and each hand that it sees in a picture, in InterHand2.6M order.

MediaPipe no longer ships a model. The official ``mediapipe`` 0.10.21 wheel (Apache-2.0) holds the two networks; this
module takes them out of it once, packs them as the ``.task`` file that today's release reads, and keeps that in the
user's cache folder. mediapipe itself is imported when a `Landmarker` is made, so import this module freely.
"""

import hashlib
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal, Protocol, Self

import numpy as np
import platformdirs

from digit.errors import UserError
from digit.geometry import apply_affine
from digit.prediction import Prior
from digit.skeleton import FROM_WRIST_FIRST, JOINTS_PER_HAND, SLOTS, WRIST

TASK_NAME = "hand_landmarker.task"
TASK_SHA256 = "ef3f184fa8d5e6905ea4770282627d6937975119af763054312d05985c059bda"
WHEEL = "mediapipe==0.10.21"
#: Name in the task file -> (name in the wheel, sha256).
NETWORKS = {
    "hand_detector.tflite": (
        "mediapipe/modules/palm_detection/palm_detection_full.tflite",
        "1b14e9422c6ad006cde6581a46c8b90dd573c07ab7f3934b5589e7cea3f89a54",
    ),
    "hand_landmarks_detector.tflite": (
        "mediapipe/modules/hand_landmark/hand_landmark_full.tflite",
        "11c272b891e1a99ab034208e23937a8008388cf11ed2a9d776ed3d01d0ba00e3",
    ),
}
#: MediaPipe's own default.
FOUND_AT = 0.5
#: Any wheel of the release holds the same networks; naming one lets every system and every Python download it.
WHEEL_TAGS = ("--python-version", "3.11", "--platform", "manylinux_2_28_x86_64")


@dataclass(frozen=True, slots=True, eq=False)
class HandLandmarks:
    """One hand as MediaPipe saw it."""

    side: Literal["right", "left"]  # the person's own hand, in a picture that is not mirrored
    score: float  # of the side, in [0, 1]
    joints_px: np.ndarray  # (21, 2) float32, image pixels, (0, 0) at the centre of the top-left pixel
    joints_rel_mm: np.ndarray  # (21, 3) float32, x right, y down, z forward, relative to the wrist


class Landmarker:
    """Finds hands in RGB pictures. Open, use and close it in one thread.

    ``mode`` "image" looks at each picture afresh; "video" follows the hands and needs growing ``time_ms``.
    A palm counts as found from the probability ``found_at`` on.
    ``model_path`` None takes the cached model, building it at first use (`model_file`).
    """

    def __init__(
        self,
        mode: Literal["image", "video"] = "image",
        model_path: Path | None = None,
        max_hands: int = 2,
        found_at: float = FOUND_AT,
        progress: Callable[[str], None] | None = None,
    ) -> None:
        """Raises UserError when the model file cannot be had or read."""
        path = model_file(progress) if model_path is None else model_path
        try:
            model = path.read_bytes()
        except OSError as error:
            raise UserError(f"Cannot read the hand model {path} ({error.strerror}); check --hand-model.") from error
        import mediapipe as mp
        from mediapipe.tasks.python import BaseOptions, vision

        self._mp: Any = mp
        self._mode = mode
        options = vision.HandLandmarkerOptions(
            base_options=BaseOptions(model_asset_buffer=model),
            running_mode=vision.RunningMode.VIDEO if mode == "video" else vision.RunningMode.IMAGE,
            num_hands=max_hands,
            min_hand_detection_confidence=found_at,
        )
        try:
            self._task: Any = vision.HandLandmarker.create_from_options(options)
        except (RuntimeError, ValueError) as error:
            raise UserError(f"{path} is not a MediaPipe hand landmarker model; check --hand-model.") from error

    def __call__(self, image: np.ndarray, time_ms: int = 0) -> tuple[HandLandmarks, ...]:
        """The hands in an (H, W, 3) uint8 RGB picture, at most ``max_hands``; two may have the same side."""
        picture = self._mp.Image(image_format=self._mp.ImageFormat.SRGB, data=np.ascontiguousarray(image))
        result = self._task.detect_for_video(picture, time_ms) if self._mode == "video" else self._task.detect(picture)
        height, width = image.shape[:2]
        return tuple(
            _hand(*hand, width, height)
            for hand in zip(result.handedness, result.hand_landmarks, result.hand_world_landmarks, strict=True)
        )

    def close(self) -> None:
        """Free the networks. Without it mediapipe prints an error when Python exits."""
        self._task.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _hand(handedness: Any, landmarks: Any, world_landmarks: Any, width: int, height: int) -> HandLandmarks:
    best = max(handedness, key=lambda category: category.score)
    # MediaPipe's normalised coordinates run over pixel edges; ours count from pixel centres.
    joints_px = np.array([(p.x * width - 0.5, p.y * height - 0.5) for p in landmarks], np.float32)[FROM_WRIST_FIRST]
    joints_mm = 1000 * np.array([(p.x, p.y, p.z) for p in world_landmarks], np.float32)[FROM_WRIST_FIRST]
    side = "left" if best.category_name == "Left" else "right"
    joints_rel_mm = joints_mm - joints_mm[WRIST]
    joints_px.flags.writeable = joints_rel_mm.flags.writeable = False
    return HandLandmarks(side, float(best.score), joints_px, joints_rel_mm)


class SeenHand(Protocol):
    """What a prior is made from: `HandLandmarks` or the live loop's own record."""

    @property
    def side(self) -> Literal["right", "left"]: ...
    @property
    def score(self) -> float: ...
    @property
    def joints_px(self) -> np.ndarray: ...
    @property
    def joints_rel_mm(self) -> np.ndarray: ...


def prior_from_hands(hands: Sequence[SeenHand], crop_from_image: np.ndarray) -> Prior:
    """The (42, 4) landmark prior of the hands in a crop; none gives all zeros.

    A person has one hand of each side. Of two hands with the same side, the one that MediaPipe is less sure about
    takes the other side's slots.
    """
    prior = np.zeros((2 * JOINTS_PER_HAND, 4), np.float32)
    free: list[Literal["right", "left"]] = ["right", "left"]
    for hand in sorted(hands, key=lambda hand: -hand.score)[:2]:
        side = hand.side if hand.side in free else free[0]
        free.remove(side)
        prior[SLOTS[side], :2] = apply_affine(crop_from_image, hand.joints_px)
        prior[SLOTS[side], 2] = hand.joints_rel_mm[:, 2]
        prior[SLOTS[side], 3] = 1.0
    return prior


def model_file(progress: Callable[[str], None] | None = None, folder: Path | None = None) -> Path:
    """The checked hand landmarker model, built at first use. Raises UserError when it cannot be made.

    ``folder`` is where it is kept (default: the user's cache folder); ``progress`` is told how the download goes.
    """
    folder = folder or platformdirs.user_cache_path("digit-live")
    path = folder / TASK_NAME
    if path.is_file() and sha256(path.read_bytes()) == TASK_SHA256:
        return path
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as temporary, _download(Path(temporary), progress) as wheel:
            packed = Path(temporary) / TASK_NAME
            _pack(wheel, packed)
            packed.replace(path)  # in one step: a second process never sees half a file
    except OSError as error:
        raise UserError(f"Cannot write the hand model to {folder} ({error.strerror}); make it writable.") from error
    return path


@contextmanager
def _download(folder: Path, progress: Callable[[str], None] | None) -> Generator[zipfile.ZipFile]:
    command = [sys.executable, "-m", "pip", "download", WHEEL, "--no-deps", "--only-binary=:all:", *WHEEL_TAGS]
    # pip tells its progress in numbers from 24.1 on; a new virtual environment may hold an older one.
    bar = "raw" if _pip_version() >= (24, 1) else "off"
    command += ["--dest", str(folder), "--progress-bar", bar, "--no-input", "--disable-pip-version-check"]
    if progress:
        progress("Hand model: downloading it once")
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as pip:
        assert pip.stdout is not None
        last = ""
        for line in pip.stdout:
            words = line.split()
            if len(words) == 4 and words[0] == "Progress":  # "Progress 65536 of 35600000"
                if progress:
                    progress(f"Hand model: {int(words[1]) / 1e6:.0f} of {int(words[3]) / 1e6:.0f} MB")
            elif words:
                last = line.strip()
    wheels = sorted(folder.glob("mediapipe-*.whl"))
    if pip.returncode != 0 or not wheels:
        raise UserError(
            f"The hand model could not be downloaded ({last}); connect to the network once, "
            "or give your own hand_landmarker.task with --hand-model PATH."
        )
    with zipfile.ZipFile(wheels[0]) as wheel:
        yield wheel


def _pip_version() -> tuple[int, ...]:
    """Major and minor number; () where an installer left pip without its metadata, or it is none of numbers."""
    try:
        return tuple(map(int, version("pip").split(".")[:2]))
    except (PackageNotFoundError, ValueError):
        return ()


def _pack(wheel: zipfile.ZipFile, path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as task:  # MediaPipe maps the members: they stay uncompressed
        for name, (member, expected) in NETWORKS.items():
            network = wheel.read(member)
            if sha256(network) != expected:
                raise UserError(f"{member} in the {WHEEL} wheel is not the expected file; use --hand-model PATH.")
            entry = zipfile.ZipInfo(name)  # its fixed date and system keep the sha256 the same everywhere
            entry.create_system = 3
            task.writestr(entry, network)


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
