"""Backgrounds: photographs that packages ship, where there are any, and procedural rooms, patterns and blobs."""

import functools
import importlib.resources
from pathlib import Path

import cv2
import numpy as np

#: Folders of Debian's background packages; used where installed.
_FOLDERS = (Path("/usr/share/backgrounds"), Path("/usr/share/wallpapers"))
_MAX_SIDE_PX = 900
_MAX_PHOTOGRAPHS = 80


@functools.cache
def photographs() -> tuple[np.ndarray, ...]:
    """All photographs found on this machine, uint8 RGB, at most 900 px wide. May be empty."""
    files = [f for folder in _FOLDERS if folder.is_dir() for f in sorted(folder.rglob("*")) if _is_photograph(f)]
    skimage = importlib.resources.files("skimage") / "data"
    for name in ("astronaut", "chelsea", "coffee", "rocket", "motorcycle_left", "brick", "gravel", "grass"):
        for suffix in (".png", ".jpg"):
            path = Path(str(skimage / (name + suffix)))
            if path.is_file():
                files.append(path)
    images: list[np.ndarray] = []
    sizes: set[int] = set()
    for file in files:
        if len(images) >= _MAX_PHOTOGRAPHS or file.stat().st_size in sizes:
            continue
        sizes.add(file.stat().st_size)
        halved = file.stat().st_size > 1_500_000
        image = cv2.imread(str(file), cv2.IMREAD_REDUCED_COLOR_2 if halved else cv2.IMREAD_COLOR)
        if image is None:
            continue
        scale = _MAX_SIDE_PX / max(image.shape[:2])
        if scale < 1:
            image = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        images.append(cv2.cvtColor(image, cv2.COLOR_BGR2RGB))
    return tuple(images)


def _is_photograph(file: Path) -> bool:
    return file.suffix.lower() in {".jpg", ".jpeg", ".png"} and 60_000 < file.stat().st_size < 12_000_000


def sample_background(rng: np.random.Generator, size: int, use_photographs: bool = True) -> np.ndarray:
    """A (size, size, 3) uint8 RGB background with distractors."""
    found = photographs() if use_photographs else ()
    if found and rng.random() < 0.6:
        image = _crop(found[int(rng.integers(len(found)))], rng, size)
    else:
        image = _procedural(rng, size)
    if rng.random() < 0.45:
        image = _distract(image, rng)
    if rng.random() < 0.5:
        image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.5, 6))
    return image


def _crop(photo: np.ndarray, rng: np.random.Generator, size: int) -> np.ndarray:
    height, width = photo.shape[:2]
    side = int(min(height, width) * rng.uniform(0.3, 1.0))
    x, y = int(rng.integers(width - side + 1)), int(rng.integers(height - side + 1))
    image = cv2.resize(photo[y : y + side, x : x + side], (size, size), interpolation=cv2.INTER_LINEAR)
    if rng.random() < 0.5:
        image = image[:, ::-1]
    gain = rng.uniform(0.4, 1.3) * rng.normal(1, 0.06, 3)
    return np.clip(image * gain, 0, 255).astype(np.uint8)


def _procedural(rng: np.random.Generator, size: int) -> np.ndarray:
    kind = rng.choice(["gradient", "noise", "room", "desk", "pattern"])
    ramp = np.linspace(0, 1, size, dtype=np.float32)
    x, y = np.meshgrid(ramp, ramp)
    a, b, c = (_colour(rng) for _ in range(3))
    if kind == "gradient":
        angle = rng.uniform(0, 2 * np.pi)
        t = 0.5 + 0.5 * ((x - 0.5) * np.cos(angle) + (y - 0.5) * np.sin(angle))
        image = a + (b - a) * t[..., None]
    elif kind == "noise":
        t = _clouds(rng, size)
        image = a + (b - a) * t[..., None]
    elif kind == "room":
        image = np.broadcast_to(a + (b - a) * y[..., None] * 0.4, (size, size, 3)).copy()
        for _ in range(int(rng.integers(2, 9))):
            p, q = rng.integers(-60, size, 2), rng.integers(20, size, 2)
            colour = _colour(rng)
            cv2.rectangle(image, p.tolist(), (p + q).tolist(), colour.tolist(), -1)
            if rng.random() < 0.5:
                cv2.rectangle(image, p.tolist(), (p + q).tolist(), (colour * 0.6).tolist(), int(rng.integers(1, 6)))
    elif kind == "desk":
        grain = cv2.resize(rng.random((size, int(rng.integers(2, 8))), np.float32), (size, size))
        image = a * (0.7 + 0.5 * grain[..., None])
        if rng.random() < 0.5:
            image = np.ascontiguousarray(image.transpose(1, 0, 2))
    else:
        frequency = rng.uniform(4, 40)
        wave = np.sin(frequency * (x * rng.normal() + y * rng.normal()) + 2 * _clouds(rng, size))
        if rng.random() < 0.5:
            wave = np.sign(wave) * np.sign(np.sin(frequency * (x * rng.normal() + y * rng.normal())))
        image = a + (b - a) * (0.5 + 0.5 * wave[..., None])
        image = image + (c - image) * 0.2
    image = image + (rng.uniform(-40, 40) * (_clouds(rng, size) - 0.5))[..., None]
    return np.clip(image, 0, 255).astype(np.uint8)


