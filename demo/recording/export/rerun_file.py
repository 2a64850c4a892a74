"""A recording for the Rerun viewer, logged as the live stream logs (`demo.streams.rerun_viewer`)."""

from pathlib import Path

from demo.recording.export import Progress
from demo.recording.reader import Session
from demo.settings import OverlayOptions
from demo.streams.address import Network
from demo.streams.packet import Packing
from demo.streams.rerun_viewer import open_stream


def write_rerun(session: Session, target: Path, progress: Progress) -> None:
    """Pictures, poses, signals and markers on the timelines ``capture`` and ``frame``."""
    stream, packing, overlay = open_stream(str(target), Network()), Packing(), OverlayOptions()
    try:
        for i, scene in enumerate(session.scenes()):
            stream.send(packing(i, scene, overlay))
            progress((i + 1) / len(session))
    finally:
        stream.close()
