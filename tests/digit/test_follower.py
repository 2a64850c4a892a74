"""The landmark network alone against MediaPipe's whole graph, on frames of the sample clip."""

import ctypes
import sys
import zipfile
from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np
import pytest
from openvino import Core

from digit import follower as follower_module
from digit.backends import exports
from digit.errors import UserError
from digit.follower import (
    INT8,
    IR,
    MAX_HANDS,
    NETWORK,
    SIDE,
    HandFollower,
    apart,
    compiled,
    cut,
    float_model,
    is_new,
    region,
)
from digit.geometry import apply_affine
from digit.landmarker import HandLandmarks, Landmarker, model_file, sha256
from digit.skeleton import JOINTS, WRIST
from tests.demo.scripted import SHAPE

SAMPLE = Path(__file__).parents[2] / "assets" / "sample.mp4"


class Seen(NamedTuple):
    image: np.ndarray
    hands: tuple[HandLandmarks, ...]
    before: tuple[HandLandmarks, ...]


@pytest.fixture(scope="module")
def follower() -> HandFollower:
    return HandFollower(model_file())


@pytest.fixture(scope="module")
def seen() -> list[Seen]:
    """Frames in which MediaPipe follows both hands: what it sees there, and what it saw in the frame before."""
    found: list[Seen] = []
    with av.open(str(SAMPLE)) as video, Landmarker("video") as landmarker:
        before: tuple[HandLandmarks, ...] = ()
        for i, frame in enumerate(islice(video.decode(video=0), 40)):
            image = frame.to_ndarray(format="rgb24")
            now = landmarker(image, 33 * i)
            if len(before) == len(now) == MAX_HANDS and i % 5 == 0:
                found.append(Seen(image, now, before))
            before = now
    assert len(found) >= 3
    return found


def found(follower: HandFollower, image: np.ndarray, hands: Sequence[HandLandmarks]) -> list[HandLandmarks]:
    """What is seen at the places of hands, all of which must be there."""
    seen = [hand for hand in follower(image, [hand.joints_px for hand in hands]) if hand is not None]
    assert len(seen) == len(hands)
    return seen


def test_known_hands_are_seen_where_mediapipe_sees_them(follower: HandFollower, seen: list[Seen]) -> None:
    for image, hands, before in seen:
        followed = found(follower, image, before)
        assert [hand.side for hand in followed] == [hand.side for hand in hands]
        for hand, same in zip(hands, followed, strict=True):
            assert apart(hand.joints_px, same.joints_px) < 0.02
            assert np.abs(hand.joints_rel_mm - same.joints_rel_mm).mean() < 4
            assert not same.joints_rel_mm[WRIST].any()


def test_a_hand_that_moved_a_little_is_found_again(follower: HandFollower, seen: list[Seen]) -> None:
    image, hands, _ = seen[0]
    moved = [replace(hand, joints_px=hand.joints_px + 0.15 * np.ptp(hand.joints_px, axis=0).max()) for hand in hands]
    for hand, same in zip(hands, found(follower, image, moved), strict=True):
        assert apart(hand.joints_px, same.joints_px) < 0.08


