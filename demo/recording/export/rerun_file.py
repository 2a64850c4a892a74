"""A recording for the Rerun viewer, logged as the live stream logs (`demo.streams.rerun_viewer`)."""

from pathlib import Path

from demo.recording.export import Progress
from demo.recording.reader import Session
from demo.settings import OverlayOptions
from demo.streams.packet import Packing
from demo.streams.rerun_viewer import log_packet


def write_rerun(session: Session, target: Path, progress: Progress) -> None:
    """Pictures, poses, signals and markers on the timelines ``capture`` and ``frame``."""
    import rerun as rr

    recording, packing, overlay = rr.RecordingStream("digit-live"), Packing(), OverlayOptions()
    try:
        recording.save(target)
        recording.log("hands", rr.ViewCoordinates.RUB, static=True)
        for i, scene in enumerate(session.scenes()):
            log_packet(recording, packing(i, scene, overlay))
            progress((i + 1) / len(session))
        recording.reset_time()
        for event in session.events:
            recording.set_time("capture", duration=event.time_ns / 1e9)
            recording.log("markers", rr.TextLog(event.label))
        recording.flush()  # which tells of a full disk; `disconnect` does not
    except RuntimeError as error:
        raise OSError(str(error)) from error
    finally:
        recording.disconnect()
