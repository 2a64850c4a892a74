import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from digit import heatmap

cells = st.floats(6, 57)


def gaussian(x: float, y: float, sigma: float = 1.2, size: int = 64) -> torch.Tensor:
    """Logits (1, 1, size, size) whose softmax is a Gaussian at (x, y)."""
    cell = torch.arange(size, dtype=torch.float32)
    squared = (cell[None, :] - x) ** 2 + (cell[:, None] - y) ** 2
    return (-squared / (2 * sigma**2))[None, None]


@given(cells, cells)
def test_soft_argmax_finds_a_gaussian(x, y):
    assert torch.allclose(heatmap.soft_argmax_2d(gaussian(x, y)), torch.tensor([x, y]), atol=1e-3)


def test_soft_argmax_is_the_weighted_mean():
    logits = torch.full((1, 1, 4, 6), -torch.inf)
    logits[0, 0, 1, 5], logits[0, 0, 3, 1] = 0.0, torch.log(torch.tensor(3.0))
    assert torch.allclose(heatmap.soft_argmax_2d(logits), torch.tensor([[[2.0, 2.5]]]))
    assert torch.allclose(heatmap.soft_argmax_1d(torch.tensor([[0.0, 0, -torch.inf, 0]])), torch.tensor([4 / 3]))


def test_uniform_logits_give_the_middle():
    assert torch.allclose(heatmap.soft_argmax_2d(torch.zeros(1, 2, 64, 64)), torch.full((1, 2, 2), 31.5))
    assert heatmap.soft_argmax_1d(torch.zeros(3, 64)).tolist() == pytest.approx([31.5] * 3)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_read_in_float32(dtype: torch.dtype):
    logits = gaussian(40, 20).to(dtype)
    joints = heatmap.soft_argmax_2d(logits)
    assert joints.dtype == torch.float32
    assert torch.equal(joints, heatmap.soft_argmax_2d(logits.float()))
    assert heatmap.soft_argmax_1d(torch.zeros(1, 64, dtype=dtype)).dtype == torch.float32


def test_large_logits_do_not_overflow():
    assert torch.allclose(heatmap.soft_argmax_2d(gaussian(30, 10) * 1e4 + 1e4), torch.tensor([30.0, 10.0]), atol=1e-3)


def test_depth_is_read_under_the_heatmap():
    heatmaps = heatmap.softmax_2d(gaussian(30, 10, sigma=0.1))
    depth_maps = torch.zeros(1, 1, 64, 64)
    depth_maps[0, 0, 10, 30] = 48.0
    depth = heatmap.depth_under(heatmaps, depth_maps)
    assert torch.allclose(depth, torch.tensor([[48.0]]))
    assert heatmap.mm_from_depth(depth).item() == pytest.approx(100.0)


@given(st.floats(-200, 200))
def test_depth_scale_inverts(z_mm):
    assert heatmap.mm_from_depth(heatmap.depth_from_mm(torch.tensor(z_mm))).item() == pytest.approx(z_mm, abs=1e-3)


def test_reading_all_at_once_is_reading_one_by_one():
    generator = torch.Generator().manual_seed(0)
    logits, depth_maps = (torch.randn(2, 3, 16, 24, generator=generator) * 3 for _ in range(2))
    reading, heatmaps = heatmap.read(logits, depth_maps), heatmap.softmax_2d(logits)
    torch.testing.assert_close(reading.cells, heatmap.expectation_2d(heatmaps))
    torch.testing.assert_close(reading.depth, heatmap.depth_under(heatmaps, depth_maps))
    assert reading.places.shape == (2, 3, heatmap.PLACES**2, 4)
    for place in (0, 1, 8, 37, 63):  # of 2 x 3 cells each
        row, column = 2 * (place // 8), 3 * (place % 8)
        y, x = torch.meshgrid(torch.arange(row, row + 2), torch.arange(column, column + 3), indexing="ij")
        share = heatmaps[:, :, y, x]
        sums = [(share * by).sum(dim=(2, 3)) for by in (torch.ones(2, 3), x, y, depth_maps[:, :, y, x])]
        torch.testing.assert_close(reading.places[:, :, place], torch.stack(sums, dim=2))


def confidence_of(logits: torch.Tensor) -> float:
    return heatmap.read(logits, torch.zeros_like(logits)).confidence.item()


def test_confidence_tells_one_peak_from_two_and_from_none():
    one = confidence_of(gaussian(30, 30))
    two = confidence_of(torch.logaddexp(gaussian(20, 30), gaussian(40, 30)))
    none = confidence_of(torch.zeros(1, 1, 64, 64))
    assert 0.98 < one <= 1
    assert two < 0.01
    assert none == pytest.approx(49 / 64**2)  # a window of 7 x 7 cells
    assert confidence_of(gaussian(30, 30, sigma=4)) < one


@given(cells, cells)
def test_confidence_does_not_jump_between_cells(x, y):
    assert confidence_of(gaussian(x, y)) == pytest.approx(confidence_of(gaussian(x + 1e-3, y)), abs=1e-3)