def _clouds(rng: np.random.Generator, size: int) -> np.ndarray:
    total = np.zeros((size, size), np.float32)
    for octave in range(4):
        cells = 2 ** (octave + 2)
        grid = rng.random((cells, cells), dtype=np.float32)
        total += cv2.resize(grid, (size, size), interpolation=cv2.INTER_CUBIC) / 2**octave
    return np.clip(total / 1.875, 0, 1)


def _distract(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Faces, arms and things in skin and other colours, behind the hands."""
    image = np.ascontiguousarray(image)
    size = image.shape[0]
    for _ in range(int(rng.integers(1, 4))):
        layer = image.copy()
        skin = np.array([rng.uniform(90, 245), 0, 0])
        skin[1] = skin[0] * rng.uniform(0.62, 0.84)
        skin[2] = skin[1] * rng.uniform(0.7, 0.92)
        centre = rng.integers(0, size, 2)
        if rng.random() < 0.45:
            _face(layer, rng, centre, float(rng.uniform(25, 110)), skin)
        elif rng.random() < 0.5:
            far = centre + rng.normal(0, size / 2, 2)
            ends = centre.tolist(), far.astype(int).tolist()
            cv2.line(layer, *ends, skin.tolist(), int(rng.integers(12, 70)), cv2.LINE_AA)
        else:
            axes = rng.integers(8, 110, 2).tolist()
            colour = (skin if rng.random() < 0.5 else _colour(rng)).tolist()
            cv2.ellipse(layer, centre.tolist(), axes, float(rng.uniform(0, 180)), 0, 360, colour, -1, cv2.LINE_AA)
        shade = 0.75 + 0.5 * _clouds(rng, size)[..., None]
        changed = (layer != image).any(2, keepdims=True)
        image = np.where(changed, np.clip(layer * shade, 0, 255).astype(np.uint8), image)
        if rng.random() < 0.5:
            image = cv2.GaussianBlur(image, (0, 0), 1.2)
    return image


def _face(layer: np.ndarray, rng: np.random.Generator, centre: np.ndarray, radius: float, skin: np.ndarray) -> None:
    x, y = centre.tolist()
    hair = (rng.uniform(10, 90) * np.array([1.0, 0.85, 0.7])).tolist()
    cv2.ellipse(layer, (x, int(y - 0.25 * radius)), (int(1.05 * radius), int(1.3 * radius)), 0, 0, 360, hair, -1)
    shirt = _colour(rng).tolist()
    cv2.ellipse(layer, (x, int(y + 2.2 * radius)), (int(2 * radius), int(1.1 * radius)), 0, 0, 360, shirt, -1)
    cv2.ellipse(layer, (x, y), (int(0.85 * radius), int(1.15 * radius)), 0, 0, 360, skin.tolist(), -1, cv2.LINE_AA)
    for side in (-1, 1):
        eye = (int(x + side * 0.35 * radius), int(y - 0.2 * radius))
        axes = (max(2, int(0.15 * radius)), max(1, int(0.08 * radius)))
        cv2.ellipse(layer, eye, axes, 0, 0, 360, (235, 230, 225), -1)
        cv2.circle(layer, eye, max(1, int(0.07 * radius)), (30, 25, 20), -1)
    lips = (skin * (0.75, 0.5, 0.5)).tolist()
    axes = (int(0.3 * radius), max(1, int(0.08 * radius)))
    cv2.ellipse(layer, (x, int(y + 0.55 * radius)), axes, 0, 0, 360, lips, -1)
    top, bottom = (x, int(y - 0.1 * radius)), (x, int(y + 0.25 * radius))
    cv2.line(layer, top, bottom, (skin * 0.8).tolist(), max(1, int(0.06 * radius)))


def _colour(rng: np.random.Generator) -> np.ndarray:
    return np.clip(rng.uniform(10, 240) + rng.normal(0, rng.choice([10.0, 55.0]), 3), 0, 255)
