"""Samples rendered on the fly are those of the set on disk."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from digit.synth.generate import Picture, generate, picture
from digit.training import rendered
from digit.training.__main__ import main
from digit.training.augment import PAPER
from digit.training.dataset import CropDataset, read_index
from digit.training.rendered import RenderedDataset


def test_a_rendered_sample_is_that_of_the_set_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As far as its picture is: no set goes as far as those that are rendered."""
    monkeypatch.setattr(rendered, "ENDLESS", 0)
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


def test_no_set_has_the_pictures_that_are_rendered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor does one that stands in for another come twice; of each, numpy takes all of the index."""
    asked: list[int] = []
    one = picture(1, 0)

    def outside(seed: int, index: int) -> Picture:
        asked.append(index)
        return replace(one, joint_valid=one.joint_valid * (len(asked) > 2))

    monkeypatch.setattr(rendered, "picture", outside)
    rendered.RenderedDataset(augment=PAPER, seed=1)[5]
    assert asked == [5 + n * rendered.ENDLESS for n in (1, 2, 3)] and asked[0] > 10**8 and asked[-1] < 2**32
