"""``python -m digit.synth.clip``: draw the sample clip of two hands at a webcam that open, count, touch and part.

All is drawn: the hands come from `hand_model`, the room is painted. Hands are given by key poses of a right hand; the
left one is its mirror image.
"""

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from digit.errors import command_line
from digit.geometry import intrinsics_from_fov
from digit.synth import hand_model
from digit.synth.appearance import Look, linear, sample_look, shade_gaps
from digit.synth.contact import gap_mm
from digit.synth.hand_model import ANGLES, PosedHand, mirror_x, place, pose
from digit.synth.meetings import apart
from digit.synth.poses import sample_angles
from digit.synth.render import FAR_MM, shared_renderer
from digit.synth.scenes import view
from digit.synth.video import FPS, write_video

WIDTH, HEIGHT = 1280, 720
SECONDS = 8.0
_SHIRT = (74, 96, 118)
_SKIN = (222, 172, 138)
#: How long each finger follows the thumb, seconds: fingers never move as one.
_LAG_S = {"thumb": 0.0, "index": 0.03, "middle": 0.05, "ring": 0.07, "pinky": 0.09}
#: Thumb flexion and lift in degrees that lay it beside the palm.
_THUMB_BESIDE = (-25.0, -30.0)


@dataclass(frozen=True, slots=True)
class Key:
    """Where one hand is at a time; angles as of a right hand, in degrees."""

    second: float
    shape: str  # one of `poses.SHAPE_NAMES`, or "palms": flat, with the thumb in the palm's plane
    x: float  # mm from the picture's middle, outwards
    y: float  # mm, down
    z: float  # mm from the camera
    turn: float = 0.0  # about the fingers; 0 shows the palm, 90 turns it to the other hand
    pitch: float = 0.0  # fingertips towards the camera
    roll: float = 0.0  # fingertips towards the other hand
    wrist_side: float = 0.0  # brings the elbow outwards


_BELOW, _UP = 420.0, 40.0
_TOGETHER = (
    Key(3.9, "relaxed", 125, 45, 540, 50, 0, 6, -8),
    Key(4.5, "open", 20, 35, 540, 84, -4, 24, -20),  # fingertips touch
    Key(5.0, "open", 20, 35, 540, 84, -4, 24, -20),
    Key(5.4, "palms", 5, 35, 535, 88, -2, 4, -26),  # palms touch
    Key(5.9, "palms", 5, 35, 535, 88, -2, 4, -26),
)
_KEYS: dict[str, tuple[Key, ...]] = {
    "right": (
        Key(0.0, "relaxed", 130, _BELOW, 540, 10),
        Key(0.8, "relaxed", 135, 50, 540, 8, 0, 2, -4),
        Key(1.2, "open", 140, _UP, 530, 0, 0, -2, -4),
        Key(1.5, "open", 140, _UP, 530, 0, 0, -2, -4),
        Key(1.8, "point", 140, _UP, 530, -4, 0, 0, -4),
        Key(2.1, "point", 140, _UP, 530, -4, 0, 0, -4),
        Key(2.35, "victory", 138, _UP, 530, -6, 0, 2, -4),
        Key(2.65, "victory", 138, _UP, 530, -6, 0, 2, -4),
        Key(2.9, "three", 138, _UP, 530, -4, 0, 2, -4),
        Key(3.2, "three", 138, _UP, 530, -4, 0, 2, -4),
        *_TOGETHER,
        Key(6.5, "open", 150, 45, 530, 4, 0, -4, -4),
        Key(6.85, "open", 150, 45, 530, 4, 0, 10, 6),
        Key(7.2, "open", 150, 45, 530, 4, 0, -8, -8),
        Key(7.6, "relaxed", 145, 45, 530, 6, 0, 2, -4),
        Key(8.0, "relaxed", 145, 45, 530, 6, 0, 2, -4),
    ),
    "left": (
        Key(0.15, "relaxed", 130, _BELOW, 550, 10),
        Key(1.0, "relaxed", 140, 55, 550, 10, 0, 2, -4),
        Key(1.4, "open", 145, 45, 540, -4, 0, 0, -4),
        Key(1.9, "open", 145, 45, 540, -4, 0, 0, -4),
        Key(2.5, "relaxed", 145, 55, 545, 14, 0, 2, -4),
        Key(3.2, "relaxed", 145, 55, 545, 16, 0, 2, -4),
        *_TOGETHER,
        Key(6.3, "relaxed", 130, 90, 545, 20, 0, 0, -4),
        Key(6.7, "relaxed", 140, _BELOW, 550, 10),
        Key(7.0, "relaxed", 140, _BELOW, 550, 10),
        Key(7.6, "open", 145, 50, 545, 0, 0, 0, -4),
        Key(8.0, "open", 145, 45, 545, 0, 0, 0, -4),
    ),
}


