"""The trunk's convolutions against PyTorch's own."""

import pytest
import torch
import torch.nn.functional as F

from digit.trunk import DepthwiseConv


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(("kernel", "stride"), [(3, 1), (5, 1), (5, 2)])
def test_a_depthwise_convolution_learns_in_float32_and_answers_as_any_other(
    kernel: int, stride: int, training: bool
) -> None:
    torch.manual_seed(0)
    layer = DepthwiseConv(6, kernel, stride).train(training)
    x = torch.randn(2, 6, 8, 8).bfloat16().requires_grad_()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        y = layer(x)
    assert y.dtype == (torch.float32 if training else torch.bfloat16)
    again = x.detach().float().requires_grad_()
    # TensorFlow's "same": at stride 2 and an even size, the odd pixel is added below and to the right.
    edge = (kernel // 2,) * 4 if stride == 1 else ((kernel - 2) // 2, (kernel - 1) // 2) * 2
    expected = F.conv2d(F.pad(again, edge), layer.weight, layer.bias, stride, groups=6)
    assert torch.allclose(y.float(), expected, rtol=1e-5 if training else 0.02, atol=1e-5 if training else 0.02)
    (found,) = torch.autograd.grad(y.float().square().sum(), layer.weight)
    (true,) = torch.autograd.grad(expected.square().sum(), layer.weight)
    assert torch.allclose(found, true, rtol=1e-4 if training else 0.05, atol=1e-3 if training else 0.5)