@pytest.mark.parametrize("precision", ["float", "int8"])
def test_a_turned_picture_gives_turned_hands(
    follower: HandFollower, seen: list[Seen], precision: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if precision == "float":
        monkeypatch.setattr(follower_module, "sha256", lambda network: "0" * 64)
        follower = HandFollower(model_file())
    image, hands, _ = seen[0]
    last = image.shape[1] - 1

    def turned(points: np.ndarray) -> np.ndarray:  # as np.rot90 does: a quarter to the left
        return np.stack([points[:, 1], last - points[:, 0]], axis=1)

    straight = found(follower, image, hands)
    turned_hands = [replace(h, joints_px=turned(h.joints_px)) for h in hands]
    again = found(follower, np.ascontiguousarray(np.rot90(image)), turned_hands)
    for hand, same in zip(straight, again, strict=True):
        assert apart(turned(hand.joints_px), same.joints_px) < 0.01
        if precision == "float":
            assert turned_mm(hand) == pytest.approx(same.joints_rel_mm, abs=3)
        else:  # it rounds otherwise in a picture that was interpolated otherwise: some 1 mm, at single joints more
            off_mm = np.abs(turned_mm(hand) - same.joints_rel_mm)
            assert off_mm.mean() < 1.5
            assert off_mm.max() < 6


def turned_mm(hand: HandLandmarks) -> np.ndarray:
    x, y, z = hand.joints_rel_mm.T
    return np.stack([y, -x, z], axis=1)


def test_no_hand_is_followed_where_none_is(follower: HandFollower, seen: list[Seen]) -> None:
    image, hands, _ = seen[0]
    assert follower(np.full_like(image, 90), [hand.joints_px for hand in hands]) == (None, None)
    assert follower(image, ()) == ()


def test_two_on_one_hand_are_one(follower: HandFollower, seen: list[Seen]) -> None:
    image, (hand, _), _ = seen[0]
    first, second = follower(image, (hand.joints_px, hand.joints_px))
    assert first is not None
    assert second is None
    assert not is_new(hand, (hand,))
    assert is_new(hand, ())


def test_the_shipped_int8_form_is_of_mediapipes_network_and_sees_what_that_sees(seen: list[Seen]) -> None:
    """Redo it with: python -m digit.training.landmarks_int8"""
    network = follower_module.network_of(model_file())
    assert exports.manifest(INT8)["weights_sha256"] == sha256(network)
    models = float_model(network), Core().read_model(INT8 / IR)
    for image, hands, _ in seen:
        requests = [compiled(model, len(hands)) for model in models]
        squares = np.stack([cut(image, region(hand.joints_px)) for hand in hands])
        (floats, *_), (ints, *_) = ([np.array(a) for a in request.infer([squares]).values()] for request in requests)
        joints, joints8 = (landmarks.reshape(len(hands), 21, 3)[..., :2] for landmarks in (floats, ints))
        assert np.abs(joints - joints8).mean() < 0.015 * SIDE
        assert (joints != joints8).any()


def test_another_network_runs_as_it_is(seen: list[Seen], monkeypatch: pytest.MonkeyPatch) -> None:
    image, hands, _ = seen[0]
    monkeypatch.setattr(follower_module, "sha256", lambda network: "0" * 64)
    opened: list[bytes] = []
    monkeypatch.setattr(follower_module, "float_model", lambda network: opened.append(network) or float_model(network))
    assert len(found(HandFollower(model_file()), image, hands)) == 2
    assert len(opened) == 1


def test_apart() -> None:
    assert apart(SHAPE, SHAPE) == 0
    size = np.ptp(SHAPE, axis=0).max()
    assert apart(SHAPE, SHAPE + np.array([0.5 * size, 0])) == pytest.approx(0.5)
    assert apart(SHAPE, 2 * SHAPE) == pytest.approx(np.linalg.norm(SHAPE, axis=1).mean() / (2 * size))


@pytest.mark.parametrize("turn_deg", [0, 37, 180, -90])
def test_region_holds_the_hand_with_its_fingers_up(turn_deg: float) -> None:
    turn = np.radians(turn_deg)
    joints_px = SHAPE @ np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]]) * 90 + [400, 250]
    inside = apply_affine(region(joints_px), joints_px)
    assert (inside > 0).all()
    assert (inside < SIDE).all()
    up = inside[[JOINTS.index(f"{finger}1") for finger in ("index", "middle", "ring")]] - inside[WRIST]
    assert (up[:, 1] < 0).all()


@pytest.mark.parametrize("inside", [None, b"no network"])
def test_a_file_without_the_network_is_said(tmp_path: Path, inside: bytes | None) -> None:
    path = tmp_path / "hand.task"
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr(NETWORK if inside else "other", inside or b"")
    with pytest.raises(UserError, match="--hand-model"):
        HandFollower(path)
    path.write_bytes(b"no archive")
    with pytest.raises(UserError, match="--hand-model"):
        HandFollower(path)


@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux's C library")
def test_the_threads_signal_stack_is_left_alone() -> None:
    """OpenVINO gives the thread that compiles one. Left behind when the network is freed, Ctrl-C writes into it."""
    before = signal_stack()
    follower = HandFollower(model_file())
    assert signal_stack() == before
    del follower
    assert signal_stack() == before


def signal_stack() -> tuple[int | None, int, int]:
    """Address, flags and size of this thread's, by sigaltstack(2)."""

    class Stack(ctypes.Structure):
        _fields_ = (("address", ctypes.c_void_p), ("flags", ctypes.c_int), ("size", ctypes.c_size_t))

    stack = Stack()
    assert ctypes.CDLL(None).sigaltstack(None, ctypes.byref(stack)) == 0
    return stack.address, stack.flags, stack.size