@command_line
def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m digit.synth.clip", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="MP4 file to write")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="length; the same motion, faster or slower")
    parser.add_argument("--seed", type=int, default=3, help="hand shape, fine motion and noise")
    args = parser.parse_args(argv)
    write_clip(args.out, args.seconds, args.seed)


def write_clip(path: Path, seconds: float = SECONDS, seed: int = 3) -> None:
    """Write the clip as H.264 in MP4, 1280 x 720, 30 frames a second. Raises UserError when it cannot be written."""
    write_video(path, frames(seconds, seed))


def frames(seconds: float = SECONDS, seed: int = 3) -> Iterator[np.ndarray]:
    """(720, 1280, 3) uint8 RGB frames of the clip."""
    rng = np.random.default_rng(seed)
    shape = int(rng.integers(len(hand_model.shared().vertices_mm)))
    look = plain_look(rng)
    room = linear(paint_room(rng).astype(np.float32) / 255)
    K = intrinsics_from_fov(WIDTH, HEIGHT, 62.0)
    K[1, 2] = (WIDTH - 1) / 2  # the hands are drawn in a square, whose middle rows are the frame
    top = (WIDTH - HEIGHT) // 2
    renderer = shared_renderer(WIDTH)
    for n in range(round(seconds * FPS)):
        drawn = renderer.draw(hands_at(n / FPS * SECONDS / seconds, shape), K, look)
        rows = slice(top, top + HEIGHT)
        small = cv2.resize(drawn.depth_mm[rows], None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)
        shade = shade_gaps(np.minimum(small, np.float32(FAR_MM)), 0.35, 9.0).astype(np.float32)
        shade = cv2.resize(shade, (WIDTH, HEIGHT), interpolation=cv2.INTER_LINEAR)
        light = drawn.colour[rows] * shade[..., None] + room * (1 - drawn.coverage[rows][..., None])
        yield _photograph(light, rng)


def hands_at(second: float, shape: int) -> dict[str, PosedHand]:
    """The hands in camera space (mm) at a time; hands that would run into each other are held where they touch."""
    hands: dict[str, PosedHand] = {}
    for side, keys in _KEYS.items():
        at = _placement(keys, second)
        drift = _drift(second, 0.0 if side == "right" else 40.0)
        hand = pose(hand_model.shared(), shape, _angles(keys, second))
        turned = view(at["turn"] + drift[0], at["pitch"] + drift[1], at["roll"] + drift[2])
        moved = place(hand, turned, np.zeros(3))
        # The palm's middle, not the wrist, is where the key says: turning the hand then leaves it in place.
        middle = 0.5 * (moved.joints_mm[20] + moved.joints_mm[11])
        moved = place(moved, np.eye(3), np.array([-at["x"], at["y"], at["z"]]) + drift[3:] - middle)
        hands[side] = moved if side == "right" else mirror_x(moved)
    if gap_mm(hands) >= 0:
        return hands
    parted = apart(hands, (1.0, 0.0, 0.0))
    half = 0.5 * (parted["left"].joints_mm[20] - hands["left"].joints_mm[20])
    return {side: place(hand, np.eye(3), half if side == "left" else -half) for side, hand in hands.items()}


def _placement(keys: tuple[Key, ...], second: float) -> dict[str, float]:
    a, b, t = _between(keys, second)
    return {f: getattr(a, f) + t * (getattr(b, f) - getattr(a, f)) for f in ("x", "y", "z", "turn", "pitch", "roll")}


def _angles(keys: tuple[Key, ...], second: float) -> np.ndarray:
    angles = np.zeros(len(ANGLES))
    for finger, lag in _LAG_S.items():
        a, b, t = _between(keys, second - lag)
        mine = np.array([name.startswith(finger) for name in ANGLES])
        angles[mine] = (_shape_angles(a.shape) * (1 - t) + _shape_angles(b.shape) * t)[mine]
    a, b, t = _between(keys, second)
    angles[ANGLES.index("wrist_side")] = a.wrist_side + t * (b.wrist_side - a.wrist_side)
    angles[:-3] += 1.5 * np.sin(0.9 * second + np.arange(len(ANGLES) - 3))
    return angles


def _shape_angles(shape: str) -> np.ndarray:
    angles = sample_angles(np.random.default_rng(0), "flat" if shape == "palms" else shape, looseness=0.0)
    if shape == "palms":
        angles[: len(_THUMB_BESIDE)] = _THUMB_BESIDE
    return angles


def _between(keys: tuple[Key, ...], second: float) -> tuple[Key, Key, float]:
    """The two keys around a time and the share of the way, eased (least jerk, Flash and Hogan 1985)."""
    after = next((n for n, key in enumerate(keys) if key.second > second), len(keys) - 1)
    a, b = keys[max(after - 1, 0)], keys[after]
    t = float(np.clip((second - a.second) / max(b.second - a.second, 1e-6), 0, 1))
    return a, b, t**3 * (10 - 15 * t + 6 * t**2)


