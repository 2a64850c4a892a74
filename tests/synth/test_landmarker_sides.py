"""MediaPipe through our wrapper names the true hand of a picture that is not mirrored.

MediaPipe's documentation says its names are for mirrored pictures; a silent swap would cross every hand of the app.
"""

from collections.abc import Iterator

import cv2
import numpy as np
import pytest

from digit.geometry import intrinsics_from_fov
from digit.landmarker import Landmarker
from digit.synth.clip import frames, hands_at, plain_look
from digit.synth.hand_model import HandModel, mirror_x, place, pose
from digit.synth.poses import sample_angles
from digit.synth.render import shared_renderer
from digit.synth.scenes import view

SIZE = 320


@pytest.fixture(scope="module")
def landmarker() -> Iterator[Landmarker]:
    with Landmarker("image") as opened:
        yield opened


@pytest.fixture(scope="module")
def frame() -> np.ndarray:
    """The clip's frame at 1.3 s: two open hands."""
    return next(image for n, image in enumerate(frames(seconds=0.8)) if n == 4)


def shown(model: HandModel, side: str, name: str, turn_deg: float) -> tuple[np.ndarray, np.ndarray]:
    """A plain picture of one hand and its joints in pixels."""
    hand = place(pose(model, 0, sample_angles(np.random.default_rng(0), name, 0.0)), view(turn_deg, 0, 0), np.zeros(3))
    hand = place(hand, np.eye(3), np.array([0.0, 80.0, 500.0]))
    hand = hand if side == "right" else mirror_x(hand)
    K = intrinsics_from_fov(SIZE, SIZE, 38.0)
    drawn = shared_renderer(SIZE).draw({side: hand}, K, plain_look(np.random.default_rng(0)))
    light = drawn.colour + 0.55 * (1 - drawn.coverage[..., None])
    image = (255 * np.clip(light, 0, 1) ** (1 / 2.2)).astype(np.uint8)
    seen = hand.joints_mm @ K.T
    return cv2.GaussianBlur(image, (0, 0), 0.7), seen[:, :2] / seen[:, 2:]


@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize(("name", "turn_deg"), [("open", 0), ("open", 180), ("flat", 15), ("four", 0)])
def test_true_hand_is_named(model: HandModel, landmarker: Landmarker, side: str, name: str, turn_deg: float) -> None:
    image, joints_px = shown(model, side, name, turn_deg)
    found = landmarker(image)
    assert [hand.side for hand in found] == [side]
    assert np.linalg.norm(found[0].joints_px - joints_px, axis=-1).mean() < 25


def test_both_hands_of_the_sample_clip_are_named(landmarker: Landmarker, frame: np.ndarray) -> None:
    found = {hand.side: hand.joints_px[:, 0].mean() for hand in landmarker(frame)}
    assert set(found) == {"right", "left"}
    assert found["right"] < found["left"]  # the person faces the camera
    assert hands_at(1.3, 5)["right"].joints_mm[:, 0].mean() < 0


def test_mirrored_picture_swaps_the_names(landmarker: Landmarker, frame: np.ndarray) -> None:
    found = {hand.side: hand.joints_px[:, 0].mean() for hand in landmarker(frame[:, ::-1])}
    assert found["right"] < found["left"]
