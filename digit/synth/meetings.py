"""The ways in which two hands meet, by name: clasp, interlocked fingers, prayer, gestures of hand washing and more.

Each is told in the person's frame: x to the person's left (where the left hand is), y up, z to the front, away from the
body. Hands come together along the approach until first contact, then `digit.synth.contact` lets fingers give way.
"""

from dataclasses import dataclass, replace

import numpy as np

from digit.skeleton import FINGERS, JOINTS
from digit.synth.contact import SOFTNESS_MM, Pair, Touch, gap_mm, settle, spheres
from digit.synth.hand_model import ANGLES, HandModel, PosedHand, mirror_x, place, pose, rotation, skeletons
from digit.synth.poses import LIMITS_DEG, sample_angles, set_angles

_X, _Y, _Z = np.eye(3)
#: Camera axes (x right, y down, z forward) of a webcam that looks at the person, from the person's frame.
WEBCAM_FROM_PERSON = np.diag([1.0, -1.0, -1.0])
_PALM_JOINTS = [i for i, name in enumerate(JOINTS) if name == "wrist" or name.endswith("1")]

Way = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Held:
    """How one hand is held: the ways its fingers and its palm point, and its shape."""

    fingers: Way
    palm: Way
    shapes: tuple[str, ...]
    angles: tuple[tuple[str, float], ...] = ()  # degrees, for "flex", "middle", "spread" of all fingers or one angle
    centre: str = "palm"  # what is brought to the meeting place: the palm's middle or a joint


@dataclass(frozen=True, slots=True)
class Meeting:
    share: float
    right: Held
    left: Held
    offset_mm: Way = (0.0, 0.0, 0.0)  # of the left hand's centre from the right one's, before the approach
    approach: Way | None = (1.0, 0.0, 0.0)  # None: the offset is already where the left hand is
    looseness_deg: float = 10.0
    tilt_deg: float | None = None  # palms that lie on something turn loosely, but tilt only so much; None: as loosely
    slide_mm: float = 10.0
    touches: tuple[Touch, ...] = ()
    shift_mm: float = 9.0  # how readily hands give way as a whole: little where fingers interleave
    curl_deg: tuple[float, float] = (0.0, 0.0)  # of base and middle joints, once the hands are where they meet
    curls: tuple[str, ...] = ("right", "left")  # the hands that do
    cling: float = 0.0  # how much the hands reach for each other (`settle`)
    apart_mm: float = 4.0  # mean distance that is left between the hands


def both(
    fingers: Way, palm: Way, shapes: tuple[str, ...], angles: tuple[tuple[str, float], ...] = ()
) -> tuple[Held, Held]:
    """A hand and its mirror image."""
    mirrored = (-fingers[0], *fingers[1:]), (-palm[0], *palm[1:])
    return Held(fingers, palm, shapes, angles), Held(*mirrored, shapes, angles)


_TIPS = tuple(Touch(f"{f}4", f"{f}4") for f in ("thumb", "index", "middle", "ring", "pinky"))
_FLAT, _FREE = ("flat", "open", "relaxed"), ("open", "relaxed", "fist", "point", "victory", "flat")
_UP, _FRONT = (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)
_HALF_FINGER_MM = 10.0
#: `Meeting.cling` of hands that press or grip, and of fingers that lie on the other hand.
_PRESSED, _TOUCHED = 0.05, 0.02

