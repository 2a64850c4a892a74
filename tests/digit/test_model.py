import numpy as np
import pytest
import torch

from digit import checkpoint, heatmap
from digit.lite import DigitLite, Residual, pose_of
from digit.model import DigitOutput, DigitW32
from digit.predict import decode
from tests.digit import golden


@pytest.fixture(scope="module")
def w32() -> DigitW32:
    return checkpoint.load_official(golden.official_state_dict())


def relative_error(ours: torch.Tensor, theirs: np.ndarray) -> float:
    return float(np.abs(ours.numpy() - theirs).max() / np.abs(theirs).max())


def test_w32_equals_the_authors_network(w32: DigitW32):
    theirs = golden.outputs()
    with torch.inference_mode():
        features = w32.backbone(golden.image())
        semantic = w32.semantic(w32.segmentation(features))
        fused = w32.fusion(torch.cat((features, semantic), dim=1))
        ours = w32(golden.image())
    assert shapes(ours) == [(2, 42, 64, 64), (2, 42, 64, 64), (2, 33, 128, 128), (2, 64), (2, 2)]
    heatmaps = heatmap.softmax_2d(ours.heatmap_logits)
    pairs = {
        "features": features[:, ::4, ::8, ::8],
        "semantic": semantic[:, ::32, ::8, ::8],
        "fused": fused[:, ::32, ::8, ::8],
        "heatmap_logits": ours.heatmap_logits[:, :, ::8, ::8],
        "joints_xy_heatmap_px": heatmap.soft_argmax_2d(ours.heatmap_logits),
        "depth": heatmap.depth_under(heatmaps, ours.depth_maps),
        "root_depth_logits": ours.root_depth_logits,
        "root_depth_bins": heatmap.soft_argmax_1d(ours.root_depth_logits)[:, None],
        "handedness_logits": ours.handedness_logits,
        "handedness": ours.handedness_logits.sigmoid(),
        "part_logits": ours.part_logits[:, :, ::8, ::8],
    }
    errors = {name: relative_error(value, theirs[name]) for name, value in pairs.items()}
    assert max(errors.values()) < 1e-4, errors
    assert np.array_equal(ours.part_logits.argmax(dim=1)[:, ::8, ::8].numpy(), theirs["segmentation_8"])


def shapes(output: DigitOutput) -> list[tuple[int, ...]]:
    assert output.part_logits is not None
    return [tuple(value.shape) for value in output if value is not None]


def test_lite_answers_in_the_papers_shapes():
    with torch.inference_mode():
        output = DigitLite().eval()(torch.rand(1, 3, 256, 256))
    assert shapes(output) == [(1, 42, 64, 64), (1, 42, 64, 64), (1, 33, 128, 128), (1, 64), (1, 2)]


def test_digit_lite_shows_parts_that_know_of_the_pose():
    """The parts shown are the first ones and what the fused features add; no other answer hangs on that."""
    torch.manual_seed(0)
    network, image = DigitLite().eval(), torch.rand(1, 3, 256, 256)
    with torch.inference_mode():
        thought = network(image)
        torch.nn.init.zeros_(network.part_late.weight)
        torch.nn.init.zeros_(network.part_late.bias)
        first = network(image)
    assert not torch.equal(thought.part_logits, first.part_logits)
    for name, value in thought._asdict().items():
        if name != "part_logits" and value is not None:
            assert torch.equal(value, getattr(first, name)), name


def test_a_new_residual_block_changes_nothing_and_learns():
    block = Residual(8).train()
    x = torch.rand(2, 8, 5, 5)
    torch.testing.assert_close(block(x), x)
    block(x).square().mean().backward()
    assert block.norm.weight.grad is not None and (block.norm.weight.grad != 0).any()


def test_every_weight_learns():
    network = DigitW32().train()
    output = network(torch.rand(2, 3, 64, 64))
    torch.stack([value.square().mean() for value in output]).sum().backward()
    without = [name for name, parameter in network.named_parameters() if parameter.grad is None]
    assert not without


def test_digit_lite_reads_the_root_depth_off_its_own_pose():
    torch.manual_seed(0)
    network = DigitLite().eval()
    output = network(torch.rand(2, 3, 256, 256))
    pose = pose_of(output.heatmap_logits, output.depth_maps).unflatten(1, (42, 3))
    joints = decode(output).joints_2p5d
    half = torch.tensor([63 * 4 / 2, 63 * 4 / 2, 200.0])
    torch.testing.assert_close(pose * half + half * torch.tensor([1.0, 1.0, 0.0]), joints, atol=1e-2, rtol=0)
    output.root_depth_logits.sum().backward()
    # The root depth does not bend the pose: nothing of it reaches the heads of the pose.
    assert network.heatmaps.weight.grad is None and network.depths.weight.grad is None
    assert network.root_from_pose[0].weight.grad is not None
    assert (network.root_from_pose[0].weight.grad[:, 160:] != 0).any()
