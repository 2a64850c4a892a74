"""Two processes, as torchrun starts them, against one: the same loss and the same weights."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from digit import checkpoint
from digit.training.__main__ import main
from digit.variants import build

ROOT = Path(__file__).parents[2]


def command(data: Path, out: Path) -> list[str]:
    return [
        "--variant", "baseline/lite", "--data", str(data), "--validation", str(data), "--out", str(out),
        "--batch", "4", "--micro-batch", "1", "--size", "64", "--steps", "2", "--rate", "1e-3", "--precision", "fp32",
        "--threads", "1", "--workers", "0", "--no-curves",
    ]  # fmt: skip


def rows(log: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.read_text().splitlines()]


def test_two_processes_train_as_one(tiny_set: Path, tmp_path: Path) -> None:
    """Batch norm is in training mode, and normalises each micro-batch by itself in both runs.

    Running statistics differ: of two processes, they are the first one's, which sees half of the micro-batches.
    """
    both = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    both += ["--local-addr", "127.0.0.1", "--log-dir", str(tmp_path / "torchrun")]
    both += ["-m", "digit.training", *command(tiny_set, tmp_path / "two")]
    if sys.platform == "linux":
        os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
    done = subprocess.run(both, cwd=ROOT, capture_output=True, text=True, check=False, timeout=100)
    assert done.returncode == 0, done.stderr
    assert main(command(tiny_set, tmp_path / "one")) == 0
    (loss, scores), (one_loss, one_scores) = (rows(tmp_path / name / "log.jsonl") for name in ("two", "one"))
    assert loss["loss"] == pytest.approx(one_loss["loss"], rel=1e-5)
    assert scores["step"] == one_scores["step"] == 2
    two, one = (checkpoint.load(tmp_path / name / "weights.safetensors").state_dict() for name in ("two", "one"))
    torch.manual_seed(0)
    start = build("baseline/lite").state_dict()
    learnt = [name for name in one if "running" not in name and "batches" not in name]
    apart, moved = (
        torch.cat([(a[name] - b[name]).flatten() for name in learnt]).norm() for a, b in ((two, one), (one, start))
    )
    # Not nothing: Adam divides by the gradient's size, which makes rounding visible where a gradient is next to none.
    assert moved > 1 and apart < 0.01 * moved


@pytest.mark.skipif(not hasattr(os, "confstr") or not os.confstr("CS_GNU_LIBC_VERSION"), reason="glibc's allocator")
def test_memory_that_a_step_frees_is_kept_for_the_next() -> None:
    script = """
import ctypes, sys, torch
from digit.training.processes import use_cpu
names = "arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks keepcost".split()
class Mallinfo(ctypes.Structure):
    _fields_ = [(name, ctypes.c_size_t) for name in names]
ask = ctypes.CDLL("libc.so.6").mallinfo2
ask.restype = Mallinfo
if sys.argv[1] == "keep":
    use_cpu(1)
big = torch.ones(25_000_000)
mapped = ask().hblkhd
del big
print(mapped, ask().arena)
"""
    (kept_mapped, kept), (mapped, _) = (
        map(
            int,
            subprocess.run(
                [sys.executable, "-c", script, how], cwd=ROOT, capture_output=True, check=True
            ).stdout.split(),
        )
        for how in ("keep", "give back")
    )
    assert kept_mapped < 100_000_000 < kept
    assert mapped >= 100_000_000  # glibc by itself returns such an array to the system when it is freed
