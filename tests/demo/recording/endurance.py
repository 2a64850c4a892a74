"""Measures a long recording: ``python -m tests.demo.recording.endurance CLIP [--minutes 30] [--codec h264]``.

Feeds the clip's pictures, over and over, with Scenes of two hands at 30 a second through the live recorder, and prints
one line of JSON: drops, bytes a minute, and the process's memory at the start, in the middle and at the end.
"""

import argparse
import json
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import av

from demo.recording.info import new_info
from demo.recording.recorder import Recorder
from demo.records import Frame
from demo.settings import Settings
from tests.gui.hands import scene

FPS = 30


def resident_mb() -> float:
    """Of this process."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("clip", type=Path)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--codec", choices=("h264", "mjpeg"), default="h264")
    arguments = parser.parse_args()
    with av.open(str(arguments.clip)) as container:
        images = [f.to_ndarray(format="rgb24") for _, f in zip(range(90), container.decode(video=0), strict=False)]
    scenes = [scene(i, t=i / FPS) for i in range(90)]
    total, memory, late_ms, longest_put_ms = int(arguments.minutes * 60 * FPS), [], 0.0, 0.0
    with tempfile.TemporaryDirectory() as folder:
        recorder = Recorder(Path(folder) / "session", new_info(Settings(codec=arguments.codec), "endurance"))
        start_ns, cpu_s = time.monotonic_ns(), time.process_time()
        for i in range(total):
            due_ns = start_ns + i * 1_000_000_000 // FPS
            late_ms = max(late_ms, (time.monotonic_ns() - due_ns) / 1e6)
            time.sleep(max(0, due_ns - time.monotonic_ns()) / 1e9)
            put = time.perf_counter()
            recorder.put(replace(scenes[i % 90], frame=Frame(i, due_ns, images[i % len(images)]), emitted_ns=due_ns))
            longest_put_ms = max(longest_put_ms, (time.perf_counter() - put) * 1000)
            if i % (FPS * 5) == 0:
                memory.append(resident_mb())
            if i % (FPS * 60) == 0:
                state = recorder.state
                said = (
                    f"{i // (FPS * 60)} min, {state.rows} rows, {state.dropped} dropped, {memory[-1]:.0f} MB of memory"
                )
                print(f"{said}, {memory[-1]:.0f} MB of memory", file=sys.stderr, flush=True)
        cpu_s = time.process_time() - cpu_s
        state = recorder.stop()
    figures = {
        "minutes": arguments.minutes,
        "codec": arguments.codec,
        "picture": list(images[0].shape),
        "rows": state.rows,
        "dropped": state.dropped,
        "mb_a_minute": round(state.bytes / 1e6 / arguments.minutes, 1),
        "memory_mb": {"at 10 s": round(memory[min(2, len(memory) - 1)]), "middle": round(memory[len(memory) // 2])}
        | {"end": round(memory[-1]), "most": round(max(memory))},
        "cores_used": round(cpu_s / (arguments.minutes * 60), 2),
        "longest_put_ms": round(longest_put_ms, 2),
        "feeder_late_ms": round(late_ms),
        "error": state.error,
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
