import json
from pathlib import Path

import pytest
import torch

from digit import backends, bench, checkpoint
from digit.lite import DigitLite


@pytest.fixture(scope="module")
def lite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "lite.safetensors"
    checkpoint.save(path, DigitLite(), {})
    return path


def test_json_report(lite: Path, capsys: pytest.CaptureFixture[str]):
    assert bench.main(["--weights", str(lite), "--backends", "torch,torch", "--repeat", "3", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["weights_sha256"] == checkpoint.sha256(lite)
    assert report["repeat"] == 3
    (timing,) = report["timings"]
    assert timing["backend"] == "torch"
    assert 0 < timing["p50_ms"] <= timing["p95_ms"]
    assert timing["torch_ratio"] == 1
    assert timing["load_s"] > 0


def test_table_is_sorted_by_speed():
    timings = (bench.Timing("openvino", 1.0, 10.0, 12.0, 3.0), bench.Timing("torch", 0.5, 30.0, 33.0, None))
    text = bench.table(bench.Report("2 x Test", "digit-lite", "ab" * 32, 5, timings))
    assert "digit-lite (abababababab) on 2 x Test, 5 crops" in text
    assert text.splitlines()[2].split() == ["openvino", "1.00", "10.00", "12.00", "3.00"]
    assert text.splitlines()[3].split()[-1] == "-"


def test_backends_take_turns(lite: Path, monkeypatch: pytest.MonkeyPatch):
    turns: list[str] = []
    load = backends.load

    def watched(name: str, *rest: object, **named: object):
        backend = load("torch", "digit-lite", lite)
        run = backend._session.run
        backend._session.run = lambda *arrays: turns.append(name) or run(*arrays)
        return backend

    monkeypatch.setattr(backends, "load", watched)
    report = bench.bench(["a", "b"], "digit-lite", lite, repeat=2)
    assert turns == ["a"] * 3 + ["b"] * 3 + ["a", "b"] * 2
    assert [timing.torch_ratio for timing in report.timings] == [None, None]


def test_bad_arguments(lite: Path, capsys: pytest.CaptureFixture[str]):
    assert bench.main(["--backends", "tpu", "--weights", str(lite)]) == 2
    assert capsys.readouterr().err.startswith("error: There is no backend 'tpu'")
    with pytest.raises(SystemExit) as caught:
        bench.main(["--repeat", "0"])
    assert caught.value.code == 2
