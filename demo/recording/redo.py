"""Runs today's network over recorded videos: every picture, one after the other, the same answer each time.

One session is one process, pinned to its share of the cores, so a session that crashes takes no other along. With Ray
the sessions are spread over a cluster whose machines see the same folders. Plain videos are imported the same way.
"""

import json
import math
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from tqdm import tqdm

from demo.pipeline import Pipeline, Tell, open_exact_pipeline
from demo.recording.frames import SessionFrames
from demo.recording.info import new_info, read_info
from demo.recording.reader import Session, is_session, sessions_in
from demo.recording.writer import WRITE_ERRORS, SessionWriter, why_not
from demo.settings import OverlayOptions, Settings
from demo.sources import open_source
from digit.errors import UserError, command_line

VIDEO_SUFFIXES = (".mp4", ".mkv", ".mov", ".avi", ".webm", ".m4v")
OpenPipeline = Callable[[Settings, Tell], Pipeline]


@dataclass(frozen=True, slots=True)
class Job:
    """One session's folder, or one video file, and the folder that its new session becomes."""

    source: Path
    target: Path

    @property
    def done(self) -> bool:
        """True when an earlier run has finished it."""
        return is_session(self.target) and read_info(self.target).finished


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of the jobs."""

    done: tuple[str, ...]
    skipped: tuple[str, ...]  # finished before
    failed: dict[str, str]  # name -> why


def jobs_of(path: Path, out: Path) -> list[Job]:
    """The session in a folder, or all sessions and videos right below it. Raises UserError when there is none."""
    if is_session(path) or path.is_file():
        found = [path]
    elif path.is_dir():
        videos = [p for p in path.iterdir() if p.suffix.lower() in VIDEO_SUFFIXES and p.is_file()]
        found = sorted({*sessions_in(path), *(p for p in videos if not p.name.startswith("."))})
    else:
        found = []
    if not found:
        raise UserError(f"{path} holds no session and no video; give the folder of a recording with --session.")
    jobs = [Job(p, out / (p.stem if p.is_file() else p.resolve().name)) for p in found]
    names = [job.target.name for job in jobs]
    found_twice = {name for name in names if names.count(name) > 1}
    if found_twice:
        raise UserError(f"{path} holds two sources named {', '.join(sorted(found_twice))}; rename one of them.")
    sources = {path.resolve(), *(p.resolve() for p in found)}
    if out.resolve() in sources or any(job.target.resolve() in sources for job in jobs):
        raise UserError(f"The new sessions cannot be written over the old ones in {out}; give another --out DIR.")
    return jobs


def redo(
    job: Job, settings: Settings, open_pipeline: OpenPipeline = open_exact_pipeline, tell: Tell = lambda _: None
) -> int:
    """Run over one source into the job's target, which appears when it is whole; answers the number of rows.

    Smoothing, prior and K are the recording's. Raises UserError, also where something else has the target's name.
    """
    if job.target.exists() and not job.done:
        raise UserError(f"{job.target} is there already and is no redone session; choose another --out DIR.")
    if job.source.is_file():
        settings = replace(settings, source="video", path=job.source, repeat=False)
    else:
        settings = replace(settings, source="session", path=job.source)
    part = job.target.with_name(f".{job.target.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    with closing(open_source(settings, live=False)) as source:
        recording = source if isinstance(source, SessionFrames) else None
        if recording is not None:
            settings = settings_of(recording.session, settings)
        with closing(open_pipeline(settings, tell)) as pipeline:
            info = new_info(settings, source.name, pipeline.loaded, source.fps)
            if recording is not None:
                info = replace(recording.dated(info), codec=recording.session.info.codec)
            try:
                rows = _write(part, info, pipeline, source, recording)
                os.replace(part, job.target)
            except WRITE_ERRORS as error:
                raise UserError(why_not(job.target, error)) from error
    return rows


def _write(part: Path, info: Any, pipeline: Pipeline, source: Any, recording: SessionFrames | None) -> int:
    with SessionWriter(part, info, None if recording is None else recording.session.video) as writer:
        for event in () if recording is None else recording.session.events:
            writer.mark(event)
        for scene in pipeline.scenes(source):
            writer.write(scene, *(() if recording is None else recording.recorded(scene.frame)))
        return writer.info.rows


def settings_of(session: Session, settings: Settings) -> Settings:
    """These settings with the recording's smoothing, prior and K."""
    info = session.info
    settings = replace(settings, smooth=info.smooth, prior=info.prior)
    if len(info.K) == 9 and info.width:
        focal_px = float(info.K[0])
        if info.K_origin == "focal":
            return replace(settings, focal_px=focal_px)
        fov_deg = math.degrees(2 * math.atan(max(info.width, info.height) / 2 / focal_px))
        return replace(settings, focal_px=None, fov_deg=round(fov_deg, 9))
    return settings


