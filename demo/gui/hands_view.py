"""Both hands in 3D: a vispy canvas with one lit mesh a hand, their shadows, a ground grid and a turntable camera."""

from collections.abc import Mapping
from time import monotonic

import numpy as np
from PyQt6.QtCore import QPointF, Qt
from PyQt6.QtGui import QImage, QMouseEvent, QPainter, QPaintEvent, QResizeEvent, QWheelEvent
from PyQt6.QtOpenGLWidgets import QOpenGLWidget
from PyQt6.QtWidgets import QWidget
from vispy.gloo import IndexBuffer, VertexBuffer, gl
from vispy.scene import SceneCanvas, TurntableCamera
from vispy.scene.node import Node
from vispy.scene.visuals import Line, create_visual_node
from vispy.visuals import Visual
from vispy.visuals.transforms import STTransform

from demo.gui import theme
from demo.gui.hand_mesh import TRIANGLES, VERTICES, hand_vertices, vertex_colors, world_from_camera
from demo.palette import JOINT_RGB
from demo.records import Scene, Side
from digit.skeleton import SLOTS

#: (azimuth, elevation) in degrees of the turntable for each named view. "front" is what the camera sees.
VIEWS: Mapping[str, tuple[float, float]] = {"front": (0.0, 0.0), "side": (90.0, 0.0), "top": (0.0, 89.0)}
VISIBLE_MM = 440.0  # height of what the view shows at the hands
FLOOR_BELOW_MM = 30.0  # the floor lies this far below the lowest joint
GRID_STEP_MM = 50.0
GRID_HALF_MM = 500.0
#: Drawings a second without a graphics card, where the 3D view would take the processor from the network.
SOFTWARE_FPS = 8
SOFTWARE_RENDERERS = ("llvmpipe", "softpipe", "swiftshader", "gdi generic", "basic render")
FOLLOW = 0.08  # share of the way that the camera's centre and the floor go to the hands in each FOLLOW_S
FOLLOW_S = 1 / 30
JUMP_S = 1.0  # hands that come after a longer time, or from before, are centred at once
SHADOWS_FROM_DEG = -5.0  # seen from further below, the shadows would cover the hands
FRAMED = 1.2  # what is seen, over what the hands take

_VERTEX = """
attribute vec3 a_position;
attribute vec3 a_normal;
attribute vec3 a_color;
uniform float u_shadow;
uniform float u_floor;
varying vec3 v_normal;
varying vec3 v_color;
void main() {
    vec3 position = a_position;
    if (u_shadow > 0.5) {
        float height = position.z - u_floor;
        position = vec3(position.xy + height * vec2(0.12, 0.12), u_floor);
    }
    v_normal = a_normal;
    v_color = a_color;
    gl_Position = $transform(vec4(position, 1.0));
}
"""

_FRAGMENT = """
uniform float u_shadow;
uniform vec3 u_shadow_color;
uniform vec3 u_eye;
varying vec3 v_normal;
varying vec3 v_color;
void main() {
    if (u_shadow > 0.5) { gl_FragColor = vec4(u_shadow_color, 1.0); return; }
    vec3 n = normalize(v_normal);
    vec3 key = normalize(u_eye + vec3(-0.3, 0.0, 0.9));
    float diffuse = max(dot(n, key), 0.0);
    float sky = 0.5 + 0.5 * n.z;
    float shine = pow(max(dot(n, normalize(key + u_eye)), 0.0), 36.0);
    float rim = pow(1.0 - max(dot(n, u_eye), 0.0), 3.0);
    vec3 color = v_color * (0.22 + 0.20 * sky + 0.68 * diffuse) + vec3(0.14) * shine + v_color * 0.20 * rim;
    gl_FragColor = vec4(color, 1.0);
}
"""


