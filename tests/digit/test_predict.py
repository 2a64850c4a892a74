import pytest
import torch
from torch import Tensor, nn

from digit.lite import DigitLite
from digit.model import DigitOutput, DigitW32
from digit.predict import Predictor, read_output


def peak_output(x: int, y: int, z: float, part: int, root_bin: int) -> DigitOutput:
    """An output that says: every joint at cell (x, y), depth z; one part everywhere; the right hand only."""
    heatmap_logits = torch.full((1, 42, 64, 64), -50.0)
    heatmap_logits[:, :, y, x] = 50.0
    part_logits = torch.zeros(1, 33, 128, 128)
    part_logits[:, part] = 1.0
    root_depth_logits = torch.full((1, 64), -50.0)
    root_depth_logits[:, root_bin] = 50.0
    return DigitOutput(
        heatmap_logits, torch.full((1, 42, 64, 64), z), part_logits, root_depth_logits, torch.tensor([[9.0, -9.0]])
    )


def test_units():
    prediction = read_output(peak_output(x=10, y=50, z=40.0, part=17, root_bin=16))
    assert torch.allclose(prediction.joints_2p5d, torch.tensor([40.0, 200.0, 50.0]))
    assert torch.allclose(prediction.confidence, torch.ones(1, 42))
    assert prediction.part_labels.dtype == torch.uint8
    assert (prediction.part_labels == 17).all()
    assert prediction.handedness[0, 0] > 0.999
    assert prediction.handedness[0, 1] < 0.001
    assert prediction.root_depth_mm.item() == pytest.approx(-100.0)


class Recorder(nn.Module):
    """A network that keeps what it was given."""

    def forward(self, image: Tensor) -> DigitOutput:
        self.image = image
        return peak_output(0, 0, 32.0, 0, 32)


class PriorRecorder(Recorder):
    def forward(self, image: Tensor, prior: Tensor | None = None) -> DigitOutput:
        self.prior = prior
        return super().forward(image)


def test_the_network_gets_rgb_from_0_to_1():
    network = Recorder()
    crop = torch.zeros(1, 256, 256, 3, dtype=torch.uint8)
    crop[0, 3, 7] = torch.tensor([255, 51, 0])
    Predictor(network)(crop, torch.zeros(1, 42, 4))
    assert network.image.shape == (1, 3, 256, 256)
    assert torch.allclose(network.image[0, :, 3, 7], torch.tensor([1.0, 0.2, 0.0]))


def test_only_networks_with_a_prior_get_it():
    crop, prior = torch.zeros(1, 256, 256, 3, dtype=torch.uint8), torch.rand(1, 42, 4)
    network = PriorRecorder()
    Predictor(network)(crop, prior)
    assert network.prior is prior
    assert Predictor(DigitLite()).takes_prior
    assert not Predictor(DigitW32()).takes_prior
    assert not Predictor(Recorder()).takes_prior


def test_crops_in_a_batch_do_not_mix():
    torch.manual_seed(0)
    predictor = Predictor(DigitLite().eval())
    crops, priors = torch.randint(0, 256, (2, 256, 256, 3), dtype=torch.uint8), torch.rand(2, 42, 4) * 100
    with torch.inference_mode():
        both = predictor(crops, priors)
        second = predictor(crops[1:], priors[1:])
    for together, alone in zip(both, second, strict=True):
        assert torch.allclose(together[1:].float(), alone.float(), atol=1e-3)
