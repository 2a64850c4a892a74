"""Scripted sequences of what a network might say, and what may come of them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from demo.handedness import (
    ENTER_FRAMES,
    IMPROBABLE_AT,
    KNOWN_FRAMES,
    LEAVE_FRAMES,
    NOTHING_AT,
    ONTO_AT,
    ONTO_FRAMES,
    PARTED_AT,
    PLACED_AT,
    SAME_AT,
    SURE_AT,
    TWO_AT,
    Handedness,
    kept,
)
from digit.skeleton import WRIST
from tests.demo.scripted import SHAPE

RIGHT_AT, LEFT_AT, ELSEWHERE = (200.0, 300.0), (420.0, 300.0), (600.0, 300.0)
BOTH, NONE = (0.95, 0.95), (0.05, 0.05)


def joints(right: tuple[float, float], left: tuple[float, float]) -> np.ndarray:
    return np.concatenate([100 * SHAPE + right, 100 * SHAPE + left])


SURE = np.full(42, 0.9)


#: How often `tracked` hands were confirmed after the first frame.
CONFIRMED = 3


def tracked(handedness: tuple[float, float] = BOTH, confirmed: int = CONFIRMED) -> Handedness:
    decide = Handedness()
    for _ in range(1 + confirmed):
        decide(joints(RIGHT_AT, LEFT_AT), np.array(handedness), SURE)
    return decide


def test_the_first_hand_counts_at_once() -> None:
    decision = Handedness()(joints(RIGHT_AT, LEFT_AT), np.array(BOTH), SURE)
    assert decision.present.tolist() == [True, True]
    assert not decision.swapped


def test_no_hand() -> None:
    assert not Handedness()(joints(RIGHT_AT, LEFT_AT), np.array(NONE), SURE).present.any()


@pytest.mark.parametrize("frames", range(1, 5))
def test_a_short_flip_is_rejected(frames: int) -> None:
    decide = tracked()
    for _ in range(frames):
        decision = decide(joints(LEFT_AT, RIGHT_AT), np.array(BOTH), SURE)
        assert decision.swapped
        assert decision.present.all()
    assert not decide(joints(RIGHT_AT, LEFT_AT), np.array(BOTH), SURE).swapped


def frames_until_a_flip_is_believed(confirmed: int) -> int:
    decide = tracked(confirmed=confirmed)
    swapped = [decide(joints(LEFT_AT, RIGHT_AT), np.array(BOTH), SURE).swapped for _ in range(100)]
    assert swapped == sorted(swapped, reverse=True)  # believed once, for good
    return sum(swapped)


def test_a_flip_that_persists_is_believed_the_later_the_longer_the_sides_were_sure() -> None:
    first, some, long, longest = map(frames_until_a_flip_is_believed, (0, 3, 100, 500))
    assert 3 < first < some < long == longest < 40


def test_a_network_that_errs_now_and_then_changes_no_name() -> None:
    """Every other frame of a second is wrong, but for the last; after it all are right again."""
    decide = tracked(confirmed=20)
    for frame in range(29):
        right, left = (LEFT_AT, RIGHT_AT) if frame % 2 else (RIGHT_AT, LEFT_AT)
        assert decide(joints(right, left), np.array(BOTH), SURE).swapped == bool(frame % 2)
    assert not decide(joints(RIGHT_AT, LEFT_AT), np.array(BOTH), SURE).swapped


def test_names_get_surer_with_each_frame_and_are_doubted_in_a_flip_until_it_is_believed() -> None:
    decide = Handedness()
    confirmed = [decide(joints(RIGHT_AT, LEFT_AT), np.array(BOTH), SURE).named for _ in range(20)]
    assert confirmed[0] > 0.8
    assert confirmed[-1] > 0.98
    assert confirmed == sorted(confirmed)
    flip = [decide(joints(LEFT_AT, RIGHT_AT), np.array(BOTH), SURE) for _ in range(40)]
    rejected = [decision.named for decision in flip if decision.swapped]
    believed = [decision.named for decision in flip if not decision.swapped]
    assert rejected == sorted(rejected, reverse=True)
    assert rejected[-1] < 0.4
    assert believed == sorted(believed)
    assert believed[-1] > 0.98


def test_a_witness_that_agrees_makes_names_surer_and_one_that_does_not_changes_them() -> None:
    both, exchanged = joints(RIGHT_AT, LEFT_AT), joints(LEFT_AT, RIGHT_AT)
    alone, agreeing, contradicted = tracked(), tracked(), tracked(confirmed=20)
    agreeing.hear(both)
    assert agreeing.sure and contradicted.sure and not alone.sure
    assert agreeing(both, np.array(BOTH), SURE).named > alone(both, np.array(BOTH), SURE).named
    told = []
    for _ in range(20):
        contradicted.hear(exchanged if not told or not told[-1].swapped else both[np.r_[21:42, :21]])
        told.append(contradicted(both, np.array(BOTH), SURE))
    swapped = [decision.swapped for decision in told]
    assert swapped == sorted(swapped) and not swapped[0] and swapped[-1]
    assert told[0].named > told[1].named
    assert told[-1].named > 0.8


def test_a_witness_whose_hands_lie_on_each_other_says_nothing() -> None:
    both, alike = joints(RIGHT_AT, LEFT_AT), joints(RIGHT_AT, RIGHT_AT)
    without, with_it = tracked(), tracked()
    for _ in range(10):
        with_it.hear(alike)
        assert with_it(both, np.array(BOTH), SURE).named == without(both, np.array(BOTH), SURE).named


def test_palm_on_palm_the_wrists_tell_a_flip() -> None:
    """Of mirrored hands whose fingers lie on each other only wrists and thumbs differ: less than the fingers shake."""
    hand = 100 * SHAPE + RIGHT_AT
    other = hand.copy()
    other[WRIST] += (40.0, 0.0)
    other[:4] += (25.0, 0.0)
    rng, decide = np.random.default_rng(0), Handedness()
    for frame in range(40):
        shaking = rng.normal(0, 3, (2, 21, 2)) + rng.normal(0, 8, 2)
        right, left = (hand, other) if frame % 4 or frame < 8 else (other, hand)
        both = (np.stack((right, left)) + shaking).reshape(42, 2)
        assert decide(both, np.array(BOTH), SURE).swapped == (frame % 4 == 0 and frame >= 8)


@given(st.integers(0, 10**6), st.floats(0.2, 5.0))
def test_how_far_hands_are_kept_does_not_depend_on_size_place_or_a_common_move(seed: int, scale: float) -> None:
    rng = np.random.default_rng(seed)
    now_px, last_px = rng.normal(0, 100, (2, 2, 21, 2))
    move_px, both = rng.normal(0, 300, 2), np.ones(2, bool)
    expected = kept(now_px, last_px, both)
    assert kept(scale * now_px + move_px, scale * last_px, both) == pytest.approx(expected)
    assert kept(now_px[::-1], last_px, both) == pytest.approx(-expected)  # exchanged hands: the other way round
    assert kept(now_px[::-1], last_px[::-1], both) == pytest.approx(expected)
    assert kept(last_px, last_px, both) > 0
    alone = [kept(last_px, last_px, seen) for seen in (np.array([True, False]), np.array([False, True]))]
    assert alone == pytest.approx([kept(last_px, last_px, both)] * 2)  # one hand that stays says as much as both


def test_where_hands_lie_on_each_other_the_names_stay_exchanged() -> None:
    """Their places say nothing there: names that were exchanged before go on to be, and those that were not, not."""
    near = (RIGHT_AT[0] + 60, RIGHT_AT[1])
    for flipped in (True, False):
        decide = tracked()
        for left in (LEFT_AT, near, (RIGHT_AT[0] + 5, RIGHT_AT[1]), near, LEFT_AT):
            both = joints(left, RIGHT_AT) if flipped else joints(RIGHT_AT, left)
            assert decide(both, np.array(BOTH), SURE).swapped == flipped


def test_hands_that_really_cross_are_no_flip() -> None:
    decide = tracked()
    for step in np.linspace(0, 1, 30):
        right = (RIGHT_AT[0] + step * (LEFT_AT[0] - RIGHT_AT[0]), RIGHT_AT[1])
        left = (LEFT_AT[0] + step * (RIGHT_AT[0] - LEFT_AT[0]), LEFT_AT[1] + 40)
        assert not decide(joints(right, left), np.array(BOTH), SURE).swapped


def test_one_hand_under_the_wrong_name() -> None:
    decide = tracked((0.95, 0.05))
    decision = decide(joints(ELSEWHERE, RIGHT_AT), np.array([0.05, 0.95]), SURE)
    assert decision.swapped
    assert decision.present.tolist() == [True, False]


@pytest.mark.parametrize(("sizes", "same"), [(0.9 * SAME_AT, True), (1.1 * SAME_AT, False)])
def test_a_quick_hand_under_the_wrong_name_is_no_second_one(sizes: float, same: bool) -> None:
    decide = tracked((0.95, 0.05))
    there = (RIGHT_AT[0] + sizes * float(np.ptp(100 * SHAPE, axis=0).max()), RIGHT_AT[1])
    decision = decide(joints(ELSEWHERE, there), np.array([0.05, 0.95]), SURE)
    assert decision.swapped == same
    assert decision.present.tolist() == [True, not same]


def test_frames_in_which_one_hand_cannot_be_told_do_not_wear_its_name_out() -> None:
    """Half of the network's answers put both hands on the one that is there."""
    decide = tracked((0.95, 0.05), confirmed=20)
    for _ in range(5):
        assert decide(joints(RIGHT_AT, RIGHT_AT), np.array([0.66, 0.52]), SURE).present.tolist() == [True, False]
        decision = decide(joints(ELSEWHERE, RIGHT_AT), np.array([0.44, 0.78]), SURE)
        assert decision.swapped
        assert decision.present.tolist() == [True, False]


