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
def photographs() -> tuple[Path, ...]:
    """The photographs found on this machine, each size of file once. May be empty."""
    files = [f for folder in _FOLDERS if folder.is_dir() for f in sorted(folder.rglob("*")) if _is_photograph(f)]
    skimage = importlib.resources.files("skimage") / "data"
    for name in ("astronaut", "chelsea", "coffee", "rocket", "motorcycle_left", "brick", "gravel", "grass"):
        files += [path for suffix in (".png", ".jpg") if (path := Path(str(skimage / (name + suffix)))).is_file()]
    by_size: dict[int, Path] = {}
    for file in files:
        by_size.setdefault(file.stat().st_size, file)
    return tuple(by_size.values())[:_MAX_PHOTOGRAPHS]


@functools.cache
def _photograph(file: Path) -> np.ndarray | None:
    """Its uint8 RGB pixels, at most 900 px wide; None when they cannot be read."""
    halved = file.stat().st_size > 1_500_000
    image = cv2.imread(str(file), cv2.IMREAD_REDUCED_COLOR_2 if halved else cv2.IMREAD_COLOR)
    if image is None:
        return None
    scale = _MAX_SIDE_PX / max(image.shape[:2])
    if scale < 1:
        image = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


def _is_photograph(file: Path) -> bool:
    return file.suffix.lower() in {".jpg", ".jpeg", ".png"} and 60_000 < file.stat().st_size < 12_000_000


def sample_background(rng: np.random.Generator, size: int, use_photographs: bool = True) -> np.ndarray:
    """A (size, size, 3) uint8 RGB background with distractors."""
    found = photographs() if use_photographs else ()
    kind = rng.random()
    if kind < 0.1:
        return _studio(rng, size)
    if kind < 0.32:
        image = _cloth(rng, size) if kind < 0.22 else _sink(rng, size)
    elif found and rng.random() < 0.55:
        photo = _photograph(found[int(rng.integers(len(found)))])
        image = _procedural(rng, size) if photo is None else _crop(photo, rng, size)
    else:
        image = _procedural(rng, size)
    if rng.random() < 0.35:
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


def _studio(rng: np.random.Generator, size: int) -> np.ndarray:
    """A dark room, at times with the lamps and lenses of a capture studio."""
    image = (
        np.full((size, size, 3), rng.uniform(0, 16), np.float32)
        + 10 * _clouds(rng, size)[..., None] * _colour(rng) / 240
    )
    if rng.random() < 0.5:
        pitch, radius = rng.uniform(50, 110), int(rng.integers(1, 6))
        turn = rng.uniform(-0.4, 0.4)
        for i in range(-2, 10):
            for j in range(-2, 10):
                x, y = pitch * (i + 0.5 * (j % 2)), pitch * j
                at = np.array([x - turn * y, y + turn * x]) + rng.normal(0, 6, 2)
                cv2.circle(image, at.astype(int).tolist(), radius, (235, 240, 230), -1, cv2.LINE_AA)
    return np.clip(image, 0, 255).astype(np.uint8)


def _cloth(rng: np.random.Generator, size: int) -> np.ndarray:
    """A shirt close behind the hands: folds, at times checks or stripes, a placket, an arm's seam."""
    colour = _colour(rng)
    fold = cv2.resize(_clouds(rng, size), None, fx=1, fy=rng.uniform(1.5, 4))[:size]
    turn = cv2.getRotationMatrix2D((size / 2, size / 2), rng.uniform(-60, 60), 1.5)
    fold = cv2.warpAffine(fold, turn, (size, size), borderMode=cv2.BORDER_REFLECT)
    slope = cv2.Sobel(cv2.GaussianBlur(fold, (0, 0), rng.uniform(3, 8)), cv2.CV_32F, 1, 0, ksize=3)
    shade = 1 + slope / (np.abs(slope).max() + 1e-6) * rng.uniform(0.1, 0.5)
    image = np.broadcast_to(colour, (size, size, 3)).astype(np.float32)
    if rng.random() < 0.4:
        x, y = np.meshgrid(np.arange(size), np.arange(size))
        x = x + 12 * fold
        period = rng.uniform(6, 60)
        stripes = (x % period < period * rng.uniform(0.1, 0.6)).astype(np.float32)
        if rng.random() < 0.5:
            stripes = 0.5 * stripes + 0.5 * (y % period < period * 0.5)
        image = image + (_colour(rng) - image) * (stripes * rng.uniform(0.3, 1.0))[..., None]
    image = np.ascontiguousarray(image * shade[..., None], np.float32)
    if rng.random() < 0.3:
        x = int(rng.integers(size))
        cv2.line(image, (x, 0), (x + int(rng.normal(0, 20)), size), (colour * 0.6).tolist(), int(rng.integers(1, 4)))
        for y in range(int(rng.integers(60)), size, int(rng.integers(50, 120))):
            cv2.circle(image, (x + 6, y), int(rng.integers(2, 5)), _colour(rng).tolist(), -1, cv2.LINE_AA)
    return np.clip(image, 0, 255).astype(np.uint8)


