"""Samples rendered on the fly are those of the set on disk."""

from pathlib import Path

import numpy as np
import pytest

from digit.synth.generate import generate
from digit.training.__main__ import main
from digit.training.augment import PAPER
from digit.training.dataset import CropDataset, read_index
from digit.training.rendered import RenderedDataset


def test_a_rendered_sample_is_that_of_the_set_on_disk(tmp_path: Path) -> None:
    generate(tmp_path, 1, seed=3, progress=False)
    disk = CropDataset(read_index([tmp_path]), augment=PAPER, seed=3)
    drawn = RenderedDataset(augment=PAPER, seed=3)
    a, b = disk[0], drawn[0]
    assert a.keys() == b.keys()
    for name in a.keys() - {"image", "parts"}:
        np.testing.assert_allclose(b[name].float(), a[name].float(), atol=0.1, err_msg=name)
    # Annotation files round joints to a hundredth of a millimetre, which moves a crop by a fraction of a pixel.
    assert (a["image"].float() - b["image"].float()).abs().mean() < 1
    assert (a["parts"] == b["parts"]).float().mean() > 0.99 and a["parts"].any()


def test_a_run_renders_in_its_workers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["--variant", "baseline/lite", "--synth", "--out", str(tmp_path), "--steps", "1", "--batch", "2"]
    assert main([*command, "--size", "64", "--workers", "1", "--threads", "1", "--no-curves"]) == 0
    assert '"step": 1' in capsys.readouterr().out
