"""A tiny folder of labelled pictures in InterHand2.6M's layout."""

from pathlib import Path

import pytest

from tests.interhand_set import write_set


@pytest.fixture(scope="session")
def tiny_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_set(tmp_path_factory.mktemp("tiny"))
