"""Draw at random how a picture looks: skin, sleeve, lights, and what the camera does to it."""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np


@dataclass(frozen=True, slots=True)
class Look:
    """Colours are linear RGB, 0..1; directions are unit vectors in camera space."""

    skin: np.ndarray  # (3,) back of the hand
    palm: np.ndarray  # (3,)
    blush: np.ndarray  # (3,) factor of redder places
    nail: np.ndarray  # (3,)
    gloss: float
    bump_mm: float
    spots: float  # darkness of freckles
    creases: float  # of the palm, 0..1
    veins: float  # of the back, 0..1
    band: np.ndarray  # (2,) heights along the arm between which a watch or a band sits, mm
    band_colour: np.ndarray  # (3,)
    ring: np.ndarray  # (4,) place and half size of a ring on the rest hand, x and y in mm
    noise_seed: np.ndarray  # (3,)
    cloth: np.ndarray  # (3,)
    cloth2: np.ndarray  # (3,)
    cloth_scale: float
    sleeve_edge_mm: float  # height along the arm where the sleeve ends; far below the wrist for none
    sleeve_mm: float  # how far the cloth stands off
    up: np.ndarray  # (3,)
    ambient_up: np.ndarray  # (3,)
    ambient_down: np.ndarray  # (3,)
    light_dirs: np.ndarray  # (3, 3) towards the light
    light_colours: np.ndarray  # (3, 3)
    shadow_strength: float


#: sRGB skin tones from light to dark; neighbours are blended.
_TONES = np.array(
    [(246, 216, 196), (240, 200, 174), (228, 180, 148), (214, 160, 124), (190, 132, 98), (160, 104, 74), (124, 78, 54),
     (92, 58, 42), (64, 42, 34)]
) / 255.0  # fmt: skip


#: Where rings sit on the rest hand: first bones of index, middle and ring finger; x and y in mm.
_RING_PLACES = ((-28.0, 104.0), (1.0, 105.0), (21.0, 98.0))


def linear(srgb: np.ndarray) -> np.ndarray:
    """sRGB values (0..1) in linear light, with the plain 2.2 power."""
    return np.power(np.clip(srgb, 0, None), 2.2)


_LINEAR = linear(np.arange(256) / 255).astype(np.float32)


def linear_bytes(srgb: np.ndarray) -> np.ndarray:
    """float32 linear light of uint8 sRGB pixels."""
    return cv2.LUT(srgb, _LINEAR)


def sample_look(rng: np.random.Generator) -> Look:
    """A skin, a sleeve and lights."""
    tone = rng.uniform(0, len(_TONES) - 1.001)
    k = int(tone)
    skin = linear(_TONES[k] + (tone - k) * (_TONES[k + 1] - _TONES[k]))
    skin *= rng.normal(1, 0.05, 3)
    darkness = tone / (len(_TONES) - 1)
    pale = linear(np.array([236, 184, 160]) / 255) * rng.normal(1, 0.05, 3)
    lift = rng.uniform(0.03, 0.2) + 0.22 * darkness * rng.uniform(0.5, 1.0)
    palm = skin + (pale - skin) * lift
    blush = np.array([1.06, rng.uniform(0.72, 0.92), rng.uniform(0.7, 0.92)])
    nail = palm * np.array([1.02, 0.93, 0.93]) if rng.random() < 0.85 else linear(rng.uniform(0, 1, 3))

    gloss = rng.uniform(0.0, 1.2) if rng.random() < 0.88 else rng.uniform(1.5, 3.5)  # wet now and then
    creases, veins = rng.uniform(0.1, 0.9), rng.uniform(0, 1) ** 2
    if rng.random() < 0.03:  # a glove, often a dark one
        skin = palm = nail = linear(cloth_colour(rng) * rng.choice([0.2, 1.0]))
        blush, creases, veins = np.ones(3), 0.0, 0.0
    low = rng.uniform(-44, -30) if rng.random() < 0.1 else 1e4
    band = np.array([low, low + rng.uniform(4, 22)])
    place, size = _RING_PLACES[int(rng.integers(len(_RING_PLACES)))], rng.uniform(1.2, 3.5)
    ring = np.array([*place, 9.5, size]) if rng.random() < 0.1 else np.array([1e4, 1e4, 1.0, 1.0])

    has_sleeve = rng.random() < 0.6
    cloth = linear(cloth_colour(rng))
    cloth2 = cloth if rng.random() < 0.6 else linear(cloth_colour(rng))
    up = np.array([rng.normal(0, 0.25), -1.0, rng.normal(0, 0.25)])
    level = rng.uniform(0.15, 0.75)
    directions = rng.normal(0, 1, (3, 3)) + np.array([[0, -0.9, -0.8], [0, -0.4, -0.4], [0, 0, 0.4]])
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    strength = np.array([rng.uniform(0.35, 1.5), rng.uniform(0, 0.7), rng.uniform(0, 0.6) * (rng.random() < 0.6)])
    return Look(
        skin, palm, blush, nail, gloss, rng.uniform(0.0, 0.25), rng.uniform(0, 0.3) ** 2 * 2, creases, veins,
        band, linear(cloth_colour(rng)), ring,
        rng.uniform(-500, 500, 3), cloth, cloth2, float(np.exp(rng.uniform(-3.5, -0.5))),
        rng.uniform(-90, -12) if has_sleeve else -1e4, rng.uniform(2.5, 9), up / np.linalg.norm(up),
        level * _tint(rng), level * rng.uniform(0.3, 0.95) * _tint(rng), directions, strength[:, None] * _tint(rng, 3),
        rng.uniform(0.3, 1.0),
    )  # fmt: skip