MEETINGS: dict[str, Meeting] = {
    "prayer": Meeting(
        0.05, *both(_UP, (1, 0, 0), ("flat",)), slide_mm=4, looseness_deg=5, tilt_deg=3, apart_mm=1, cling=_PRESSED,
    ),
    "palm rub": Meeting(
        0.11, *both((0, 1, 0.1), (1, 0, 0), _FLAT), slide_mm=20, looseness_deg=18, tilt_deg=4, apart_mm=1,
        cling=_PRESSED,
    ),
    "clap": Meeting(0.04, *both((0, 0.8, 0.6), (1, 0, 0), ("flat", "open")), slide_mm=10, apart_mm=30, tilt_deg=8),
    "clasp": Meeting(
        0.09, Held((0.75, 0.5, 0.4), (0.35, -0.1, -0.9), ("relaxed",), (("flex", 22), ("middle", 18))),
        Held((-0.75, 0.5, 0.4), (-0.6, -0.2, -0.7), ("grasp", "relaxed", "fist")), approach=(0, 0, 1), slide_mm=12,
        looseness_deg=14, curl_deg=(38, 42), curls=("right",), cling=_PRESSED,
    ),
    # Fingers in turn, half a finger's width apart: they cross at their first bones.
    "interlocked": Meeting(
        0.14, *both((0.75, 0.66, 0), (0.66, -0.75, 0), ("open",), (("flex", 6), ("middle", 10), ("spread", 16))),
        offset_mm=(70, 0, _HALF_FINGER_MM), approach=None, slide_mm=2, looseness_deg=4, shift_mm=2.5, curl_deg=(40, 48),
    ),
    "interlocked straight": Meeting(
        0.06, *both((0.7, 0.7, 0), (0.7, -0.7, 0), ("open",), (("flex", 6), ("middle", 10), ("spread", 16))),
        offset_mm=(68, 0, _HALF_FINGER_MM), approach=None, slide_mm=2, looseness_deg=4, shift_mm=2.5,
    ),
    "fingers crossed flat": Meeting(
        0.04, *both((0.85, 0.5, 0), (0, 0, -1), ("open",), (("flex", 4), ("middle", 8), ("spread", 15))),
        approach=(0, 0, 1), offset_mm=(70, 0, 0), slide_mm=12, tilt_deg=6, apart_mm=1, cling=_TOUCHED,
    ),
    "palm over back": Meeting(
        0.15, Held((0.35, 0.93, 0), (0, 0, 1), ("open",), (("flex", 30), ("middle", 36), ("spread", 13))),
        Held((-0.25, 0.95, 0), (0, 0, 1), ("open",), (("flex", 4), ("middle", 6), ("spread", 15))),
        offset_mm=(_HALF_FINGER_MM, 6, 0), approach=(0, 0, 1), slide_mm=8, looseness_deg=16, tilt_deg=5,
        cling=_PRESSED,
    ),
    "palm rubs back": Meeting(
        0.10, Held((0.75, 0.65, 0), (0, 0, 1), _FLAT), Held((-0.55, 0.82, 0), (0, 0, 1), (*_FLAT, "fist")),
        approach=(0, 0, 1), slide_mm=26, looseness_deg=16, tilt_deg=6, apart_mm=1, cling=_PRESSED,
    ),
    "hooked fingers": Meeting(
        0.07, Held((1, 0.1, 0), (0, 0, -1), ("hook",), (("flex", 18), ("middle", 82), ("spread", 2))),
        Held((-1, 0.1, 0), (0, 0, 1), ("hook",), (("flex", 18), ("middle", 82), ("spread", 2))),
        offset_mm=(112, 0, -14), approach=None, slide_mm=7,
    ),
    "finger pull": Meeting(
        0.02, Held((1, 0, 0), (0, 0, -1), ("fist",), (("index_flex", 10), ("index_middle", 85)), "index2"),
        Held((-1, 0, 0), (0, 0, 1), ("fist",), (("index_flex", 10), ("index_middle", 85)), "index2"),
        offset_mm=(-8, 0, -14), approach=None, slide_mm=4,
    ),
    "thumb rub": Meeting(
        0.07, Held((0.25, -0.1, 0.95), (0.95, -0.1, -0.25), ("grasp",), (("flex", 24), ("middle", 20))),
        Held((-0.75, -0.1, 0.65), (-0.65, 0, -0.75), ("relaxed", "fist", "open", "flat"),
             (("thumb_flex", -18), ("thumb_lift", 8)), "thumb3"),
        offset_mm=(20, 0, 0), approach=None, slide_mm=5, looseness_deg=12, curl_deg=(48, 62), curls=("right",),
        cling=_PRESSED,
    ),
    "fingertips in palm": Meeting(
        0.05, Held((0.95, -0.1, 0.1), (0.1, -1, 0), ("tent", "grasp"), (("flex", 50), ("middle", 30), ("spread", 0)),
                   "middle4"),
        Held((0.1, 0.6, 0.8), (-1, 0, 0), ("relaxed", "flat")), slide_mm=8, looseness_deg=18, apart_mm=1,
        cling=_TOUCHED,
    ),
    "fist in palm": Meeting(
        0.05, Held((0.9, 0.2, 0.3), (0, -0.5, -0.8), ("fist",), (), "middle2"),
        Held((0, 0.8, 0.6), (-1, 0, 0), ("relaxed", "flat", "open")), slide_mm=10, looseness_deg=20, apart_mm=1,
        curl_deg=(22, 26), curls=("left",), cling=_PRESSED,
    ),
    "wrist hold": Meeting(
        0.05, Held((0.8, 0.3, 0.5), (0, 0, 1), ("grasp",), (("flex", 18), ("middle", 22))),
        Held((0.1, 1, 0), (0, 0, 1), ("relaxed", "fist", "open"), (), "wrist"), offset_mm=(12, 8, 0),
        approach=(0, 0, 1), slide_mm=14, looseness_deg=18, apart_mm=1, curl_deg=(44, 44), curls=("right",),
        cling=_PRESSED,
    ),
    "hand over hand": Meeting(
        0.13, Held((0.55, 0.8, 0), (0, 0, -1), _FLAT), Held((-0.55, 0.8, 0), (0, 0, -1), (*_FLAT, "fist")),
        approach=(0, 0, 1), slide_mm=20, looseness_deg=22, tilt_deg=6, apart_mm=1, cling=_PRESSED,
    ),
    "steeple": Meeting(
        0.04, *both((0.42, 0.9, 0), (0.9, -0.42, 0), ("open",), (("flex", 12), ("middle", 14), ("spread", 9))),
        offset_mm=(108, 0, 0), approach=None, slide_mm=3, looseness_deg=4, touches=_TIPS,
    ),
    "fingertips touch": Meeting(
        0.04, *both((1, 0.15, 0), (0.15, 0, -1), ("open", "relaxed")), offset_mm=(215, 0, 0), approach=None,
        slide_mm=8, looseness_deg=10, touches=_TIPS[1:3],
    ),
    "frame": Meeting(
        0.03, Held((1, 0.1, 0), (0, 0.1, -1), ("gun",)), Held((-1, -0.1, 0), (0, 0.1, 1), ("gun",)),
        offset_mm=(120, 75, 0), approach=None, slide_mm=12,
        touches=(Touch("thumb4", "index4"), Touch("index4", "thumb4")),
    ),
    "heart": Meeting(
        0.03, *both((0.35, 0.9, 0.1), (0.8, -0.3, -0.3), ("relaxed",), (("flex", 42), ("middle", 58), ("spread", 1),
                                                                       ("thumb_flex", -18), ("thumb_lift", -6))),
        offset_mm=(96, 0, 0), approach=None, slide_mm=3, looseness_deg=6, touches=_TIPS[:2],
    ),
    "crossed": Meeting(
        0.06, *both((0.7, 0.7, 0), (0, 0, -1), _FREE), offset_mm=(-20, 0, 0), approach=(0, 0, 1), slide_mm=30,
        looseness_deg=20, apart_mm=15,
    ),
    "crossed fingers": Meeting(
        0.02, Held((0.8, 0.6, 0), (0, 0, -1), ("point",), (), "index3"),
        Held((-0.8, 0.6, 0), (0, 0, -1), ("point",), (), "index3"),
        approach=(0, 0, 1), slide_mm=8,
    ),
    "anything": Meeting(
        0.08, *both((0.3, 0.9, 0), (0.9, -0.3, 0), (*_FREE, "pinch", "ok", "claw", "grasp")), slide_mm=35,
        looseness_deg=50, apart_mm=10,
    ),
}  # fmt: skip
_NAMES = tuple(MEETINGS)
_SHARES = np.array([m.share for m in MEETINGS.values()])
#: Hands of these meetings are built interleaved: pushing them apart would undo them, so another try is drawn instead.
_TRIES = 3
_CURL_STEPS = 3


