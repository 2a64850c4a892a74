"""Place one or two posed hands in front of a camera: views, distances and lenses."""

from dataclasses import dataclass

import numpy as np

from digit.skeleton import WRIST
from digit.synth.components import NONE
from digit.synth.hand_model import HandModel, PosedHand, mirror_x, place, pose, rotation
from digit.synth.lens import seen_from_straight
from digit.synth.meetings import WEBCAM_FROM_PERSON, Way, apart, sample_meeting
from digit.synth.poses import sample_angles, sample_shape_name

_X, _Y, _Z = np.eye(3)
#: So many views are drawn at most to find one in which no arm hides its hand.
_VIEWS = 8
#: Share of meetings seen from where one hand hides most of the other.
_HIDDEN = 0.28
#: Shares of webcams without and with a lens that bends; by how much at the picture's corner (a barrel above zero).
_STRAIGHT, _BENT = 0.4, (-0.03, 0.14)
#: Who looks at two hands, how often, and how far forward the hands are then held, in degrees: mean and deviation. Up to
#: a webcam, forward to their owner's eyes and over a desk or sink.
_VIEWERS = {"webcam": 0.4, "own eyes": 0.2, "above": 0.25, "anywhere": 0.15}
#: The same in pictures without hands alone.
_VIEWERS_OF_MEETINGS = {"webcam": 0.2, "own eyes": 0.4, "above": 0.4}
_FORWARD_DEG = {"webcam": (15, 35), "own eyes": (50, 30), "above": (60, 30), "anywhere": (15, 35)}
#: Shapes of hands in pictures without `COMPONENTS`' poses.
_PLAIN_SHAPES = ("open", "flat", "relaxed")
#: A hand with its fingers up and its palm towards the camera.
_PALM_TO_CAMERA = np.diag([-1.0, -1.0, 1.0])


@dataclass(frozen=True, slots=True)
class SyntheticScene:
    """Hands in camera space and the square picture's camera."""

    hands: dict[str, PosedHand]  # by side
    K: np.ndarray  # (3, 3) of a size x size picture
    bend: float  # the lens's distortion (`digit.synth.lens`)
    facing: bool  # whether a person may look into the camera behind the hands
    framed_px: np.ndarray  # (2, 2) corners of the box around all joints that shall be seen, of absent hands as well


def sample_scene(
    rng: np.random.Generator, model: HandModel, size: int, without: frozenset[str] = NONE
) -> SyntheticScene:
    """31 % one hand, 17 % two hands apart, 52 % two hands that overlap or touch.

    ``without`` some of `COMPONENTS` and `KINDS`.
    """
    facing = True
    shapes = int(rng.integers(len(model.vertices_mm)))
    shapes = 0 if "bodies" in without else shapes
    kind = 0.0 if "pairs" in without else 1.0 if "alone" in without else rng.random()
    gone = None
    if kind < 0.31:
        side = "right" if rng.random() < 0.5 else "left"
        hand = _hand(rng, model, shapes, side, sample_angles(rng, _shape(rng, without)))
        hands = {side: place(hand, _view(rng, 1.0, without), np.zeros(3))}
        gone = _beside(rng, hands[side], side) if "pairs" in without else None
    elif kind < 0.48 or "touching" in without:
        hands = _apart(rng, model, shapes, without)
    else:
        hands, facing = _together(rng, model, shapes, without)
    return _in_camera(rng, hands, size, facing, "camera" in without, gone)


def _shape(rng: np.random.Generator, without: frozenset[str]) -> str | None:
    """The shape of a hand by name; None for any."""
    return str(rng.choice(_PLAIN_SHAPES)) if "poses" in without else None


def _hand(rng: np.random.Generator, model: HandModel, shape: int, side: str, angles: np.ndarray) -> PosedHand:
    hand = pose(model, shape, angles)
    return hand if side == "right" else mirror_x(hand)


def _beside(rng: np.random.Generator, hand: PosedHand, side: str) -> np.ndarray:
    """(J, 3) joints of the other hand, had it not left."""
    outwards = 1.0 if (side == "right") == (rng.random() < 0.8) else -1.0
    return mirror_x(hand).joints_mm + np.array([outwards * rng.uniform(90, 340), rng.normal(0, 70), rng.normal(0, 50)])


