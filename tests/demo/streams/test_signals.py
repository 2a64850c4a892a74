"""Signals of hands in known poses, and that they do not flicker."""

from dataclasses import replace

import numpy as np
import pytest

from demo.records import Hand
from demo.streams.openxr import HandPose
from demo.streams.signals import (
    CONTACT_PARTS,
    FINGERS,
    SignalTrack,
    curls,
    held,
    palm_facing,
    pinch_strengths,
)
from demo.streams.solver import poses_of
from digit.skeleton import JOINTS, WRIST
from digit.synth import hand_model, poses
from tests.demo.streams.rig import CAMERA_FROM_VIEW, posed
from tests.gui.hands import hand, hand_joints_mm


def pose(joints_mm: np.ndarray, side: str = "right") -> HandPose:
    return poses_of((replace(hand(side), joints_mm=joints_mm.astype(np.float32)),))[0]


def named(name: str) -> HandPose:
    angles = poses.sample_angles(np.random.default_rng(0), name, looseness=0)
    joints = posed(hand_model.shared(), 0, angles)[0] * CAMERA_FROM_VIEW
    return pose(joints + np.array([0, 0, 500]))


def signals(pose_: HandPose):
    (own,), _ = SignalTrack()((pose_,))
    return own


def test_a_fist_grabs_and_a_flat_hand_does_not() -> None:
    assert signals(named("fist")).grab > 0.9
    assert signals(named("fist")).grabbing
    assert signals(named("flat")).grab < 0.1
    assert not signals(named("flat")).grabbing


def test_pointing_is_the_index_finger_alone() -> None:
    assert signals(named("point")).pointing
    assert not any(signals(named(name)).pointing for name in ("flat", "fist", "victory", "horns", "grasp"))
    pointing = named("point")
    own = signals(pointing)
    assert np.linalg.norm(own.ray_direction) == pytest.approx(1)
    assert (own.ray_origin_m == pointing.positions_m[10]).all()
    assert own.ray_direction @ (pointing.positions_m[10] - pointing.positions_m[7]) > 0.05


@pytest.mark.parametrize("finger", ["index", "middle", "ring", "pinky"])
def test_a_fingertip_on_the_thumbs_pinches(finger: str) -> None:
    joints = hand_joints_mm("right", 0.2)
    n = ("index", "middle", "ring", "pinky").index(finger)
    assert pinch_strengths(pose(joints))[n] < 0.5
    joints[JOINTS.index(f"{finger}4")] = joints[JOINTS.index("thumb4")] + [0, -12, 0]
    own = signals(pose(joints))
    assert own.pinch[n] > 0.95
    assert own.pinching == tuple(f == FINGERS[n] for f in FINGERS)


def test_the_strength_of_a_pinch_grows_as_the_gap_closes_and_not_with_the_size_of_the_hand() -> None:
    def at(gap_mm: float, size: float) -> float:
        joints = hand_joints_mm("left", 0.2, (0, 0, 0))
        joints[JOINTS.index("index4")] = joints[JOINTS.index("thumb4")] + [0, -gap_mm, 0]
        return float(pinch_strengths(pose(joints * size + [0, 0, 500], "left"))[0])

    strengths = [at(gap, 1.0) for gap in (14, 20, 30, 40, 60)]
    assert strengths == sorted(strengths, reverse=True)
    assert len({*strengths}) > 3
    assert at(25, 0.7) == pytest.approx(at(25, 1.0), abs=1e-5)


def test_curls_follow_the_bend() -> None:
    bends = [curls(pose(hand_joints_mm("right", curl))).mean() for curl in (0.05, 0.4, 0.8, 1.2)]
    assert bends == sorted(bends)
    assert bends[0] < 0.1
    assert bends[-1] > 0.6


def test_the_palm_faces_the_camera_or_its_back_does() -> None:
    for side in ("right", "left"):
        towards = hand_joints_mm(side, 0.05, (0, 0, 0))
        away = towards * [-1, 1, -1]  # turned about its length by half a turn
        assert palm_facing(pose(towards + np.array([0, 40, 480]), side)) > 0.9
        assert palm_facing(pose(away + np.array([0, 40, 480]), side)) < -0.9


