"""What networks cost (Table 8): parameters, and memory of a training step."""

import copy
from collections.abc import Mapping
from typing import TYPE_CHECKING

from digit.evaluation.paper import TABLES, Cell
from digit.evaluation.tables import MEASURED, Table
from digit.prediction import CROP_SIZE

if TYPE_CHECKING:
    from torch import nn

#: The paper's batch.
BATCH = 32


def table_8(networks: "Mapping[str, nn.Module]") -> Table:
    """Table 8 with these networks; memory needs an NVIDIA GPU."""
    import torch

    paper = TABLES["8"]
    gpu = torch.cuda.is_available()
    rows: list[tuple[str, tuple[Cell, ...]]] = [*paper.rows.items(), (MEASURED, ())]
    for name, network in networks.items():
        memory = f"{training_memory_gb(network):.1f} Gb" if gpu else None
        rows.append((name, (f"{parameters(network) / 1e6:.1f} M", memory)))
    device = f"Memory is measured on an {torch.cuda.get_device_name()}." if gpu else "Memory needs an NVIDIA GPU."
    return Table(paper.title, paper.corner, paper.columns, tuple(rows), (paper.note, device))


def parameters(network: "nn.Module") -> int:
    """How many numbers training changes."""
    return sum(parameter.numel() for parameter in network.parameters())


def training_memory_gb(network: "nn.Module", batch: int = BATCH) -> float:
    """Largest GPU memory (1e9 bytes) of a float32 step of Adam at that batch; the loss is any scalar of all outputs."""
    import torch

    network = copy.deepcopy(network).train().cuda()  # a step moves the batch norms' running statistics
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    optimizer = torch.optim.Adam(network.parameters(), lr=0.0)
    for _ in range(2):  # Adam's own memory comes with its first step
        output = network(torch.rand(batch, 3, CROP_SIZE, CROP_SIZE, device="cuda"))
        torch.stack([tensor.float().square().mean() for tensor in output if tensor is not None]).sum().backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
    return torch.cuda.max_memory_allocated() / 1e9
