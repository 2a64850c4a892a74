import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from demo.tracker import (
    ALONE_FRAMES,
    ALONE_MARGIN,
    APART_AT,
    LOST_FRAMES,
    MAX_SIDE,
    MET_AT,
    MIN_SIDE_PX,
    OWN_MARGIN,
    REMEMBERED_FRAMES,
    SIGHTED_FRAMES,
    WELL_TRACKED,
    Tracker,
    clamped_square,
    gap,
)  # fmt: skip
from digit.geometry import CROP_MARGIN
from tests.demo.scripted import SHAPE

SHAPE_OF_FRAME = (720, 1280, 3)
BOTH, RIGHT_ONLY = np.array([True, True]), np.array([True, False])
SURE = np.full(42, 0.9)


def joints(right: tuple[float, float], left: tuple[float, float] = (0, 0)) -> np.ndarray:
    return np.concatenate([150 * SHAPE + right, 150 * SHAPE + left])


def covers(bbox: np.ndarray, points: np.ndarray) -> bool:
    return bool((points >= bbox[:2]).all() and (points <= bbox[:2] + bbox[2:]).all())


def test_follows_both_hands_with_a_margin() -> None:
    tracker = Tracker()
    assert tracker.place(SHAPE_OF_FRAME) is None
    points = joints((400, 300), (700, 350))
    tracker.update(points, SURE, BOTH)
    bbox = tracker.place(SHAPE_OF_FRAME)
    assert bbox is not None
    assert covers(bbox, points)
    assert bbox[2] == bbox[3] == pytest.approx(np.ptp(points, axis=0).max() * CROP_MARGIN)


def test_an_absent_hand_and_unsure_joints_do_not_move_it() -> None:
    tracker = Tracker()
    points, confidence = joints((400, 300), (1200, 650)), SURE.copy()
    points[4], confidence[4] = (1270, 10), 0.01
    tracker.update(points, confidence, RIGHT_ONLY)
    bbox = tracker.place(SHAPE_OF_FRAME)
    assert bbox is not None
    assert bbox[2] < 300


def test_a_hand_that_comes_alone_is_given_room_for_another_one_after_its_first_frame() -> None:
    tracker = Tracker()
    points = joints((400, 300))
    side_px = np.ptp(points[:21], axis=0).max()
    tracker.sight(points[:21])
    sides = []
    for _ in range(ALONE_FRAMES + 12):
        bbox = tracker.place(SHAPE_OF_FRAME)
        assert bbox is not None
        sides.append(bbox[2] / side_px)
        tracker.update(points, SURE, RIGHT_ONLY)
    assert sides[0] == pytest.approx(CROP_MARGIN)
    assert sides[1 : 1 + ALONE_FRAMES] == pytest.approx([ALONE_MARGIN] * ALONE_FRAMES)
    assert sides[-1] == pytest.approx(CROP_MARGIN, rel=0.05)


def test_a_hand_that_stays_behind_is_not_given_room_for_another_one() -> None:
    tracker = Tracker()
    tracker.update(joints((400, 300), (460, 300)), SURE, BOTH)
    for _ in range(REMEMBERED_FRAMES + 12):
        tracker.update(joints((400, 300), (460, 300)), SURE, RIGHT_ONLY)
        bbox = tracker.place(SHAPE_OF_FRAME)
    assert bbox is not None
    assert bbox[2] == pytest.approx(np.ptp(joints((400, 300))[:21], axis=0).max() * CROP_MARGIN, rel=0.05)


def test_a_still_hand_has_a_nearly_still_crop() -> None:
    tracker, rng = Tracker(), np.random.default_rng(0)
    boxes = []
    for _ in range(200):
        noise = rng.normal(0, 1.5, (42, 2))
        tracker.update(joints((400, 300), (700, 350)) + noise, SURE, BOTH)
        bbox = tracker.place(SHAPE_OF_FRAME)
        assert bbox is not None
        boxes.append(bbox)
    moves = np.abs(np.diff(boxes[20:], axis=0)).mean()
    assert moves < 0.5


def test_a_quick_hand_stays_in_the_crop() -> None:
    tracker = Tracker()
    for x in range(200, 1100, 30):
        points = joints((x, 300))
        tracker.update(points, SURE, RIGHT_ONLY)
        bbox = tracker.place(SHAPE_OF_FRAME)
        assert bbox is not None
        assert covers(bbox, points[:21] + np.array([30, 0]))  # where it will be in the next frame, but for the margin


def test_a_hand_that_leaps_is_met_where_it_goes() -> None:
    tracker = Tracker()
    for x in range(200, 1000, 90):  # 0.6 of its size in each frame
        points = joints((x, 300))
        tracker.update(points, SURE, RIGHT_ONLY)
        bbox = tracker.place(SHAPE_OF_FRAME)
        assert bbox is not None
        if x > 200:
            assert covers(bbox, points[:21] + np.array([90, 0]))


def test_low_confidence_loses_the_hands_after_some_frames() -> None:
    tracker = Tracker()
    tracker.update(joints((400, 300)), SURE, RIGHT_ONLY)
    for _ in range(LOST_FRAMES - 1):
        tracker.update(joints((400, 300)), np.full(42, 0.01), RIGHT_ONLY)
        assert tracker.tracking
    tracker.update(joints((400, 300)), np.full(42, 0.01), RIGHT_ONLY)
    assert not tracker.tracking
    assert tracker.place(SHAPE_OF_FRAME) is None


def test_one_certain_hand_keeps_the_track() -> None:
    tracker = Tracker()
    for _ in range(3 * LOST_FRAMES):
        tracker.update(joints((400, 300), (700, 350)), np.repeat([0.15, 0.001], 21), BOTH)
    assert tracker.tracking