def sample_meeting(
    rng: np.random.Generator, model: HandModel, shape: int, name: str | None = None, arm: Way = (-0.55, -0.6, -0.5)
) -> dict[str, PosedHand]:
    """Both hands in the person's frame (mm), of one body, in the meeting ``name`` or a drawn one.

    Args:
        arm: the way from the right hand to its elbow; the left one's is its mirror image. Wrists bend within limits.
    """
    meeting = MEETINGS[name or str(rng.choice(_NAMES, p=_SHARES / _SHARES.sum()))]
    bare = skeletons(model)
    pair = sample_pair(rng, bare, shape, meeting, arm)
    for _ in range(1, _TRIES):
        if gap_mm(skin(bare, shape, pair)) >= -SOFTNESS_MM:
            break
        pair = sample_pair(rng, bare, shape, meeting, arm)
    hands = apart(skin(model, shape, pair), meeting.approach or (1.0, 0.0, 0.0), -SOFTNESS_MM)
    if rng.random() < 0.5:
        hands = {("left" if s == "right" else "right"): mirror_x(h) for s, h in hands.items()}
    return hands


def sample_pair(rng: np.random.Generator, model: HandModel, shape: int, meeting: Meeting, arm: Way) -> Pair:
    """Both hands in this meeting before they are skinned; they may run into each other a little."""
    pair = _held(rng, model, shape, meeting, arm)
    pair = settle(model, shape, pair, meeting.touches, meeting.shift_mm, meeting.cling)
    if any(meeting.curl_deg):
        amount = rng.uniform(0.6, 1.15)
        for _ in range(_CURL_STEPS):
            curled = _curled(pair, meeting, amount / _CURL_STEPS)
            pair = settle(model, shape, curled, (), meeting.shift_mm, meeting.cling, steps=3)
    # Whatever reached too far gives way again.
    return settle(model, shape, pair, (), meeting.shift_mm)


