"""Hands that were seen in an earlier frame follow the picture."""

import cv2
import numpy as np
import pytest

from demo.detector import Sighting
from demo.prior import FOLLOWED_AT, Carrier
from demo.records import Detection, Frame
from tests.demo.scripted import SHAPE

WIDTH, HEIGHT = 960, 540
_NOISE = cv2.GaussianBlur(np.random.default_rng(4).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8), (0, 0), 6)
TEXTURE = cv2.normalize(_NOISE, np.zeros_like(_NOISE), 0, 255, cv2.NORM_MINMAX)


def frame(index: int, x: float, y: float) -> Frame:
    """The texture, moved."""
    shift = np.array([[1, 0, x], [0, 1, y]], np.float32)
    return Frame(index, index, cv2.warpAffine(TEXTURE, shift, (WIDTH, HEIGHT), borderMode=cv2.BORDER_REFLECT))


def sighting(time_ns: int, x: float, y: float) -> Sighting:
    joints_px = (SHAPE * 200 + (x, y)).astype(np.float32)
    return Sighting(time_ns, (Detection("right", 0.9, joints_px, np.zeros((21, 3), np.float32)),))


def test_a_late_sighting_is_brought_to_the_present_frame() -> None:
    carrier = Carrier()
    old, late = sighting(0, 480, 270), sighting(2, 500, 280)
    for i in range(4):
        hands = carrier(frame(i, 10 * i, 5 * i), old)
    assert hands[0].joints_px == pytest.approx(old.detections[0].joints_px + np.array([30, 15]), abs=1.5)
    assert carrier.step == pytest.approx(np.hypot(10, 5) / 200, rel=0.1)
    (hand,) = carrier(frame(4, 40, 20), late)
    assert hand.joints_px == pytest.approx(late.detections[0].joints_px + np.array([20, 10]), abs=1.5)
    assert (hand.side, hand.score) == ("right", 0.9)


def test_joints_that_the_picture_hides_go_with_the_others() -> None:
    carrier, seen = Carrier(), sighting(0, 480, 270)
    carrier(frame(0, 0, 0), seen)
    after = frame(1, 12, 0)
    image = after.image.copy()
    image[:200] = 128  # the finger tips
    (hand,) = carrier(Frame(1, 1, image), seen)
    assert hand.joints_px == pytest.approx(seen.detections[0].joints_px + np.array([12, 0]), abs=3)


def test_what_cannot_be_followed_stays() -> None:
    carrier, seen = Carrier(), sighting(0, 480, 270)
    assert carrier(frame(5, 0, 0), seen) is seen.detections  # frame 0 was never shown
    assert carrier.followed == ()
    blank = Frame(6, 6, np.zeros_like(TEXTURE))
    assert carrier(blank, seen)[0].joints_px == pytest.approx(seen.detections[0].joints_px)
    assert carrier(frame(7, 0, 0), Sighting(7, ())) == ()


@pytest.mark.parametrize("size", [(640, 360), (960, 500), (480, 270), (1920, 1080), (2000, 2)])
def test_into_a_picture_of_another_size_nothing_is_followed(size: tuple[int, int]) -> None:
    carrier, seen = Carrier(), sighting(0, 480, 270)
    carrier(frame(0, 0, 0), seen)
    other = Frame(1, 1, cv2.resize(TEXTURE, size))
    assert carrier(other, seen) == carrier.followed == ()
    assert carrier.found == 0
    there = sighting(1, size[0] / 2, size[1] / 2)
    assert carrier(other, there) == carrier.followed == there.detections


def test_a_hand_that_the_picture_left_is_lost_until_it_is_seen_anew() -> None:
    carrier, seen = Carrier(), sighting(0, 480, 270)
    carrier(frame(0, 0, 0), seen)
    assert carrier.followed == seen.detections
    hidden = carrier(Frame(1, 1, np.full_like(TEXTURE, 128)), seen)
    assert len(hidden) == 1 and carrier.found < FOLLOWED_AT and carrier.followed == ()
    carrier(Frame(2, 2, np.full_like(TEXTURE, 128)), seen)
    carrier(frame(3, 0, 0), seen)
    carrier(frame(4, 0, 0), seen)
    assert carrier.found > 0.9 and carrier.followed == ()  # what is followed now may be anything
    assert carrier(frame(4, 0, 0), sighting(4, 480, 270)) == carrier.followed != ()


def test_of_two_hands_the_one_that_can_be_followed_is_not_lost() -> None:
    carrier = Carrier()
    near, far = (sighting(0, x, 270).detections[0] for x in (220, 740))
    carrier(frame(0, 0, 0), Sighting(0, (near, far)))
    image = frame(1, 4, 0).image.copy()
    image[:, : WIDTH // 2] = 128
    hands = carrier(Frame(1, 1, image), Sighting(0, (near, far)))
    assert carrier.followed == hands[1:]
