"""A backend and a detector that read painted blobs: enough of a network to drive the loop without weights.

`draw_hands` paints each hand as a disc, red for the right and blue for the left; `ColourBackend` answers with a small
spread hand at each disc that it finds in the crop.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from demo.detector import NOWHERE, Sighting, Whereabouts
from demo.records import Detection, Frame
from digit.prediction import Prediction
from digit.skeleton import FIRST_PART, JOINTS, SIDES

CHANNEL = {"right": 0, "left": 2}
#: (21, 2) a flat open hand, fingers up, about 1 wide; wrist at (0, 0.5).
SHAPE = np.array(
    [
        (0.0, 0.5) if name == "wrist" else (0.2 * "timrp".index(name[0]) - 0.4, 0.3 - 0.2 * int(name[-1]))
        for name in JOINTS
    ]
)


def draw_hands(height: int, width: int, **centres: tuple[float, float]) -> np.ndarray:
    """(H, W, 3) uint8 RGB picture with a disc of radius height / 10 at the (x, y) of each named side."""
    image = np.full((height, width, 3), 40, np.uint8)
    y, x = np.mgrid[:height, :width]
    for side, (centre_x, centre_y) in centres.items():
        image[(x - centre_x) ** 2 + (y - centre_y) ** 2 < (height / 10) ** 2] = 0
        image[..., CHANNEL[side]][(x - centre_x) ** 2 + (y - centre_y) ** 2 < (height / 10) ** 2] = 230
    return image


def discs(image: np.ndarray) -> dict[str, tuple[np.ndarray, float]]:
    """Side -> (centre (2,), diameter) of the discs in a picture."""
    found = {}
    for side in SIDES:
        other = image[..., 2 - CHANNEL[side]]
        y, x = np.nonzero((image[..., CHANNEL[side]] > 150) & (other < 100))
        if len(x) > 12:
            found[side] = (np.array([x.mean(), y.mean()]), 2 * np.sqrt(len(x) / np.pi))
    return found


class ColourBackend:
    """Answers what the colours say."""

    name, model, weights_sha256, why = "colour", "discs", "0" * 64, "it is made for tests"

    def __init__(self) -> None:
        self.closed = False
        self.priors: list[np.ndarray | None] = []

    def __call__(self, crop: np.ndarray, prior: np.ndarray | None = None) -> Prediction:
        self.priors.append(prior)
        found = discs(crop)
        joints = np.full((42, 3), 128, np.float32)
        joints[:, 2] = 0
        part_labels = np.zeros((128, 128), np.uint8)
        y, x = np.mgrid[:128, :128] * 2
        for i, side in enumerate(SIDES):
            if side in found:
                centre, diameter = found[side]
                joints[21 * i : 21 * i + 21, :2] = centre + SHAPE * diameter
                part_labels[(x - centre[0]) ** 2 + (y - centre[1]) ** 2 < (diameter / 2) ** 2] = FIRST_PART[side]
        handedness = np.array([0.95 if side in found else 0.03 for side in SIDES], np.float32)
        confidence = np.repeat(np.where(handedness > 0.5, 0.9, 0.05), 21).astype(np.float32)
        return Prediction(joints, confidence, part_labels, handedness, 0.0)

    def start(self, crop: np.ndarray, prior: np.ndarray | None = None) -> Callable[[], Prediction]:
        return lambda: self(crop, prior)

    def close(self) -> None:
        self.closed = True


@dataclass
class ColourDetector:
    """Sees every disc of the whole frame; counts how often it was asked."""

    looks: int = 0
    blind: bool = False
    closed: bool = False
    seen: Sighting | None = None

    def __call__(self, frame: Frame, look: bool = True, near: Whereabouts = NOWHERE) -> Sighting | None:
        if not look:
            return self.seen
        self.looks += 1
        found = {} if self.blind else discs(frame.image)
        self.seen = Sighting(
            frame.time_ns,
            tuple(
                Detection(side, 0.9, (centre + SHAPE * diameter).astype(np.float32), np.zeros((21, 3), np.float32))
                for side, (centre, diameter) in found.items()
            ),
        )
        return self.seen

    def close(self) -> None:
        self.closed = True
