"""What networks cost: measuring the memory of training leaves the network as it was."""

import pytest
import torch

from digit import variants
from digit.evaluation import cost


def test_measuring_memory_leaves_the_network_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """CUDA's calls stubbed, so that the CPU runs it; a step in training mode moves batch norms' statistics."""
    for name in ("empty_cache", "reset_peak_memory_stats"):
        monkeypatch.setattr(torch.cuda, name, lambda: None)
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda: 2e9)
    monkeypatch.setattr(torch.nn.Module, "cuda", lambda self: self)
    rand = torch.rand
    monkeypatch.setattr(torch, "rand", lambda *shape, device: rand(*shape))
    network = variants.build("baseline/lite").eval()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    assert cost.training_memory_gb(network, batch=1) == 2.0
    assert not network.training
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[name]), name
