"""What a run tells: a bar on a terminal, lines of JSON in ``log.jsonl``, TensorBoard curves."""

import json
import math
import time
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor
from tqdm import tqdm

from digit.errors import UserError
from digit.training.curves import Curves
from digit.training.processes import Process, mean_over

EVERY = 100  # steps


class Progress:
    """Gathers loss terms; every process makes one and calls it alike, the first one shows.

    Raises:
        UserError: TensorBoard is wanted and not installed.
    """

    def __init__(self, process: Process, out: Path, step: int, steps: int, batch: int, curves: bool) -> None:
        self._process, self._out, self._steps, self._batch = process, out, steps, batch
        self._sums: dict[str, Tensor] = {}
        self._since, self._started = step, time.monotonic()
        self._curves = Curves(out / "curves", step) if curves and process.first else None
        # On a terminal a bar; else the lines of the log.
        self._bar: Any = tqdm(total=steps, initial=step, unit="step", disable=None if process.first else True)

    def __call__(self, step: int, terms: dict[str, Tensor], rate: float) -> None:
        """After each step: mean loss terms of this process."""
        for name, term in terms.items():
            self._sums[name] = self._sums[name] + term if name in self._sums else term
        self._bar.update()
        if step % EVERY and step != self._steps:
            return
        count, now = step - self._since, time.monotonic()
        means = {name: float(mean_over(self._process, s)) / count for name, s in self._sums.items()}
        speed = count * self._batch / max(now - self._started, 1e-9)
        self._since, self._started, self._sums = step, now, {}
        if self._process.first:
            self._bar.set_postfix(loss=f"{sum(means.values()):.3f}", refresh=False)
            row = {"step": step, "samples_per_s": round(speed, 1), "loss": sum(means.values()), **means}
            self._line({name: round(v, 5) for name, v in row.items()})
            if self._curves is not None:
                curves = {"loss/sum": row["loss"], **{f"loss/{name}": v for name, v in means.items()}}
                self._curves.scalars(step, curves | {"run/rate": rate, "run/samples_per_s": speed})

    def scores(self, step: int, scores: dict[str, dict[str, float]], picture: np.ndarray | None) -> None:
        """Validation scores by set or prior, and a sheet of pictures (H, W, 3) uint8 RGB."""
        self._line({"step": step, "validation": scores})
        if self._curves is not None:
            flat = {f"{metric}/{name}": v for name, found in scores.items() for metric, v in found.items()}
            self._curves.scalars(step, {f"validation_{name}": v for name, v in flat.items() if math.isfinite(v)})
            if picture is not None:
                self._curves.picture(step, "validation", picture)

    def close(self) -> None:
        self._bar.close()
        if self._curves is not None:
            self._curves.close()

    def _line(self, row: dict[str, Any]) -> None:
        line = json.dumps(_plain(row))
        if self._bar.disable:
            print(line, flush=True)
        try:
            with (self._out / "log.jsonl").open("a", encoding="utf-8") as file:
                file.write(line + "\n")
        except OSError as error:
            raise UserError(f"Cannot write {self._out / 'log.jsonl'} ({error.strerror}); free some space.") from error


def _plain(value: Any) -> Any:
    """JSON knows no nan: null."""
    if isinstance(value, dict):
        return {name: _plain(v) for name, v in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value
