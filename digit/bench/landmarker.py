"""MediaPipe's HandLandmarker on a clip, alone: ``python -m digit.bench.landmarker CLIP FRAMES`` prints JSON."""

import json
import sys
import time
from itertools import islice

import av

from digit.landmarker import Landmarker


def main() -> int:
    clip, frames = sys.argv[1], int(sys.argv[2])
    ms: list[float] = []
    with Landmarker("video") as landmarker, av.open(clip) as video:
        began = time.perf_counter()
        for i, frame in enumerate(islice(video.decode(video=0), frames)):
            picture = frame.to_ndarray(format="rgb24")
            look = time.perf_counter()
            landmarker(picture, 33 * (i + 1))
            ms.append((time.perf_counter() - look) * 1e3)
        seconds = time.perf_counter() - began
    print(json.dumps({"ms": ms, "fps": len(ms) / seconds}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
