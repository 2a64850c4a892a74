"""A procedural pair of hands: plausible joints in camera space, their pictures and Scenes."""

from time import monotonic_ns

import numpy as np

from demo.records import Frame, Hand, Scene, Side
from digit.skeleton import BONES, FINGERS, JOINTS, WRIST

WIDTH, HEIGHT = 640, 360
K = np.array([[500.0, 0, (WIDTH - 1) / 2], [0, 500.0, (HEIGHT - 1) / 2], [0, 0, 1]])
STAGES = {"track": 0.2, "crop": 0.6, "predict": 12.0, "lift": 0.4, "smooth": 0.1}

#: Of a left hand held up with its palm to the camera: knuckles relative to the wrist, aim and bone lengths, in mm.
_BASE = {
    "thumb": (-24, -22, -8),
    "index": (-26, -88, 0),
    "middle": (-4, -92, 0),
    "ring": (16, -86, 2),
    "pinky": (34, -74, 6),
}
_AIM = {
    "thumb": (-0.72, -0.68, -0.15),
    "index": (-0.2, -1, 0),
    "middle": (0, -1, 0),
    "ring": (0.14, -1, 0),
    "pinky": (0.3, -1, 0),
}
_BONES_MM = {
    "thumb": (42, 32, 26),
    "index": (42, 25, 20),
    "middle": (46, 29, 21),
    "ring": (43, 28, 21),
    "pinky": (33, 21, 19),
}


def hand_joints_mm(side: Side, curl: float = 0.3, at_mm: tuple[float, float, float] = (0, 40, 480)) -> np.ndarray:
    """(21, 3) camera-space joints; ``curl`` is the angle in radians that each finger joint bends to the camera."""
    joints = np.zeros((21, 3))
    for finger in FINGERS:
        aim = np.array(_AIM[finger]) / np.linalg.norm(_AIM[finger])
        point = np.array(_BASE[finger], float)
        joints[JOINTS.index(f"{finger}1")] = point
        bend = 0.4 * curl
        for n, length in zip((2, 3, 4), _BONES_MM[finger], strict=True):
            bend += curl
            point = point + length * (np.cos(bend) * aim + np.sin(bend) * np.array([0, 0, -1.0]))
            joints[JOINTS.index(f"{finger}{n}")] = point
    if side == "right":
        joints[:, 0] *= -1
    return joints + at_mm


def project_px(joints_mm: np.ndarray) -> np.ndarray:
    return joints_mm[:, :2] / joints_mm[:, 2:] * K[[0, 1], [0, 1]] + K[:2, 2]


def hand(side: Side, t: float = 0.0) -> Hand:
    """One hand ``t`` seconds into a slow dance. The camera sees the right hand on its left."""
    sign = -1 if side == "right" else 1
    at = (sign * (78 + 14 * np.sin(1.3 * t)), 50 + 10 * np.sin(2.1 * t + sign), 480 + 60 * np.sin(0.9 * t + sign))
    joints = hand_joints_mm(side, 0.25 + 0.2 * np.sin(1.7 * t + sign), at)
    confidence = np.full(21, 0.9, np.float32)
    return Hand(side, 0.97, project_px(joints).astype(np.float32), joints.astype(np.float32), confidence)


def picture(hands: tuple[Hand, ...] = ()) -> np.ndarray:
    """(H, W, 3) uint8 RGB: a gradient with skin-coloured strokes where the hands are."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    image = np.stack([40 + 50 * x / WIDTH, 60 + 50 * y / HEIGHT, 90 + 60 * (1 - x / WIDTH)], -1)
    for h in hands:
        for child, parent in BONES:
            for s in np.linspace(0, 1, 14):
                cx, cy = h.joints_px[child] * (1 - s) + h.joints_px[parent] * s
                r = 9 if parent != WRIST else 15
                x0, x1, y0, y1 = (
                    int(np.clip(v, 0, m))
                    for v, m in ((cx - r, WIDTH), (cx + r, WIDTH), (cy - r, HEIGHT), (cy + r, HEIGHT))
                )
                d = (y[y0:y1, x0:x1] - cy) ** 2 + (x[y0:y1, x0:x1] - cx) ** 2
                image[y0:y1, x0:x1][d < r * r] = (214, 168, 142)
    return image.astype(np.uint8)


def scene(
    index: int = 0, sides: tuple[Side, ...] = ("right", "left"), t: float = 0.0, image: np.ndarray | None = None
) -> Scene:
    """A Scene of the dance at ``t`` seconds, captured now."""
    hands = tuple(hand(side, t) for side in sides)
    now = monotonic_ns()
    frame = Frame(index, now - 20_000_000, picture(hands) if image is None else image)
    labels, image_from_crop = None, None
    if hands:
        labels, image_from_crop = _parts(hands)
    handedness = np.array([0.97 if side in sides else 0.04 for side in ("right", "left")], np.float32)
    origin = "track" if hands else "none"
    return Scene(frame, hands, hands, handedness, image_from_crop, labels, K, "field of view", origin, STAGES, now)


def _parts(hands: tuple[Hand, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Part labels by the nearest bone, and the crop they lie in."""
    from digit.skeleton import FIRST_PART, PARTS

    joints = np.concatenate([h.joints_px for h in hands])
    middle, half = (joints.min(0) + joints.max(0)) / 2, 0.625 * np.ptp(joints, axis=0).max()
    s = 2 * half / 256
    image_from_crop = np.array([[s, 0, middle[0] - 128 * s], [0, s, middle[1] - 128 * s]])
    v, u = np.mgrid[0:128, 0:128] * 2 + 0.5
    cells = np.stack([u, v], -1) * s + image_from_crop[:, 2]
    labels, nearest = np.zeros((128, 128), np.uint8), np.full((128, 128), 12.0)
    for h in hands:
        for child, parent in BONES:
            a, b = h.joints_px[parent], h.joints_px[child]
            along = np.clip(((cells - a) @ (b - a)) / max(float((b - a) @ (b - a)), 1e-6), 0, 1)
            distance = np.linalg.norm(cells - a - along[..., None] * (b - a), axis=-1)
            name = JOINTS[parent]
            part = "palm" if name == "wrist" else name
            distance = distance * (0.55 if part == "palm" else 1.0)
            closer = distance < nearest
            nearest[closer] = distance[closer]
            labels[closer] = FIRST_PART[h.side] + PARTS.index(part)
    return labels, image_from_crop
