from pathlib import Path

import pytest

from digit import interhand
from digit.interhand import Index
from tests.interhand_set import write_set


@pytest.fixture(scope="session")
def small_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two splits of four pictures each; two with both hands, one of each side."""
    folder = tmp_path_factory.mktemp("evaluation") / "set"
    write_set(folder, count=4, split="val", sequence="0001_x")
    return write_set(folder, count=4, split="test", sequence="0001_x")


@pytest.fixture
def index(small_set: Path) -> Index:
    return interhand.read(small_set, "test")
