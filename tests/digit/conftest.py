"""Weights and a cache folder of their own for tests of backends."""

from pathlib import Path

import numpy as np
import pytest
import torch

from digit import checkpoint
from digit.backends import exports
from digit.lite import DigitLite

CROP = np.random.default_rng(0).integers(0, 256, (256, 256, 3), dtype=np.uint8)


def sharpened(network: DigitLite) -> DigitLite:
    """Random weights give flat maps, on which any two backends agree; these have clear peaks, as trained ones do.

    Nor are the parts' logits nearly alike, so that half precision's rounding would decide between them.
    """
    crop = torch.from_numpy(CROP).permute(2, 0, 1)[None] / 255
    with torch.inference_mode():
        parts = network.eval()(crop).part_logits
        assert parts is not None
        network.part_coarse.bias -= parts.mean(dim=(0, 2, 3))
        sharper = 3 / parts.flatten(2).std(dim=2).mean()
        for parameter in (*network.part_coarse.parameters(), *network.part_fine[-1].parameters()):
            parameter *= sharper
        output = network.eval()(crop)
        network.heatmaps.weight *= 3 / output.heatmap_logits.flatten(2).std(dim=2).mean()
        network.depths.weight *= 3 / output.depth_maps.flatten(2).std(dim=2).mean()
    return network


@pytest.fixture(scope="session")
def cache_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def cache(cache_folder: Path):
    folder = cache_folder
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exports, "user_cache_path", lambda name: folder / name)
        yield folder


@pytest.fixture(scope="session")
def lite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "lite.safetensors"
    checkpoint.save(path, sharpened(DigitLite()), {})
    return path
