"""Labels agree with each other and with what is drawn."""

import dataclasses

import numpy as np

from digit.geometry import project
from digit.skeleton import FIRST_PART, JOINTS, PARTS, PARTS_PER_HAND, SIDES, SLOTS, mirrored_parts
from digit.synth.appearance import sample_look
from digit.synth.contact import SOFTNESS_MM, gap_mm
from digit.synth.generate import SIZE, Picture, shows_its_hands
from digit.synth.hand_model import HandModel, mirror_x
from digit.synth.render import FAR_MM, shared_renderer
from digit.synth.scenes import sample_scene


def own_parts(joint: str) -> list[int]:
    """Part numbers of one hand that meet at a joint."""
    if joint == "wrist":
        return [0]
    name, n = joint[:-1], int(joint[-1])
    behind = {1: "palm", 2: f"{name}1", 3: f"{name}2", 4: f"{name}3"}[n]
    return [PARTS.index(f"{name}{min(n, 3)}"), PARTS.index(behind)]


def test_joints_px_are_the_projected_joints(pictures: list[Picture]) -> None:
    for made in pictures:
        valid = made.joint_valid > 0
        assert valid.any()
        np.testing.assert_allclose(project(made.joints_mm[valid], made.K), made.joints_px[valid], atol=0.01)


def test_visible_joints_lie_on_their_own_parts(pictures: list[Picture]) -> None:
    on_side, on_part = [], []
    for made in pictures:
        for side in SIDES:
            for joint, name in enumerate(JOINTS, SLOTS[side].start):
                if not made.visible[joint]:
                    continue
                x, y = made.joints_px[joint].round().astype(int)
                around = made.parts[max(y - 2, 0) : y + 3, max(x - 2, 0) : x + 3].astype(int) - FIRST_PART[side]
                on_side.append(((around >= 0) & (around < PARTS_PER_HAND)).any())
                on_part.append(np.isin(around, own_parts(name)).any())
    assert len(on_side) > 400
    assert np.mean(on_side) >= 0.99
    assert np.mean(on_part) >= 0.97


def test_parts_belong_to_hands_that_are_there(pictures: list[Picture]) -> None:
    seen = 0
    for made in pictures:
        for side, there in zip(SIDES, made.hands, strict=True):
            first = FIRST_PART[side]
            drawn = int(((made.parts >= first) & (made.parts < first + PARTS_PER_HAND)).sum())
            seen += drawn > 100
            assert there or drawn == 0
            assert there or not made.joints_mm[SLOTS[side]].any()
            assert there or not made.joint_valid[SLOTS[side]].any()
    assert seen > 40


def test_nearer_hand_covers_the_other(model: HandModel) -> None:
    """Each pixel of two hands shows the one that is nearer when each is drawn alone."""
    compared = 0
    for index in range(60):
        rng = np.random.default_rng([4, index])
        scene = sample_scene(rng, model, SIZE)
        if len(scene.hands) < 2:
            continue
        renderer, look = shared_renderer(SIZE), dataclasses.replace(sample_look(rng), sleeve_edge_mm=-1e4)
        both = renderer.draw(scene.hands, scene.K, look)
        alone = {side: renderer.draw({side: hand}, scene.K, look) for side, hand in scene.hands.items()}
        overlap = np.all([drawn.depth_mm < FAR_MM - 100 for drawn in alone.values()], axis=0)
        right_is_nearer = alone["right"].depth_mm < alone["left"].depth_mm
        apart = overlap & (np.abs(alone["right"].depth_mm - alone["left"].depth_mm) > 0.5)
        nearer = np.where(right_is_nearer, alone["right"].parts, alone["left"].parts)
        np.testing.assert_array_equal(both.parts[apart], nearer[apart])
        depth = np.minimum(alone["right"].depth_mm, alone["left"].depth_mm)
        np.testing.assert_allclose(both.depth_mm[overlap], depth[overlap], atol=0.01)
        compared += int(apart.sum())
    assert compared > 5000


def test_left_hand_is_drawn_as_the_mirrored_right_one(model: HandModel) -> None:
    rng = np.random.default_rng([8, 1])
    scene = sample_scene(rng, model, SIZE)
    (side, hand), *_ = scene.hands.items()
    other = "left" if side == "right" else "right"
    K_mirrored = scene.K.copy()
    K_mirrored[0, 2] = SIZE - 1 - scene.K[0, 2]
    renderer, look = shared_renderer(SIZE), sample_look(rng)
    drawn = renderer.draw({side: hand}, scene.K, look)
    mirrored = renderer.draw({other: mirror_x(hand)}, K_mirrored, look)
    assert (drawn.parts > 0).sum() > 2000
    # A pixel whose centre lies on an edge may fall to either side.
    assert (mirrored_parts()[drawn.parts[:, ::-1]] == mirrored.parts).mean() > 0.998


def test_hands_meet_without_running_into_each_other(model: HandModel) -> None:
    gaps = []
    for index in range(200):
        scene = sample_scene(np.random.default_rng([1, index]), model, SIZE)
        if len(scene.hands) == 2:
            gaps.append(gap_mm(scene.hands))
    assert len(gaps) > 80
    assert min(gaps) >= -SOFTNESS_MM - 0.1
    assert np.mean(np.array(gaps) < 4) > 0.25  # and many do touch


def test_hands_are_in_front_of_the_camera(pictures: list[Picture]) -> None:
    for made in pictures:
        there = np.repeat(made.hands > 0, len(JOINTS))
        assert (made.joints_mm[there, 2] > 100).all()
        assert (made.joints_mm[there, 2] < 1500).all()


def test_every_hand_shows_something(pictures: list[Picture]) -> None:
    for made in pictures:
        assert shows_its_hands(made)
        covered = np.where(made.parts >= FIRST_PART["left"], 0, made.parts).astype(np.uint8)  # no left hand is left
        assert shows_its_hands(dataclasses.replace(made, parts=covered)) == (not made.hands[SIDES.index("left")])
        hidden = dataclasses.replace(made, visible=np.zeros_like(made.visible))
        assert not shows_its_hands(hidden)
