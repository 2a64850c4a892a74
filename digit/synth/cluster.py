"""Spreads the chunks of a set over a Ray cluster (extra ``[cluster]``). Its machines must see the same folder."""

from importlib import import_module
from pathlib import Path
from typing import Any

from tqdm import tqdm

from digit.errors import UserError
from digit.synth.generate import CHUNK, generate


def generate_on_cluster(out: Path, count: int, seed: int, address: str = "", chunk: int = CHUNK) -> None:
    """Write the set that `generate` writes, a chunk a task; ``address`` as Ray takes it, "" starts Ray here.

    Raises:
        UserError: Ray is not installed, the cluster does not answer, a task failed, or as of `generate`.
    """
    try:
        ray: Any = import_module("ray")
    except ImportError as error:
        raise UserError("--ray needs the package ray; run: pip install 'digit-live[cluster]'") from error
    try:
        ray.init(address=address or "local", log_to_driver=False)
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise UserError(f"The Ray cluster {address} does not answer ({error}); start it with: ray start") from error
    chunks = -(-count // chunk)
    try:
        task = ray.remote(max_retries=1)(_write_there)
        pending = [task.remote(str(out.resolve()), count, seed, (n, chunks), chunk) for n in range(chunks)]
        with tqdm(total=chunks, unit="chunk") as bar:
            while pending:
                ended, pending = ray.wait(pending)
                if failure := _outcome(ray, ended[0]):
                    raise UserError(failure)
                bar.update()
    finally:
        ray.shutdown()
    generate(out, count, seed, progress=False, chunk=chunk)  # all is there: only the annotations are written


def _outcome(ray: Any, ended: Any) -> str:
    """Why a task failed, or an empty text."""
    try:
        return ray.get(ended)
    except Exception as error:  # the worker died, whatever its reason
        return f"A task on the cluster failed ({str(error).strip().splitlines()[0]}); run the same command again."


def _write_there(out: str, count: int, seed: int, shard: tuple[int, int], chunk: int) -> str:
    try:
        generate(Path(out), count, seed, shard, progress=False, chunk=chunk, annotate=False)
    except UserError as error:
        return str(error)
    return ""
