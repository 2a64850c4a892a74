"""Weights on disk: one safetensors file a network, its metadata in the header. Torch is imported only to load or save.

Metadata: ``format`` and ``format_version``, ``model`` (the name of a variant, `digit.variants.find`), ``created`` (UTC)
and ``recipe`` (JSON: data, seed, figures, whatever made the weights); ``calibration`` (JSON, `digit.calibration`) once
that has been fitted. Half-precision storage is allowed; weights load
as float32.

    python -m digit.checkpoint import FILE OUT    the authors' PyTorch checkpoint to our format
    python -m digit.checkpoint info FILE          metadata, parameters and sha256
"""

import argparse
import hashlib
import json
import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from digit.calibration import Calibration
from digit.errors import UserError, command_line
from digit.official import bare, official_from_ours, ours_from_official
from digit.prediction import CROP_SIZE
from digit.variants import find

if TYPE_CHECKING:
    from torch import Tensor, nn

    from digit.model import DigitW32

FORMAT = "digit-live"
FORMAT_VERSION = "1"

#: The networks that the app runs. Weights may be of any variant (`digit.variants`).
NETWORKS = ("digit-lite", "digit-w32")
#: How many faults of a kind a message names.
NAMED = 5


def weights_path(model: str) -> Path:
    """Where the repository keeps a model's weights; the file need not be there."""
    return Path(__file__).resolve().parents[1] / "assets" / f"{model}.safetensors"


def save(
    path: Path, network: "nn.Module", metadata: Mapping[str, object], half: bool = False, model: str | None = None
) -> None:
    """Write a network's weights; the file appears whole or not at all.

    Args:
        metadata: the recipe, anything JSON can hold.
        half: store float16 instead of float32.
        model: the network's variant; digit-lite and digit-w32 are known by their class.

    Raises:
        UserError: there is no such variant, or the file cannot be written.
        ValueError: the variant is not given, or the network is of another one.
    """
    import torch
    from safetensors.torch import save as bytes_from_tensors

    from digit.networks import network as built

    classes = {"DigitLite": "digit-lite", "DigitW32": "digit-w32"}
    variant = model or classes.get(type(network).__name__)
    if variant is None:
        raise ValueError(f"the variant of a {type(network).__name__} has to be named")
    variant = find(variant)
    with torch.device("meta"):
        wanted = built(variant).state_dict()
    if {name: t.shape for name, t in wanted.items()} != {name: t.shape for name, t in network.state_dict().items()}:
        raise ValueError(f"this {type(network).__name__} is no {variant.name}")
    header = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "model": variant.name,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "recipe": json.dumps(metadata),
    }
    stored = torch.float16 if half else torch.float32
    tensors = {
        name: tensor.detach().cpu().to(stored if tensor.is_floating_point() else tensor.dtype).contiguous()
        for name, tensor in network.state_dict().items()
    }
    _write(path, bytes_from_tensors(tensors, header))


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
    try:
        find(header.get("model", ""))
    except UserError as error:
        raise UserError(f"{path} holds weights of another network. {error}") from error
    try:
        recipe: object = json.loads(header.get("recipe", "{}"))
        if not isinstance(recipe, dict):
            raise ValueError("the recipe is no object")
    except ValueError as error:
        raise UserError(f"{path} has a damaged header; fetch or train the weights again.") from error
    return {**header, "recipe": recipe}


def calibration(path: Path) -> Calibration | None:
    """What makes the answers of these weights probabilities; None for weights that nobody calibrated. Needs no torch.

    Raises:
        UserError: as `read_metadata`, or the calibration is damaged.
    """
    written = read_metadata(path).get("calibration")
    if written is None:
        return None
    try:
        return Calibration(**{name: float(number) for name, number in json.loads(written).items()})
    except (ValueError, TypeError, AttributeError) as error:
        raise UserError(
            f"{path} has a damaged calibration; run 'python -m digit.training.calibration' on it again."
        ) from error


def write_calibration(path: Path, fitted: Calibration) -> None:
    """Keep a calibration in the header of a weights file; its tensors stay as they are. Needs no torch.

    Raises:
        UserError: as `read_metadata`, or the file cannot be written.
    """
    from safetensors.numpy import save as bytes_from_tensors

    read_metadata(path)
    file = _open(path, "numpy")
    tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
    _write(path, bytes_from_tensors(tensors, {**file.metadata(), "calibration": json.dumps(fitted.as_dict())}))


def load(path: Path) -> "nn.Module":
    """The network with its weights, in evaluation mode, float32.

    Raises:
        UserError: the file is missing, damaged, not ours, or does not fit its network.
    """
    from digit.networks import network as built

    model = read_metadata(path)["model"]
    network = built(find(model))
    file = _open(path, "pt")
    tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
    _check(network.state_dict(), tensors, f"{path} does not fit {model}")
    return _filled(network, tensors)


