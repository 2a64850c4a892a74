"""The whole loop as a person with a CPU runs it never loads torch."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from demo.app import SAMPLE
from digit import backends

ROOT = Path(__file__).parents[2]


@pytest.mark.skipif(not backends.available()["cuda"], reason="this computer's fastest backend is torch's own")
def test_a_headless_run_on_the_cpu_never_imports_torch(tmp_path: Path) -> None:
    code = (
        "import sys, launcher;"
        f"launcher.main(['--video', {str(SAMPLE)!r}, '--headless', '--out', {str(tmp_path)!r}, '--max-frames', '3']);"
        "print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    figures, torch_is_there = done.stdout.splitlines()
    assert json.loads(figures)["backend"].startswith("openvino")
    assert torch_is_there == "False"
