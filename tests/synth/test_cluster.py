"""A set made on a Ray cluster is the set of one run."""

import sys
from pathlib import Path

import pytest

from digit.errors import UserError
from digit.synth.cluster import generate_on_cluster
from digit.synth.generate import generate
from tests.synth.test_generate import content

COUNT, CHUNK, SEED = 5, 3, 2


@pytest.mark.filterwarnings("ignore")  # Ray's own
def test_local_cluster_writes_the_set_of_one_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("ray")
    monkeypatch.setenv("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    generate_on_cluster(tmp_path / "cluster", COUNT, SEED, chunk=CHUNK)
    generate(tmp_path / "alone", COUNT, SEED, progress=False, chunk=CHUNK)
    assert content(tmp_path / "cluster") == content(tmp_path / "alone")
    assert len(list((tmp_path / "cluster").rglob("*.json"))) == 3


def test_missing_ray_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UserError, match=r"digit-live\[cluster\]"):
        generate_on_cluster(tmp_path, 1, SEED)
