"""BVH: ``right.bvh`` and ``left.bvh``, the 26 OpenXR joints with real rotations, in centimetres.

BVH has one frame time, so the hands are resampled evenly, both over the span in which either was seen; gaps are bridged
by the shortest turn, and a hand that is not seen yet or any more holds its first or last pose.
"""

from pathlib import Path

import numpy as np

from demo.recording.export import Progress
from demo.recording.export.skeleton import Animation, animations, euler_zxy_deg
from demo.recording.reader import Session
from demo.streams.openxr import JOINTS, PARENTS, WRIST

_CM_PER_M = 100
_CHILDREN = {joint: [c for c, p in enumerate(PARENTS) if p == joint and c != joint] for joint in range(len(JOINTS))}


def write_bvh(session: Session, target: Path, progress: Progress) -> None:
    """Write the folder."""
    target.mkdir(parents=True)
    hands = animations(session)
    seen_s = np.unique(np.concatenate([animation.seconds for animation in hands]))
    step_s = frame_time_s(seen_s)
    times = seen_s[0] + step_s * np.arange(round(float(np.ptp(seen_s)) / step_s) + 1)
    for n, animation in enumerate(hands):
        (target / f"{animation.side}.bvh").write_text(bvh_text(animation, times, step_s), encoding="ascii")
        progress((n + 1) / len(hands))


def bvh_text(animation: Animation, times: np.ndarray, step_s: float) -> str:
    """The file of one hand at these (T,) times, in seconds since the session's first frame."""
    joints: list[int] = []
    hierarchy = ["HIERARCHY", *_joint_lines(animation, WRIST, 0, joints)]
    before = np.clip(np.searchsorted(animation.seconds, times, "right") - 1, 0, len(animation.seconds) - 1)
    after = np.minimum(before + 1, len(animation.seconds) - 1)
    span = animation.seconds[after] - animation.seconds[before]
    share = np.where(span > 0, np.clip(times - animation.seconds[before], 0, None) / np.where(span > 0, span, 1), 0.0)
    share = np.clip(share, 0, 1)[:, None]
    roots = (animation.roots_m[before] * (1 - share) + animation.roots_m[after] * share) * _CM_PER_M
    share = share[..., None]
    turned = animation.rotations[before] * (1 - share) + animation.rotations[after] * share
    angles = euler_zxy_deg(turned / np.linalg.norm(turned, axis=-1, keepdims=True))[:, joints].reshape(len(times), -1)
    frames = [" ".join(f"{value:.6f}" for value in row) for row in np.concatenate([roots, angles], axis=1)]
    motion = ["MOTION", f"Frames: {len(times)}", f"Frame Time: {step_s:.8f}", *frames]
    return "\n".join([*hierarchy, *motion, ""])


def frame_time_s(seconds: np.ndarray) -> float:
    """The usual step between frames."""
    steps = np.diff(seconds)
    steps = steps[steps > 0]
    return float(np.median(steps)) if len(steps) else 1 / 30


def _joint_lines(animation: Animation, joint: int, depth: int, joints: list[int]) -> list[str]:
    """The lines of a joint and all below it; ``joints`` collects the order of their channels."""
    joints.append(joint)
    indent, inner = "  " * depth, "  " * (depth + 1)
    offset = animation.offsets_m[joint] * _CM_PER_M if depth else np.zeros(3)
    channels = "Zrotation Xrotation Yrotation"
    lines = [
        f"{indent}{'JOINT' if depth else 'ROOT'} {animation.side}_{JOINTS[joint]}",
        f"{indent}{{",
        f"{inner}OFFSET {' '.join(f'{value:.6f}' for value in offset)}",
        f"{inner}CHANNELS 3 {channels}" if depth else f"{inner}CHANNELS 6 Xposition Yposition Zposition {channels}",
    ]
    for child in _CHILDREN[joint]:
        lines += _joint_lines(animation, child, depth + 1, joints)
    if not _CHILDREN[joint]:
        lines += [f"{inner}End Site", f"{inner}{{", f"{inner}  OFFSET 0.000000 0.000000 -0.500000", f"{inner}}}"]
    return [*lines, f"{indent}}}"]