def test_a_hand_that_hides_keeps_its_place_for_a_while() -> None:
    tracker, points = Tracker(), joints((400, 300), (800, 350))
    tracker.update(points, SURE, BOTH)
    hidden = joints((400, 300), (10, 10))
    confidence = np.repeat([0.9, 0.05], 21)
    for i in range(REMEMBERED_FRAMES - 1):  # it counts as present for some frames, at a place that means nothing
        tracker.update(hidden, confidence, BOTH if i < 3 else RIGHT_ONLY)
        bbox = tracker.place(SHAPE_OF_FRAME)
        assert bbox is not None
        assert covers(bbox, points)
    for _ in range(30):
        tracker.update(hidden, confidence, RIGHT_ONLY)
        bbox = tracker.place(SHAPE_OF_FRAME)
    assert bbox is not None
    assert not covers(bbox, points[21:])
    assert covers(bbox, points[:21])


def test_no_hand_loses_at_once() -> None:
    tracker = Tracker()
    tracker.update(joints((400, 300)), SURE, RIGHT_ONLY)
    tracker.update(joints((400, 300)), SURE, np.array([False, False]))
    assert not tracker.tracking


def test_a_sighted_hand_gets_into_the_crop_and_leaves_it_unless_it_is_tracked() -> None:
    tracker = Tracker()
    tracker.update(joints((400, 300)), SURE, RIGHT_ONLY)
    first = tracker.place(SHAPE_OF_FRAME)
    newcomer = 150 * SHAPE + (900, 300)
    tracker.sight(newcomer)
    wide = [tracker.place(SHAPE_OF_FRAME) for _ in range(SIGHTED_FRAMES)]
    assert all(bbox is not None and covers(bbox, newcomer) for bbox in wide)
    for _ in range(30):
        last = tracker.place(SHAPE_OF_FRAME)
    assert last == pytest.approx(first, abs=3)


@given(st.lists(st.floats(-5000, 5000), min_size=2, max_size=2), st.lists(st.floats(0, 9000), min_size=2, max_size=2))
def test_clamped_squares_are_sensible(corner: list[float], size: list[float]) -> None:
    bbox = clamped_square(np.array([*corner, *size]), SHAPE_OF_FRAME)
    centre = bbox[:2] + bbox[2:] / 2
    assert bbox[2] == bbox[3]
    assert MIN_SIDE_PX <= bbox[2] * (1 + 1e-9) <= MAX_SIDE * 1280 * (1 + 2e-9)
    assert (centre >= -1e-6).all()
    assert (centre <= [1279 + 1e-6, 719 + 1e-6]).all()


def test_hands_apart_get_a_crop_each_until_they_meet() -> None:
    tracker = Tracker()
    size_px, width_px = np.ptp(joints((0, 0))[:21], axis=0)[::-1]
    seen = []
    for share in (0.8 * APART_AT, 1.2 * APART_AT, 1.2 * MET_AT, 0.8 * MET_AT, 1.2 * MET_AT):
        points = joints((400, 300), (400 + width_px + share * size_px, 300))
        assert gap(points[:21], points[21:]) == pytest.approx(share)
        tracker.update(points, SURE, BOTH)
        tracker.update(points, SURE, BOTH)  # they stand still
        own = tracker.own_places(SHAPE_OF_FRAME)
        seen.append(len(own))
        for square, hand in zip(own, (points[:21], points[21:]), strict=False):
            assert covers(square, hand)
            assert square[2] == pytest.approx(OWN_MARGIN * size_px, rel=0.02)
    assert seen == [0, 2, 2, 0, 0]


def test_own_crops_are_for_hands_that_are_tracked_well_and_all_there_are() -> None:
    points = joints((300, 300), (900, 300))
    unsure = np.repeat([0.9, 0.9 * WELL_TRACKED], 21)

    def own_after(confidence: np.ndarray, present: np.ndarray, *seen: tuple[float, float]) -> int:
        tracker = Tracker()
        tracker.update(points, SURE, BOTH)
        tracker.update(points, confidence, present)
        return len(tracker.own_places(SHAPE_OF_FRAME, [np.array(at) for at in seen]))

    assert own_after(SURE, BOTH) == 2
    assert own_after(SURE, BOTH, (310, 290), (880, 310)) == 2
    assert own_after(unsure, BOTH) == 0
    assert own_after(SURE, RIGHT_ONLY) == 0
    assert own_after(SURE, BOTH, (310, 290), (600, 600)) == 0


def test_own_crops_last_until_a_hand_has_left() -> None:
    """Its own crop is where to see that; what it then shows is no reason to look less closely."""
    tracker = Tracker()
    points, gone = joints((300, 300), (900, 300)), np.repeat([0.9, 0.01], 21)
    tracker.update(points, SURE, BOTH)
    assert len(tracker.own_places(SHAPE_OF_FRAME)) == 2
    tracker.update(points, gone, BOTH)
    own = tracker.own_places(SHAPE_OF_FRAME)
    assert len(own) == 2
    assert covers(own[1], points[21:])
    tracker.update(points, gone, RIGHT_ONLY)
    assert tracker.own_places(SHAPE_OF_FRAME) == ()


def test_a_lost_track_has_no_own_crops() -> None:
    tracker = Tracker()
    tracker.update(joints((300, 300), (900, 300)), SURE, BOTH)
    assert len(tracker.own_places(SHAPE_OF_FRAME)) == 2
    tracker.lose()
    assert tracker.own_places(SHAPE_OF_FRAME) == ()
