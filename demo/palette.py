"""The colours, in the paper's style: each of a hand's 16 parts has one, and the right hand is the darker."""

import numpy as np

from digit.skeleton import FINGERS, FIRST_PART, JOINTS, PART_CLASSES, PARTS, PARTS_PER_HAND, SIDES

#: RGB of each finger's middle segment and of the palm, on the left hand.
_FINGER_RGB = {
    "thumb": (240, 110, 90),
    "index": (245, 190, 70),
    "middle": (130, 215, 100),
    "ring": (85, 190, 240),
    "pinky": (190, 130, 245),
    "palm": (205, 205, 215),
}
_SEGMENT_SHADE = {"1": 0.82, "2": 1.0, "3": 1.18}
_SIDE_SHADE = {"right": 0.58, "left": 1.0}


def _rgb(name: str, side: str) -> np.ndarray:
    """(3,) uint8 RGB of a part such as ``index2`` or ``palm``."""
    finger, segment = (name, "2") if name == "palm" else (name[:-1], name[-1])
    shade = _SEGMENT_SHADE[segment] * _SIDE_SHADE[side]
    return np.clip(np.array(_FINGER_RGB[finger]) * shade, 0, 255).round().astype(np.uint8)


def _part_rgb() -> np.ndarray:
    rgb = np.zeros((PART_CLASSES, 3), np.uint8)
    for side, first in FIRST_PART.items():
        rgb[first : first + PARTS_PER_HAND] = [_rgb(part, side) for part in PARTS]
    return rgb


def _joint_rgb() -> np.ndarray:
    """A joint has the colour of the part that ends in it; tips that of the outermost segment."""
    part_of = {f"{finger}{n}": f"{finger}{min(n, 3)}" for finger in FINGERS for n in (1, 2, 3, 4)} | {"wrist": "palm"}
    return np.array([_rgb(part_of[joint], side) for side in SIDES for joint in JOINTS], np.uint8)


#: (33, 3) uint8 RGB of each part class; black for the background.
PART_RGB = _part_rgb()
#: (42, 3) uint8 RGB of each joint; a bone has its child's colour.
JOINT_RGB = _joint_rgb()
#: RGB of a whole hand, for plots and captions.
SIDE_RGB = {"right": (176, 66, 54), "left": (96, 178, 236)}
CROP_RGB = (255, 255, 255)

for _table in (PART_RGB, JOINT_RGB):
    _table.setflags(write=False)