class HandVisual(Visual):
    """One hand: fixed triangles and colours; `move` uploads new positions and normals only."""

    def __init__(self, colors: np.ndarray, shadow: bool = False) -> None:
        """``colors``: (21, 3) joint colours in [0, 1]."""
        super().__init__(_VERTEX, _FRAGMENT)
        self._positions = VertexBuffer(np.zeros((VERTICES, 3), np.float32))
        self._normals = VertexBuffer(np.zeros((VERTICES, 3), np.float32))
        self.shared_program["a_position"] = self._positions
        self.shared_program["a_normal"] = self._normals
        self.shared_program["a_color"] = VertexBuffer(vertex_colors(colors))
        self.shared_program["u_shadow"] = float(shadow)
        self.shared_program["u_shadow_color"] = (0.043, 0.055, 0.07)
        self.shared_program["u_floor"] = 0.0
        self.shared_program["u_eye"] = (0.0, -1.0, 0.0)
        self._draw_mode = "triangles"
        self._index_buffer = IndexBuffer(TRIANGLES)
        self.set_gl_state("opaque", depth_test=True, cull_face=False)

    def move(self, positions: np.ndarray, normals: np.ndarray) -> None:
        """Place the hand: (VERTICES, 3) float32 world positions in mm and unit normals."""
        self._positions.set_data(positions)
        self._normals.set_data(normals)
        self.update()

    def look(self, eye: tuple[float, float, float], floor: float) -> None:
        """Tell the shader the unit direction towards the viewer and the height of the floor in mm."""
        self.shared_program["u_eye"] = eye
        self.shared_program["u_floor"] = floor

    def _prepare_transforms(self, view: Visual) -> None:
        view.view_program.vert["transform"] = view.transforms.get_transform()


HandNode = create_visual_node(HandVisual)


def _grid() -> tuple[np.ndarray, np.ndarray]:
    """Points (N, 3) and RGBA colours (N, 4) of line pieces on the plane z = 0 that fade towards the rim."""
    ticks = np.arange(-GRID_HALF_MM, GRID_HALF_MM + 1, GRID_STEP_MM)
    fixed, start = np.meshgrid(ticks, ticks[:-1], indexing="ij")
    pieces = np.stack([np.stack([fixed, start], -1), np.stack([fixed, start + GRID_STEP_MM], -1)], 2).reshape(-1, 2)
    points = np.concatenate([pieces, pieces[:, ::-1]])
    alpha = np.clip(1.0 - np.linalg.norm(points, axis=1) / GRID_HALF_MM, 0, 1)
    colors = np.concatenate([np.tile([0.36, 0.42, 0.50], (len(points), 1)), 0.8 * alpha[:, None]], 1)
    return np.c_[points, np.zeros(len(points))].astype(np.float32), colors.astype(np.float32)


def joint_colors() -> dict[Side, np.ndarray]:
    """(21, 3) colours in [0, 1] of each side's joints, as the overlay paints them."""
    return {"right": JOINT_RGB[SLOTS["right"]] / 255, "left": JOINT_RGB[SLOTS["left"]] / 255}


