"""The command line as a person meets it: a process, its exit code and what it prints."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from demo.app import settings_from_arguments
from demo.settings import Settings
from launcher import main, parser
from tests.demo.clips import truncated, two_hands, write_clip

ROOT = Path(__file__).parents[2]
LIMIT_S = 120


def launch(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the launcher without a display."""
    command = [sys.executable, "-W", "error", str(ROOT / "launcher.py"), *map(str, arguments)]
    kept = {name: value for name, value in os.environ.items() if name not in ("DISPLAY", "WAYLAND_DISPLAY")}
    return subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, env=kept | environment)


def assert_one_sentence(process: subprocess.CompletedProcess[str], *words: str) -> None:
    assert process.returncode == 2, process.stderr
    assert process.stdout == ""
    assert "Traceback" not in process.stderr
    last = process.stderr.strip().splitlines()[-1]
    assert last.startswith("error: ")
    assert last.endswith(".")
    for word in words:
        assert word in last


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return write_clip(tmp_path / "clip.mp4", two_hands(6))


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random ones: enough to run."""
    import torch

    from digit import checkpoint
    from digit.lite import DigitLite

    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "lite.safetensors"
    checkpoint.save(path, DigitLite(), {})
    return path


@pytest.mark.skipif(sys.platform != "linux", reason="how long a name may be")
@pytest.mark.parametrize("option", ["--video", "--images"])
def test_a_path_that_no_file_can_have(option: str) -> None:
    assert_one_sentence(launch(option, "x" * 300, "--headless"), "too long", "check the path")


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys, runpy\n"
        "sys.argv = ['launcher.py', '--help']\n"
        "try: runpy.run_path('launcher.py', run_name='__main__')\n"
        "except SystemExit: pass\n"
        "print([name for name in ('numpy', 'cv2', 'torch', 'PyQt6', 'mediapipe', 'demo') if name in sys.modules])"
    )
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, timeout=LIMIT_S)
    assert process.stdout.strip().splitlines()[-1] == "[]"
    assert "--headless" in process.stdout


@pytest.mark.parametrize(
    "arguments",
    [["--camera", "x"], ["--camera", "-1"], ["--fov", "200"], ["--max-frames", "0"], ["--camera", "0", "--video", "a"]],
)
def test_wrong_arguments(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert "error: " in capsys.readouterr().err


def test_nothing_can_be_recorded_without_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--video", "a.mp4", "--headless", "--no-files", "--record", str(tmp_path / "new")]) == 2
    assert "--no-files and --record exclude each other" in capsys.readouterr().err


def test_no_such_camera(tmp_path: Path) -> None:
    assert_one_sentence(launch("--camera", "97", "--headless", "--out", tmp_path), "Camera 97", "--camera N")


def test_unreadable_videos(tmp_path: Path, clip: Path) -> None:
    (tmp_path / "text.mp4").write_text("no video")
    out = tmp_path / "out"
    assert_one_sentence(launch("--video", tmp_path / "none.mp4", "--headless", "--out", out), "none.mp4")
    assert_one_sentence(launch("--video", tmp_path / "text.mp4", "--headless", "--out", out), "text.mp4", "MP4")
    assert_one_sentence(launch("--video", truncated(clip, 0.5), "--headless", "--out", out), "cut_clip.mp4", "MP4")


def test_folders_without_pictures(tmp_path: Path) -> None:
    assert_one_sentence(launch("--images", tmp_path / "none", "--headless", "--out", tmp_path), "none")
    assert_one_sentence(launch("--images", tmp_path, "--headless", "--out", tmp_path), "pictures")


def test_unwritable_folder(tmp_path: Path, clip: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    assert_one_sentence(
        launch("--video", clip, "--headless", "--out", tmp_path / "file" / "out"), "another folder (--out"
    )


def test_weights_that_are_none(tmp_path: Path, clip: Path) -> None:
    (tmp_path / "broken.safetensors").write_bytes(b"broken")
    for name in ("broken.safetensors", "none.safetensors"):
        arguments = ("--video", clip, "--headless", "--out", tmp_path / "out", "--weights", tmp_path / name)
        assert_one_sentence(launch(*arguments), name)


def test_no_such_backend_or_model(tmp_path: Path, clip: Path) -> None:
    arguments = ("--video", clip, "--headless", "--out", tmp_path / "out")
    assert_one_sentence(launch(*arguments, "--backend", "tpu"), "tpu")
    assert_one_sentence(launch(*arguments, "--model", "digit-w64"), "digit-w64")


def test_weights_of_another_model(tmp_path: Path, clip: Path, weights: Path) -> None:
    arguments = ("--video", clip, "--headless", "--out", tmp_path / "out", "--weights", weights)
    assert_one_sentence(launch(*arguments, "--model", "digit-w32"), "digit-lite", "digit-w32")


def test_no_network_for_the_hand_model(tmp_path: Path, clip: Path, weights: Path) -> None:
    arguments = ("--video", clip, "--headless", "--out", tmp_path / "out", "--weights", weights, "--backend", "torch")
    offline = {"PIP_NO_INDEX": "1", "PIP_CONFIG_FILE": os.devnull, "XDG_CACHE_HOME": str(tmp_path / "cache")}
    assert_one_sentence(launch(*arguments, **offline), "--hand-model PATH")


def test_without_a_display_it_runs_headless_and_says_so(tmp_path: Path, clip: Path, weights: Path) -> None:
    process = launch("--video", clip, "--out", tmp_path / "out", "--weights", weights, "--backend", "torch")
    assert process.returncode == 0, process.stderr
    assert "no display" in process.stderr
    assert process.stdout.count("\n") == 1
    figures = json.loads(process.stdout)
    assert figures["frames"] == 6
    assert (figures["backend"], figures["model"]) == ("torch", "digit-lite")
    assert (tmp_path / "out" / "overlay.mp4").stat().st_size > 0


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for a child alone")
def test_ctrl_c_ends_cleanly_with_130(tmp_path: Path, weights: Path) -> None:
    clip = write_clip(tmp_path / "long.mp4", two_hands(20) * 100)
    out = tmp_path / "out"
    arguments = ["--video", clip, "--headless", "--out", out, "--weights", weights, "--backend", "torch"]
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "launcher.py"), *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A shell that runs the tests in the background has them, and so their children, ignore Ctrl-C.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    deadline = time.monotonic() + LIMIT_S
    table = out / "scenes.arrow"
    while not (table.exists() and table.stat().st_size > 50_000):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 130
    assert "Traceback" not in errors


def test_arguments_go_before_what_was_saved() -> None:
    saved = Settings(camera=3, backend="torch", focal_px=800.0, smooth=False)
    settings = settings_from_arguments(parser().parse_args(["--smooth", "--no-prior", "--fov", "70"]), saved)
    assert (settings.camera, settings.backend, settings.smooth, settings.prior) == (3, "torch", True, False)
    assert (settings.focal_px, settings.fov_deg) == (None, 70)
    settings = settings_from_arguments(parser().parse_args(["--video", "a.mp4", "--focal", "900"]), saved)
    assert (settings.source, settings.path, settings.focal_px) == ("video", Path("a.mp4"), 900)
    assert settings_from_arguments(parser().parse_args(["--camera", "0"]), saved).camera == 0


def test_without_a_camera_the_sample_clip_plays_and_it_is_said(
    clip: Path, weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("demo.app.SAMPLE", clip)
    monkeypatch.setattr("demo.app._any_camera", lambda: False)
    code = main(["--headless", "--out", str(tmp_path / "out"), "--weights", str(weights), "--backend", "torch"])
    printed = capsys.readouterr()
    assert code == 0
    assert "no camera was found" in printed.err
    assert json.loads(printed.out)["frames"] == 6
