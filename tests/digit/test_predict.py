import pytest
import torch
from torch import Tensor, nn

from digit.internet import PEAK, InterNetOutput
from digit.lite import DigitLite
from digit.model import DigitOutput, DigitW32
from digit.predict import Predictor, decode, read_output, takes_prior
from digit.skeleton import FIRST_PART


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
    assert (prediction.places[:, :, 8 * (50 // 8) + 10 // 8] == torch.tensor([1.0, 40.0, 200.0, 50.0])).all()
    assert prediction.places[..., 0].sum() == 42


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
    with torch.device("meta"):
        assert takes_prior(DigitLite())
        assert not takes_prior(DigitW32())
    assert not takes_prior(Recorder())


def test_crops_in_a_batch_do_not_mix():
    torch.manual_seed(0)
    predictor = Predictor(DigitLite().eval())
    crops, priors = torch.randint(0, 256, (2, 256, 256, 3), dtype=torch.uint8), torch.rand(2, 42, 4) * 100
    with torch.inference_mode():
        both = predictor(crops, priors)
        second = predictor(crops[1:], priors[1:])
    for together, alone in zip(both, second, strict=True):
        assert torch.allclose(together[1:].float(), alone.float(), atol=1e-3)


def test_parts_of_another_size_become_labels_of_one():
    output = peak_output(0, 0, 32.0, 0, 32)
    for size in (64, 256):
        logits = torch.zeros(1, 33, size, size)
        logits[:, 5, : size // 2] = 9.0
        labels = read_output(output._replace(part_logits=logits)).part_labels
        assert labels.shape == (1, 128, 128)
        assert (labels[:, :62] == 5).all()
        assert (labels[:, 66:] == 0).all()


def test_sides_become_palms_and_no_segmentation_is_background():
    output = peak_output(0, 0, 32.0, 0, 32)
    logits = torch.full((1, 3, 128, 128), -1.0)
    logits[:, 1, :, :40], logits[:, 2, :, 40:80], logits[:, 0, :, 80:] = 1.0, 1.0, 1.0
    labels = read_output(output._replace(part_logits=logits)).part_labels
    assert (labels[..., :40] == FIRST_PART["right"]).all()
    assert (labels[..., 40:80] == FIRST_PART["left"]).all()
    assert not labels[..., 80:].any()
    without = read_output(DigitOutput(*(torch.cat((v, v)) for v in output))._replace(part_logits=None))
    assert without.part_labels.shape == (2, 128, 128)
    assert without.part_labels.dtype == torch.uint8
    assert not without.part_labels.any()


def test_decoding_keeps_the_logits():
    output = peak_output(x=10, y=50, z=40.0, part=17, root_bin=16)
    decoded, read = decode(output), read_output(output)
    assert decoded.part_logits is output.part_logits
    for name in ("joints_2p5d", "confidence", "handedness", "root_depth_mm"):
        assert torch.equal(getattr(decoded, name), getattr(read, name))
    assert decode(output._replace(part_logits=None)).part_logits is None


def test_internet_is_read_at_the_highest_cell():
    heatmaps = torch.zeros(2, 42, 64, 16, 16)
    heatmaps[:, :, 40, 5, 12] = PEAK / 2
    heatmaps[:, :, 1, 2, 3] = PEAK / 4
    heatmaps[1, 7, 63, 15, 0] = 2 * PEAK
    bins = torch.full((2, 64), -50.0)
    bins[:, 16] = 50.0
    decoded = decode(InterNetOutput(heatmaps, bins, torch.tensor([[9.0, -9.0], [-9.0, 9.0]])))
    assert torch.allclose(decoded.joints_2p5d[0], torch.tensor([12 * 16.0, 5 * 16.0, 50.0]))
    assert torch.allclose(decoded.joints_2p5d[1, 7], torch.tensor([0.0, 15 * 16.0, (63 / 64 * 2 - 1) * 200]))
    assert decoded.confidence[0, 0] == 0.5
    assert decoded.confidence[1, 7] == 1.0
    assert (decoded.handedness > 0.5).tolist() == [[True, False], [False, True]]
    assert decoded.root_depth_mm.tolist() == pytest.approx([-100.0, -100.0])
    assert decoded.part_logits is None
