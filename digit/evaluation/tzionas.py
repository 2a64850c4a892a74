"""``python -m digit.evaluation.tzionas``: learn to map one skeleton onto another (DIGIT 8, Generalization).

The truth of Tzionas et al. is MANO's skeleton, that of InterHand2.6M was clicked by people. As in SMPLify, a small MLP
for each side takes a wrist-relative hand of one skeleton and answers the same hand in the other: 63 numbers, 512 hidden
ones with ReLU, 63 numbers. It learns from InterHand2.6M's training set, whose pictures have both, and is never tuned on
the data that is measured with it.

Give both skeletons as sets in InterHand2.6M's layout with the same annotation ids: ``--source`` the dataset's own,
``--target`` a copy whose joint_3d.json holds MANO's joints in the same order. Then measure with
``python -m digit.evaluate --data DIR --weights A --skeleton FILE --table tzionas``.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from digit import interhand
from digit.errors import UserError, command_line
from digit.evaluation.protocol import MapSkeleton
from digit.interhand import Index
from digit.skeleton import JOINTS_PER_HAND, SIDES, SLOTS, WRIST

HIDDEN = 512
_FORMAT = "digit-skeleton-map"
#: The MLPs see coordinates in this unit, mm.
_UNIT_MM = 50.0


@dataclass(frozen=True, slots=True)
class Training:
    """How the maps learn; "until convergence" is so many epochs without the gain."""

    rate: float = 1e-3
    batch: int = 256
    held_out: float = 0.1
    patience: int = 10
    gain: float = 0.002  # of the held-out error
    max_epochs: int = 500
    seed: int = 0


UNTIL_CONVERGENCE = Training()


class SkeletonMap(nn.Module):
    """One MLP a side."""

    def __init__(self) -> None:
        super().__init__()
        size = 3 * JOINTS_PER_HAND
        self.sides = nn.ModuleDict(
            {
                side: nn.Sequential(nn.Linear(size, HIDDEN), nn.ReLU(inplace=True), nn.Linear(HIDDEN, size))
                for side in SIDES
            }
        )

    def forward(self, hands_mm: Tensor, side: str) -> Tensor:
        """Hands (N, 21, 3) of one side in mm, wrist at zero, in the other skeleton; its wrist at zero as well."""
        mapped = self.sides[side]((hands_mm / _UNIT_MM).flatten(1)).unflatten(1, (JOINTS_PER_HAND, 3)) * _UNIT_MM
        return mapped - mapped[:, WRIST : WRIST + 1]


def mapper(skeleton_map: SkeletonMap) -> MapSkeleton:
    """The maps as a function of NumPy arrays, for `digit.evaluation.protocol.on_other_skeleton`."""

    def map_hands(hands_mm: np.ndarray, side: str) -> np.ndarray:
        with torch.inference_mode():
            return skeleton_map(torch.from_numpy(np.asarray(hands_mm, np.float32)), side).numpy()

    return map_hands


def pairs(source: Index, target: Index, side: str) -> tuple[np.ndarray, np.ndarray]:
    """Wrist-relative hands (N, 21, 3) in mm of one side in both skeletons, of samples in which every joint is valid.

    Raises:
        UserError: the sets share no such sample.
    """
    _, a, b = np.intersect1d(source.annotation_ids, target.annotation_ids, return_indices=True)
    slots = SLOTS[side]
    whole = source.joint_valid[a][:, slots].all(axis=1) & target.joint_valid[b][:, slots].all(axis=1)
    if not whole.any():
        raise UserError(f"The two sets share no annotation id with a whole {side} hand; give two skeletons of one set.")
    hands = (index.joints_mm[rows[whole]][:, slots] for index, rows in ((source, a), (target, b)))
    first, second = (hand - hand[:, WRIST : WRIST + 1] for hand in hands)
    return first, second


def fit(source: Index, target: Index, how: Training = UNTIL_CONVERGENCE) -> tuple[SkeletonMap, dict[str, float]]:
    """Train both sides' maps; also returns their mean joint error on held-out samples in mm, by side."""
    torch.manual_seed(how.seed)
    skeleton_map = SkeletonMap()
    errors = {side: _fit_side(skeleton_map, side, *pairs(source, target, side), how) for side in SIDES}
    return skeleton_map.eval(), errors


