"""Spreads jobs over a Ray cluster (extra ``[cluster]``). Its machines must see the same folders."""

from collections.abc import Generator, Sequence
from importlib import import_module
from typing import Any

from demo.recording.redo import Job, redo, settings_from_text, settings_text
from demo.settings import Settings
from digit.errors import UserError


def on_cluster(jobs: Sequence[Job], settings: Settings, address: str) -> Generator[tuple[Job, str]]:
    """(job, why it failed or "") as each ends. ``address`` as Ray takes it; "" starts Ray on this computer.

    Raises UserError when Ray is not installed or the cluster does not answer.
    """
    try:
        ray: Any = import_module("ray")
    except ImportError as error:
        raise UserError("--ray needs the package ray; run: pip install 'digit-live[cluster]'") from error
    try:
        ray.init(address=address or "local", log_to_driver=False)
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise UserError(f"The Ray cluster {address} does not answer ({error}); start it with: ray start") from error
    try:
        task = ray.remote(max_retries=1)(_redo_there)
        text = settings_text(settings)
        pending: dict[Any, Job] = {task.remote(job, text): job for job in jobs}
        while pending:
            (ready, *_), _ = ray.wait(list(pending))
            job = pending.pop(ready)
            try:
                yield job, ray.get(ready)
            except Exception as error:  # the worker died; the others go on
                yield job, str(error).strip().splitlines()[0]
    finally:
        ray.shutdown()


def _redo_there(job: Job, settings: dict[str, Any]) -> str:
    try:
        redo(job, settings_from_text(settings))
    except UserError as error:
        return str(error)
    return ""
