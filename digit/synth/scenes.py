"""Place one or two posed hands in front of a camera: views, distances, and the ways two hands meet.

Hands that touch are brought together along an approach direction until their first contact, found in closed form on
spheres along the bones, so they touch without running into each other by more than the skin's softness.
"""

from dataclasses import dataclass

import numpy as np

from digit.skeleton import BONES, JOINTS
from digit.synth.hand_model import HandModel, PosedHand, mirror_x, place, pose, rotation
from digit.synth.poses import sample_angles, sample_shape_name

#: Depth to which skin may give way where hands touch, mm.
SOFTNESS_MM = 2.5
_X, _Y, _Z = np.eye(3)
#: A hand with its fingers up and its palm towards the camera.
_PALM_TO_CAMERA = np.diag([-1.0, -1.0, 1.0])
_SPHERES_A_BONE = 5
_RADIUS_MM = {"4": 6.5, "3": 7.5, "2": 8.5, "1": 12.0}  # of the bone that ends in tip, 3, 2, base joint


@dataclass(frozen=True, slots=True)
class SyntheticScene:
    """Hands in camera space and the square picture's camera."""

    hands: dict[str, PosedHand]  # by side
    K: np.ndarray  # (3, 3) of a size x size picture


def sample_scene(rng: np.random.Generator, model: HandModel, size: int) -> SyntheticScene:
    """40 % one hand, 25 % two hands apart, 35 % two hands that overlap or touch."""
    shapes = int(rng.integers(len(model.vertices_mm)))
    kind = rng.random()
    if kind < 0.4:
        side = "right" if rng.random() < 0.5 else "left"
        hand = _hand(rng, model, shapes, side, sample_angles(rng))
        hands = {side: place(hand, _view(rng), np.zeros(3))}
    elif kind < 0.65:
        hands = _apart(rng, model, shapes)
    else:
        hands = _together(rng, model, shapes)
    return _in_camera(rng, hands, size)


def _hand(rng: np.random.Generator, model: HandModel, shape: int, side: str, angles: np.ndarray) -> PosedHand:
    hand = pose(model, shape, angles)
    return hand if side == "right" else mirror_x(hand)


def _view(rng: np.random.Generator, spread: float = 1.0) -> np.ndarray:
    """(3, 3) camera_from_hand: palm, back or edge towards the camera; fingers mostly up, as hands are held up."""
    turn = rng.choice([0.0, 180.0, 90.0, -90.0], p=[0.4, 0.4, 0.1, 0.1]) + rng.normal(0, 30 * spread)
    pitch = rng.normal(0, 26) if rng.random() < 0.85 else rng.uniform(-90, 90)
    roll = rng.normal(0, 35 * spread) if rng.random() < 0.75 else rng.uniform(-180, 180)
    return view(turn, pitch, roll)


def view(turn_deg: float, pitch_deg: float, roll_deg: float) -> np.ndarray:
    """(3, 3) camera_from_hand: zeros show the palm, fingers up; ``turn_deg`` goes about the fingers."""
    return rotation(_Z, roll_deg) @ rotation(_X, pitch_deg) @ _PALM_TO_CAMERA @ rotation(_Y, turn_deg)


def _apart(rng: np.random.Generator, model: HandModel, shape: int) -> dict[str, PosedHand]:
    """Two hands side by side, mostly the right one on the picture's left (a person in front of the camera)."""
    order = 1.0 if rng.random() < 0.8 else -1.0
    alike = rng.random() < 0.4
    name = sample_shape_name(rng)
    turned = _view(rng)
    hands: dict[str, PosedHand] = {}
    for side, sign in (("right", -1.0), ("left", 1.0)):
        angles = sample_angles(rng, name if alike else None)
        view = _mirrored(turned) if alike and side == "left" else turned if alike else _view(rng, 0.8)
        offset = np.array([sign * order * rng.uniform(45, 170), rng.normal(0, 35), rng.normal(0, 35)])
        hands[side] = place(_hand(rng, model, shape, side, angles), view, offset)
    return apart(hands, (order, 0.0, 0.0))


def _mirrored(turn: np.ndarray) -> np.ndarray:
    """The same orientation seen in a mirror, for the other hand."""
    flip = np.diag([-1.0, 1.0, 1.0])
    return flip @ turn @ flip


