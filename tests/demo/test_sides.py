"""Sides by all looks together, and by the network where it says otherwise."""

from collections.abc import Iterable

import numpy as np
import pytest

from demo.records import Detection, Side
from demo.sides import believed
from digit.landmarker import HandLandmarks

JOINTS_PX, RELATIVE_MM = np.zeros((21, 2), np.float32), np.zeros((21, 3), np.float32)


def after(looks: Iterable[tuple[Side, float]], first: tuple[Side, float], network: Side | None = None) -> HandLandmarks:
    """The hand as it is believed after the first look and those that follow, with what the network says each time."""
    hand = HandLandmarks(*first, JOINTS_PX, RELATIVE_MM)
    for side, score in looks:
        known = Detection(hand.side, hand.score, JOINTS_PX, RELATIVE_MM)
        hand = believed(
            HandLandmarks(side, score, JOINTS_PX + 1, RELATIVE_MM), known, network not in (None, known.side)
        )
    return hand


def test_one_look_does_not_turn_a_hand_that_many_saw() -> None:
    many: list[tuple[Side, float]] = [("right", 0.95)] * 10
    sure = after(many, ("right", 0.95))
    once = after([*many, ("left", 0.99)], ("right", 0.95))
    assert (sure.side, once.side) == ("right", "right")
    assert 0.5 < once.score < sure.score < 1


def test_many_looks_turn_it() -> None:
    looks: list[tuple[Side, float]] = [("right", 0.95)] * 10 + [("left", 0.95)] * 20
    assert after(looks, ("right", 0.95)).side == "left"


def test_the_network_turns_a_hand_of_which_the_looks_are_not_sure() -> None:
    unsure: list[tuple[Side, float]] = [("right", 0.55)] * 3
    assert after(unsure, ("right", 0.6)).side == "right"
    assert after(unsure, ("right", 0.6), network="left").side == "left"


@pytest.mark.parametrize("score", [0.0, 0.5, 1.0])
def test_any_score_gives_one_and_both_sides_are_alike(score: float) -> None:
    right, left = (after([(side, score)] * 50, (side, score)) for side in ("right", "left"))
    assert 0.5 <= right.score == left.score < 1
    assert score <= 0.5 or (right.side, left.side) == ("right", "left")


def test_it_is_where_it_was_just_seen() -> None:
    assert (after([("left", 0.9)], ("right", 0.9)).joints_px == 1).all()
