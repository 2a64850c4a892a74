"""The VMC protocol (OSC over UDP): rotations of the thirty finger bones of a VRM avatar, and both wrists as trackers.

Bones are Unity's HumanBodyBones. Unity is left-handed, x right, y up, z forward; a bone's rotation is local and is the
identity in the T-pose: arms sideways, palms down, thumbs forward and out. The camera does not see the arm, so no
``RightHand`` bone is sent: the wrists go as ``/VMC/Ext/Tra/Pos`` (``digit_right``), in metres from the camera, with z
along the look of a person who faces it. The avatar's root belongs where the person stands, which is at a negative z.
"""

from collections.abc import Iterable
from functools import cache
from time import monotonic

import numpy as np

from demo.records import Side
from demo.streams import quaternion, skeleton
from demo.streams.address import Network
from demo.streams.datagrams import Datagrams
from demo.streams.openxr import FINGER_NAMES, JOINTS, WRIST, HandPose
from demo.streams.osc import bundle, message
from demo.streams.packet import Packet

PORT = 39539
_LONG = (("Proximal", "proximal"), ("Intermediate", "intermediate"), ("Distal", "distal"))
_THUMB = (("Proximal", "metacarpal"), ("Intermediate", "proximal"), ("Distal", "distal"))
#: Unity's bone without its side; OpenXR joint; joint of the bone before it (fingers hang on the hand).
_NAMES, _JOINTS, _PARENTS = zip(
    *(
        (
            f"{finger.capitalize()}{bone}",
            JOINTS.index(f"{finger}_{joint}"),
            WRIST if n == 0 else JOINTS.index(f"{finger}_{parts[n - 1][1]}"),
        )
        for finger in FINGER_NAMES
        for parts in (_THUMB if finger == "thumb" else _LONG,)
        for n, (bone, joint) in enumerate(parts)
    ),
    strict=True,
)
#: Frame of the wrist in the T-pose of an avatar that looks along -z (OpenXR's axes): columns x, y, z.
_T_POSE = {
    "right": quaternion.from_matrix(np.array([[0.0, 0, -1], [0, 1, 0], [1, 0, 0]])),
    "left": quaternion.from_matrix(np.array([[0.0, 0, 1], [0, 1, 0], [-1, 0, 0]])),
}
#: From the camera's view to that of the person, who looks the other way: half a turn about y.
_HALF_TURN = np.array([0.0, 1.0, 0.0, 0.0])


def unity(q: np.ndarray) -> np.ndarray:
    """A right-handed turn (..., 4) in Unity's left-handed axes: z is negated."""
    return q * np.array([-1.0, -1.0, 1.0, 1.0])


def bone_rotations(pose: HandPose) -> dict[str, np.ndarray]:
    """Unity bone name -> (4,) local rotation against the T-pose."""
    rest = _rest(pose.side)
    # Normalised: the turn since the T-pose, in the avatar's axes.
    turned = quaternion.multiply(pose.orientations, quaternion.inverse(rest))
    of_wrist = quaternion.inverse(turned[WRIST])
    turned = quaternion.multiply(np.broadcast_to(of_wrist, turned.shape), turned)
    local = quaternion.multiply(quaternion.inverse(turned[list(_PARENTS)]), turned[list(_JOINTS)])
    side = pose.side.capitalize()
    return {side + name: turn for name, turn in zip(_NAMES, unity(local), strict=True)}


@cache
def _rest(side: Side) -> np.ndarray:
    """(26, 4) orientations of the hand in the T-pose."""
    local = skeleton.rest(side).copy()
    local[WRIST] = _T_POSE[side]
    return skeleton.posed(np.zeros((len(JOINTS), 3)), local, np.zeros(3))[1]


def tracker(pose: HandPose) -> tuple[np.ndarray, np.ndarray]:
    """Place (3,) in metres and turn (4,) of the wrist in Unity's axes; identity is the T-pose's wrist."""
    turned = quaternion.multiply(pose.orientations[WRIST], quaternion.inverse(_T_POSE[pose.side]))
    turned = quaternion.multiply(_HALF_TURN, turned)
    x, y, z = pose.positions_m[WRIST]
    return np.array([-x, y, z]), unity(turned)


def messages(packet: Packet, time_s: float) -> Iterable[bytes]:
    """Availability, time, the bones of the hands that are there, and their wrists."""
    yield message("/VMC/Ext/OK", 1)
    yield message("/VMC/Ext/T", time_s)
    yield message("/VMC/Ext/Root/Pos", "root", 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0)
    for streamed in packet.hands:
        for bone, turn in bone_rotations(streamed.pose).items():
            yield message("/VMC/Ext/Bone/Pos", bone, 0.0, 0.0, 0.0, *turn.tolist())
        place, turn = tracker(streamed.pose)
        yield message("/VMC/Ext/Tra/Pos", f"digit_{streamed.pose.side}", *place.tolist(), *turn.tolist())


def open_stream(address: str, network: Network) -> Datagrams:
    """Raises UserError for a bad address."""
    start_s = monotonic()
    return Datagrams(address, PORT, network, lambda packet: [bundle(messages(packet, monotonic() - start_s))])