def _sink(rng: np.random.Generator, size: int) -> np.ndarray:
    """A basin from above: a round-cornered hollow of steel or ceramic with a drain, a tap and highlights."""
    tone = rng.uniform(70, 225) * (1 + rng.normal(0, 0.04, 3))
    if rng.random() < 0.3:
        tone = tone * np.array([1.1, 1.0, 0.82])
    brushed = cv2.resize(rng.random((size, 6), np.float32), (size, size))
    image = tone * (0.85 + 0.3 * (brushed * rng.uniform(0, 0.8))[..., None])
    mask = np.zeros((size, size), np.float32)
    inset = rng.uniform(-0.1, 0.25, 2) * size
    a, b = inset.astype(int).tolist(), (size - inset[::-1]).astype(int).tolist()
    cv2.rectangle(mask, a, b, 1.0, -1)
    mask = cv2.GaussianBlur(mask, (0, 0), rng.uniform(8, 25))
    image *= (1 - rng.uniform(0.1, 0.5) * mask)[..., None]
    rim = np.abs(cv2.Laplacian(cv2.GaussianBlur(mask, (0, 0), 3), cv2.CV_32F))
    image += (rim / (rim.max() + 1e-6) * rng.uniform(20, 90))[..., None]
    centre = (size * rng.uniform(0.3, 0.7, 2)).astype(int).tolist()
    radius = int(rng.integers(size // 14, size // 6))
    for k, share in enumerate((1.0, 0.8, 0.5, 0.3)):
        shade = tone * rng.uniform(0.25, 1.1) * (1.2 if k % 2 else 0.7)
        cv2.circle(image, centre, int(radius * share), shade.tolist(), -1, cv2.LINE_AA)
    if rng.random() < 0.7:
        x, wide = int(size * rng.uniform(0.35, 0.65)), int(rng.integers(size // 20, size // 8))
        cv2.rectangle(image, (x - wide, -5), (x + wide, int(size * rng.uniform(0.05, 0.3))), (tone * 1.15).tolist(), -1)
        cv2.rectangle(image, (x - wide // 3, -5), (x, int(size * rng.uniform(0.05, 0.25))), (tone * 0.5).tolist(), -1)
    for _ in range(int(rng.integers(0, 6))):
        at, axes = (size * rng.random(2)).astype(int).tolist(), rng.integers(3, 30, 2).tolist()
        glow = np.zeros((size, size), np.float32)
        cv2.ellipse(glow, at, axes, float(rng.uniform(0, 180)), 0, 360, 1.0, -1)
        image += (cv2.GaussianBlur(glow, (0, 0), 5) * rng.uniform(40, 160))[..., None]
    image *= (0.6 + 0.6 * _clouds(rng, size))[..., None]
    return np.clip(image, 0, 255).astype(np.uint8)


def _clouds(rng: np.random.Generator, size: int) -> np.ndarray:
    finest = 32
    total = np.zeros((finest, finest), np.float32)
    for octave in range(4):
        cells = 2 ** (octave + 2)
        grid = rng.random((cells, cells), dtype=np.float32)
        total += cv2.resize(grid, (finest, finest), interpolation=cv2.INTER_CUBIC) / 2**octave
    return np.clip(cv2.resize(total, (size, size), interpolation=cv2.INTER_CUBIC) / 1.875, 0, 1)


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
        if rng.random() < 0.25:
            _face(layer, rng, centre, float(rng.uniform(25, 110)), skin)
        elif rng.random() < 0.5:
            far = centre + rng.normal(0, size / 2, 2)
            ends = centre.tolist(), far.astype(int).tolist()
            cv2.line(layer, *ends, skin.tolist(), int(rng.integers(12, 70)), cv2.LINE_AA)
        else:
            axes = rng.integers(8, 110, 2).tolist()
            colour = (skin if rng.random() < 0.5 else _colour(rng)).tolist()
            cv2.ellipse(layer, centre.tolist(), axes, float(rng.uniform(0, 180)), 0, 360, colour, -1, cv2.LINE_AA)
        shade = cv2.merge([0.75 + 0.5 * _clouds(rng, size)] * 3)
        changed = cv2.transform(cv2.absdiff(layer, image), np.ones((1, 3)))
        image = cv2.copyTo(cv2.multiply(layer, shade, dtype=cv2.CV_8U), changed, image)
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
