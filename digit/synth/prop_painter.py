"""Draw people and things with OpenGL into the pictures of `digit.synth.render`."""

from typing import Any

import numpy as np

from digit.synth import prop_shaders
from digit.synth.appearance import Look
from digit.synth.props import THINGS, Mesh, Prop, bodies


class PropPainter:
    """Programs and meshes of one GL context; each mesh is loaded when it is first drawn."""

    def __init__(self, ctx: Any) -> None:
        self._ctx = ctx
        self._colour_program = ctx.program(vertex_shader=prop_shaders.VERTEX, fragment_shader=prop_shaders.COLOUR)
        self._label_program = ctx.program(vertex_shader=prop_shaders.VERTEX, fragment_shader=prop_shaders.LABEL)
        self._arrays: dict[tuple[int | str, str], Any] = {}

    def label(self, prop: Prop, clip_from_camera: np.ndarray) -> None:
        """Draw it as background, so that it hides what is behind it."""
        self._place(self._label_program, prop, clip_from_camera)
        self._array(prop.mesh, "label").render()

    def paint(self, prop: Prop, clip_from_camera: np.ndarray, shadow_from_camera: np.ndarray, look: Look) -> None:
        """Draw its colours in the light of ``look``; the hands' shadow map is bound to texture 0."""
        program = self._colour_program
        self._place(program, prop, clip_from_camera)
        values: dict[str, Any] = {
            "skin": prop.skin, "blush": prop.blush, "lips": prop.lips, "hair": prop.hair, "iris": prop.iris,
            "cloth": prop.cloth, "cloth2": prop.cloth2, "cloth_scale": prop.cloth_scale, "gloss": prop.gloss,
            "seed": prop.seed, "eye_x": _eye_x(prop.mesh),
            "ambient_up": look.ambient_up, "ambient_down": look.ambient_down, "up": look.up,
            "light_dir": look.light_dirs, "light_colour": look.light_colours, "shadow_strength": look.shadow_strength,
        }  # fmt: skip
        for name, value in values.items():
            program[name].write(np.asarray(value, "f4").tobytes())
        program["shadow_from_camera"].write(np.ascontiguousarray(shadow_from_camera.T, "f4").tobytes())
        self._array(prop.mesh, "colour").render()

    def _place(self, program: Any, prop: Prop, clip_from_camera: np.ndarray) -> None:
        person = isinstance(prop.mesh, int)
        values: dict[str, Any] = {
            "clip_from_camera": clip_from_camera.T, "camera_from_prop": prop.camera_from_prop.T,
            "stretch": prop.stretch, "is_person": float(person), "hair_shape": prop.hair_shape,
            "head": float(bodies().scale[prop.mesh]) if isinstance(prop.mesh, int) else 1.0, "collar": prop.collar_mm,
        }  # fmt: skip
        for name, value in values.items():
            program[name].write(np.ascontiguousarray(value, "f4").tobytes())

    def _array(self, mesh: int | str, kind: str) -> Any:
        if (mesh, kind) not in self._arrays:
            found: Mesh = bodies().meshes[mesh] if isinstance(mesh, int) else THINGS[mesh]
            content = np.concatenate([found.vertices_mm, found.normals, found.paint], 1).astype("f4")
            vertices = self._ctx.buffer(content.tobytes())
            index = self._ctx.buffer(np.ascontiguousarray(found.faces, "i4").tobytes())
            names = ("in_position", "in_normal", "in_paint")
            for which, program in (("colour", self._colour_program), ("label", self._label_program)):
                layout = " ".join("3f" if name in program else "12x" for name in names)
                present = [name for name in names if name in program]
                self._arrays[mesh, which] = self._ctx.vertex_array(
                    program, [(vertices, layout, *present)], index_buffer=index
                )
        return self._arrays[mesh, kind]


def _eye_x(mesh: int | str) -> float:
    """In the head's own measure, as the shader sees it."""
    return float(bodies().eye_x_mm[mesh] / bodies().scale[mesh]) if isinstance(mesh, int) else 0.0