def _drift(second: float, phase: float) -> np.ndarray:
    """(6,) slow small motion that no hand is without: three angles in degrees, three ways in mm."""
    n = np.arange(6)
    return np.array([2.5, 2.0, 1.5, 3.0, 3.0, 3.0]) * np.sin((0.9 + 0.35 * n) * second + 1.7 * n + phase)


def plain_look(rng: np.random.Generator) -> Look:
    """A lit room, plain skin, a sleeve in the shirt's colour."""
    skin = linear(np.array(_SKIN) / 255)
    cloth = linear(np.array(_SHIRT) / 255)
    lights = np.array([[-0.55, -0.6, -0.58], [0.8, -0.3, -0.5], [0.3, -0.5, 0.8]])
    lights /= np.linalg.norm(lights, axis=1, keepdims=True)
    warm, cool = np.array([1.04, 1.0, 0.94]), np.array([0.95, 1.0, 1.06])
    return replace(
        sample_look(rng), skin=skin, palm=skin * (1.04, 0.98, 0.98), blush=np.array([1.03, 0.84, 0.82]),
        nail=skin * (1.08, 0.98, 0.98), gloss=0.25, bump_mm=0.12, spots=0.0, cloth=cloth, cloth2=cloth * 0.9,
        cloth_scale=0.25, sleeve_edge_mm=-58.0, sleeve_mm=5.0, up=np.array([0.0, -1.0, 0.0]),
        ambient_up=0.42 * cool, ambient_down=0.22 * warm, light_dirs=lights,
        light_colours=np.array([0.85 * warm, 0.2 * cool, 0.25 * cool]), shadow_strength=0.6,
    )  # fmt: skip


def paint_room(rng: np.random.Generator) -> np.ndarray:
    """(720, 1280, 3) uint8 RGB: a wall, a window, a shelf and the person's shirt, out of focus."""
    rows = np.linspace(0, 1, HEIGHT, dtype=np.float32)[:, None, None]
    columns = np.linspace(0, 1, WIDTH, dtype=np.float32)[None, :, None]
    image = np.array([206, 200, 188], np.float32) * (1.02 - 0.14 * rows) * (1.05 - 0.16 * columns)
    image = np.ascontiguousarray(image)
    cv2.rectangle(image, (40, -20), (330, 380), (228, 236, 240), -1)
    for bar in ((180, -20, 192, 380), (40, 170, 330, 180)):
        cv2.rectangle(image, bar[:2], bar[2:], (178, 172, 160), -1)
    for x, y, w, h in ((960, 90, 300, 14), (960, 300, 300, 14)):
        cv2.rectangle(image, (x, y), (x + w, y + h), (142, 112, 84), -1)
        left = x + 10
        while left < x + w - 40:
            wide, tall = int(rng.integers(14, 34)), int(rng.integers(70, 150))
            colour = 120 + 0.5 * rng.uniform(-90, 90, 3) + rng.uniform(-40, 50)
            cv2.rectangle(image, (left, y - tall), (left + wide, y), colour.tolist(), -1)
            left += wide + int(rng.integers(0, 10))
    cv2.ellipse(image, (880, 640), (46, 90), 0, 0, 360, (150, 120, 96), -1)
    for _ in range(26):
        x, y = rng.normal((880, 480), (34, 56)).astype(int).tolist()
        cv2.ellipse(image, (x, y), (34, 11), float(rng.uniform(0, 180)), 0, 360, (92, 122, 84), -1)
    image = cv2.GaussianBlur(image, (0, 0), 16)
    person = np.zeros((HEIGHT, WIDTH), np.float32)
    cv2.ellipse(person, (640, 420), (375, 320), 0, 0, 360, 1.0, -1)
    cv2.rectangle(person, (265, 420), (1015, HEIGHT), 1.0, -1)
    neck = np.zeros_like(person)
    cv2.rectangle(neck, (560, -10), (720, 100), 1.0, -1)
    cv2.ellipse(neck, (640, 105), (98, 62), 0, 0, 360, 1.0, -1)
    shade = 0.82 + 0.14 * np.cos(np.linspace(-1.6, 1.6, WIDTH, dtype=np.float32))[None, :, None]
    for mask, colour in ((person, _SHIRT), (neck, tuple(0.86 * c for c in _SKIN))):
        cover = cv2.GaussianBlur(mask, (0, 0), 11)[..., None]
        image = image * (1 - cover) + np.array(colour, np.float32) * shade * cover
    return np.clip(image, 0, 255).astype(np.uint8)


def _photograph(light: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A webcam in good light: a soft shoulder, little blur, mild noise."""
    image = cv2.GaussianBlur(light.astype(np.float32), (0, 0), 0.8)
    image = np.power(np.clip(image, 0, None), np.float32(1 / 2.2))
    image = np.where(image > 0.8, 0.8 + 0.2 * np.tanh((image - 0.8) / 0.2), image)
    image += 0.008 * rng.standard_normal(image.shape, np.float32)
    return np.clip(255 * image + 0.5, 0, 255).astype(np.uint8)


if __name__ == "__main__":
    sys.exit(main())
