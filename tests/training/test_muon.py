"""Steps along the orthogonalised momentum."""

import torch
from torch import nn
from torch.optim import AdamW

from digit.training.muon import MOMENTUM, Muon, is_dense_kernel, orthogonalised


def test_all_directions_become_about_as_long():
    rng = torch.Generator().manual_seed(0)
    for rows, columns in ((24, 90), (90, 24)):
        u, _, v = torch.linalg.svd(torch.randn(rows, columns, generator=rng), full_matrices=False)
        lengths = torch.logspace(0, -2, 24)
        found = orthogonalised(u @ torch.diag(lengths) @ v)
        # Against its own polar factor u v: the same directions, each of a length between the iteration's bounds.
        aligned = torch.diagonal(u.T @ found @ v.T)
        assert found.shape == (rows, columns)
        assert ((aligned > 0.6) & (aligned < 1.3)).all()


def test_a_kernel_steps_by_the_rate_and_the_rest_as_with_adamw():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.Conv2d(8, 8, 3, groups=8), nn.Flatten(), nn.Linear(8 * 4 * 4, 2))
    twin = nn.Sequential(nn.Conv2d(3, 8, 3), nn.Conv2d(8, 8, 3, groups=8), nn.Flatten(), nn.Linear(8 * 4 * 4, 2))
    twin.load_state_dict(net.state_dict())
    assert [is_dense_kernel(p) for p in net.parameters()] == [True, False, False, False, False, False]
    before = next(net.parameters()).detach().clone()
    image = torch.randn(4, 3, 8, 8)
    for each, optimizer in (
        (net, Muon(net.parameters(), lr=0.01, weight_decay=0.1)),
        (twin, AdamW(twin.parameters(), lr=0.01, weight_decay=0.1)),
    ):
        each(image).square().mean().backward()
        gradient = next(each.parameters()).grad
        optimizer.step()
        if each is net:
            assert gradient is not None
            # The first step: Nesterov's look ahead is a multiple of the gradient, whose length does not matter.
            step = next(net.parameters()).detach() - before * (1 - 0.01 * 0.1)
            wanted = -0.01 * 0.2 * 27**0.5 * orthogonalised((1 - MOMENTUM**2) * gradient.flatten(1)).view(8, 3, 3, 3)
            torch.testing.assert_close(step, wanted, atol=2e-4, rtol=0.05)
    for (name, p), other in zip(net.named_parameters(), twin.parameters(), strict=True):
        assert name == "0.weight" or torch.equal(p, other)


def test_it_learns_and_resumes_to_the_same_weights():
    def run(net: nn.Module, optimizer: Muon, steps: range) -> float:
        loss = torch.zeros(())
        for i in steps:
            image = torch.randn(16, 3, 8, 8, generator=torch.Generator().manual_seed(i))
            loss = (net(image) - image.mean(dim=1, keepdim=True)).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        return loss.item()

    def learner() -> tuple[nn.Module, Muon]:
        torch.manual_seed(0)
        net = nn.Sequential(nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 1, 3, padding=1))
        return net, Muon(net.parameters(), lr=0.02)

    whole, optimizer = learner()
    first = run(whole, optimizer, range(10))
    state, moments = whole.state_dict(), optimizer.state_dict()
    state = {name: tensor.clone() for name, tensor in state.items()}
    moments = torch.utils._pytree.tree_map_only(torch.Tensor, torch.clone, moments)  # pyright: ignore
    last = run(whole, optimizer, range(10, 60))
    assert last < 0.2 * first
    resumed, again = learner()
    resumed.load_state_dict(state)
    again.load_state_dict(moments)
    assert run(resumed, again, range(10, 60)) == last