def mirrored(pair: Pair) -> Pair:
    """The pair in a mirror: each hand does what the other did."""
    flip = np.diag([-1.0, 1.0, 1.0])
    other = {"right": "left", "left": "right"}
    return Pair(
        {other[side]: angles for side, angles in pair.angles_deg.items()},
        {other[side]: flip @ turn @ flip for side, turn in pair.camera_from_hand.items()},
        {other[side]: flip @ shift for side, shift in pair.shift_mm.items()},
    )


def skin(model: HandModel, shape: int, pair: Pair) -> dict[str, PosedHand]:
    """The posed and placed hands of a pair."""
    hands: dict[str, PosedHand] = {}
    for side in ("right", "left"):
        hand = pose(model, shape, pair.angles_deg[side])
        hand = hand if side == "right" else mirror_x(hand)
        hands[side] = place(hand, pair.camera_from_hand[side], pair.shift_mm[side])
    return hands


def _held(rng: np.random.Generator, model: HandModel, shape: int, meeting: Meeting, arm: Way) -> Pair:
    angles: dict[str, np.ndarray] = {}
    turns: dict[str, np.ndarray] = {}
    shifts: dict[str, np.ndarray] = {}
    hands: dict[str, PosedHand] = {}
    loose, tilt = meeting.looseness_deg, meeting.tilt_deg
    common = np.eye(3) if tilt is None else _loosely(rng, (loose, loose, loose))
    for side, held in (("right", meeting.right), ("left", meeting.left)):
        turn = _turn(held)
        if tilt is None:
            turn = _loosely(rng, (loose, loose, loose)) @ turn
        else:  # a hand's own z is the way of its back
            turn = common @ turn @ _loosely(rng, (tilt, tilt, loose))
        drawn = set_angles(rng, sample_angles(rng, str(rng.choice(held.shapes)), 0.7), held.angles)
        drawn = _bend_wrist(rng, drawn, turn, side, arm)
        hand = pose(model, shape, drawn)
        hand = hand if side == "right" else mirror_x(hand)
        hand = place(hand, turn, np.zeros(3))
        at = _PALM_JOINTS if held.centre == "palm" else [JOINTS.index(held.centre)]
        shift = -hand.joints_mm[at].mean(axis=0)
        if side == "left":
            scale = float(np.linalg.norm(model.joints_mm[shape, JOINTS.index("middle1")])) / 90.0
            shift = shift + scale * common @ np.array(meeting.offset_mm) + rng.normal(0, meeting.slide_mm, 3)
        angles[side], turns[side], shifts[side] = drawn, turn, shift
        hands[side] = place(hand, np.eye(3), shift)
    if meeting.approach is not None:
        gap = rng.exponential(meeting.apart_mm) - SOFTNESS_MM
        way = common @ np.array(meeting.approach) / np.linalg.norm(meeting.approach)
        shifts["left"] = shifts["left"] + first_contact_mm(hands, way, gap) * way
    return Pair(angles, turns, shifts)