def _together(rng: np.random.Generator, model: HandModel, shape: int) -> dict[str, PosedHand]:
    """Two hands that meet. The pair is built facing each other across x, moved to contact, then turned as a whole."""
    kind = str(rng.choice(list(_MEETINGS), p=[m.share for m in _MEETINGS.values()]))
    meeting = _MEETINGS[kind]
    hands: dict[str, PosedHand] = {}
    for side, names, yaw in (("right", meeting.right, meeting.right_turn), ("left", meeting.left, meeting.left_turn)):
        angles = sample_angles(rng, str(rng.choice(names)), 0.8)
        loose = meeting.looseness_deg
        local = (
            rotation(_Z, rng.normal(meeting.tilt_deg if side == "right" else -meeting.tilt_deg, loose))
            @ rotation(_X, rng.normal(meeting.pitch_deg, loose * 1.4))
            @ _PALM_TO_CAMERA
            @ rotation(_Y, yaw + rng.normal(0, loose))
        )
        hand = place(_hand(rng, model, shape, side, angles), local, np.zeros(3))
        centre = hand.joints_mm[_PALM_JOINTS].mean(axis=0)
        hands[side] = place(hand, np.eye(3), -centre)
    slide = rng.normal(0, meeting.slide_mm, 3)
    hands["left"] = place(hands["left"], np.eye(3), slide)
    hands = _touch(hands, meeting.approach, gap_mm=rng.exponential(6.0) - SOFTNESS_MM)
    if rng.random() < 0.5:
        hands = {("left" if s == "right" else "right"): mirror_x(h) for s, h in hands.items()}
    whole = rotation(_Z, rng.normal(0, 25) if rng.random() < 0.8 else rng.uniform(-180, 180))
    whole = whole @ rotation(_X, rng.normal(0, 30)) @ rotation(_Y, rng.normal(0, 40) + 180.0 * (rng.random() < 0.3))
    return {side: place(h, whole, np.zeros(3)) for side, h in hands.items()}


@dataclass(frozen=True, slots=True)
class _Meeting:
    """How two hands meet; angles before the pair is turned as a whole."""

    share: float
    right: tuple[str, ...]
    left: tuple[str, ...]
    right_turn: float = 90.0  # about the fingers: 90 faces the right palm to the left hand
    left_turn: float = -90.0
    tilt_deg: float = 0.0  # of the fingers towards the other hand
    pitch_deg: float = 0.0
    looseness_deg: float = 14.0
    slide_mm: float = 18.0
    approach: tuple[float, float, float] = (1.0, 0.0, 0.0)  # the way from the right to the left hand


_MEETINGS = {
    "prayer": _Meeting(0.1, ("flat", "open"), ("flat", "open"), slide_mm=8.0, looseness_deg=8.0),
    "clasp": _Meeting(0.12, ("grasp", "relaxed", "tent"), ("grasp", "relaxed", "tent"), tilt_deg=25.0),
    "interlocked": _Meeting(0.08, ("grasp", "open", "tent"), ("grasp", "open", "tent"), tilt_deg=40.0, slide_mm=12.0),
    "palm rub": _Meeting(
        0.12, ("flat", "relaxed", "open"), ("flat", "relaxed", "open"), looseness_deg=25.0, slide_mm=30.0,
    ),
    "fist in palm": _Meeting(0.08, ("fist",), ("relaxed", "grasp", "flat"), looseness_deg=25.0),
    "hand over hand": _Meeting(
        0.14, ("flat", "relaxed", "open"), ("flat", "relaxed", "fist"), right_turn=180.0, left_turn=180.0,
        slide_mm=25.0, looseness_deg=25.0, approach=(0.0, 0.0, 1.0),
    ),
    "steeple": _Meeting(0.07, ("open", "relaxed"), ("open", "relaxed"), tilt_deg=28.0, slide_mm=6.0, looseness_deg=8.0),
    "crossed": _Meeting(
        0.08, ("open", "flat", "fist", "relaxed"), ("open", "flat", "fist", "relaxed"), right_turn=0.0, left_turn=0.0,
        tilt_deg=50.0, looseness_deg=20.0, slide_mm=30.0, approach=(0.0, 0.0, 1.0),
    ),
    "finger pull": _Meeting(0.06, ("hook", "claw"), ("hook", "claw"), tilt_deg=45.0, looseness_deg=20.0),
    "wrist hold": _Meeting(
        0.05, ("grasp",), ("relaxed", "fist", "open"), pitch_deg=0.0, right_turn=90.0, left_turn=0.0, slide_mm=40.0,
        looseness_deg=25.0,
    ),
    "anything": _Meeting(
        0.1, ("point", "pinch", "open", "victory", "ok"), ("point", "pinch", "open", "claw", "fist"),
        looseness_deg=50.0, slide_mm=40.0,
    ),
}  # fmt: skip
_PALM_JOINTS = [i for i, name in enumerate(JOINTS) if name == "wrist" or name.endswith("1")]


