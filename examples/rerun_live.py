"""Shows the WebSocket's hands in Rerun: pip install websockets rerun-sdk, then run it beside the app and a viewer.

Start the viewer as `rerun --bind 127.0.0.1`: otherwise, with rr.spawn() too, it listens to the whole network.
The app can do all this by itself (--stream rerun); start from here to add what your own program knows.
"""

import json
import sys

import rerun as rr
from websockets.sync.client import connect

rr.init("digit-live-client")
if len(sys.argv) > 2:
    rr.save(sys.argv[2])
else:
    rr.connect_grpc()
rr.log("hands", rr.ViewCoordinates.RUB, static=True)
with connect(sys.argv[1] if len(sys.argv) > 1 else "ws://127.0.0.1:8765/") as socket:
    hello = json.loads(socket.recv())
    for text in socket:
        message = json.loads(text)
        rr.set_time("capture", duration=message["capture_ns"] / 1e9)
        for hand in message["hands"]:
            points = rr.Points3D(hand["positions"], radii=hand["radii"], labels=hello["joints"], show_labels=False)
            rr.log(f"hands/{hand['handedness']}", points)
