"""A few synthetic pictures, drawn once for all tests."""

import pytest

from digit.synth import hand_model
from digit.synth.generate import Picture, picture
from digit.synth.hand_model import HandModel


@pytest.fixture(scope="session")
def model() -> HandModel:
    return hand_model.shared()


@pytest.fixture(scope="session")
def pictures() -> list[Picture]:
    return [picture(11, index) for index in range(40)]
