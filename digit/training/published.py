"""Start a backbone from published weights: HRNet-W32 of its authors (ImageNet or poses), ResNet-50 of torchvision.

DIGIT starts from ImageNet (sec. 4.1), and so does InterNet. The files are the user's to fetch: nothing is downloaded.
"""

import re
from pathlib import Path

import torch
from torch import nn

from digit.checkpoint import read_pytorch
from digit.errors import UserError
from digit.hrnet import HRNetW32
from digit.resnet import ResNet50

_PREFIX = re.compile(r"^(module\.|model\.|backbone\.)+")


def load_backbone(network: nn.Module, path: Path) -> None:
    """Fill the network's HRNet-W32 or ResNet-50 from a published PyTorch state dict.

    The backbone's every tensor has to be there. What else the file has, such as a classifier or the outputs that DIGIT
    cuts off, is left.

    Raises:
        UserError: the network has another backbone, or the file cannot be read or is of another network.
    """
    backbone = next((module for module in network.modules() if isinstance(module, HRNetW32 | ResNet50)), None)
    if backbone is None:
        raise UserError(f"{path} cannot be taken: this variant has neither HRNet-W32 nor ResNet-50 as its backbone.")
    found = {_PREFIX.sub("", name): tensor for name, tensor in read_pytorch(path).items()}
    wanted = backbone.state_dict()
    unfit = sorted(n for n in wanted if n not in found or found[n].shape != wanted[n].shape)
    # Files from before 2017 do not count their batches.
    unfit = [name for name in unfit if not name.endswith("num_batches_tracked")]
    if unfit:
        what = type(backbone).__name__.removesuffix("Features")
        raise UserError(f"{path} is no {what}: {len(unfit)} of its tensors are missing or misshapen ({unfit[0]}, …).")
    with torch.no_grad():
        for name, tensor in wanted.items():
            if name in found:
                tensor.copy_(found[name])
