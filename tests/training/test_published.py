from pathlib import Path

import pytest
import torch

from digit.errors import UserError
from digit.resnet import ResNet50
from digit.training.published import load_backbone
from digit.variants import build


@pytest.fixture(scope="module")
def resnet(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, torch.Tensor], Path]:
    """As torchvision writes it, with a classifier and without counters."""
    torch.manual_seed(3)
    tensors = {name: t for name, t in ResNet50().state_dict().items() if not name.endswith("num_batches_tracked")}
    path = tmp_path_factory.mktemp("published") / "resnet50.pth"
    torch.save(tensors | {"fc.weight": torch.zeros(1000, 2048)}, path)
    return tensors, path


@pytest.mark.parametrize(("name", "backbone"), [("baseline/resnet-50", "backbone.resnet"), ("internet", "backbone")])
def test_a_backbone_starts_from_published_weights(resnet, name: str, backbone: str):
    tensors, path = resnet
    network = build(name)
    load_backbone(network, path)
    filled = network.get_submodule(backbone).state_dict()
    assert all(torch.equal(filled[key], value) for key, value in tensors.items())


def test_prefixes_and_other_outputs_do_not_matter(tmp_path: Path):
    torch.manual_seed(3)
    source = build("baseline").get_submodule("backbone").state_dict()
    more = {"stage4.2.fuse_layers.1.0.0.0.weight": torch.zeros(1), "final_layer.bias": torch.zeros(17)}
    torch.save({f"module.{name}": tensor for name, tensor in (source | more).items()}, tmp_path / "hrnet.pth")
    network = build("digit")
    load_backbone(network, tmp_path / "hrnet.pth")
    filled = network.get_submodule("backbone").state_dict()
    assert all(torch.equal(filled[name], value) for name, value in source.items())


def test_files_and_networks_that_do_not_fit(resnet, tmp_path: Path):
    tensors, path = resnet
    with pytest.raises(UserError, match=r"is no HRNet: \d+ of its tensors are missing or misshapen"):
        load_backbone(build("baseline"), path)
    with pytest.raises(UserError, match="neither HRNet-W32 nor ResNet-50"):
        load_backbone(build("baseline/lite"), path)
    torch.save(tensors | {"conv1.weight": torch.zeros(64, 3, 3, 3)}, tmp_path / "x.pth")
    with pytest.raises(UserError, match=r"is no ResNet50: 1 of its tensors .*conv1.weight"):
        load_backbone(build("internet"), tmp_path / "x.pth")
    with pytest.raises(UserError, match="There is no weights file"):
        load_backbone(build("internet"), tmp_path / "none.pth")