def load_as_trained(path: Path) -> "nn.Module":
    """`load`, for crops of 256 px: the network shrinks them to the size that it was trained with.

    Raises:
        UserError: as `load`.
    """
    import torch.nn.functional as F

    network = load(path)
    size = int(read_metadata(path)["recipe"].get("size", CROP_SIZE))

    def shrink(_: "nn.Module", given: tuple[Any, ...]) -> tuple[Any, ...]:
        return F.interpolate(given[0], size=(size, size), mode="area"), *given[1:]

    if size != CROP_SIZE:  # a hook, so that the network still tells whether it takes a prior, and its depth axis
        network.register_forward_pre_hook(shrink)
    return network


def load_official(source: "Path | Mapping[str, Tensor]") -> "DigitW32":
    """digit-w32 with the authors' weights.

    Args:
        source: their PyTorch file, a bare state dict or a Lightning checkpoint, or such a state dict itself. Names may
            have the prefixes ``model.`` and ``pose_reg.``.

    Raises:
        UserError: the file is missing, is no plain PyTorch file, or does not fit.
    """
    from digit.model import DigitW32

    network = DigitW32()
    tensors = {bare(name): t for name, t in (read_pytorch(source) if isinstance(source, Path) else source).items()}
    wanted = {official_from_ours(name): tensor for name, tensor in network.state_dict().items()}
    what = str(source) if isinstance(source, Path) else "The state dict"
    _check(wanted, tensors, f"{what} is not the authors' released network")
    _filled(network, {ours_from_official(name): tensor for name, tensor in tensors.items()})
    return network


def official_state_dict(network: "DigitW32") -> "dict[str, Tensor]":
    """The weights of digit-w32 under the authors' names, without prefixes: the inverse of `load_official`."""
    return {official_from_ours(name): tensor for name, tensor in network.state_dict().items()}


def read_pytorch(path: Path) -> "Mapping[str, Tensor]":
    """The state dict in a PyTorch file, bare or in a Lightning checkpoint.

    Nothing but tensors and plain values is unpickled.

    Raises:
        UserError: the file is missing or damaged, or holds something else.
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
    return cast("Mapping[str, Tensor]", content)


def sha256(path: Path) -> str:
    """Hexadecimal sha256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _write(path: Path, content: bytes) -> None:
    """The file appears whole or not at all."""
    part = path.with_name(path.name + ".part")
    try:
        part.write_bytes(content)
        part.replace(path)
    except OSError as error:
        raise UserError(f"The weights cannot be written to {path}: {error.strerror or error}.") from error
    finally:
        with suppress(OSError):  # it is not there, or cannot be
            part.unlink()


def _open(path: Path, framework: str) -> Any:
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise UserError(f"There is no weights file {path}; train one or name another with --weights.")
    try:
        return cast(Any, safe_open)(path, framework=framework)
    except (SafetensorError, OSError) as error:
        raise UserError(f"{path} is no weights file, or is damaged or cut short; fetch or train it again.") from error


def _check(wanted: "Mapping[str, Tensor]", tensors: "Mapping[str, Tensor]", sentence: str) -> None:
    """Raise a UserError that continues ``sentence`` with what is missing, unexpected and misshapen."""
    misshapen = {
        name: f"{name} {tuple(tensors[name].shape)} instead of {tuple(wanted[name].shape)}"
        for name in wanted.keys() & tensors.keys()
        if wanted[name].shape != tensors[name].shape
    }
    faults = (
        ("missing", wanted.keys() - tensors.keys()),
        ("unexpected", tensors.keys() - wanted.keys()),
        ("misshapen", misshapen.values()),
    )
    if any(names for _, names in faults):
        listed = "; ".join(f"{len(names)} {what} ({_some(names)})" for what, names in faults if names)
        raise UserError(f"{sentence}: {listed}.")


def _filled(network: "nn.Module", tensors: "Mapping[str, Tensor]") -> "nn.Module":
    wanted = network.state_dict()
    network.load_state_dict({name: tensor.to(wanted[name].dtype) for name, tensor in tensors.items()})
    return network.eval()


def _some(names: Iterable[str]) -> str:
    first = sorted(names)
    return ", ".join(first[:NAMED]) + (", …" if len(first) > NAMED else "")


@command_line
def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m digit.checkpoint", description="Weights files of Digit Live.")
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("import", help="turn the authors' PyTorch checkpoint into our format")
    command.add_argument("file", type=Path)
    command.add_argument("out", type=Path)
    command = commands.add_parser("info", help="print metadata, parameters and sha256 as one line of JSON")
    command.add_argument("file", type=Path)
    args = parser.parse_args(argv)
    if args.command == "import":
        recipe = {"imported_from": args.file.name, "sha256": sha256(args.file) if args.file.is_file() else ""}
        save(args.out, load_official(args.file), recipe)
        print(f"wrote {args.out}")
    else:
        parameters = sum(parameter.numel() for parameter in load(args.file).parameters())
        print(json.dumps({**read_metadata(args.file), "parameters": parameters, "sha256": sha256(args.file)}))


if __name__ == "__main__":
    sys.exit(main())