def redo_all(
    jobs: Sequence[Job], settings: Settings, workers: int | None = None, ray_address: str | None = None
) -> Outcome:
    """Redo all that is not done yet, on all cores or, with ``ray_address`` ("" = a local one), on a Ray cluster."""
    skipped = [job for job in jobs if job.done]
    todo = [job for job in jobs if not job.done]
    done: list[str] = []
    failed: dict[str, str] = {}
    for folder in {job.target.parent for job in todo}:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(why_not(folder, error)) from error
    if ray_address is None:
        results = _on_cores(todo, settings, workers)
    else:
        from demo.recording.cluster import on_cluster

        results = on_cluster(todo, settings, ray_address)
    with closing(results), tqdm(total=len(todo), unit="session", desc="redo") as bar:
        for job, why in results:
            if why:
                failed[job.source.name] = why
                bar.write(f"{job.source.name}: {why}", file=sys.stderr)
            else:
                done.append(job.source.name)
            bar.update()
    return Outcome(tuple(sorted(done)), tuple(job.source.name for job in skipped), failed)


def _on_cores(jobs: Sequence[Job], settings: Settings, workers: int | None) -> Any:
    """(job, why it failed or "") as each ends."""
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else list(range(os.cpu_count() or 1))
    workers = max(1, min(workers or len(cores), len(jobs) or 1))
    shares = [cores[n::workers] or cores for n in range(workers)]
    free = list(shares)
    begun: list[subprocess.Popen[str]] = []
    stopped = threading.Event()

    def begin(process: "subprocess.Popen[str]") -> None:
        begun.append(process)
        if stopped.is_set():  # it came a moment after the others were stopped
            process.terminate()

    def run(job: Job) -> str:
        share = free.pop()
        try:
            return _in_process(job, settings, share, begin)
        finally:
            free.append(share)

    pool = ThreadPoolExecutor(workers)
    try:
        running = {pool.submit(run, job): job for job in jobs}
        for future in as_completed(running):
            yield running[future], future.result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        stopped.set()
        for process in begun:  # a terminal's Ctrl-C has reached them, a signal to this process alone has not
            process.terminate()


def _in_process(
    job: Job, settings: Settings, cores: Sequence[int], begin: Callable[["subprocess.Popen[str]"], None]
) -> str:
    """Redo one session in a process of its own, which ``begin`` gets; why it failed, or empty."""
    told = json.dumps({"source": str(job.source), "target": str(job.target), "settings": settings_text(settings)})
    environment = os.environ | {"OMP_NUM_THREADS": str(len(cores)), "DIGIT_REDO_CORES": ",".join(map(str, cores))}
    root = str(Path(__file__).parents[2])
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH", "")]))
    command = [sys.executable, "-m", "demo.recording.redo"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, env=environment, text=True) as process:
        begin(process)
        _, told_back = process.communicate(told)
    if process.returncode == 0:
        return ""
    last = (told_back.strip().splitlines() or [f"it ended with code {process.returncode}"])[-1]
    return last.removeprefix("error: ")


def settings_text(settings: Settings) -> dict[str, Any]:
    """The settings as JSON takes them."""
    values = asdict(settings)
    return {name: str(value) if isinstance(value, Path) else value for name, value in values.items()}


def settings_from_text(values: dict[str, Any]) -> Settings:
    """What `settings_text` wrote."""
    paths = ("path", "weights", "hand_model", "sessions")
    read: dict[str, Any] = {
        name: Path(value) if name in paths and value is not None else value for name, value in values.items()
    }
    read["overlay"], read["streams"] = OverlayOptions(**values["overlay"]), tuple(values["streams"])
    return Settings(**read)


@command_line
def main() -> None:
    """One job, told on stdin as JSON."""
    told = json.load(sys.stdin)
    cores = os.environ.get("DIGIT_REDO_CORES")
    if cores and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {int(core) for core in cores.split(",")})
    redo(Job(Path(told["source"]), Path(told["target"])), settings_from_text(told["settings"]))


if __name__ == "__main__":
    sys.exit(main())
