"""People and things hide hands, carry no labels, and leave hands in front of them alone."""

import dataclasses

import numpy as np
import pytest

from digit.synth.appearance import sample_look
from digit.synth.generate import SIZE, person_without_hands
from digit.synth.hand_model import HandModel
from digit.synth.people import person_view, sample_person, sample_props
from digit.synth.props import THINGS, bodies
from digit.synth.render import FAR_MM, shared_renderer
from digit.synth.scenes import SyntheticScene, sample_scene


def scenes(model: HandModel, count: int) -> list[tuple[np.random.Generator, SyntheticScene]]:
    rngs = [np.random.default_rng([17, index]) for index in range(count)]
    return [(rng, sample_scene(rng, model, SIZE)) for rng in rngs]


def test_a_person_behind_changes_no_mask_of_hands(model: HandModel) -> None:
    seen = 0
    for rng, scene in scenes(model, 14):
        look = dataclasses.replace(sample_look(rng), sleeve_edge_mm=-1e4)
        props = [p for p in sample_props(rng, scene.hands, scene.K, SIZE, look, True) if isinstance(p.mesh, int)]
        alone = shared_renderer(SIZE).draw(scene.hands, scene.K, look)
        drawn = shared_renderer(SIZE).draw(scene.hands, scene.K, look, props)
        hidden = (alone.parts > 0) & (drawn.parts == 0)
        assert hidden.sum() <= 0.02 * (alone.parts > 0).sum()
        np.testing.assert_array_equal(drawn.parts[~hidden], alone.parts[~hidden])
        seen += int(((alone.depth_mm > FAR_MM - 1) & (drawn.depth_mm < FAR_MM - 1)).sum() > 500)
    assert seen >= 3


def test_a_thing_hides_what_is_behind_it(model: HandModel) -> None:
    compared = 0
    for rng, scene in scenes(model, 60):
        look = sample_look(rng)
        props = sample_props(rng, scene.hands, scene.K, SIZE, look, False)
        assert all(p.mesh in THINGS for p in props)
        if not props:
            continue
        hands = shared_renderer(SIZE).draw(scene.hands, scene.K, look)
        both = shared_renderer(SIZE).draw(scene.hands, scene.K, look, props)
        things = shared_renderer(SIZE).draw({}, scene.K, look, props)
        clear = np.abs(things.depth_mm - hands.depth_mm) > 0.5
        wanted = np.where(things.depth_mm < hands.depth_mm, 0, hands.parts)
        np.testing.assert_array_equal(both.parts[clear], wanted[clear])
        assert not things.parts.any()
        compared += int((clear & (hands.parts > 0) & (wanted == 0)).sum())
    assert compared > 500


def test_bodies_have_eyes_between_which_their_frame_begins() -> None:
    found = bodies()
    for mesh, eye_x in zip(found.meshes, found.eye_x_mm, strict=True):
        eyes = mesh.vertices_mm[mesh.paint[:, 2] > 0.5]
        np.testing.assert_allclose(eyes.mean(0)[:2], 0, atol=2)
        assert 20 < eye_x < 45
        lips = mesh.vertices_mm[mesh.paint[:, 0] > 0.5]
        assert (lips[:, 1] < -40).all() and (lips[:, 2] > 0).all()
        assert np.isfinite(mesh.normals).all()


def test_a_face_shows_at_its_place_and_upright() -> None:
    rng = np.random.default_rng(3)
    look = sample_look(rng)
    K = np.array([[300.0, 0, 160], [0, 300, 160], [0, 0, 1]])
    person = sample_person(rng, look, person_view(rng), np.array([0.0, 0.0, 500.0]))
    drawn = shared_renderer(SIZE).draw({}, K, look, (person,))
    assert 380 < drawn.depth_mm[160, 160] < 500  # the face is in front of the eyes' axis
    body = drawn.depth_mm < FAR_MM - 1
    assert body[-1].sum() > body[0].sum()  # shoulders below, air above


@pytest.mark.parametrize("size", [320, 256])
def test_people_without_hands_are_pictures(size: int) -> None:
    one, again, other = (person_without_hands(np.random.default_rng(seed), size) for seed in (1, 1, 2))
    assert one.shape == (size, size, 3) and one.dtype == np.uint8
    np.testing.assert_array_equal(one, again)
    assert (one != other).any()
