"""What every test gets: settings of its own, and Qt free of OpenCV's plugins."""

import os
from pathlib import Path

import cv2  # noqa: F401 - imported first, because it points Qt at plugins of its own
import pytest
from hypothesis import settings

os.environ.pop("QT_QPA_PLATFORM_PLUGIN_PATH", None)

# No deadline: a busy machine is not an error.
settings.register_profile("digit", deadline=None)
settings.load_profile("digit")


@pytest.fixture(autouse=True)
def own_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the person's settings and sessions out of the tests, and tests out of them. The cache of models stays."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_VIDEOS_DIR", str(tmp_path / "videos"))