def spheres(hand: PosedHand) -> tuple[np.ndarray, np.ndarray]:
    """Centres (N, 3) and radii (N,) in mm of spheres along the hand's bones."""
    along = np.linspace(0, 1, _SPHERES_A_BONE)
    centres = [hand.joints_mm[c] + along[:, None] * (hand.joints_mm[p] - hand.joints_mm[c]) for c, p in BONES]
    radii = [np.full(_SPHERES_A_BONE, _RADIUS_MM[JOINTS[c][-1]]) for c, _ in BONES]
    return np.concatenate(centres), np.concatenate(radii)


def gap_mm(hands: dict[str, PosedHand]) -> float:
    """Smallest distance between the two hands' spheres; negative where they run into each other."""
    (a, ra), (b, rb) = spheres(hands["right"]), spheres(hands["left"])
    return float((np.linalg.norm(a[:, None] - b[None], axis=-1) - ra[:, None] - rb[None]).min())


def _touch(hands: dict[str, PosedHand], approach: tuple[float, float, float], gap_mm: float) -> dict[str, PosedHand]:
    """Move the left hand along ``approach`` to where, from far, it first comes within ``gap_mm`` of the right."""
    way = np.array(approach) / np.linalg.norm(approach)
    (a, ra), (b, rb) = spheres(hands["right"]), spheres(hands["left"])
    apart = b[None] - a[:, None]
    reach = ra[:, None] + rb[None] + gap_mm
    along = apart @ way
    across2 = (apart**2).sum(axis=-1) - along**2
    meets = across2 < reach**2
    if not meets.any():
        return hands
    shift = float((np.sqrt(np.maximum(reach**2 - across2, 0)) - along)[meets].max())
    return hands | {"left": place(hands["left"], np.eye(3), shift * way)}


def apart(hands: dict[str, PosedHand], way: tuple[float, float, float]) -> dict[str, PosedHand]:
    """Move the left hand along ``way`` until two hands that run into each other only touch."""
    return _touch(hands, way, 0.0) if gap_mm(hands) < 0 else hands


def _in_camera(rng: np.random.Generator, hands: dict[str, PosedHand], size: int) -> SyntheticScene:
    """Put the hands somewhere in a webcam's view and choose the K of a square picture around them."""
    distance = float(np.exp(rng.uniform(np.log(260), np.log(1100))))
    slope = rng.normal(0, 0.22, 2).clip(-0.6, 0.6)
    joints = np.concatenate([h.joints_mm for h in hands.values()])
    middle = (joints.min(axis=0) + joints.max(axis=0)) / 2
    nearest = float((joints[:, 2] - middle[2]).min())
    distance = max(distance, 140.0 - nearest)
    shift = distance * np.array([slope[0], slope[1], 1.0]) - middle
    placed = {side: place(h, np.eye(3), shift) for side, h in hands.items()}
    seen = np.concatenate([h.joints_mm[:, :2] / h.joints_mm[:, 2:] for h in placed.values()])
    low, high = seen.min(axis=0), seen.max(axis=0)
    focal = size / (float((high - low).max()) * rng.uniform(1.35, 1.85))
    off_centre = rng.normal(0, 0.04 if rng.random() < 0.85 else 0.2, 2).clip(-0.35, 0.35) * size
    centre = (size - 1) / 2 - focal * (low + high) / 2 + off_centre
    return SyntheticScene(placed, np.array([[focal, 0, centre[0]], [0, focal, centre[1]], [0, 0, 1]]))
