from dataclasses import replace

import numpy as np
import pytest

from demo.approach import InTurn
from demo.overlay import crop_corners_px, paint
from demo.palette import JOINT_RGB, PART_RGB
from demo.pipeline import Pipeline
from demo.records import Frame, Scene, SeenCrop
from demo.settings import OverlayOptions, Settings
from digit.skeleton import FIRST_PART, PARTS_PER_HAND
from tests.demo.scripted import ColourBackend, ColourDetector, draw_hands

NOTHING = OverlayOptions(parts=False, joints=False, bones=False, crop=False)


@pytest.fixture
def scene() -> Scene:
    image = draw_hands(360, 640, right=(220, 180), left=(400, 160))
    return Pipeline(Settings(), ColourBackend(), InTurn(ColourDetector()))(Frame(0, 1, image))


def changed(scene: Scene, options: OverlayOptions) -> np.ndarray:
    """(H, W) which pixels the painter changed."""
    return (paint(scene.frame.image, scene, options) != scene.frame.image).any(axis=2)


def test_nothing_chosen_changes_nothing_and_the_input_never_changes(scene: Scene) -> None:
    before = scene.frame.image.copy()
    assert not changed(scene, NOTHING).any()
    assert changed(scene, OverlayOptions(crop=True)).any()
    assert (scene.frame.image == before).all()


@pytest.mark.parametrize("what", ["parts", "joints", "bones", "crop"])
def test_each_toggle_paints_something_of_its_own(scene: Scene, what: str) -> None:
    assert changed(scene, replace(NOTHING, **{what: True})).any()


def test_parts_lie_on_the_hands(scene: Scene) -> None:
    on_hands = (scene.frame.image != 40).any(axis=2)
    painted = changed(scene, replace(NOTHING, parts=True))
    assert (painted & on_hands).sum() > 0.95 * on_hands.sum()
    assert (painted & ~on_hands).sum() < 0.1 * on_hands.sum()


def test_opacity_blends(scene: Scene) -> None:
    (right, left) = ((180, 220), (160, 400))
    for (row, column), side in ((right, "right"), (left, "left")):
        pixel = scene.frame.image[row, column].astype(float)
        full = PART_RGB[FIRST_PART[side]].astype(float)
        for opacity in (0.0, 0.25, 1.0):
            painted = paint(scene.frame.image, scene, replace(NOTHING, parts=True, opacity=opacity))
            assert painted[row, column] == pytest.approx((1 - opacity) * pixel + opacity * full, abs=2)


def test_joints_are_painted_where_they_are_in_their_colour(scene: Scene) -> None:
    painted = paint(scene.frame.image, scene, replace(NOTHING, joints=True))
    for hand, first in zip(scene.hands, (0, 21), strict=True):
        x, y = np.rint(hand.joints_px[20]).astype(int)
        assert painted[y, x] == pytest.approx(JOINT_RGB[first + 20], abs=25)


def test_without_hands_there_are_no_parts(scene: Scene) -> None:
    assert not changed(replace(scene, hands=()), OverlayOptions()).any()


def test_uncertain_joints_are_faint(scene: Scene) -> None:
    image, hand = scene.frame.image, scene.hands[0]
    unsure = replace(hand, confidence=np.where(np.arange(21) == 20, 0.2, 0.9).astype(np.float32))
    clear, faint = (
        paint(image, replace(scene, hands=(shown,)), replace(NOTHING, joints=True)).astype(int)
        for shown in (hand, unsure)
    )
    x, y = np.rint(hand.joints_px[20]).astype(int)
    assert faint[y, x] == pytest.approx(image[y, x] + 0.35 * (clear[y, x] - image[y, x]), abs=2)
    x, y = np.rint(hand.joints_px[0]).astype(int)
    assert (faint[y, x] == clear[y, x]).all()


def test_a_bone_is_as_sure_as_its_less_sure_end(scene: Scene) -> None:
    image, hand = scene.frame.image, scene.hands[0]
    tip_unsure = replace(hand, confidence=np.where(np.arange(21) == 4, 0.2, 0.9).astype(np.float32))
    painted = [
        paint(image, replace(scene, hands=(shown,)), replace(NOTHING, bones=True)).astype(int)
        for shown in (hand, tip_unsure)
    ]
    differs = np.argwhere((painted[0] != painted[1]).any(axis=2))[:, ::-1]
    ends = hand.joints_px[[4, 5]]
    assert len(differs) > 0
    assert (differs >= ends.min(axis=0) - 3).all() and (differs <= ends.max(axis=0) + 3).all()


def test_far_outside_joints_and_a_tiny_picture_do_no_harm(scene: Scene) -> None:
    hand = replace(scene.hands[0], joints_px=np.full((21, 2), [1e9, -np.inf], np.float32))
    wild = replace(scene, hands=(hand,), image_from_crop=np.array([[1.0, 0, 5000], [0, 1.0, 5000]]))
    assert not (paint(scene.frame.image, wild, OverlayOptions(crop=True)) != scene.frame.image).any()
    assert paint(scene.frame.image[:1, :1], scene, OverlayOptions(crop=True)).shape == (1, 1, 3)


def test_hands_that_were_seen_alone_are_painted_from_their_own_crops(scene: Scene) -> None:
    assert scene.image_from_crop is not None and scene.part_labels is not None
    corner = SeenCrop(np.array([[0.25, 0, 10], [0, 0.25, 20]]), np.full((128, 128), FIRST_PART["left"], np.uint8))
    other = replace(corner, image_from_crop=np.array([[0.25, 0, 210], [0, 0.25, 220]]))
    apart = replace(scene, own_crops=(corner, other))
    rows, columns = np.nonzero(changed(apart, replace(NOTHING, parts=True)))
    assert (rows.min(), columns.min()) == pytest.approx((20, 10), abs=1)
    assert (rows.max(), columns.max()) == pytest.approx((284, 274), abs=1)
    assert not changed(apart, replace(NOTHING, parts=True))[20:80, 100:200].any()  # between the two
    assert changed(apart, replace(NOTHING, crop=True)).any()
    nobody = replace(apart, hands=())
    assert not changed(nobody, replace(NOTHING, parts=True)).any()


def test_corners_are_the_outer_edges_of_the_crop() -> None:
    corners = crop_corners_px(np.array([[0.5, 0, 10], [0, 0.5, 20]]))
    assert corners.tolist() == [[9.75, 19.75], [137.75, 19.75], [137.75, 147.75], [9.75, 147.75]]


def test_the_right_hand_is_the_darker_and_parts_differ() -> None:
    right = PART_RGB[FIRST_PART["right"] :][:PARTS_PER_HAND].astype(int)
    left = PART_RGB[FIRST_PART["left"] :][:PARTS_PER_HAND].astype(int)
    assert (right.sum(axis=1) < left.sum(axis=1)).all()
    assert len(np.unique(PART_RGB, axis=0)) == len(PART_RGB)