def _loosely(rng: np.random.Generator, sigma_deg: Way) -> np.ndarray:
    """(3, 3) a small turn about each axis."""
    x, y, z = rng.normal(0, sigma_deg)
    return rotation(_X, x) @ rotation(_Y, y) @ rotation(_Z, z)


def _curled(pair: Pair, meeting: Meeting, share: float) -> Pair:
    """The pair with the fingers of the hands that curl bent by a share of the meeting's curl."""
    more = np.zeros(len(ANGLES))
    for finger in FINGERS[1:]:
        for joint, degrees in zip(
            ("flex", "middle", "end"), (*meeting.curl_deg, 0.5 * meeting.curl_deg[1]), strict=True
        ):
            more[ANGLES.index(f"{finger}_{joint}")] = share * degrees
    bent = {s: np.clip(pair.angles_deg[s] + more, LIMITS_DEG[:, 0], LIMITS_DEG[:, 1]) for s in meeting.curls}
    return replace(pair, angles_deg=pair.angles_deg | bent)


def _bend_wrist(rng: np.random.Generator, angles_deg: np.ndarray, turn: np.ndarray, side: str, arm: Way) -> np.ndarray:
    """Angles whose forearm lies the way of the elbow, as near as a wrist bends."""
    way = np.array(arm) / np.linalg.norm(arm) + rng.normal(0, 0.15, 3)
    x, y, z = turn.T @ (way if side == "right" else way * (-1, 1, 1))
    x = x if side == "right" else -x
    angles_deg = angles_deg.copy()
    angles_deg[ANGLES.index("wrist_side")] = np.degrees(np.arcsin(np.clip(x, -1, 1)))
    # Beyond a right angle no wrist can follow, and its sign says nothing any more.
    angles_deg[ANGLES.index("wrist_flex")] = np.degrees(np.arctan2(-z, max(-y, 0.2)))
    return np.clip(angles_deg, LIMITS_DEG[:, 0], LIMITS_DEG[:, 1])


def _turn(held: Held) -> np.ndarray:
    """(3, 3) rotation whose columns are the hand's axes: the side, the fingers, the back."""
    y = np.array(held.fingers, float)
    y /= np.linalg.norm(y)
    z = -np.array(held.palm, float)
    z -= y * (y @ z)
    z /= np.linalg.norm(z)
    return np.stack([np.cross(y, z), y, z], 1)


def first_contact_mm(hands: dict[str, PosedHand], way: np.ndarray, gap: float) -> float:
    """How far the left hand moves along ``way`` to where it first comes within ``gap`` mm of the right."""
    (a, ra), (b, rb) = spheres(hands["right"]), spheres(hands["left"])
    between = b[None] - a[:, None]
    reach = ra[:, None] + rb[None] + gap
    along = between @ way
    across2 = (between**2).sum(axis=-1) - along**2
    meets = across2 < reach**2
    if not meets.any():
        return 0.0
    return float((np.sqrt(np.maximum(reach**2 - across2, 0)) - along)[meets].max())


def apart(hands: dict[str, PosedHand], approach: Way, gap: float = 0.0) -> dict[str, PosedHand]:
    """Move the left hand along ``approach`` until two hands that run into each other only touch."""
    if gap_mm(hands) >= gap:
        return hands
    way = np.array(approach) / np.linalg.norm(approach)
    return hands | {"left": place(hands["left"], np.eye(3), first_contact_mm(hands, way, gap) * way)}