def test_one_hand_renamed_for_good() -> None:
    decide = tracked((0.95, 0.05))
    for _ in range(20):
        decision = decide(joints(ELSEWHERE, RIGHT_AT), np.array([0.05, 0.95]), SURE)
    assert not decision.swapped
    assert decision.present.tolist() == [False, True]


def test_a_second_hand_enters_after_some_frames_and_is_no_flip() -> None:
    decide = tracked((0.95, 0.05))
    present = [decide(joints(RIGHT_AT, LEFT_AT), np.array((0.95, 0.7)), SURE) for _ in range(ENTER_FRAMES)]
    assert not any(decision.swapped for decision in present)
    assert [decision.present[1] for decision in present] == [False] * (ENTER_FRAMES - 1) + [True]


def test_a_second_hand_that_is_sure_enters_at_once() -> None:
    assert tracked((0.95, 0.05))(joints(RIGHT_AT, LEFT_AT), np.array(BOTH), SURE).present.all()


def test_a_hand_leaves_after_some_frames_only() -> None:
    decide = tracked()
    gone = np.array([0.95, 0.1])
    present = [bool(decide(joints(RIGHT_AT, ELSEWHERE), gone, SURE).present[1]) for _ in range(LEAVE_FRAMES)]
    assert present == [True] * (LEAVE_FRAMES - 1) + [False]