def _view(rng: np.random.Generator, spread: float = 1.0, without: frozenset[str] = NONE) -> np.ndarray:
    """(3, 3) camera_from_hand: palm, back or edge towards the camera; fingers mostly up, as hands are held up."""
    if "views" in without:
        return view(rng.choice([0.0, 180.0]) + rng.normal(0, 15), rng.normal(0, 15), rng.normal(0, 20))
    turn = rng.choice([0.0, 180.0, 90.0, -90.0], p=[0.4, 0.4, 0.1, 0.1]) + rng.normal(0, 30 * spread)
    pitch = rng.normal(0, 26) if rng.random() < 0.85 else rng.uniform(-90, 90)
    roll = rng.normal(0, 35 * spread) if rng.random() < 0.75 else rng.uniform(-180, 180)
    return view(turn, pitch, roll)


def view(turn_deg: float, pitch_deg: float, roll_deg: float) -> np.ndarray:
    """(3, 3) camera_from_hand: zeros show the palm, fingers up; ``turn_deg`` goes about the fingers."""
    return rotation(_Z, roll_deg) @ rotation(_X, pitch_deg) @ _PALM_TO_CAMERA @ rotation(_Y, turn_deg)


def _apart(
    rng: np.random.Generator, model: HandModel, shape: int, without: frozenset[str] = NONE
) -> dict[str, PosedHand]:
    """Two hands side by side, mostly the right one on the picture's left (a person in front of the camera)."""
    order = 1.0 if rng.random() < 0.8 else -1.0
    alike = rng.random() < 0.4
    name = _shape(rng, without) or sample_shape_name(rng)
    turned = _view(rng, 1.0, without)
    hands: dict[str, PosedHand] = {}
    for side, sign in (("right", -1.0), ("left", 1.0)):
        angles = sample_angles(rng, name if alike else _shape(rng, without))
        view = _mirrored(turned) if alike and side == "left" else turned if alike else _view(rng, 0.8, without)
        offset = np.array([sign * order * rng.uniform(45, 170), rng.normal(0, 35), rng.normal(0, 35)])
        hands[side] = place(_hand(rng, model, shape, side, angles), view, offset)
    return apart(hands, (order, 0.0, 0.0))


def _mirrored(turn: np.ndarray) -> np.ndarray:
    """The same orientation seen in a mirror, for the other hand."""
    flip = np.diag([-1.0, 1.0, 1.0])
    return flip @ turn @ flip


def _together(
    rng: np.random.Generator, model: HandModel, shape: int, without: frozenset[str] = NONE
) -> tuple[dict[str, PosedHand], bool]:
    """Two hands that meet, and whether the person faces the camera.

    They are seen by a webcam, by the person's own eyes, from above, from anywhere; or from where one hides the other.
    """
    plain = "views" in without
    viewer = "webcam" if plain else sample_viewer(rng, _VIEWERS_OF_MEETINGS if "alone" in without else _VIEWERS)
    held = sample_hold(rng, viewer)
    hands = sample_meeting(rng, model, shape, arm=elbow_from(held))
    held = rotation(_Z, rng.normal(0, 12)) @ held
    hidden = rng.random() < _HIDDEN and not plain
    turn = np.eye(3)
    for _ in range(_VIEWS):
        turn = _camera_behind(rng, hands, held) if hidden else camera_from_person(rng, viewer)
        if not any(_arm_hides(hand, turn @ held) for hand in hands.values()):
            break
    facing = float(turn[2, 2]) < -0.75
    turn = turn @ held
    return {side: place(h, turn, np.zeros(3)) for side, h in hands.items()}, facing


def _camera_behind(rng: np.random.Generator, hands: dict[str, PosedHand], held: np.ndarray) -> np.ndarray:
    """(3, 3) rotation of a camera that sees one hand behind the other; the person's up is up, more or less."""
    between = held @ (hands["left"].joints_mm.mean(0) - hands["right"].joints_mm.mean(0))
    way = between / max(float(np.linalg.norm(between)), 1e-6) * rng.choice([-1.0, 1.0]) + rng.normal(0, 0.22, 3)
    way = way / np.linalg.norm(way)
    down = -_Y + rng.normal(0, 0.25, 3)
    if abs(way[1]) > 0.8:  # from above or below: the person is at the picture's bottom or top
        down = rng.choice([-1.0, 1.0]) * _Z + rng.normal(0, 0.3, 3)
    down = down - way * (down @ way)
    down = down / np.linalg.norm(down)
    return np.stack([np.cross(down, way), down, way])


