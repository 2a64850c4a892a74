from dataclasses import replace

import numpy as np
import pytest
from PyQt6.QtCore import QPoint, QPointF, Qt
from PyQt6.QtGui import QWheelEvent
from PyQt6.QtWidgets import QApplication

from demo.gui.hand_mesh import VERTICES, WORLD_FROM_CAMERA, hand_vertices, world_from_camera
from demo.gui.hands_view import FOLLOW, HandsView
from demo.records import Scene
from digit.skeleton import JOINTS, WRIST
from tests.gui import hands


@pytest.fixture
def view(qtbot):
    view = HandsView()
    qtbot.addWidget(view, before_close_func=lambda v: v.release())
    view.resize(360, 300)
    view.show()
    qtbot.waitExposed(view)
    return view


def coloured(picture: np.ndarray) -> np.ndarray:
    """(H, W) where a pixel is far from grey; ground, grid and shadows are not."""
    return np.ptp(picture.astype(int), axis=-1) > 45


def middle(mask: np.ndarray) -> tuple[float, float]:
    y, x = np.nonzero(mask)
    return float(x.mean()), float(y.mean())


def after(scene: Scene, seconds: float) -> Scene:
    """The scene so long after its time."""
    return replace(scene, frame=replace(scene.frame, time_ns=scene.frame.time_ns + round(seconds * 1e9)))


def shifted(scene: Scene, right_mm: float = 0.0, left_mm: float = 0.0) -> Scene:
    """The scene with each hand so far further to the picture's right."""
    by = {"right": (right_mm, 0, 0), "left": (left_mm, 0, 0)}
    return replace(scene, hands=tuple(replace(h, joints_mm=np.add(h.joints_mm, by[h.side])) for h in scene.hands))


def test_hands_have_their_colours_and_no_hand_has_none(view) -> None:
    assert not coloured(view.picture()).any()
    view.show_scene(hands.scene())
    assert coloured(view.picture()).sum() > 1500
    view.show_scene(hands.scene(sides=()))
    assert not coloured(view.picture()).any()


def test_the_right_hand_is_darker(view) -> None:
    brightness = {}
    for side in ("right", "left"):
        view.show_scene(hands.scene(sides=(side,)))
        picture = view.picture()
        brightness[side] = picture[coloured(picture)].mean()
    assert brightness["right"] < 0.8 * brightness["left"]


def test_the_front_view_is_upright_and_not_mirrored(view) -> None:
    view.show_scene(hands.scene())
    both = coloured(view.picture())
    view.show_scene(hands.scene(sides=("right",)))
    right = coloured(view.picture())
    # The camera sees a person's right hand on the left, and raised fingers above the wrist.
    assert middle(right)[0] < middle(both)[0] + 40
    assert np.linalg.det(WORLD_FROM_CAMERA) == pytest.approx(1)
    joints = world_from_camera(hands.hand_joints_mm("right"))
    assert joints[JOINTS.index("middle4"), 2] > joints[WRIST, 2]
    assert joints[JOINTS.index("thumb4"), 0] > joints[JOINTS.index("pinky4"), 0]


def test_hands_far_apart_are_both_seen_until_a_person_zooms(view, qtbot) -> None:
    near = hands.scene()
    apart = shifted(near, right_mm=-350, left_mm=350)
    view.show_scene(near)
    close = view.camera.scale_factor
    for n in range(1, 81):
        view.show_scene(after(apart, n / 30))
    mask = coloured(view.picture())
    assert mask[:, : mask.shape[1] // 2].any() and mask[:, mask.shape[1] // 2 :].any()
    assert not mask[:, [0, -1]].any()
    assert view.camera.scale_factor > close
    wheel(view, 1)
    chosen = view.camera.scale_factor
    for n in range(81, 101):
        view.show_scene(after(near, n / 30))
    assert view.camera.scale_factor == chosen


@pytest.mark.parametrize("fps", [6, 60])
def test_hands_are_followed_as_fast_at_any_frame_rate(view, fps: int) -> None:
    scene = hands.scene()
    view.show_scene(scene)
    x = view.camera.center[0]
    for n in range(1, fps // 2 + 1):
        view.show_scene(after(shifted(scene, 100, 100), n / fps))
    assert view.camera.center[0] - x == pytest.approx(100 * (1 - (1 - FOLLOW) ** 15), rel=0.01)


@pytest.mark.parametrize("seconds", [-0.5, 5.0])
def test_after_a_seek_the_hands_are_in_the_middle_at_once(view, seconds: float) -> None:
    scene = hands.scene()
    view.show_scene(scene)
    x = view.camera.center[0]
    view.show_scene(after(shifted(scene, 300, 300), seconds))
    assert view.camera.center[0] == pytest.approx(x + 300)


def test_no_source_no_hands(view) -> None:
    view.show_scene(hands.scene())
    view.clear()
    assert not coloured(view.picture()).any()


def wheel(view: HandsView, steps: int) -> None:
    at = QPointF(view.rect().center())
    no = Qt.KeyboardModifier.NoModifier, Qt.ScrollPhase.NoScrollPhase, False
    QApplication.sendEvent(view, QWheelEvent(at, at, QPoint(), QPoint(0, 120 * steps), Qt.MouseButton.NoButton, *no))


def test_named_views_show_different_sides(view) -> None:
    view.show_scene(hands.scene())
    pictures = {}
    for name in ("front", "side", "top"):
        view.show_view(name)
        assert view.view == name
        pictures[name] = view.picture().astype(int)
    assert np.abs(pictures["front"] - pictures["side"]).mean() > 2
    assert np.abs(pictures["side"] - pictures["top"]).mean() > 2


def test_a_drag_turns_and_a_named_view_comes_back(view, qtbot) -> None:
    qtbot.mousePress(view, Qt.MouseButton.LeftButton, pos=QPoint(100, 100))
    qtbot.mouseMove(view, QPoint(140, 120))
    qtbot.mouseRelease(view, Qt.MouseButton.LeftButton, pos=QPoint(140, 120))
    assert view.view == ""
    view.show_view("front")
    assert view.view == "front"


def test_from_below_the_shadows_do_not_cover_the_hands(view, qtbot) -> None:
    def shadowless() -> np.ndarray:
        for shadow in view._shadows.values():
            shadow.visible = False
        return view.picture()

    view.show_scene(hands.scene())
    assert (view.picture() != shadowless()).any()
    view.show_scene(hands.scene())
    qtbot.mousePress(view, Qt.MouseButton.LeftButton, pos=QPoint(100, 200))
    qtbot.mouseMove(view, QPoint(100, 80))
    qtbot.mouseRelease(view, Qt.MouseButton.LeftButton, pos=QPoint(100, 80))
    assert view.camera.elevation == -60
    assert (view.picture() == shadowless()).all()


def test_a_bone_of_no_length_is_no_fault() -> None:
    positions, normals = hand_vertices(np.zeros((21, 3)))
    assert positions.shape == normals.shape == (VERTICES, 3)
    assert np.isfinite(positions).all()
    assert np.isfinite(normals).all()


def test_vertices_lie_on_the_hand() -> None:
    joints = hands.hand_joints_mm("left")
    positions, normals = hand_vertices(joints)
    assert np.linalg.norm(normals, axis=1) == pytest.approx(1, abs=1e-5)
    assert (positions.min(0) > joints.min(0) - 13).all()
    assert (positions.max(0) < joints.max(0) + 13).all()
