"""Weights on disk: one safetensors file a network, its metadata in the header. Torch is imported only to load or save.

Metadata: ``format`` and ``format_version``, ``model`` (a key of `NETWORKS`), ``created`` (UTC) and ``recipe`` (JSON:
data, seed, figures, whatever made the weights). Half-precision storage is allowed; weights load as float32.

    python -m digit.checkpoint import FILE OUT    the authors' PyTorch checkpoint to our format
    python -m digit.checkpoint info FILE          metadata, parameters and sha256
"""

import argparse
import hashlib
import json
import re
import sys
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from digit.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor, nn

FORMAT = "digit-live"
FORMAT_VERSION = "1"

#: Model name to (module, class) of its network.
NETWORKS = {"digit-lite": ("digit.lite", "DigitLite"), "digit-w32": ("digit.model", "DigitW32")}

# The authors' names to ours; the backbone's are the same (`digit.hrnet`).
_FROM_OFFICIAL = (
    (r"^(model\.)?(pose_reg\.)?", ""),
    (r"^conv_hm\.", "heatmaps."),
    (r"^conv_depth\.", "depth_maps."),
    (r"^hand_segm\.segm_head\.upsampler\.up1\.conv\.double_conv\.(\d+)", lambda m: f"segmentation.{int(m[1]) + 1}"),
    (r"^hand_segm\.segm_head\.segm_net\.double_conv\.(\d+)", lambda m: f"segmentation.{int(m[1]) + 7}"),
    (r"^conv_segm_feat\.", "semantic."),
    (r"^merge_layer\.inc\.double_conv\.", "fusion.enter."),
    (r"^merge_layer\.(down\d)\.maxpool_conv\.1\.double_conv\.", r"fusion.\1.1."),
    (r"^merge_layer\.(up\d)\.conv\.double_conv\.", r"fusion.\1."),
    (r"^merge_layer\.outc\.conv\.", "fusion.leave."),
    (r"^conv_head\.", "context."),
    (r"^root_fc\.", "root_depth."),
    (r"^hand_fc\.", "handedness."),
)


def weights_path(model: str) -> Path:
    """Where the repository keeps a model's weights; the file need not be there."""
    return Path(__file__).resolve().parents[1] / "assets" / f"{model}.safetensors"


def build(model: str) -> "nn.Module":
    """A network with random weights.

    Raises:
        UserError: there is no such model.
    """
    if model not in NETWORKS:
        raise UserError(f"There is no model '{model}'; choose one of {', '.join(NETWORKS)}.")
    module, name = NETWORKS[model]
    return getattr(import_module(module), name)()


def save(path: Path, network: "nn.Module", metadata: Mapping[str, object], half: bool = False) -> None:
    """Write a network's weights; the file appears whole or not at all.

    Args:
        metadata: the recipe, anything JSON can hold.
        half: store float16 instead of float32.

    Raises:
        UserError: the file cannot be written.
    """
    import torch
    from safetensors.torch import save as bytes_from_tensors

    kind = type(network)
    model = next((model for model, (_, name) in NETWORKS.items() if name == kind.__name__), None)
    if model is None:
        raise ValueError(f"{kind.__name__} is none of the networks {', '.join(NETWORKS)}")
    header = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "model": model,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "recipe": json.dumps(metadata),
    }
    stored = torch.float16 if half else torch.float32
    tensors = {
        name: tensor.detach().cpu().to(stored if tensor.is_floating_point() else tensor.dtype).contiguous()
        for name, tensor in network.state_dict().items()
    }
    part = path.with_name(path.name + ".part")
    try:
        part.write_bytes(bytes_from_tensors(tensors, header))
        part.replace(path)
    except OSError as error:
        raise UserError(f"The weights cannot be written to {path}: {error.strerror or error}.") from error
    finally:
        part.unlink(missing_ok=True)


