"""What every test gets: settings of its own, and Qt free of OpenCV's plugins; how tests spread over processes."""

import os
from pathlib import Path
from typing import Any

import cv2  # noqa: F401 - imported first, because it points Qt at plugins of its own
import pytest
from hypothesis import settings

os.environ.pop("QT_QPA_PLATFORM_PLUGIN_PATH", None)
if "PYTEST_XDIST_WORKER" in os.environ:  # there is one for each core: more threads would wait for each other
    os.environ.setdefault("OMP_NUM_THREADS", "1")

# No deadline: a busy machine is not an error.
settings.register_profile("digit", deadline=None)
settings.load_profile("digit")


@pytest.hookimpl(optionalhook=True)  # only with pytest-xdist, and where tests run in several processes
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Keep a file's tests in one process, as they share fixtures, and the window's too: a screen has one focus."""
    from xdist.scheduler import LoadFileScheduling

    class Scheduling(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return "gui" if nodeid.startswith("tests/gui/") else super()._split_scope(nodeid)

    return Scheduling(config, log)


@pytest.fixture(autouse=True)
def own_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the person's settings and sessions out of the tests, and tests out of them. The cache of models stays."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_VIDEOS_DIR", str(tmp_path / "videos"))
