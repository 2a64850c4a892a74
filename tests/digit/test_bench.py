import json
from pathlib import Path

import av
import numpy as np
import pytest

from digit.backends import exports
from digit.bench import __main__ as bench
from digit.bench import growth, loop, networks, profile
from digit.bench.table import table

CLIP = loop.ROOT / "assets" / "sample.mp4"


def test_networks_take_turns_in_processes_of_their_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    out = tmp_path / "report.json"
    names = ["--models", "digit-lite", "--backends", "openvino-int8,openvino,torch", "--turns", "1", "--out", str(out)]
    assert bench.main(["--only", "networks", *names, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report == json.loads(out.read_text())
    rows = {row["backend"]: row for row in report["networks"]}
    assert [rows[name]["precision"] for name in ("openvino-int8", "openvino", "torch")] == ["int8", "fp32", "fp32"]
    assert rows["torch"]["torch_ratio"] == 1
    for row in rows.values():
        assert row["crops"] == networks.MODELS["digit-lite"]
        assert 0 < row["p50_ms"] <= row["p95_ms"]
        assert row["load_s"] > 0
        assert row["weights"] == "shipped"
    assert report["networks"] == sorted(report["networks"], key=lambda row: row["p50_ms"])
    assert report["loops"] == []
    assert report["machine"]


def test_a_network_that_cannot_run_is_told_and_left_out():
    told: list[str] = []
    assert networks.measure(["digit-lite"], ["cuda"], 1, told.append) == [] or not told[-1].startswith("cuda cannot")
    assert any("cuda" in sentence for sentence in told)


def test_figures_of_a_cell():
    class Cell:
        def __init__(self, backend: str, ms: list[float]):
            self.backend, self.ms, self.loaded = backend, ms, {"load_s": 1.5, "memory_mb": 90.0}

    slow, fast = Cell("torch", [30.0, 50.0, 40.0]), Cell("openvino", [10.0, 10.0, 20.0, 10.0])
    row = networks.timing(fast, "digit-lite", "shipped", [slow, fast])  # type: ignore[arg-type]
    assert (row.p50_ms, row.torch_ratio, row.crops_per_s, row.crops) == (10.0, 4.0, 80.0, 4)
    assert networks.timing(fast, "digit-lite", "shipped", [fast]).torch_ratio is None  # type: ignore[arg-type,list-item]


def test_a_profile_adds_up(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(profile, "TURNS", 2)
    row = profile.profile("digit-lite", "fp32", exports.beside(CLIP.with_name("digit-lite.safetensors"), "fp32"), 100.0)
    assert row.gflop == pytest.approx(2.4, abs=0.1)  # the model card says 2.4
    assert {"trunk", "neck", "fusion", "head"} <= set(row.parts_ms)
    assert row.of_peak == pytest.approx(row.gflops / 100, abs=0.001)


def test_the_matrix_product_is_measured(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(profile, "GEMM_SIDE", 64)
    assert profile.gemm_gflops() > 0


def fake_run(clip: Path, frames: int, options: object = (), sample_s: float = 1) -> loop.Run:
    rows = [{"detect": 5.0, "predict": float(10 + i % 2)} for i in range(frames)]
    hands = [0 if "black" in clip.name else 2] * frames
    frame_ms = [16.0] * (frames - 1)
    return loop.Run(3.0, 30.0, "openvino", rows, frame_ms, hands, [100.0 + i / 10 for i in range(40)])


def fake_figures(clip: Path, frames: int, options: object = ()) -> dict[str, object]:
    stages = {"detect": {"p50": 5.0, "p95": 6.0}, "predict": {"p50": 9.0, "p95": 12.0}}
    frame_ms = {"p50": 20.0, "p95": 31.0}
    return {"frames": frames, "fps": 50.0, "backend": "openvino", "frame_ms": frame_ms, "latency_ms": stages}


def test_a_launch_is_timed():
    ran = loop.run(CLIP, 5)
    assert len(ran.rows_ms) == len(ran.hands) == 5 and len(ran.frame_ms) == 4
    assert ran.wall_s > 0 and np.isnan(ran.fps)


def test_the_loop_is_set_against_mediapipe(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(loop, "run", fake_run)
    monkeypatch.setattr(loop, "figures", fake_figures)
    monkeypatch.setattr(loop, "landmarker", lambda clip, frames: ([31.0] * frames, 25.0))
    found = loop.compare(CLIP, 30, ["--no-prior"], 2)
    assert (found.frames, found.frame_p50_ms, found.frame_p95_ms) == (60, 20.0, 31.0)
    assert (found.fps, found.fps_with_files, found.mediapipe_fps, found.speed_ratio) == (50.0, 30.0, 25.0, 2.0)
    assert found.stages_ms["detect"] == (5.0, 6.0)
    assert found.options == "--no-prior"


def test_growth(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr(growth, "run", fake_run)
    monkeypatch.setattr(growth, "rescale", lambda *args, **named: None)
    hands = growth.with_hands(CLIP, tmp_path, 30)
    assert [(step.at, step.frames) for step in hands] == [("0 hands", 20), ("2 hands", 20)]
    assert [step.at for step in growth.with_size(CLIP, tmp_path, 30)] == ["480p", "720p", "1080p", "4K"]
    monkeypatch.setattr(growth, "repeated", lambda *args: 30)
    long = growth.with_time(CLIP, tmp_path, 100, ["--no-prior"])
    assert (long.frames, long.p95_start_ms, long.p95_end_ms) == (100, 16.0, 16.0) and long.p95_fresh_ms == 16.0
    assert (long.memory_start_mb, long.memory_end_mb) == pytest.approx((100.55, 103.7), abs=0.06)


def test_clips_are_resized_blackened_and_repeated(tmp_path: Path):
    growth.rescale(CLIP, tmp_path / "small.mp4", 64, 48, 5)
    growth.rescale(CLIP, tmp_path / "black.mp4", 64, 48, 5, dark=True)
    assert growth.repeated(tmp_path / "small.mp4", tmp_path / "long.mp4", 12) == 5

    def pictures(name: str) -> list[np.ndarray]:
        with av.open(str(tmp_path / name)) as video:
            return [frame.to_ndarray(format="rgb24") for frame in video.decode(video=0)]

    assert [picture.shape for picture in pictures("small.mp4")] == [(48, 64, 3)] * 5
    assert max(picture.max() for picture in pictures("black.mp4")) < 20
    assert len(pictures("long.mp4")) == 15


def test_the_table_says_all(capsys: pytest.CaptureFixture[str]):
    step = {"at": "720p", "frames": 5, "p50_ms": 9.0, "p95_ms": 11.0, "stages_p50_ms": {"predict": 8.0}}
    report = {
        "machine": "2 x Test", "system": "TestOS", "started": "now", "load_average": 3.0, "gemm_gflops": 100.0,
        "networks": [{
            "model": "digit-lite", "backend": "openvino", "precision": "fp32", "p50_ms": 10.0, "p95_ms": 12.0,
            "crops_per_s": 99.0, "load_s": 0.5, "memory_mb": None, "torch_ratio": 3.5,
        }],
        "profiles": [{
            "model": "digit-lite", "precision": "fp32", "gflop": 1.5, "network_ms": 10.0, "gflops": 150.0,
            "of_peak": 0.5, "parts_ms": {"trunk": 6.0},
        }],
        "loops": [{
            "clip": "a.mp4", "options": "as it comes", "backend": "openvino", "frames": 9, "frame_p50_ms": 15.0,
            "frame_p95_ms": 20.0, "stages_ms": {"detect": (5.0, 6.0)}, "fps": 30.0, "fps_with_files": 20.0,
            "mediapipe_p50_ms": 30.0, "mediapipe_p95_ms": 33.0, "mediapipe_fps": 28.0, "speed_ratio": 2.0,
        }],
        "launch_s": 2.5, "sizes": [step], "hands": [],
        "endurance": {
            "frames": 100, "options": "", "memory_start_mb": 90, "memory_end_mb": 91, "p95_start_ms": 5,
            "p95_end_ms": 6, "p95_fresh_ms": 7,
        },
    }  # fmt: skip
    text = table(report)
    for piece in ("BUSY (load 3.0)", "fp32  10.0    12.0    99.0     0.5     -   3.5", "50 %", "trunk 6.0",
                  "2.0 x its frame rate", "20.0 fps with all files", "detect 5.0", "2.5 s",
                  "720p", "memory 90 -> 91 MB, p95 5 -> 6 ms, 7 ms in a new process"):  # fmt: skip
        assert piece in text, text


def test_bad_arguments(capsys: pytest.CaptureFixture[str]):
    for arguments, said in (
        (["--only", "nonsense"], "There is no section 'nonsense'"),
        (["--backends", "tpu"], "There is no backend 'tpu'"),
        (["--models", "digit-xl"], "There is no variant 'digit-xl'"),
        (["--clip", "none.mp4"], "There is no clip none.mp4"),
        (["--only", "loop", "--frames", "8"], "--frames 8 leaves nothing to measure; give 11 or more"),
        (["--only", "growth", "--frames", "20"], "--frames 20 leaves nothing to measure; give 33 or more"),
        (["--only", "endurance", "--endurance", "2"], "--endurance 2 leaves nothing to measure"),
        (["--only", "growth", "--clip", __file__], f"{__file__} is no video that can be read"),
        (["--only", "profile", "--models", "none-of-ours,digit-lite"], "There is no variant"),
    ):
        assert bench.main(arguments) == 2
        assert capsys.readouterr().err.startswith(f"error: {said}")
    with pytest.raises(SystemExit) as caught:
        bench.main(["--turns", "0"])
    assert caught.value.code == 2
