"""Every variant learns: forward, loss, backward and one step of the optimiser, in each stage of its training."""

import pytest
import torch
from torch import nn

from digit.lite import INPUT_SIZE, DigitLite
from digit.training.losses import objective
from digit.training.stages import enter, resize
from digit.variants import VARIANTS, build, find

#: With the backbone of the paper; all others get the small one.
REAL = ("digit-w32", "baseline/resnet-50", "internet")
NAMES = sorted({*REAL, *(name if v.own_backbone else f"{name}/lite" for name, v in VARIANTS.items())})


def sample_batch(size: int) -> dict[str, torch.Tensor]:
    rng = torch.Generator().manual_seed(0)
    parts = torch.zeros(2, 128, 128, dtype=torch.uint8)
    parts[:, 32:96, :64], parts[:, 32:96, 64:] = 3, 20
    return {
        "image": torch.rand(2, 3, size, size, generator=rng),
        "joints": torch.rand(2, 42, 3, generator=rng) * torch.tensor([255.0, 255.0, 100.0]),
        "valid": torch.ones(2, 42, dtype=torch.bool),
        "hands": torch.ones(2, 2),
        "parts": parts,
        "root_depth_mm": torch.tensor([30.0, -80.0]),
        "root_valid": torch.ones(2, dtype=torch.bool),
    }


@pytest.mark.parametrize("name", NAMES)
def test_every_variant_learns(name: str):
    torch.manual_seed(0)
    variant, network = find(name), build(name)
    batch = sample_batch(256 if variant.graph == "digit-lite" else 64)
    for stage in variant.stages:
        enter(network, stage)
        learning = {n: p for n, p in network.named_parameters() if p.requires_grad}
        optimizer = torch.optim.Adam(learning.values(), lr=1e-4)
        before = {n: p.detach().clone() for n, p in network.named_parameters()}
        # Within a block that begins as the identity, digit-lite's, all but its last layer wait for the second step.
        for _ in range(2 if variant.graph == "digit-lite" else 1):
            optimizer.zero_grad()
            loss = objective(variant, stage)(network(batch["image"]), batch)
            assert torch.isfinite(loss.total)
            loss.total.backward()
            assert not [n for n, p in learning.items() if p.grad is None]
            optimizer.step()
        changed = {n for n, p in network.named_parameters() if not torch.equal(p, before[n])}
        assert changed <= learning.keys()
        # A layer behind a ReLU that lets nothing through stands still for one step.
        assert len(changed) > 0.9 * len(learning)


def test_stages_of_the_two_stage_variant():
    torch.manual_seed(0)
    network = build("segm-to-pose-two-stage/lite")
    first, second = find("segm-to-pose-two-stage/lite").stages
    enter(network, first)
    assert learners(network) == {"backbone", "segmentation"}
    enter(network, second)
    assert learners(network) == {"semantic", "fusion", "estimator"}
    batch = sample_batch(64)
    kept = {n: b.clone() for n, b in network.named_buffers() if n.startswith(("backbone", "segmentation"))}
    assert kept
    network(batch["image"])
    for name, buffer in network.named_buffers():
        if name in kept:
            assert torch.equal(buffer, kept[name]), name
    whole = find("segm-to-pose/lite").stages[0]
    enter(network, whole)
    assert learners(network) == {"backbone", "segmentation", "semantic", "fusion", "estimator"}
    assert network.get_submodule("backbone").training


def test_the_size_of_a_step_is_drawn_anew_and_the_same_in_every_run():
    sizes, drawn = (160, 224), [[], []]
    for of_run in drawn:
        network = DigitLite()
        assert network.input_size == INPUT_SIZE
        for step in range(20):
            resize(network, sizes, 3, step)
            of_run.append(network.input_size)
    assert drawn[0] == drawn[1]
    assert set(drawn[0]) == set(sizes)
    resize(network, (), 3, 0)
    assert network.input_size == drawn[0][-1]


@pytest.mark.parametrize("size", [192, 256])
def test_every_size_gives_the_same_shapes_and_about_the_same_answer(size: int):
    torch.manual_seed(0)
    network = DigitLite().eval()
    rows = torch.linspace(0, 1, 256)
    image = (rows[:, None] * rows).expand(1, 3, 256, 256)  # smooth: nothing is lost by shrinking it
    with torch.inference_mode():
        own = network(image)
        network.input_size = size
        other = network(image)
    for a, b in zip(own, other, strict=True):
        assert a.shape == b.shape
    assert (own.part_logits - other.part_logits).abs().mean() < 0.2 * own.part_logits.std()


def learners(network: nn.Module) -> set[str]:
    names = {name for name, parameter in network.named_parameters() if parameter.requires_grad}
    frozen = {name for name, parameter in network.named_parameters() if not parameter.requires_grad}
    found = {name.split(".")[0] for name in names}
    assert not found & {name.split(".")[0] for name in frozen}
    return found


@pytest.mark.parametrize("name", ["baseline-bl/lite", "digit/lite"])
def test_a_few_steps_on_one_batch_lower_the_loss(name: str):
    torch.manual_seed(0)
    variant, network, batch = find(name), build(name), sample_batch(64)
    enter(network, variant.stages[0])
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
    totals: list[float] = []
    for _ in range(20):
        loss = objective(variant)(network(batch["image"]), batch)
        optimizer.zero_grad()
        loss.total.backward()
        optimizer.step()
        totals.append(loss.total.item())
    assert totals[-1] < 0.8 * totals[0]