def _fit_side(skeleton_map: SkeletonMap, side: str, source: np.ndarray, target: np.ndarray, how: Training) -> float:
    x, y = torch.from_numpy(source).float(), torch.from_numpy(target).float()
    generator = torch.Generator().manual_seed(how.seed)
    order = torch.randperm(len(x), generator=generator)
    kept = max(1, round(how.held_out * len(x)))
    held, train = (order[:kept], order[kept:]) if len(x) > 1 else (order, order)
    mlp = skeleton_map.sides[side]
    optimizer = torch.optim.Adam(mlp.parameters(), how.rate)
    best, waited = float("inf"), 0
    weights = {name: tensor.clone() for name, tensor in mlp.state_dict().items()}
    with tqdm(total=how.max_epochs, desc=f"{side} skeleton", unit="epoch", leave=False) as bar:
        while bar.n < how.max_epochs and waited < how.patience:
            for rows in train[torch.randperm(len(train), generator=generator)].split(how.batch):
                loss = (skeleton_map(x[rows], side) - y[rows]).abs().mean()
                optimizer.zero_grad(set_to_none=True)
                loss.backward()
                optimizer.step()
            with torch.inference_mode():
                error = float((skeleton_map(x[held], side) - y[held]).norm(dim=-1).mean())
            waited = 0 if error < best * (1 - how.gain) else waited + 1
            if error < best:
                best, weights = error, {name: tensor.clone() for name, tensor in mlp.state_dict().items()}
            bar.update()
            bar.set_postfix(held_out_mm=f"{best:.2f}")
    mlp.load_state_dict(weights)
    return best


def save(path: Path, skeleton_map: SkeletonMap) -> None:
    """Write both maps. Raises UserError when the file cannot be written."""
    from safetensors.torch import save as bytes_from_tensors

    try:
        path.write_bytes(bytes_from_tensors(skeleton_map.state_dict(), {"format": _FORMAT}))
    except OSError as error:
        raise UserError(f"The skeleton map cannot be written to {path}: {error.strerror or error}.") from error


def load(path: Path) -> SkeletonMap:
    """Both maps. Raises UserError when the file is missing or something else."""
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise UserError(f"There is no skeleton map {path}; make one with python -m digit.evaluation.tzionas.")
    skeleton_map = SkeletonMap()
    try:
        file = cast(Any, safe_open)(path, framework="pt")
        if (file.metadata() or {}).get("format") != _FORMAT:
            raise UserError(f"{path} is no skeleton map; make one with python -m digit.evaluation.tzionas.")
        skeleton_map.load_state_dict({name: file.get_tensor(name) for name in file.keys()})  # noqa: SIM118
    except (SafetensorError, OSError, RuntimeError) as error:
        raise UserError(f"{path} is no skeleton map or is damaged; make it again.") from error
    return skeleton_map.eval()


@command_line
def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m digit.evaluation.tzionas", description="Learn to map one hand skeleton onto another."
    )
    parser.add_argument("--source", type=Path, required=True, help="set with the skeleton that networks answer")
    parser.add_argument("--target", type=Path, required=True, help="the same set with the skeleton of the truth")
    parser.add_argument("--split", default="train", help="which split of both (default: train)")
    parser.add_argument("--out", type=Path, required=True, help="file for the map")
    options = parser.parse_args(arguments)
    source, target = (interhand.read(folder, options.split) for folder in (options.source, options.target))
    skeleton_map, errors = fit(source, target)
    save(options.out, skeleton_map)
    print("held-out joint error: " + ", ".join(f"{side} {error:.2f} mm" for side, error in errors.items()))


if __name__ == "__main__":
    sys.exit(main())
