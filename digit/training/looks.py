"""Change how a crop looks and nothing else, far beyond what a camera does, so that a network leans on shape.

Rendered skin is all alike in ways that nobody sees and a network learns: its texture, its tones, its edges. Random
convolutions (Xu et al., "Robust and generalizable visual representation learning via random convolutions", ICLR 2021)
and the tones and textures of photographs take that away.
"""

import cv2
import numpy as np

from digit.skeleton import BACKGROUND
from digit.synth.backgrounds import sample_background

_GREY = np.array([0.299, 0.587, 0.114], np.float32)


def restyled(image: np.ndarray, parts: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A crop (S, S, 3) uint8 RGB with other tones and, now and then, textures.

    ``parts`` (P, P) uint8: its part classes, which say where skin is.
    """
    style = rng.random()
    if style < 0.15:
        image = _convolved(image, rng)
    elif style < 0.35:
        image = _textured(image, parts, rng)
    elif style < 0.5:
        image = _sharpened(image, rng)
    return _toned(image, rng)


def _toned(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Another saturation and hue, contrast, and gamma."""
    kept = 0.0 if rng.random() < 0.06 else rng.uniform(0.5, 1.5)
    matrix = kept * np.eye(3) + (1 - kept) * _GREY[None] + rng.normal(0, 0.06, (3, 3))
    matrix *= rng.uniform(0.75, 1.25) / matrix.sum(axis=1, keepdims=True)
    levels = np.linspace(0, 1, 256) ** np.exp(rng.normal(0, 0.25))
    mixed = cv2.transform(image, np.column_stack([matrix, rng.normal(0, 8, 3) + rng.normal(0, 8)]).astype(np.float32))
    return cv2.LUT(mixed, np.round(255 * levels).astype(np.uint8))


def _convolved(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Through a random convolution over cells and colours, mixed with itself: shapes stay, textures do not."""
    side = int(rng.choice([1, 3, 5, 7]))
    share = rng.uniform(0.2, 0.7)
    kernels = rng.normal(0, 1 / np.sqrt(3 * side * side), (3, 3, side, side)).astype(np.float32)
    planes = cv2.split(image.astype(np.float32))
    strange = np.zeros(image.shape, np.float32)
    for out, row in enumerate(kernels):
        for plane, kernel in zip(planes, row, strict=True):
            strange[..., out] += cv2.filter2D(plane, -1, kernel)
    mean, std = (np.asarray(v).reshape(-1) for v in cv2.meanStdDev(image))
    own_mean, own_std = (np.asarray(v).reshape(-1) for v in cv2.meanStdDev(strange))
    strange = (strange - own_mean) * (std / (own_std + 1.0)) + mean
    return cv2.addWeighted(image, 1 - share, np.clip(strange, 0, 255).astype(np.uint8), share, 0)


def _textured(image: np.ndarray, parts: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The skin lighter and darker as some photograph is."""
    size = image.shape[0]
    # Half the size: backgrounds take their time, and skin is smoother than they are.
    texture = sample_background(rng, size // 2).astype(np.float32) @ _GREY
    texture -= cv2.GaussianBlur(texture, (0, 0), float(rng.uniform(2, 15)))
    texture = cv2.resize(texture, (size, size), interpolation=cv2.INTER_LINEAR)
    texture *= rng.uniform(4, 22) / (texture.std() + 2.0)
    skin = cv2.resize(((parts != BACKGROUND) * 255).astype(np.uint8), (size, size), interpolation=cv2.INTER_LINEAR)
    shift = texture * (skin.astype(np.float32) / 255)
    return np.clip(image + shift[..., None], 0, 255).astype(np.uint8)


def _sharpened(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """As webcams sharpen, with a halo around edges; or the edges softer."""
    blurred = cv2.GaussianBlur(image, (0, 0), float(rng.uniform(0.7, 2.5)))
    strength = float(rng.uniform(-0.7, 1.5))
    return cv2.addWeighted(image, 1 + strength, blurred, -strength, 0)