def cloth_colour(rng: np.random.Generator) -> np.ndarray:
    """(3,) sRGB of cloth, plastic and the like: greys more than colours."""
    grey = rng.uniform(0.03, 0.9)
    return np.clip(grey + rng.normal(0, rng.choice([0.03, 0.25]), 3), 0.02, 0.97)


def _tint(rng: np.random.Generator, count: int | None = None) -> np.ndarray:
    """Colour of light between lamp and sky, with a little of any hue."""
    shape = (count or 1, 1)
    warmth = rng.normal(0, 0.12, shape)
    tint = 1 + warmth * np.array([1.0, 0.1, -1.0]) + rng.normal(0, 0.03, (count or 1, 3))
    return np.clip(tint, 0.3, 1.8) if count else np.clip(tint[0], 0.3, 1.8)


def shade_gaps(depth_mm: np.ndarray, strength: float, radius_px: float) -> np.ndarray:
    """(H, W) factor that darkens places behind their neighbours (depth unsharp mask, Luft et al. 2006)."""
    near = cv2.min(depth_mm, float(depth_mm.min()) + 350.0)
    # The neighbours' mean is smooth: a quarter of the pixels say it as well.
    around = cv2.resize(near, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    around = cv2.GaussianBlur(around, (0, 0), 0.5 * radius_px)
    behind = near - cv2.resize(around, near.shape[::-1], interpolation=cv2.INTER_LINEAR)
    return 1 - strength * np.clip(behind / 18.0, 0, 1)


def photograph(linear_rgb: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """What a webcam makes of linear light: exposure, white balance, blur, noise, tone curve. Returns uint8 RGB."""
    # Everything linear in colour is one product of each pixel with a matrix, which OpenCV takes in one go.
    # In a dark room the hands, not the walls, are what a camera exposes for.
    mean = max(float(np.mean(cv2.mean(linear_rgb)[:3])), 0.45 * float(np.percentile(linear_rgb[::4, ::4], 95))) + 1e-4
    dark = rng.random() < 0.12  # a room at night: little light, and a sensor that shows it
    target = rng.uniform(0.015, 0.07) if dark else rng.uniform(0.08, 0.32)
    balance = np.clip(1 + rng.normal(0, 0.25, 3), 0.4, 1.7) if rng.random() < 0.12 else np.ones(3)  # for another light
    image = cv2.transform(linear_rgb, np.diag(balance * (target / mean) ** rng.uniform(0.3, 0.9) * _tint(rng)))
    if rng.random() < 0.15:
        image = _motion_blur(image, rng)
    if rng.random() < 0.04:
        image = cv2.GaussianBlur(image, (0, 0), rng.uniform(1.5, 3.0))  # out of focus
    elif rng.random() < 0.7:
        image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.3, 1.5))
    noise = rng.uniform(0, 0.035) ** 1.5 * (9 if dark else 4)
    image = cv2.max(image, 0)
    grain = cv2.sqrt(image + np.float32(0.01))
    grain *= _grain(rng, image.shape, softened=rng.random() < 0.5)
    image = cv2.scaleAdd(grain, noise, image)
    image = cv2.pow(cv2.max(image, 0), 1 / rng.uniform(1.9, 2.5))
    contrast, middle = rng.uniform(0.75, 1.25), 0.45 + rng.normal(0, 0.03)
    saturation = rng.uniform(0.6, 1.3) if rng.random() > 0.03 else 0.0
    mix = contrast * (saturation * np.eye(3) + (1 - saturation) / 3)
    image = cv2.transform(image, 255 * np.c_[mix, np.full(3, middle - 0.45 * contrast)])
    return cv2.convertScaleAbs(cv2.max(image, 0))


def _grain(rng: np.random.Generator, shape: tuple[int, ...], softened: bool) -> np.ndarray:
    """float32 noise of unit variance: OpenCV's, three times as fast as numpy's, and as reproducible."""
    cv2.setRNGSeed(int(rng.integers(2**31)))
    grain = cv2.randn(np.empty(shape, np.float32), np.zeros(3), np.ones(3))
    return cv2.GaussianBlur(grain, (0, 0), 0.7) * 1.9 if softened else grain


def _motion_blur(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    length = int(rng.integers(3, 12))
    kernel: Any = np.zeros((length, length), np.float32)
    kernel[length // 2] = 1
    turn = cv2.getRotationMatrix2D(((length - 1) / 2, (length - 1) / 2), rng.uniform(0, 180), 1)
    kernel = cv2.warpAffine(kernel, turn, (length, length))
    return cv2.filter2D(image, -1, kernel / max(float(kernel.sum()), 1e-6))