def touching(gap_mm: float, depth_mm: float = 0.0) -> tuple[Hand, Hand]:
    """Two hands whose index fingertips are so far apart, across and along the line of sight."""
    right, left = hand_joints_mm("right", 0.1, (0, 0, 0)), hand_joints_mm("left", 0.1, (0, 0, 0))
    tip = JOINTS.index("index4")
    right, left = right - right[tip] + [0, 0, 500], left - left[tip] + [gap_mm, 0, 500 + depth_mm]
    # The other fingers of the left hand are bent away, so that only the index fingers can meet.
    left = left + np.where(np.arange(21)[:, None] == tip, 0, [120, 0, 0])
    return tuple(
        replace(hand(side), side=side, joints_mm=joints.astype(np.float32))
        for side, joints in (("right", right), ("left", left))
    )


def test_hands_touch_fingertip_to_fingertip() -> None:
    _, contacts = SignalTrack()(poses_of(touching(14.0)))
    assert [(c.right, c.left) for c in contacts] == [("index", "index")]
    assert contacts[0].gap_m < 0.01
    assert SignalTrack()(poses_of(touching(60.0)))[1] == ()
    assert SignalTrack()(poses_of(touching(14.0)[:1]))[1] == ()


def test_fingertips_touch_the_other_palm() -> None:
    right, left = hand("right"), hand("left")
    palm_mm = poses_of((left,))[0].positions_m[0] * [1000, -1000, -1000]
    joints = right.joints_mm - right.joints_mm[JOINTS.index("middle4")] + palm_mm + [0, 0, -12]
    far = np.arange(21) != JOINTS.index("middle4")
    joints[far] -= [0, -150, 150]
    _, contacts = SignalTrack()(poses_of((replace(right, joints_mm=joints.astype(np.float32)), left)))
    assert ("middle", "palm") in {(c.right, c.left) for c in contacts}


def test_what_is_on_stays_on_until_it_is_clearly_off() -> None:
    on = np.zeros(1, bool)
    seen = []
    for value in (0.7, 0.79, 0.81, 0.7, 0.61, 0.59, 0.7):
        on = held(on, np.array([value]), 0.8, 0.6)
        seen.append(bool(on[0]))
    assert seen == [False, False, True, True, True, False, False]
    track = SignalTrack()
    gaps = [30.0, 13.0, 24.0, 13.0, 24.0, 60.0, 24.0]
    flags = [any(c.right == c.left == "index" for c in track(poses_of(touching(gap)))[1]) for gap in gaps]
    assert flags == [False, True, True, True, True, False, False]


def test_a_hand_that_left_has_no_memory() -> None:
    track = SignalTrack()
    joints = hand_joints_mm("right", 0.2)
    joints[JOINTS.index("index4")] = joints[JOINTS.index("thumb4")] + [0, -12, 0]
    pinching = pose(joints)
    joints[JOINTS.index("index4")] = joints[JOINTS.index("thumb4")] + [0, -27, 0]
    between = pose(joints)
    assert 0.6 < pinch_strengths(between)[0] < 0.8
    assert track((pinching,))[0][0].pinching[0]
    assert track((between,))[0][0].pinching[0]
    assert track(()) == ((), ())
    assert not track((between,))[0][0].pinching[0]


def test_signals_of_joints_that_make_no_sense_are_numbers() -> None:
    for joints in (np.zeros((21, 3)), np.full((21, 3), 7.0), np.arange(63.0).reshape(21, 3)):
        track = SignalTrack()
        pair = tuple(replace(hand(side), joints_mm=joints.astype(np.float32)) for side in ("right", "left"))
        own, contacts = track(poses_of(pair))
        for each in own:
            numbers = [*each.pinch, each.grab, each.palm_facing, *each.ray_origin_m, *each.ray_direction]
            assert np.isfinite(numbers).all()
        assert all(c.right in CONTACT_PARTS and np.isfinite(c.gap_m) for c in contacts)


def test_the_wrist_is_where_it_was() -> None:
    one = hand("left")
    assert poses_of((one,))[0].positions_m[1] == pytest.approx(one.joints_mm[WRIST] * [1, -1, -1] / 1000)