def test_between_the_thresholds_nothing_changes() -> None:
    decide, unsure = tracked((0.95, 0.05)), np.array([0.5, 0.5])
    for _ in range(20):
        decision = decide(joints(RIGHT_AT, LEFT_AT), unsure, SURE)
    assert decision.present.tolist() == [True, False]


#: Of a hand that is drawn twice the second one is no more likely.
ONE = (0.95, 0.95 * TWO_AT)


def test_a_lost_hand_drawn_on_the_other_one_is_not_shown() -> None:
    decide = tracked()
    for _ in range(3):
        decision = decide(joints(RIGHT_AT, (RIGHT_AT[0] + 5, RIGHT_AT[1])), np.array(ONE), SURE)
        assert decision.present.tolist() == [True, False]
    assert decide(joints(RIGHT_AT, LEFT_AT), np.array(BOTH), SURE).present.all()


def test_a_hand_that_appears_on_the_other_one_is_not_shown() -> None:
    decide = tracked((0.95, 0.05))
    for _ in range(10):
        assert decide(joints(RIGHT_AT, RIGHT_AT), np.array(ONE), SURE).present.tolist() == [True, False]


def test_two_likely_hands_are_two_wherever_they_lie() -> None:
    """A double stops being one when both hands are likely."""
    decide, near = tracked(), joints(RIGHT_AT, (RIGHT_AT[0] + 5, RIGHT_AT[1]))
    assert tracked()(near, np.array(BOTH), SURE).present.all()
    assert not decide(near, np.array(ONE), SURE).present.all()
    assert decide(near, np.array(BOTH), SURE).present.all()


#: On the right hand's middle, but its joints elsewhere than that hand's: no double.
ONTO = (RIGHT_AT[0] + 90 * ONTO_AT, RIGHT_AT[1])


def test_a_strange_hand_on_top_of_another_has_to_stay_before_it_counts() -> None:
    decide = tracked((0.95, 0.05))
    shown = [bool(decide(joints(RIGHT_AT, ONTO), np.array(BOTH), SURE).present[1]) for _ in range(ONTO_FRAMES)]
    assert shown == [False] * (ONTO_FRAMES - 1) + [True]


