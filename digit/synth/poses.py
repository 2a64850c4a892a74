"""Draw hand shapes: finger angles within anatomical limits, from a prior over what people do in front of a webcam."""

import numpy as np

from digit.skeleton import FINGERS
from digit.synth.hand_model import ANGLES

#: (flexion at the base, at the middle joint) in degrees, mean and spread, of a finger that is …
_CURLS = {
    "straight": ((2.0, 9.0), (6.0, 6.0)),
    "relaxed": ((28.0, 12.0), (34.0, 14.0)),
    "bent": ((55.0, 14.0), (52.0, 18.0)),
    "curled": ((78.0, 8.0), (96.0, 8.0)),
    "hooked": ((8.0, 12.0), (82.0, 14.0)),
    "flat bent": ((68.0, 12.0), (10.0, 8.0)),
}
#: Thumb (flex, lift, twist, base, end) in degrees, mean; spread below.
_THUMBS = {
    "out": (-14.0, 6.0, 0.0, 4.0, 4.0),
    "relaxed": (4.0, -4.0, 8.0, 16.0, 18.0),
    "opposed": (14.0, -24.0, 26.0, 24.0, 24.0),
    "across": (24.0, -16.0, 22.0, 44.0, 48.0),
    "beside": (-20.0, -26.0, 4.0, 8.0, 8.0),
}
_THUMB_SPREAD = (7.0, 7.0, 6.0, 9.0, 11.0)
#: Named shapes: thumb, then index to pinky; ``spread`` of the fingers in degrees a neighbour.
_SHAPES: dict[str, tuple[str, tuple[str, ...], float]] = {
    "open": ("out", ("straight",) * 4, 9.0),
    "flat": ("beside", ("straight",) * 4, 1.0),
    "relaxed": ("relaxed", ("relaxed",) * 4, 4.0),
    "fist": ("across", ("curled",) * 4, 0.0),
    "thumb up": ("out", ("curled",) * 4, 0.0),
    "point": ("across", ("straight", "curled", "curled", "curled"), 2.0),
    "gun": ("out", ("straight", "curled", "curled", "curled"), 2.0),
    "victory": ("across", ("straight", "straight", "curled", "curled"), 12.0),
    "three": ("across", ("straight", "straight", "straight", "curled"), 8.0),
    "four": ("across", ("straight",) * 4, 7.0),
    "horns": ("across", ("straight", "curled", "curled", "straight"), 4.0),
    "phone": ("out", ("curled", "curled", "curled", "straight"), 6.0),
    "pinch": ("opposed", ("bent", "relaxed", "relaxed", "relaxed"), 5.0),
    "ok": ("opposed", ("bent", "straight", "straight", "straight"), 7.0),
    "grasp": ("opposed", ("bent",) * 4, 5.0),
    "claw": ("opposed", ("hooked",) * 4, 8.0),
    "hook": ("beside", ("hooked",) * 4, 1.0),
    "tent": ("beside", ("flat bent",) * 4, 2.0),
}
_COMMON = ("open", "flat", "relaxed", "fist", "point", "grasp")
SHAPE_NAMES = tuple(_SHAPES)
#: Limits of each angle in degrees.
_LIMITS = {
    "thumb_flex": (-30, 45), "thumb_lift": (-45, 25), "thumb_twist": (-15, 45), "thumb_base": (-10, 60),
    "thumb_end": (-20, 80), "flex": (-25, 92), "side": (-24, 24), "middle": (-2, 108), "end": (-6, 80),
    "wrist_flex": (-65, 70), "wrist_side": (-28, 28), "forearm_twist": (-60, 60),
}  # fmt: skip


def sample_shape_name(rng: np.random.Generator) -> str:
    """Half of the time one of the common shapes."""
    return str(rng.choice(_COMMON if rng.random() < 0.5 else SHAPE_NAMES))


def sample_angles(rng: np.random.Generator, name: str | None = None, looseness: float = 1.0) -> np.ndarray:
    """One value in degrees for each of `hand_model.ANGLES`.

    Args:
        name: one of ``SHAPE_NAMES``, or None for one drawn from the prior; one in seven of those is mixed finger by
            finger.
        looseness: factor on the spread around the named shape.
    """
    mixed = name is None and rng.random() < 0.15
    thumb, curls, spread = _SHAPES[name or sample_shape_name(rng)]
    if mixed:
        curls = tuple(rng.choice(list(_CURLS), 4).tolist())
        thumb = str(rng.choice(list(_THUMBS)))
    angles: dict[str, float] = {}
    for key, mean, sigma in zip(ANGLES[:5], _THUMBS[thumb], _THUMB_SPREAD, strict=True):
        angles[key] = mean + rng.normal(0, sigma * looseness)
    spread += rng.normal(0, 2.5 * looseness)
    common = rng.normal(0, 0.6)  # neighbours bend together
    for n, (finger, curl) in enumerate(zip(FINGERS[1:], curls, strict=True)):
        (flex, flex_sigma), (middle, middle_sigma) = _CURLS[curl]
        own = 0.8 * rng.normal(size=2) + common
        angles[f"{finger}_flex"] = flex + looseness * flex_sigma * own[0]
        angles[f"{finger}_middle"] = middle + looseness * middle_sigma * own[1]
        # The end joint follows the middle one: one tendon bends both.
        angles[f"{finger}_end"] = 0.62 * angles[f"{finger}_middle"] + rng.normal(0, 6)
        bent = min(1.0, max(0.0, angles[f"{finger}_flex"] / 80))  # a bent finger hardly moves sideways
        angles[f"{finger}_side"] = (1 - 0.8 * bent) * (spread * (1.1 - n) + rng.normal(0, 2.5 * looseness))
    angles["wrist_flex"] = rng.normal(-8, 18)
    angles["wrist_side"] = rng.normal(0, 9)
    angles["forearm_twist"] = rng.normal(0, 18)
    return np.array([np.clip(angles[key], *_limit(key)) for key in ANGLES])


def set_angles(rng: np.random.Generator, angles_deg: np.ndarray, wanted: tuple[tuple[str, float], ...]) -> np.ndarray:
    """Angles, some of them set, loosely: "flex" and "middle" of all fingers, "spread" a neighbour, or one by name."""
    angles = dict(zip(ANGLES, angles_deg.tolist(), strict=True))
    for key, value in wanted:
        common = rng.normal(0, 4)
        for n, finger in enumerate(FINGERS[1:]):
            if key == "spread":
                angles[f"{finger}_side"] = value * (1.5 - n) + rng.normal(0, 2)
            elif key in ("flex", "middle"):
                angles[f"{finger}_{key}"] = value + common + rng.normal(0, 5)
        if key in angles:
            angles[key] = value + common
    for finger in FINGERS[1:]:
        angles[f"{finger}_end"] = 0.5 * angles[f"{finger}_middle"] + rng.normal(0, 5)
    return np.clip(np.array([angles[key] for key in ANGLES]), LIMITS_DEG[:, 0], LIMITS_DEG[:, 1])


def blend(a: np.ndarray, b: np.ndarray, t: float) -> np.ndarray:
    """Angles between two shapes; limits are convex, so the result keeps them."""
    return a + (b - a) * t


def _limit(key: str) -> tuple[float, float]:
    return _LIMITS[key] if key in _LIMITS else _LIMITS[key.split("_")[1]]


#: (24, 2) lowest and highest value of each of `hand_model.ANGLES`, degrees.
LIMITS_DEG = np.array([_limit(key) for key in ANGLES], float)
