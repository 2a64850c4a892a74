"""The one line of figures under the window."""

from demo.gui.history import CAPTURE_TO_DRAWN, History
from demo.records import Scene
from demo.settings import Settings

#: Below this share of the frames that come in, the line says how many those are.
WORTH_SAYING = 0.95


def hud_line(
    history: History, now_ns: int, scene: Scene | None, running: str, settings: Settings, paused: bool = False
) -> str:
    """Frame rate, latency, what runs (``running``, such as "openvino · digit-lite") and how the depth is known."""
    parts = []
    latency_ms = history.latency_ms(now_ns)
    if paused:
        parts.append("paused")
    elif CAPTURE_TO_DRAWN in latency_ms:
        p50, p95 = latency_ms[CAPTURE_TO_DRAWN]
        fps, came = history.fps(now_ns), history.source_fps(now_ns)
        parts.append(f"{fps:.1f} of {came:.0f} fps" if fps < WORTH_SAYING * came else f"{fps:.1f} fps")
        parts.append(f"capture to drawn {p50:.0f} ms (p95 {p95:.0f} ms)")
    if running:
        parts.append(running)
    if scene is not None:
        height, width = scene.frame.image.shape[:2]
        parts.append(f"{width}×{height}")
        if scene.K_origin == "field of view":
            parts.append(f"depth: estimated from assumed field of view {settings.fov_deg:g}°")
    return "   ·   ".join(parts)
