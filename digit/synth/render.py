"""Draw placed hands, people and things with OpenGL: colour, coverage, part labels, depth (EGL; llvmpipe or a GPU)."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import moderngl
import numpy as np

from digit.errors import UserError
from digit.skeleton import FIRST_PART, PARTS_PER_HAND
from digit.synth import shaders
from digit.synth.anny_hand import WRIST_BORDER_MM
from digit.synth.appearance import Look
from digit.synth.hand_model import HandModel, PosedHand, vertex_normals
from digit.synth.prop_painter import PropPainter
from digit.synth.props import Prop

NEAR_MM, FAR_MM = 40.0, 4000.0
_SHADOW_SIZE = 256
#: Arms farther than this from the wrist cast no shadow, which keeps the shadow map fine.
_SHADOW_ARM_MM = 120.0
#: Behind the camera: the shadow map of a picture without hands is empty.
_NOWHERE_MM = np.array([[0.0, 0.0, -500.0], [10.0, 10.0, -490.0]])


@dataclass(frozen=True, slots=True)
class Rendering:
    """One drawn picture of side ``size``."""

    colour: np.ndarray  # (size, size, 3) float32, linear light, already weighted by coverage
    coverage: np.ndarray  # (size, size) float32, 0..1
    parts: np.ndarray  # (size, size) uint8 part classes
    depth_mm: np.ndarray  # (size, size) float32 camera z, FAR_MM where nothing was drawn


class Renderer:
    """One GL context, programs and targets; use it from the thread that made it. Several may take turns."""

    def __init__(self, model: HandModel, size: int) -> None:
        try:
            settings: Any = {"backend": "egl"}  # its stub asks for a dict in place of the name
            self._ctx: Any = moderngl.create_context(standalone=True, **settings)
        except Exception as error:
            raise UserError(
                "The pictures cannot be drawn because no EGL display was found: install libegl1 and libgl1-mesa-dri."
            ) from error
        ctx = self._ctx
        self._model, self._size = model, size
        self._colour_program = ctx.program(vertex_shader=shaders.VERTEX, fragment_shader=shaders.COLOUR)
        self._label_program = ctx.program(vertex_shader=shaders.VERTEX, fragment_shader=shaders.LABEL)
        self._shadow_program = ctx.program(vertex_shader=shaders.SHADOW_VERTEX, fragment_shader=shaders.SHADOW_FRAGMENT)
        self._shadow_map = ctx.depth_texture((_SHADOW_SIZE, _SHADOW_SIZE))
        self._shadow_map.compare_func = "<="
        self._shadow_map.repeat_x = self._shadow_map.repeat_y = False
        self._shadow_target = ctx.framebuffer(depth_attachment=self._shadow_map)
        square = (size, size)
        depth = ctx.depth_texture(square)
        self._labels = ctx.framebuffer(ctx.renderbuffer(square, 1), depth)
        self._colour = ctx.framebuffer(ctx.renderbuffer(square, 4, dtype="f2"), depth)
        self._colour.depth_mask = False
        ctx.depth_func = "<="
        self._props = PropPainter(ctx)
        self._buffers, self._arrays = {}, {}
        for side in ("right", "left"):
            self._add_side(side)

    def _add_side(self, side: str) -> None:
        model, ctx = self._model, self._ctx
        faces = model.faces if side == "right" else model.faces[:, ::-1]
        rest = model.vertices_mm[0]
        back = vertex_normals(rest, model.faces, model.vertex_faces)[:, 2]
        surface = np.stack([model.nail, model.crease_mm, rest[:, 1], back], 1)
        fixed = np.concatenate([rest, model.parts, surface], 1).astype("f4")
        moving = ctx.buffer(reserve=len(rest) * 24, dynamic=True)
        static = ctx.buffer(fixed.tobytes())
        index = ctx.buffer(np.ascontiguousarray(faces, "i4").tobytes())
        attributes = ["in_rest", "in_parts0", "in_parts1", "in_parts2", "in_parts3", "in_surface"]
        formats = {"in_position": "3f", "in_normal": "3f", "in_rest": "3f"}

        def array(program: Any) -> Any:
            def content(buffer: Any, names: list[str]) -> tuple[Any, ...]:
                present = [(formats.get(n, "4f"), n if n in program else None) for n in names]
                layout = " ".join(f if n else f"{int(f[0]) * 4}x" for f, n in present)
                return (buffer, layout, *[n for _, n in present if n])

            contents = (content(moving, ["in_position", "in_normal"]), content(static, attributes))
            return ctx.vertex_array(program, [c for c in contents if len(c) > 2], index_buffer=index)

        self._buffers[side] = moving
        self._arrays[side] = {
            "colour": array(self._colour_program),
            "label": array(self._label_program),
            "shadow": array(self._shadow_program),
        }

    def draw(self, hands: dict[str, PosedHand], K: np.ndarray, look: Look, props: Sequence[Prop] = ()) -> Rendering:
        """Draw hands placed in camera space (mm), by side, and what else is there (part 0, background)."""
        with self._ctx:  # another renderer's context may be the current one
            return self._draw(hands, K, look, props)

    def _draw(self, hands: dict[str, PosedHand], K: np.ndarray, look: Look, props: Sequence[Prop]) -> Rendering:
        ctx, model = self._ctx, self._model
        rest = model.vertices_mm[0]
        for side, hand in hands.items():
            faces = model.faces if side == "right" else model.faces[:, ::-1]
            normals = vertex_normals(hand.vertices_mm, faces, model.vertex_faces)
            thickness = look.sleeve_mm * np.clip((look.sleeve_edge_mm - rest[:, 1]) / 3.0, 0.0, 1.0)
            outer = hand.vertices_mm + normals * thickness[:, None]
            self._buffers[side].write(np.concatenate([outer, normals], 1).astype("f4").tobytes())

        clip = _clip_from_camera(K, self._size)
        near_hand = rest[:, 1] > -_SHADOW_ARM_MM
        casting = np.concatenate([h.vertices_mm[near_hand] for h in hands.values()] or [_NOWHERE_MM])
        shadow = _shadow_from_camera(casting, look.light_dirs[0])
        ctx.enable(moderngl.DEPTH_TEST)
        self._shadow_target.use()
        self._shadow_target.clear(depth=1.0)
        self._shadow_program["clip_from_camera"].write(_column_major(shadow))
        for side in hands:
            self._arrays[side]["shadow"].render()

        self._labels.use()
        self._labels.clear(depth=1.0)
        self._label_program["clip_from_camera"].write(_column_major(clip))
        self._label_program["wrist_border"].value = WRIST_BORDER_MM
        for side in hands:
            self._label_program["first_part"].value = FIRST_PART[side]
            self._arrays[side]["label"].render()
        for prop in props:
            self._props.label(prop, clip)

        # On the depths of the labels: only what is seen is shaded.
        self._colour.use()
        self._colour.clear()
        self._shadow_map.use(0)
        half = np.array([[0.5, 0, 0, 0.5], [0, 0.5, 0, 0.5], [0, 0, 0.5, 0.5], [0, 0, 0, 1]])
        self._set_look(look, clip, half @ shadow)
        for side in hands:
            self._arrays[side]["colour"].render()
        for prop in props:
            self._props.paint(prop, clip, half @ shadow, look)
        return self._read()

    def _set_look(self, look: Look, clip: np.ndarray, shadow: np.ndarray) -> None:
        values: dict[str, Any] = {
            "skin": look.skin, "palm": look.palm, "blush": look.blush, "nail": look.nail, "cloth": look.cloth,
            "cloth2": look.cloth2, "sleeve_edge": look.sleeve_edge_mm, "cloth_scale": look.cloth_scale,
            "roughness": look.gloss, "bump": look.bump_mm, "spots": look.spots, "creases": look.creases,
            "veins": look.veins, "band": look.band, "band_colour": look.band_colour, "ring": look.ring,
            "seed": look.noise_seed,
            "ambient_up": look.ambient_up, "ambient_down": look.ambient_down, "up": look.up,
            "light_dir": look.light_dirs, "light_colour": look.light_colours, "shadow_strength": look.shadow_strength,
        }  # fmt: skip
        for name, value in values.items():
            self._colour_program[name].write(np.asarray(value, "f4").tobytes())
        self._colour_program["clip_from_camera"].write(_column_major(clip))
        self._colour_program["shadow_from_camera"].write(_column_major(shadow))

    def _read(self) -> Rendering:
        size = self._size
        rgba = np.frombuffer(self._colour.read(components=4, dtype="f4"), "f4").reshape(size, size, 4)
        parts = np.frombuffer(self._labels.read(components=1, alignment=1), np.uint8).reshape(size, size)
        depth = np.frombuffer(self._labels.read(components=1, attachment=-1, dtype="f4"), "f4").reshape(size, size)
        z_mm = 2 * FAR_MM * NEAR_MM / (FAR_MM + NEAR_MM - (2 * depth - 1) * (FAR_MM - NEAR_MM))
        # Blurring colour and coverage together softens all edges; multisampling costs twice the whole drawing on a CPU.
        rgba = cv2.GaussianBlur(rgba, (0, 0), 0.6)
        assert parts.max(initial=0) <= 2 * PARTS_PER_HAND
        return Rendering(cv2.cvtColor(rgba, cv2.COLOR_RGBA2RGB), cv2.extractChannel(rgba, 3), parts.copy(), z_mm)


@functools.cache
def shared_renderer(size: int) -> Renderer:
    """The renderer of this process, made once."""
    from digit.synth import hand_model

    return Renderer(hand_model.shared(), size)


def _clip_from_camera(K: np.ndarray, size: int) -> np.ndarray:
    """(4, 4) OpenGL clip matrix of a pinhole camera whose pixel (0, 0) is the top-left pixel's centre.

    Rows are drawn top first (y is not flipped), so that read-back needs no flip.
    """
    fx, fy, cx, cy = K[0, 0], K[1, 1], K[0, 2] + 0.5, K[1, 2] + 0.5
    near, far = NEAR_MM, FAR_MM
    return np.array(
        [
            [2 * fx / size, 2 * K[0, 1] / size, 2 * cx / size - 1, 0],
            [0, 2 * fy / size, 2 * cy / size - 1, 0],
            [0, 0, (far + near) / (far - near), -2 * far * near / (far - near)],
            [0, 0, 1, 0],
        ]
    )


def _shadow_from_camera(points_mm: np.ndarray, light_dir: np.ndarray) -> np.ndarray:
    """(4, 4) orthographic clip matrix that looks along the light and holds all points."""
    z = -np.asarray(light_dir)
    x = np.cross(z, [0.31, 0.95, 0.05])
    x /= np.linalg.norm(x)
    turn = np.stack([x, np.cross(z, x), z])
    seen = points_mm[::3] @ turn.T
    low, high = seen.min(0) - 8, seen.max(0) + 8
    scale = 2 / (high - low)
    matrix = np.eye(4)
    matrix[:3, :3] = turn * scale[:, None]
    matrix[:3, 3] = -(high + low) / (high - low)
    return matrix


def _column_major(matrix: np.ndarray) -> bytes:
    return np.ascontiguousarray(matrix.T, "f4").tobytes()
