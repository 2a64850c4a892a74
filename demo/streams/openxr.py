"""The 26 hand joints of OpenXR (XR_EXT_hand_tracking) and the pose that carries them.

Space: OpenXR's view space at the camera, right-handed, x right, y up, z backward, metres. A joint's +z points backward
along its bone, away from the finger's tip, and +y out of the back of the hand; the palm's and the wrist's as the
middle finger's metacarpal.
"""

from dataclasses import dataclass

import numpy as np

from demo.records import Side
from digit.skeleton import FINGERS
from digit.skeleton import JOINTS as INTERHAND_JOINTS

_LONG = ("metacarpal", "proximal", "intermediate", "distal", "tip")
_THUMB = ("metacarpal", "proximal", "distal", "tip")
#: OpenXR calls the pinky "little".
FINGER_NAMES = ("thumb", "index", "middle", "ring", "little")
#: Names in the order of XrHandJointEXT.
JOINTS = (
    "palm",
    "wrist",
    *(f"{finger}_{bone}" for finger in FINGER_NAMES for bone in (_THUMB if finger == "thumb" else _LONG)),
)
PALM, WRIST = 0, 1
TIPS = tuple(i for i, name in enumerate(JOINTS) if name.endswith("_tip"))
METACARPALS = tuple(i for i, name in enumerate(JOINTS) if name.endswith("_metacarpal"))

#: Parent of each joint; the wrist is the root and its own parent.
PARENTS = tuple(WRIST if i in (PALM, WRIST, *METACARPALS) else i - 1 for i in range(len(JOINTS)))

#: WebXR's 25 joints: OpenXR's without the palm.
WEBXR = tuple(range(1, len(JOINTS)))


def _webxr_name(name: str) -> str:
    finger, _, bone = name.partition("_")
    if not bone:
        return finger
    prefix = {"little": "pinky"}.get(finger, finger) + "-finger" if finger != "thumb" else "thumb"
    joint = bone if bone in ("metacarpal", "tip") else f"phalanx-{bone}"
    return f"{prefix}-{joint}"


WEBXR_JOINTS = tuple(_webxr_name(JOINTS[i]) for i in WEBXR)


def _interhand() -> tuple[int, ...]:
    """InterHand2.6M joint of each OpenXR joint, -1 where there is none and the solver makes one."""
    source = {"wrist": INTERHAND_JOINTS.index("wrist")}
    for name, finger in zip(FINGER_NAMES, FINGERS, strict=True):
        bones = _THUMB if finger == "thumb" else _LONG[1:]
        source |= {f"{name}_{bone}": INTERHAND_JOINTS.index(f"{finger}{n}") for n, bone in enumerate(bones, 1)}
    return tuple(source.get(name, -1) for name in JOINTS)


#: InterHand2.6M joint of each OpenXR joint; -1 for the palm and four metacarpals, which are made up.
FROM_INTERHAND = _interhand()
SYNTHESISED = np.array([source < 0 for source in FROM_INTERHAND])

#: XrSpaceLocationFlags.
ORIENTATION_VALID, POSITION_VALID, ORIENTATION_TRACKED, POSITION_TRACKED = 1, 2, 4, 8


@dataclass(frozen=True, slots=True, eq=False)
class HandPose:
    """One active hand. Arrays are read-only and in the order of `JOINTS`."""

    side: Side
    positions_m: np.ndarray  # (26, 3) float64
    orientations: np.ndarray  # (26, 4) float64 unit quaternions x, y, z, w
    radii_m: np.ndarray  # (26,) float64, above 0
    flags: np.ndarray  # (26,) uint8, XrSpaceLocationFlags