def read_metadata(path: Path) -> dict[str, Any]:
    """The header of a weights file, ``recipe`` as an object. Needs no torch.

    Raises:
        UserError: the file is missing, damaged or not one of ours.
    """
    header = _open(path, "numpy").metadata() or {}
    if header.get("format") != FORMAT:
        raise UserError(f"{path} holds no Digit Live weights; import it with 'python -m digit.checkpoint import'.")
    if header.get("format_version") != FORMAT_VERSION:
        version = header.get("format_version")
        raise UserError(f"{path} has weights format {version}, not {FORMAT_VERSION}; update the program.")
    if header.get("model") not in NETWORKS:
        raise UserError(f"{path} holds weights of '{header.get('model')}'; known are {', '.join(NETWORKS)}.")
    try:
        return {**header, "recipe": json.loads(header.get("recipe", "{}"))}
    except json.JSONDecodeError as error:
        raise UserError(f"{path} has a damaged header; fetch or train the weights again.") from error


def load(path: Path) -> "nn.Module":
    """The network with its weights, in evaluation mode, float32.

    Raises:
        UserError: the file is missing, damaged, not ours, or does not fit its network.
    """
    model = read_metadata(path)["model"]
    file = _open(path, "pt")
    tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
    return _filled(model, tensors, path)


def load_official(path: Path) -> "nn.Module":
    """digit-w32 with the authors' weights, from their PyTorch file: a bare state dict or a Lightning checkpoint.

    Raises:
        UserError: the file is missing, is no plain PyTorch file, or does not fit.
    """
    import pickle

    import torch

    try:
        content: object = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise UserError(f"There is no weights file {path}.") from error
    except (pickle.UnpicklingError, RuntimeError, OSError, EOFError, ValueError, KeyError) as error:
        raise UserError(
            f"{path} cannot be read as PyTorch weights; it is damaged or holds more than tensors "
            "(then save its state_dict alone first)."
        ) from error
    if isinstance(content, dict) and isinstance(content.get("state_dict"), dict):
        content = content["state_dict"]
    if not (isinstance(content, dict) and all(isinstance(value, torch.Tensor) for value in content.values())):
        raise UserError(f"{path} holds no state_dict of tensors.")
    return _filled("digit-w32", {_name_from_official(name): tensor for name, tensor in content.items()}, path)


def sha256(path: Path) -> str:
    """Hexadecimal sha256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _name_from_official(name: str) -> str:
    for pattern, ours in _FROM_OFFICIAL:
        name = re.sub(pattern, ours, name)
    return name


def _open(path: Path, framework: str) -> Any:
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise UserError(f"There is no weights file {path}; train one or name another with --weights.")
    try:
        return cast(Any, safe_open)(path, framework=framework)
    except (SafetensorError, OSError) as error:
        raise UserError(f"{path} is no weights file, or is damaged or cut short; fetch or train it again.") from error


def _filled(model: str, tensors: "Mapping[str, Tensor]", path: Path) -> "nn.Module":
    """The named network, filled; its sizes are checked by name first, for one clear sentence."""
    network = build(model)
    wanted = network.state_dict()
    wrong = (
        ("missing", wanted.keys() - tensors.keys()),
        ("unexpected", tensors.keys() - wanted.keys()),
        ("of another shape", {n for n in wanted.keys() & tensors.keys() if wanted[n].shape != tensors[n].shape}),
    )
    if any(names for _, names in wrong):
        faults = "; ".join(f"{len(names)} {what} ({_some(names)})" for what, names in wrong if names)
        raise UserError(f"{path} does not fit {model}: {faults}.")
    network.load_state_dict({name: tensor.to(wanted[name].dtype) for name, tensor in tensors.items()})
    return network.eval()


def _some(names: Iterable[str]) -> str:
    first = sorted(names)
    return ", ".join(first[:3]) + (", …" if len(first) > 3 else "")


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m digit.checkpoint", description="Weights files of Digit Live.")
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("import", help="turn the authors' PyTorch checkpoint into our format")
    command.add_argument("file", type=Path)
    command.add_argument("out", type=Path)
    command = commands.add_parser("info", help="print metadata, parameters and sha256 as one line of JSON")
    command.add_argument("file", type=Path)
    args = parser.parse_args(argv)
    try:
        if args.command == "import":
            recipe = {"imported_from": args.file.name, "sha256": sha256(args.file) if args.file.is_file() else ""}
            save(args.out, load_official(args.file), recipe)
            print(f"wrote {args.out}")
        else:
            parameters = sum(parameter.numel() for parameter in load(args.file).parameters())
            print(json.dumps({**read_metadata(args.file), "parameters": parameters, "sha256": sha256(args.file)}))
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