@pytest.mark.parametrize("known", [True, False])
def test_a_hand_that_was_just_there_may_come_back_on_top_of_another(known: bool) -> None:
    decide, alone = tracked(), np.array((0.95, 0.05))
    for _ in range(LEAVE_FRAMES + (1 if known else KNOWN_FRAMES)):
        decide(joints(RIGHT_AT, LEFT_AT), alone, SURE)
    assert decide(joints(RIGHT_AT, ONTO), np.array(BOTH), SURE).present.tolist() == [True, known]


@pytest.mark.parametrize(
    ("likely", "shown"), [((0.85, 0.8), [True, False]), ((0.8, 0.85), [False, True]), (BOTH, [True] * 2)]
)
def test_of_two_hands_that_begin_on_each_other_both_must_be_sure(
    likely: tuple[float, float], shown: list[bool]
) -> None:
    assert min(BOTH) > SURE_AT
    assert Handedness()(joints(RIGHT_AT, ONTO), np.array(likely), SURE).present.tolist() == shown


def test_joints_that_nobody_saw_do_not_say_where_a_hand_was() -> None:
    decide, alone = tracked((0.95, 0.05)), np.array((0.95, 0.05))
    aside, back_at = (RIGHT_AT[0] + 150, RIGHT_AT[1]), (RIGHT_AT[0] - 80, RIGHT_AT[1])  # of a hand of 100 pixels
    for _ in range(3):
        decide(joints(aside, LEFT_AT), alone, np.full(42, 0.9 * PLACED_AT))
    back = decide(joints(back_at, LEFT_AT), alone, SURE)
    assert not back.swapped
    assert back.present.tolist() == [True, False]


def test_without_a_past_the_less_likely_hand_is_the_double() -> None:
    assert Handedness()(joints(RIGHT_AT, RIGHT_AT), np.array([0.8, 0.95]), SURE).present.tolist() == [False, True]


def test_palms_that_come_together_are_two_hands() -> None:
    decide = tracked()
    for step in np.linspace(0, 1, 20):
        left = (LEFT_AT[0] + step * (RIGHT_AT[0] - LEFT_AT[0]), LEFT_AT[1])
        assert decide(joints(RIGHT_AT, left), np.array(BOTH), SURE).present.all()


def test_a_double_stays_one_until_the_hands_part() -> None:
    decide = tracked()
    shown = []
    for gap in (5.0, 10.0, 25.0, 60.0):  # of hands of 100 pixels
        shown.append(bool(decide(joints(RIGHT_AT, (RIGHT_AT[0] + gap, RIGHT_AT[1])), np.array(ONE), SURE).present[1]))
    assert shown == [False, False, False, True]


def test_a_knot_in_a_face_is_no_hand_and_the_first_clear_hand_is_one() -> None:
    decide, points = Handedness(), joints(RIGHT_AT, LEFT_AT)
    for _ in range(10):
        assert not decide(points, np.array(BOTH), np.full(42, 0.8 * NOTHING_AT)).present.any()
    one = decide(points, np.array(BOTH), np.repeat([0.6, 0.8 * NOTHING_AT], 21))
    assert one.present.tolist() == [True, False]


def test_a_second_hand_does_not_enter_while_it_is_hardly_seen() -> None:
    decide, points = tracked((0.95, 0.05)), joints(RIGHT_AT, LEFT_AT)
    for _ in range(10):
        decision = decide(points, np.array(BOTH), np.repeat([0.9, 0.8 * NOTHING_AT], 21))
        assert decision.present.tolist() == [True, False]
    assert decide(points, np.array(BOTH), np.repeat([0.9, 1.2 * NOTHING_AT], 21)).present.all()


def test_a_palm_on_a_back_is_no_double_as_the_thumbs_point_apart() -> None:
    decide = tracked()
    both = joints(RIGHT_AT, (RIGHT_AT[0] + 5, RIGHT_AT[1]))
    thumb = slice(21, 25)
    assert not decide(both, np.array(ONE), SURE).present.all()
    both[thumb, 0] += 110 * PARTED_AT  # of hands of 100 pixels
    assert decide(both, np.array(ONE), SURE).present.all()


def test_a_hand_that_gets_uncertain_stays_until_it_is_improbable() -> None:
    decide, points = tracked(), joints(RIGHT_AT, LEFT_AT)
    for _ in range(10):
        assert decide(points, np.array(BOTH), np.repeat([0.9, 2 * IMPROBABLE_AT], 21)).present.all()
    improbable = np.repeat([0.9, 0.5 * IMPROBABLE_AT], 21)
    shown = [decide(points, np.array(BOTH), improbable).present.tolist() for _ in range(LEAVE_FRAMES)]
    assert shown == [[True, True]] * (LEAVE_FRAMES - 1) + [[True, False]]
