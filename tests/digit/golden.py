"""The weights and input of tests/data/golden, made by the rule of its README."""

import zlib
from functools import cache
from pathlib import Path

import numpy as np
import torch

FOLDER = Path(__file__).parents[1] / "data" / "golden"


def official_state_dict(prefix: str = "") -> dict[str, torch.Tensor]:
    """Every tensor of the authors' network under its own name, behind ``prefix`` instead of ``pose_reg.``."""
    return {prefix + name: tensor for name, tensor in _official_tensors().items()}


@cache
def _official_tensors() -> dict[str, torch.Tensor]:
    tensors: dict[str, torch.Tensor] = {}
    for line in (FOLDER / "official_state_dict.txt").read_text().splitlines():
        name, shape_text, _ = line.split("\t")
        name = name.removeprefix("pose_reg.")
        shape = tuple(int(n) for n in shape_text.strip("()").split(",") if n.strip())
        tensors[name] = torch.from_numpy(np.asarray(by_rule(name, shape)))
    return tensors


def by_rule(name: str, shape: tuple[int, ...]) -> np.ndarray:
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    if name.endswith("num_batches_tracked"):
        return np.array(0)
    if name.endswith("running_var"):
        value = rng.uniform(0.5, 1.5, shape)
    elif name.endswith("running_mean"):
        value = 0.1 * rng.standard_normal(shape)
    elif len(shape) >= 2:
        value = rng.standard_normal(shape) * np.sqrt(1.25 / np.prod(shape[1:]))
    elif name.endswith(".weight"):
        value = rng.uniform(0.5, 1.0, shape)
    else:
        value = 0.01 * rng.standard_normal(shape)
    return np.asarray(value, dtype=np.float32)


def image() -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(7).random((2, 3, 256, 256), dtype=np.float32))


def outputs() -> dict[str, np.ndarray]:
    return dict(np.load(FOLDER / "official_forward.npz"))