class HandsView(QWidget):
    """Shows what a vispy canvas draws off the screen.

    The canvas is not a child of the window: an OpenGL child makes Qt put every window update together in OpenGL, which
    took half a core without a graphics card, and it would have to stand in the window before that is first shown.
    """

    def __init__(self) -> None:
        super().__init__()
        self.canvas = SceneCanvas(keys=None, bgcolor=theme.PANEL, show=False, app="pyqt6", config={"samples": 4})
        self._offscreen: QOpenGLWidget = self.canvas.native
        self._offscreen.setAttribute(Qt.WidgetAttribute.WA_DontShowOnScreen)
        self._offscreen.setAttribute(Qt.WidgetAttribute.WA_QuitOnClose, False)
        self._offscreen.show()
        self._offscreen.setUpdatesEnabled(False)  # it draws when `refresh` asks, not whenever vispy sees a change
        self.renderer = ""  # as OpenGL names it, from the first drawing on
        self._view = self.canvas.central_widget.add_view()
        self._view.camera = TurntableCamera(fov=28, scale_factor=VISIBLE_MM)
        # Clip at a tenth and ten times the distance: vispy's default leaves too little depth precision.
        self._view.camera.depth_value = 10
        points, fading = _grid()
        self._grid = Line(points, fading, connect="segments", method="gl", parent=self._view.scene)
        self._grid.transform = STTransform()
        self._grid.set_gl_state("translucent", depth_test=True)
        colors = joint_colors()
        self._shadows = {side: self._node(c, shadow=True) for side, c in colors.items()}
        self._hands = {side: self._node(c) for side, c in colors.items()}
        self._center = world_from_camera([0.0, 0.0, 500.0])
        self._panned_mm = np.zeros(3)
        self._floor = -100.0
        self._hands_ns: int | None = None  # when the hands that are followed were last there
        self._zoomed = False  # by a person, who then decides how much is seen
        self._picture: QImage | None = None
        self._stale = True
        self._pace_s, self._drawn_s = 0.0, float("-inf")
        self._dragged_from = QPointF()
        self.canvas.events.draw.connect(self._before_drawing, position="first")
        self.setMinimumSize(240, 180)
        self.setAccessibleName("Both hands in 3D")
        self.show_view("front")

    @property
    def camera(self) -> TurntableCamera:
        """The turntable: azimuth, elevation, scale_factor (mm) and centre."""
        return self._view.camera

    @property
    def view(self) -> str:
        """The named view that the camera stands in; empty once a person has turned it."""
        here = (self.camera.azimuth, self.camera.elevation)
        return next((name for name, angles in VIEWS.items() if np.allclose(here, angles, atol=0.5)), "")

    def show_view(self, name: str) -> None:
        """Turn to one of VIEWS and take back any zoom and shift."""
        self.camera.azimuth, self.camera.elevation = VIEWS[name]
        self.camera.scale_factor = VISIBLE_MM
        self._panned_mm, self._zoomed = np.zeros(3), False
        self._place()

    def show_scene(self, scene: Scene) -> None:
        """Move the hands to this scene's; without hands only the ground is left. `refresh` draws it."""
        joints = {hand.side: world_from_camera(hand.joints_mm) for hand in scene.hands}
        joints = {side: points for side, points in joints.items() if np.isfinite(points).all()}
        for side, node in self._hands.items():
            node.visible = side in joints
            if side in joints:
                positions, normals = hand_vertices(joints[side])
                node.move(positions, normals)
                self._shadows[side].move(positions, normals)
        if joints:
            middle = np.mean([points.mean(0) for points in joints.values()], 0)
            lowest = min(float(points[:, 2].min()) for points in joints.values())
            share = self._share(scene.frame.time_ns)
            self._center = self._center + share * (middle - self._center)
            self._floor += share * (lowest - FLOOR_BELOW_MM - self._floor)
            self._see_all(np.concatenate(list(joints.values())), share)
        self._place()

    def clear(self) -> None:
        """Show no hands, as before the first scene."""
        for node in self._hands.values():
            node.visible = False
        self._hands_ns = None
        self._place()

    @property
    def waited_s(self) -> float:
        """Seconds since it was last drawn."""
        return monotonic() - self._drawn_s

    def refresh(self) -> None:
        """Draw what has changed since the last time. A software renderer waits until it is due again."""
        if self._stale and self.isVisible() and self.waited_s >= self._pace_s:
            self._stale = False
            self._picture = self._offscreen.grabFramebuffer()
            self._drawn_s = monotonic()
            self.update()

    def picture(self) -> np.ndarray:
        """(H, W, 3) uint8 RGB of the view as it is now, in device pixels."""
        image = self._offscreen.grabFramebuffer().convertToFormat(QImage.Format.Format_RGB888)
        pixels = image.constBits().asarray(image.sizeInBytes())
        rows = np.frombuffer(pixels, np.uint8).reshape(image.height(), image.bytesPerLine())
        return rows[:, : 3 * image.width()].reshape(image.height(), image.width(), 3).copy()

    def release(self) -> None:
        """Free the canvas, its hidden widget and its GL context."""
        self.canvas.close()
        self._offscreen.deleteLater()

    def paintEvent(self, event: QPaintEvent | None) -> None:
        painter = QPainter(self)
        if self._picture is not None:
            painter.drawImage(self.rect(), self._picture)
        painter.end()

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        self._offscreen.resize(self.size())
        self._stale = True

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self._dragged_from = event.position()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        moved, self._dragged_from = event.position() - self._dragged_from, event.position()
        if event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
            eye, azimuth = self._eye(), np.radians(self.camera.azimuth)
            right = np.array([np.cos(azimuth), np.sin(azimuth), 0.0])
            mm = self.camera.scale_factor / max(1, min(self.width(), self.height()))
            self._panned_mm += mm * (moved.y() * np.cross(eye, right) - moved.x() * right)
        else:
            self.camera.azimuth -= 0.5 * moved.x()
            self.camera.elevation += 0.5 * moved.y()
        self._place()

    def wheelEvent(self, event: QWheelEvent) -> None:
        steps, self._zoomed = event.angleDelta().y() / 120, True
        self.camera.scale_factor = float(np.clip(self.camera.scale_factor * 1.1**-steps, 60, 3000))
        self._place()

    def _node(self, colors: np.ndarray, shadow: bool = False) -> Node:
        node = HandNode(colors, shadow=shadow, parent=self._view.scene)
        node.visible = False
        return node

    def _share(self, time_ns: int) -> float:
        """Share of the way to the hands of this time; by time, so that a slow loop follows as fast as a quick one."""
        before_ns, self._hands_ns = self._hands_ns, time_ns
        passed_s = (time_ns - before_ns) / 1e9 if before_ns is not None else JUMP_S
        return 1 - (1 - FOLLOW) ** (passed_s / FOLLOW_S) if 0 <= passed_s < JUMP_S else 1.0

    def _see_all(self, points_mm: np.ndarray, share: float) -> None:
        """Step back as far as hands that are apart ask for, and come near again with them."""
        if not self._zoomed:
            longer = max(self.width(), self.height()) / max(1, min(self.width(), self.height()))
            radius_mm = float(np.linalg.norm(points_mm - self._center, axis=1).max())
            wanted_mm = max(VISIBLE_MM, FRAMED * 2 * radius_mm / longer)
            self.camera.scale_factor += share * (wanted_mm - self.camera.scale_factor)

    def _place(self) -> None:
        """Point the camera at the hands; the floor steps under them by whole squares, so that it seems to lie still."""
        x, y, _ = self._center
        step = GRID_STEP_MM
        self._grid.transform.translate = (round(x / step) * step, round(y / step) * step, self._floor)
        self.camera.center = tuple(float(value) for value in self._center + self._panned_mm)
        for side, shadow in self._shadows.items():
            shadow.visible = self._hands[side].visible and self.camera.elevation > SHADOWS_FROM_DEG
        self._stale = True

    def _eye(self) -> np.ndarray:
        """(3,) unit direction from the hands to the viewer."""
        azimuth, elevation = np.radians([self.camera.azimuth, self.camera.elevation])
        return np.array([np.sin(azimuth) * np.cos(elevation), -np.cos(azimuth) * np.cos(elevation), np.sin(elevation)])

    def _before_drawing(self, event: object) -> None:
        if not self.renderer:
            self.renderer = str(gl.glGetParameter(gl.GL_RENDERER))
            if any(name in self.renderer.lower() for name in SOFTWARE_RENDERERS):
                self._pace_s = 1 / SOFTWARE_FPS
        for node in (*self._hands.values(), *self._shadows.values()):
            node.look(tuple(self._eye()), self._floor + 0.5)
