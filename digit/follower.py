"""MediaPipe's landmark network alone, in OpenVINO, for hands whose place is known from a moment before.

That is what MediaPipe's own HandLandmarker does with a hand that it follows: it cuts a turned square around the last
landmarks and gives it to the network. Here both hands go through it at once and in int8, in a fraction of the time.
"""

import tempfile
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np

from digit import checkpoint
from digit.backends import exports
from digit.backends.devices import openvino_threads
from digit.backends.openvino import CONFIG, infer_requests
from digit.errors import UserError
from digit.geometry import invert_affine
from digit.landmarker import HandLandmarks, sha256
from digit.skeleton import FINGERS, FROM_WRIST_FIRST, JOINTS, WRIST

NETWORK = "hand_landmarks_detector.tflite"
#: Its int8 form, see `digit.training.landmarks_int8`.
INT8 = checkpoint.weights_path("digit-lite").with_name("hand-landmarks.openvino")
IR = "predictor.xml"
#: Side of the network's picture in pixels.
SIDE = 224
#: A hand below this probability has left. MediaPipe's own default.
PRESENT_AT = 0.5
#: More are not followed.
MAX_HANDS = 2
#: Two hands that lie nearer than this (`apart`) are one. 0.9 % of the rendered pairs of hands do.
SAME_BELOW = 0.2

#: The square around a hand: over the box of these joints, moved by this share of its height towards the fingers.
_SCALE, _SHIFT = 2.0, -0.1
_BOX_NAMES = ("wrist", "thumb1", "thumb2", "thumb3", *(f"{finger}{n}" for finger in FINGERS[1:] for n in (1, 2)))
_BOX = np.array([JOINTS.index(name) for name in _BOX_NAMES])
#: A hand points from its wrist to between these, by weight.
_KNUCKLES = np.array([JOINTS.index(f"{finger}1") for finger in ("index", "middle", "ring")])
_KNUCKLE_WEIGHTS = np.array([0.25, 0.5, 0.25])


class HandFollower:
    """Sees known hands in RGB pictures. Use it in one thread at a time."""

    def __init__(self, task: Path) -> None:
        """``task`` is a ``hand_landmarker.task``. Raises UserError when it is none."""
        self._requests = _requests(task)

    def __call__(self, image: np.ndarray, places: Sequence[np.ndarray]) -> tuple[HandLandmarks | None, ...]:
        """The hands at up to two places in an (H, W, 3) uint8 RGB picture; None where none is, or the one before.

        A place is where the joints (21, 2) of a hand were.
        """
        if not places:
            return ()
        turns = [region(joints_px) for joints_px in places]
        answers = self._requests[len(turns) - 1].infer([np.stack([cut(image, turn) for turn in turns])])
        hands: list[HandLandmarks | None] = []
        landmarks, present, right, world = answers.values()
        for i, turn in enumerate(turns):
            hand = _hand(landmarks[i], present[i], right[i], world[i], turn)
            hands.append(hand if hand is not None and is_new(hand, filter(None, hands)) else None)
        return tuple(hands)


def cut(image: np.ndarray, crop_from_image: np.ndarray) -> np.ndarray:
    """(224, 224, 3) the network's picture of a `region`."""
    return cv2.warpAffine(image, crop_from_image, (SIDE, SIDE), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def region(joints_px: np.ndarray) -> np.ndarray:
    """(2, 3) crop_from_image: the turned square around a hand (21, 2), its fingers up."""
    wrist, middle = joints_px[WRIST], _KNUCKLE_WEIGHTS @ joints_px[_KNUCKLES]
    x, y = middle - wrist
    angle = np.arctan2(x, -y)
    axes = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])  # right and down in the crop
    turned = joints_px[_BOX] @ axes.T
    low, high = turned.min(axis=0), turned.max(axis=0)
    size = high - low
    centre = axes.T @ ((low + high) / 2 + [0, _SHIFT * size[1]])
    scale = SIDE / max(_SCALE * size.max(), 1.0)
    linear = scale * axes
    return np.c_[linear, (SIDE - 1) / 2 - linear @ centre]


