"""The WebSocket's JSON, documented by ``examples/message.schema.json``."""

from time import monotonic_ns
from typing import Any

import numpy as np
import orjson

from demo.streams import openxr
from demo.streams.packet import VERSION, Packet, StreamedHand
from demo.streams.signals import FINGERS


def hello() -> str:
    """The first message: what does not change from frame to frame."""
    message = {
        "type": "hello",
        "version": VERSION,
        "app": "Digit Live",
        "joints": openxr.JOINTS,
        "parents": openxr.PARENTS,
        "webxr_joints": dict(zip(openxr.WEBXR_JOINTS, openxr.WEBXR, strict=True)),
        "fingers": FINGERS,
        "space": "x right, y up, z backward, from the camera",
    }
    return orjson.dumps(message).decode()


def to_json(packet: Packet, sent_ns: int | None = None) -> str:
    """The packet as one line of JSON."""
    scene = packet.scene
    height, width = scene.frame.image.shape[:2]
    message = {
        "type": "hands",
        "version": VERSION,
        "sequence": packet.sequence,
        "frame": scene.frame.index,
        "clock": "monotonic",
        "capture_ns": scene.frame.time_ns,
        "emitted_ns": scene.emitted_ns,
        "sent_ns": monotonic_ns() if sent_ns is None else sent_ns,
        "units": "m",
        "image": [width, height],
        "hands": [_hand_json(streamed) for streamed in packet.hands],
        "contacts": [{"right": c.right, "left": c.left, "gap_m": round(c.gap_m, 5)} for c in packet.contacts],
    }
    return orjson.dumps(message, option=orjson.OPT_SERIALIZE_NUMPY).decode()


def _hand_json(streamed: StreamedHand) -> dict[str, Any]:
    pose, signals = streamed.pose, streamed.signals
    return {
        "handedness": pose.side,
        "score": round(streamed.hand.score, 4),
        "positions": pose.positions_m.astype(np.float32),
        "orientations": pose.orientations.astype(np.float32),
        "radii": pose.radii_m.astype(np.float32),
        "confidence": streamed.confidence.astype(np.float32),
        "flags": pose.flags,
        "linear_velocities": streamed.linear_m_s.astype(np.float32),
        "angular_velocities": streamed.angular_rad_s.astype(np.float32),
        "pinch": {finger: round(strength, 5) for finger, strength in zip(FINGERS, signals.pinch, strict=True)},
        "pinching": [finger for finger, on in zip(FINGERS, signals.pinching, strict=True) if on],
        "grab": round(signals.grab, 5),
        "grabbing": signals.grabbing,
        "ray": {
            "origin": signals.ray_origin_m.astype(np.float32),
            "direction": signals.ray_direction.astype(np.float32),
        },
        "pointing": signals.pointing,
        "palm_facing": round(signals.palm_facing, 5),
        "faces_camera": signals.faces_camera,
    }
