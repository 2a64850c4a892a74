"""A learning trunk is pulled back to published weights."""

import pytest
import torch

from digit.training.leash import Leash


def test_it_closes_a_share_of_the_way_and_never_passes():
    learning, anchor = torch.tensor([1.0, -2.0]), torch.tensor([0.0, 2.0])
    leash = Leash([learning], [anchor], share=0.1)
    leash(factor=1.0)
    torch.testing.assert_close(learning, torch.tensor([0.9, -1.6]))
    leash(factor=0.0)
    torch.testing.assert_close(learning, torch.tensor([0.9, -1.6]))
    leash(factor=50.0)
    torch.testing.assert_close(learning, anchor)


@pytest.mark.parametrize("share", [0.0, 0.5])
def test_it_bounds_how_far_steps_lead(share: float):
    """Steps in one direction end where the pull is as long as they are."""
    learning, anchor = torch.zeros(3), torch.zeros(3)
    leash = Leash([learning], [anchor], share)
    for _ in range(100):
        learning += 0.01
        leash(factor=1.0)
    torch.testing.assert_close(learning, torch.full((3,), 1.0 if share == 0 else 0.01), atol=1e-3, rtol=0.02)
