"""The pipeline without a window: a source into a session, an overlay video and some figures."""

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, closing
from itertools import chain, islice, pairwise
from pathlib import Path
from time import perf_counter
from typing import Any

from tqdm import tqdm

from demo.camera import Camera
from demo.overlay import paint
from demo.pipeline import Pipeline, open_exact_pipeline, open_late_pipeline, open_pipeline
from demo.recording.format import VIDEO
from demo.recording.frames import SessionFrames
from demo.recording.info import new_info
from demo.recording.video import VideoWriter
from demo.recording.writer import WRITE_ERRORS, SessionWriter, new_folder, why_not
from demo.records import Frame, Scene
from demo.settings import Settings
from demo.sources import Source, open_source
from demo.stats import percentiles_ms
from demo.streams.hub import streams_of
from demo.writing import Writing
from digit.errors import UserError

OVERLAY = "overlay.mp4"
#: Fewer frames give no rate: the first Scene comes when those behind it are nearly done.
FEWEST_TIMED = 10
#: Loads backend and detector of the settings, telling each step in a few words.
OpenPipeline = Callable[[Settings, Callable[[str], None]], Pipeline]


def run_headless(
    settings: Settings,
    out: Path | None,
    max_frames: int | None = None,
    open_pipeline: OpenPipeline | None = None,
    as_live: bool = False,
) -> tuple[dict[str, Any], str]:
    """Run to the source's end or ``max_frames``; write a session and ``overlay.mp4`` into the folder ``out``.

    Of a file every frame is taken; of a camera the newest, and its Scene comes at once.
    With ``settings.record`` the session goes into a folder of its own below ``settings.sessions``, if that is given.
    Without ``out`` no file is written. ``as_live``: no look of the landmarker is waited for, as in the window; each
    takes a frame's time, as on a computer that keeps up with the source.

    Returns the figures (frames, fps from the first Scene on or None for a few frames, two_hand_share, frame_ms {p50,
    p95} from Scene to Scene, latency_ms {stage: {p50, p95}}, backend, model) and a notice: the source's, and why
    streams failed. Raises UserError when the source cannot be read, the model not loaded or the folder not written;
    what was written up to there stays readable. A progress bar goes to stderr.
    """
    if out is not None:
        _spare_source(settings, out)
        _make_folder(out)
    open_pipeline = open_pipeline or _opener(settings, as_live)
    with closing(open_source(settings, live=False)) as source:
        camera = isinstance(source, Camera)
        frames = source.as_they_come() if camera else iter(source)
        first = list(islice(frames, 1))  # a source that gives nothing is told before the network is loaded
        total = min((n for n in (source.length, max_frames) if n is not None), default=None)
        with (
            tqdm(total=total, unit="frame", desc=source.name) as bar,
            closing(open_pipeline(settings, bar.set_postfix_str)) as pipeline,
            closing(streams_of(settings)) as streams,
        ):
            for line in streams.opened():
                bar.write(line, file=sys.stderr)
            frames = _at_most(max_frames, chain(first, frames))
            scenes = pipeline.scenes_in_turn(frames) if camera or as_live else pipeline.scenes(filter(None, frames))
            figures = _run(scenes, source, pipeline, settings, out, bar, streams.put)
        failed = [state.why for state in streams.states().values() if state.status == "failed"]
        return figures, " ".join(filter(None, (source.notice, *failed)))


def _opener(settings: Settings, as_live: bool) -> OpenPipeline:
    if settings.source == "camera":
        return open_pipeline
    return open_late_pipeline if as_live else open_exact_pipeline


def _at_most(count: int | None, frames: Iterable[Frame | None]) -> Iterator[Frame | None]:
    """Up to the ``count``-th frame; None is none."""
    for frame in frames:
        yield frame
        if count is not None and frame is not None:
            count -= 1
            if count == 0:
                return


def _spare_source(settings: Settings, out: Path) -> None:
    """Raises UserError where the run would write over what it reads."""
    source = None if settings.source == "camera" else settings.path
    written = (out, out / OVERLAY, out / VIDEO)
    if source is not None and source.exists() and any(path.exists() and path.samefile(source) for path in written):
        raise UserError(f"{source} would be written over; give another --out DIR.")


def _make_folder(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(why_not(out, error)) from error


def _run(
    scenes: Iterable[Scene],
    source: Source,
    pipeline: Pipeline,
    settings: Settings,
    out: Path | None,
    bar: "tqdm[Any]",
    tap: Callable[[Scene], None],
) -> dict[str, Any]:
    timings: list[dict[str, float]] = []
    emitted_ns: list[int] = []
    two_hands = 0
    start_s = perf_counter()
    backend = pipeline.backend
    try:
        with ExitStack() as files:
            writings = () if out is None else _open_files(files, out, source, pipeline, settings)
            for scene in scenes:
                tap(scene)
                began_s = perf_counter()
                start_s = began_s if not emitted_ns else start_s
                for writing in writings:
                    writing.put(scene)
                timings.append(dict(scene.timings_ms) | {"write": (perf_counter() - began_s) * 1000})
                emitted_ns.append(scene.emitted_ns)
                two_hands += len(scene.hands) == 2
                bar.update()
    except WRITE_ERRORS as error:
        if out is None:  # then it was not writing that failed
            raise
        raise UserError(why_not(out, error)) from error
    frame_ms = [{"frame": (after - before) / 1e6} for before, after in pairwise(emitted_ns)]
    return {
        "frames": len(timings),
        "fps": round((len(timings) - 1) / (perf_counter() - start_s), 2) if len(timings) >= FEWEST_TIMED else None,
        "two_hand_share": round(two_hands / max(len(timings), 1), 4),
        "frame_ms": _rounded(frame_ms).get("frame"),
        "latency_ms": _rounded(timings),
        "backend": backend.name,
        "model": backend.model,
    }


def _open_files(
    files: ExitStack, out: Path, source: Source, pipeline: Pipeline, settings: Settings
) -> tuple[Writing, ...]:
    """The overlay video and the session, each written in a thread of its own, until ``files`` closes."""
    folder = out
    if settings.record and settings.sessions:
        try:
            folder = new_folder(settings.sessions)
        except OSError as error:
            raise UserError(why_not(settings.sessions, error)) from error
    video = files.enter_context(VideoWriter(out / OVERLAY, source.fps))
    recording = source if isinstance(source, SessionFrames) else None
    info = new_info(settings, source.name, pipeline.loaded, source.fps)
    session = files.enter_context(SessionWriter(folder, info if recording is None else recording.dated(info)))

    def overlay(scene: Scene) -> None:
        video.write(paint(scene.frame.image, scene, settings.overlay), scene.frame.time_ns)

    def keep(scene: Scene) -> None:
        session.write(scene, wall_ns=None if recording is None else recording.recorded(scene.frame)[1])

    return (
        files.enter_context(Writing("overlay", overlay)),
        files.enter_context(Writing("session", keep)),
    )


def _rounded(timings: Iterable[dict[str, float]]) -> dict[str, dict[str, float]]:
    return {
        stage: {"p50": round(p50, 2), "p95": round(p95, 2)} for stage, (p50, p95) in percentiles_ms(timings).items()
    }