def _hand(
    landmarks: np.ndarray, present: np.ndarray, right: np.ndarray, world: np.ndarray, crop_from_image: np.ndarray
) -> HandLandmarks | None:
    """One row of the network's answer, from the square back to the picture; None when no hand is there."""
    if present[0] < PRESENT_AT:
        return None
    image_from_crop = invert_affine(crop_from_image)
    points = landmarks.reshape(-1, 3)[FROM_WRIST_FIRST, :2] - 0.5
    joints_px = (points @ image_from_crop[:, :2].T + image_from_crop[:, 2]).astype(np.float32)
    turn = image_from_crop[:, :2] / np.sqrt(np.linalg.det(image_from_crop[:, :2]))
    joints_mm = 1000 * world.reshape(-1, 3)[FROM_WRIST_FIRST]
    joints_mm[:, :2] = joints_mm[:, :2] @ turn.T
    joints_rel_mm = (joints_mm - joints_mm[WRIST]).astype(np.float32)
    joints_px.flags.writeable = joints_rel_mm.flags.writeable = False
    certain = float(right[0])
    return HandLandmarks("right" if certain >= 0.5 else "left", max(certain, 1 - certain), joints_px, joints_rel_mm)


class _Placed(Protocol):
    @property
    def joints_px(self) -> np.ndarray: ...


def is_new(hand: _Placed, others: Iterable[_Placed]) -> bool:
    """Whether a hand is none of the others drawn again."""
    return all(apart(hand.joints_px, other.joints_px) >= SAME_BELOW for other in others)


def apart(a_px: np.ndarray, b_px: np.ndarray) -> float:
    """Mean distance of the joints (21, 2) of the same name, over the size of the larger hand."""
    size_px = max(float(np.ptp(a_px, axis=0).max()), float(np.ptp(b_px, axis=0).max()), 1.0)
    return float(np.linalg.norm(a_px - b_px, axis=1).mean()) / size_px


def network_of(task: Path) -> bytes:
    """The landmark network in a ``hand_landmarker.task``. Raises UserError when that is none."""
    try:
        with zipfile.ZipFile(task) as packed:
            return packed.read(NETWORK)
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise _no_model(task) from error


def float_model(network: bytes) -> Any:
    """The `openvino.Model` of a network's bytes: (1 or 2, 224, 224, 3) uint8 RGB in. Raises RuntimeError."""
    from openvino import Core, Dimension, Type
    from openvino.preprocess import PrePostProcessor

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / NETWORK
        path.write_bytes(network)
        model = Core().read_model(path)
        model.reshape([Dimension(1, MAX_HANDS), SIDE, SIDE, 3])
        steps = PrePostProcessor(model)
        steps.input().tensor().set_element_type(Type.u8)
        steps.input().preprocess().convert_element_type(Type.f32).scale(255.0)
        return steps.build()


def compiled(model: Any, hands: int) -> Any:
    """An infer request of an `openvino.Model` on the CPU, for so many hands at once. Raises RuntimeError."""
    fixed = model.clone()  # with a number of hands that is left open, a look takes 5 % longer
    fixed.reshape([hands, SIDE, SIDE, 3])
    (request,) = infer_requests(fixed, CONFIG | openvino_threads())
    return request


def _requests(task: Path) -> tuple[Any, ...]:
    """For one hand, for two: of the shipped int8 form, if it is of the task's network, else of the network itself."""
    network = network_of(task)
    try:
        if exports.manifest(INT8).get("weights_sha256") == sha256(network):
            from openvino import Core

            model = Core().read_model(INT8 / IR)
        else:
            model = float_model(network)
        return tuple(compiled(model, hands) for hands in range(1, MAX_HANDS + 1))
    except RuntimeError as error:
        raise _no_model(task) from error


def _no_model(task: Path) -> UserError:
    return UserError(f"{task} is not a MediaPipe hand landmarker model; check --hand-model.")
