"""Cameras stand where their names say; the person's frame has x to the person's left, y up, z to the front."""

import numpy as np
import pytest

from digit.synth.scenes import camera_from_person, elbow_from, sample_hold, sample_viewer

COUNT = 40


def cameras(viewer: str) -> np.ndarray:
    """(COUNT, 3, 3) each row of a camera: the picture's right, its down and the way it looks, in the person's frame."""
    return np.stack([camera_from_person(np.random.default_rng([4, i]), viewer) for i in range(COUNT)])


def test_a_webcam_looks_at_the_person_and_has_the_right_hand_on_its_left() -> None:
    right, down, looks = cameras("webcam").swapaxes(0, 1)
    assert (looks[:, 2] < -0.3).all() and (down[:, 1] < -0.3).all()
    assert (right[:, 0] > 0.2).all()


def test_own_eyes_look_forward_and_down_and_have_the_left_hand_on_their_left() -> None:
    right, down, looks = cameras("own eyes").swapaxes(0, 1)
    assert (looks[:, 1] < 0).all()
    assert (right[:, 0] < -0.2).all()
    assert (-down[:, 2] > 0).mean() > 0.9  # what is further from the body is further up


def test_a_camera_above_looks_down() -> None:
    _, down, looks = cameras("above").swapaxes(0, 1)
    assert (looks[:, 1] < -0.5).all()
    behind = -down[:, 2] > 0  # it stands on the person's side
    assert 0.5 < behind.mean() < 0.9


def test_a_camera_anywhere_looks_from_above_and_below() -> None:
    looks = cameras("anywhere")[:, 2]
    assert looks[:, 1].min() < -0.5 and looks[:, 1].max() > 0.5


@pytest.mark.parametrize("viewer", ["webcam", "own eyes", "above", "anywhere"])
def test_elbows_stay_below_behind_and_outside_however_hands_are_held(viewer: str) -> None:
    for i in range(COUNT):
        held = sample_hold(np.random.default_rng([5, i]), viewer)
        x, y, z = held @ elbow_from(held)
        assert x < 0 and y < 0 and z < 0


def test_hands_are_held_forward_to_own_eyes_and_up_to_a_webcam() -> None:
    def forward(viewer: str) -> float:
        rng = np.random.default_rng(6)
        return float(np.median([(sample_hold(rng, viewer) @ [0.0, 1.0, 0.0])[2] for _ in range(100)]))

    assert forward("webcam") < 0.5 < forward("own eyes") <= forward("above")
    assert {sample_viewer(np.random.default_rng(i)) for i in range(40)} == {"webcam", "own eyes", "above", "anywhere"}