def _arm_hides(hand: PosedHand, camera_from_hand: np.ndarray) -> bool:
    """Whether the arm comes so straight at the camera that it would hide its hand."""
    way = hand.vertices_mm[-1] - hand.joints_mm[WRIST]  # the last vertices are the arm's end
    return float(camera_from_hand[2] @ way) < -0.75 * float(np.linalg.norm(way))


def sample_viewer(rng: np.random.Generator, shares: dict[str, float] = _VIEWERS) -> str:
    """Who looks at the hands: a webcam, their owner's own eyes, a camera above a desk or sink, or one anywhere."""
    return str(rng.choice(list(shares), p=list(shares.values())))


def sample_hold(rng: np.random.Generator, viewer: str) -> np.ndarray:
    """(3, 3) rotation in the person's frame: people hold the same gesture up, forward or down."""
    return rotation(_X, rng.normal(*_FORWARD_DEG[viewer]))


def elbow_from(held: np.ndarray) -> Way:
    """The way from the right hand to its elbow before the hands are ``held``: elbows stay beside the body."""
    x, y, z = held.T @ (-0.55, -0.6, -0.5)
    return float(x), float(y), float(z)


def camera_from_person(rng: np.random.Generator, viewer: str) -> np.ndarray:
    """(3, 3) rotation of a camera that looks at a person, as one of `sample_viewer`; elevations are above the hands."""
    azimuth, elevation, roll = rng.normal(0, 25), rng.normal(5, 18), rng.normal(0, 12)
    if viewer == "own eyes":
        azimuth, elevation = azimuth + 180, rng.uniform(5, 80)
    elif viewer == "above":
        azimuth, elevation = azimuth + rng.choice([0.0, 180.0], p=[0.3, 0.7]), rng.uniform(55, 95)
    elif viewer == "anywhere":
        azimuth, elevation, roll = (
            rng.uniform(-180, 180),
            np.degrees(np.arcsin(rng.uniform(-1, 1))),
            rng.uniform(-180, 180),
        )
    return rotation(_Z, roll) @ rotation(_X, elevation) @ WEBCAM_FROM_PERSON @ rotation(_Y, -azimuth)


def _in_camera(
    rng: np.random.Generator,
    hands: dict[str, PosedHand],
    size: int,
    facing: bool,
    straight: bool,
    gone: np.ndarray | None = None,
) -> SyntheticScene:
    """Put the hands somewhere in a webcam's view and choose the K of a square picture around them.

    ``gone`` (J, 3) are joints that shall have room in the picture as well.
    """
    reach = float(np.tan(np.radians(rng.uniform(50, 100)) / 2))  # slope at the border of the whole, wider picture
    corner2 = reach**2 * (1 + (9 / 16) ** 2)
    bend = 0.0 if rng.random() < _STRAIGHT else float(rng.uniform(*_BENT)) / corner2
    bend = 0.0 if straight else bend
    distance = float(np.exp(rng.uniform(np.log(250), np.log(1200))))
    slope = (rng.normal(0, 0.36, 2) * (1.0, 0.7)).clip(-0.8, 0.8) * reach
    absent = [] if gone is None else [gone]
    joints = np.concatenate([*(h.joints_mm for h in hands.values()), *absent])
    middle = (joints.min(axis=0) + joints.max(axis=0)) / 2
    nearest = float((joints[:, 2] - middle[2]).min())
    distance = max(distance, 140.0 - nearest)
    shift = distance * np.array([slope[0], slope[1], 1.0]) - middle
    placed = {side: place(h, np.eye(3), shift) for side, h in hands.items()}
    seen = np.concatenate([*(h.joints_mm for h in placed.values()), *(joints_mm + shift for joints_mm in absent)])
    seen = seen_from_straight(seen[:, :2] / seen[:, 2:], bend)
    low, high = seen.min(axis=0), seen.max(axis=0)
    focal = size / (float((high - low).max()) * rng.uniform(1.35, 2.2))
    off_centre = rng.normal(0, 0.04 if rng.random() < 0.85 else 0.2, 2).clip(-0.35, 0.35) * size
    centre = (size - 1) / 2 - focal * (low + high) / 2 + off_centre
    K = np.array([[focal, 0, centre[0]], [0, focal, centre[1]], [0, 0, 1]])
    framed_px = focal * np.stack([low, high]) + centre
    return SyntheticScene(placed, K, bend, facing, framed_px)
