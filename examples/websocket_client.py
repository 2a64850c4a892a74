"""Prints where both index fingers are, and how old that is: pip install websockets, then run it beside the app.

python launcher.py --stream websocket      python examples/websocket_client.py [ws://127.0.0.1:8765/]
"""

import json
import sys
import time

from websockets.sync.client import connect

with connect(sys.argv[1] if len(sys.argv) > 1 else "ws://127.0.0.1:8765/") as socket:
    hello = json.loads(socket.recv())
    tip = hello["joints"].index("index_tip")
    for text in socket:
        message = json.loads(text)
        age_ms = (time.monotonic_ns() - message["capture_ns"]) / 1e6  # the same clock: this computer's
        for hand in message["hands"]:
            x, y, z = hand["positions"][tip]
            print(f"{hand['handedness']:5} index tip {x:+.3f} {y:+.3f} {z:+.3f} m   {age_ms:.0f} ms", flush=True)
