import json
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from digit import checkpoint, official
from digit.errors import UserError
from digit.lite import DigitLite
from digit.predict import depth_axis, takes_prior
from digit.variants import build
from tests.digit import golden


@pytest.fixture(scope="module")
def lite(tmp_path_factory: pytest.TempPathFactory) -> tuple[DigitLite, Path]:
    torch.manual_seed(0)
    network = DigitLite()
    path = tmp_path_factory.mktemp("weights") / "lite.safetensors"
    checkpoint.save(path, network, {"seed": 0, "data": ["synthetic"]})
    return network, path


def altered(path: Path, tmp_path: Path, change) -> Path:
    """A copy of a weights file with its tensors and header changed in place by ``change``."""
    tensors, header = load_file(path), {k: v for k, v in checkpoint.read_metadata(path).items() if k != "recipe"}
    change(tensors, header)
    out = tmp_path / "altered.safetensors"
    save_file(tensors, out, header)
    return out


def test_what_is_saved_is_loaded(lite):
    network, path = lite
    loaded = checkpoint.load(path)
    assert not loaded.training
    for name, value in network.state_dict().items():
        assert torch.equal(value, loaded.state_dict()[name]), name
    metadata = checkpoint.read_metadata(path)
    assert metadata["model"] == "digit-lite"
    assert metadata["format_version"] == checkpoint.FORMAT_VERSION
    assert metadata["recipe"] == {"seed": 0, "data": ["synthetic"]}
    assert metadata["created"].endswith("+00:00")
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_half_storage_halves_the_file_and_loads_as_float32(lite, tmp_path: Path):
    network, path = lite
    half = tmp_path / "half.safetensors"
    checkpoint.save(half, network, {}, half=True)
    assert half.stat().st_size < 0.55 * path.stat().st_size
    loaded = checkpoint.load(half).state_dict()
    for name, value in network.state_dict().items():
        assert loaded[name].dtype == value.dtype
        assert torch.equal(loaded[name], value.half().to(value.dtype)), name


def test_weights_of_a_smaller_size_shrink_their_crops(tmp_path: Path):
    """And they still tell whether they take a prior, and along which axis their depths point."""
    torch.manual_seed(0)
    network = DigitLite().eval()
    checkpoint.save(tmp_path / "small.safetensors", network, {"size": 128})
    loaded = checkpoint.load_as_trained(tmp_path / "small.safetensors")
    assert takes_prior(loaded) and depth_axis(loaded) == "crop"
    image, prior = torch.rand(1, 3, 256, 256), torch.rand(1, 42, 4)
    with torch.inference_mode():
        small = torch.nn.functional.interpolate(image, size=(128, 128), mode="area")
        torch.testing.assert_close(loaded(image, prior).heatmap_logits, network(small, prior).heatmap_logits)


@pytest.mark.parametrize("recipe", ["[]", "3", '"x"'])
def test_a_recipe_that_is_no_object_is_damaged(lite, tmp_path: Path, recipe: str):
    altered_path = altered(lite[1], tmp_path, lambda tensors, header: header.update(recipe=recipe))
    with pytest.raises(UserError, match="damaged header"):
        checkpoint.read_metadata(altered_path)


def test_a_folder_that_is_a_file_is_one_sentence(lite, tmp_path: Path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"cannot be written to .*Not a directory"):
        checkpoint.save(tmp_path / "file" / "x.safetensors", lite[0], {})


def test_sha256_is_the_files(tmp_path: Path):
    (tmp_path / "x").write_bytes(b"abc")
    assert checkpoint.sha256(tmp_path / "x").startswith("ba7816bf8f01cfea")


def test_only_known_networks_are_saved(tmp_path: Path):
    with pytest.raises(ValueError, match="variant of a Linear has to be named"):
        checkpoint.save(tmp_path / "x.safetensors", torch.nn.Linear(1, 1), {})


def test_an_unwritable_place_is_one_sentence(lite, tmp_path: Path):
    with pytest.raises(UserError, match="cannot be written"):
        checkpoint.save(tmp_path / "missing" / "x.safetensors", lite[0], {})


def test_a_missing_file(tmp_path: Path):
    with pytest.raises(UserError, match="There is no weights file"):
        checkpoint.load(tmp_path / "none.safetensors")
    with pytest.raises(UserError, match="There is no weights file"):
        checkpoint.load_official(tmp_path / "none.pt")


@pytest.mark.parametrize("keep", [0, 5, 1000, -100])
def test_a_truncated_file(lite, tmp_path: Path, keep: int):
    cut = tmp_path / "cut.safetensors"
    cut.write_bytes(lite[1].read_bytes()[:keep])
    with pytest.raises(UserError, match="damaged or cut short"):
        checkpoint.load(cut)


def test_a_file_of_something_else(tmp_path: Path):
    path = tmp_path / "x.safetensors"
    path.write_bytes(np.random.default_rng(0).bytes(4096))
    with pytest.raises(UserError, match="no weights file"):
        checkpoint.read_metadata(path)
    save_file({"a": torch.zeros(1)}, path)
    with pytest.raises(UserError, match="holds no Digit Live weights"):
        checkpoint.read_metadata(path)


def test_headers_from_elsewhere(lite, tmp_path: Path):
    newer = altered(lite[1], tmp_path, lambda tensors, header: header.update(format_version="9"))
    with pytest.raises(UserError, match=r"format 9.*update the program"):
        checkpoint.load(newer)
    stranger = altered(lite[1], tmp_path, lambda tensors, header: header.update(model="digit-huge"))
    with pytest.raises(UserError, match=r"digit-huge.*digit-w32"):
        checkpoint.load(stranger)
    garbled = altered(lite[1], tmp_path, lambda tensors, header: header.update(recipe="{"))
    with pytest.raises(UserError, match="damaged header"):
        checkpoint.load(garbled)


def test_mismatches_are_listed_briefly(lite, tmp_path: Path):
    def change(tensors: dict[str, torch.Tensor], header: dict[str, str]) -> None:
        for name in sorted(tensors)[:9]:
            del tensors[name]
        tensors["extra"] = torch.zeros(1)
        tensors["handedness.bias"] = torch.zeros(3)

    with pytest.raises(UserError) as caught:
        checkpoint.load(altered(lite[1], tmp_path, change))
    message = str(caught.value)
    assert "does not fit digit-lite: 9 missing (" in message
    assert "…" in message
    assert "1 unexpected (extra)" in message
    assert "1 misshapen (handedness.bias (3,) instead of (2,))" in message
    assert len(message) < 500 + len(str(tmp_path))
    wrong_kind = altered(lite[1], tmp_path, lambda tensors, header: header.update(model="digit-w32"))
    with pytest.raises(UserError, match="does not fit digit-w32"):
        checkpoint.load(wrong_kind)


def test_official_names_load_under_any_prefix(tmp_path: Path):
    """A Lightning checkpoint with both prefixes, and bare state dicts with one or none."""
    path = tmp_path / "official.pt"
    torch.save({"state_dict": golden.official_state_dict("model.pose_reg."), "epoch": 3}, path)
    tensors = golden.official_state_dict()
    for source in (path, golden.official_state_dict("pose_reg."), tensors):
        loaded = checkpoint.load_official(source).state_dict()
        assert torch.equal(loaded["estimator.heatmaps.weight"], tensors["conv_hm.weight"])
        last = "hand_segm.segm_head.segm_net.double_conv.3.weight"
        assert torch.equal(loaded["segmentation.10.weight"], tensors[last])
        assert len(loaded) == len(tensors)


def test_official_to_ours_and_back():
    theirs = golden.official_state_dict()
    ours = checkpoint.load_official(theirs)
    back = checkpoint.official_state_dict(ours)
    assert back.keys() == theirs.keys()
    assert all(torch.equal(back[name], theirs[name]) for name in theirs)
    names = [official.ours_from_official("model.pose_reg." + name) for name in theirs]
    assert sorted(names) == sorted(ours.state_dict())
    assert [official.official_from_ours(name) for name in names] == list(theirs)
    assert not {name for name in theirs if name in names and not name.startswith("backbone.")}


class Surprise:
    """Something that a weights file must not be able to bring to life."""


class Trap:
    """Unpickled, it makes a file."""

    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_official_files_that_are_not_weights(tmp_path: Path):
    path = tmp_path / "official.pt"
    path.write_bytes(b"not a checkpoint")
    with pytest.raises(UserError, match="cannot be read as PyTorch weights"):
        checkpoint.load_official(path)
    for content in (Surprise(), Trap(tmp_path / "sprung")):
        torch.save({"state_dict": {}, "hyper_parameters": content}, path)
        with pytest.raises(UserError, match="save its state_dict alone"):
            checkpoint.load_official(path)
    path.write_bytes(pickle.dumps(Trap(tmp_path / "sprung"), protocol=2))
    with pytest.raises(UserError, match="cannot be read"):
        checkpoint.load_official(path)
    assert not (tmp_path / "sprung").exists()
    torch.save([1, 2], path)
    with pytest.raises(UserError, match="no state_dict"):
        checkpoint.load_official(path)


def test_another_network_is_told_by_the_names_in_its_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    tensors = golden.official_state_dict("model.pose_reg.")
    del tensors["model.pose_reg.conv_hm.weight"], tensors["model.pose_reg.root_fc.2.bias"]
    tensors["model.discriminator.weight"] = torch.zeros(3)
    tensors["model.pose_reg.hand_fc.2.bias"] = torch.zeros(7)
    torch.save(tensors, tmp_path / "official.pt")
    assert checkpoint.main(["import", str(tmp_path / "official.pt"), str(tmp_path / "out.safetensors")]) == 2
    message = capsys.readouterr().err
    assert message.startswith("error: ")
    assert "is not the authors' released network: 2 missing (conv_hm.weight, root_fc.2.bias)" in message
    assert "1 unexpected (discriminator.weight)" in message
    assert "1 misshapen (hand_fc.2.bias (7,) instead of (2,))" in message
    assert not (tmp_path / "out.safetensors").exists()
    with pytest.raises(UserError, match="The state dict is not the authors' released network"):
        checkpoint.load_official(tensors)


@pytest.mark.parametrize("name", ["baseline/lite", "lr-mask/lite", "digit/lite"])
def test_any_variant_is_kept_under_its_name(tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str):
    torch.manual_seed(0)
    network, path = build(name), tmp_path / "x.safetensors"
    checkpoint.save(path, network, {"seed": 3}, model=name)
    loaded = checkpoint.load(path)
    assert type(loaded) is type(network)
    assert all(torch.equal(value, loaded.state_dict()[key]) for key, value in network.state_dict().items())
    assert checkpoint.main(["info", str(path)]) == 0
    info = json.loads(capsys.readouterr().out)
    assert info["model"] == name
    assert info["parameters"] == sum(parameter.numel() for parameter in network.parameters())


def test_weights_are_not_kept_under_a_wrong_name(tmp_path: Path):
    with pytest.raises(ValueError, match="this Baseline is no digit-w32"):
        checkpoint.save(tmp_path / "x.safetensors", build("baseline/lite"), {}, model="digit")
    with pytest.raises(UserError, match="no variant 'posenet'"):
        checkpoint.save(tmp_path / "x.safetensors", build("baseline/lite"), {}, model="posenet")
    assert not list(tmp_path.iterdir())


def test_commands(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    official, ours = tmp_path / "official.pt", tmp_path / "w32.safetensors"
    torch.save(golden.official_state_dict("model.pose_reg."), official)
    assert checkpoint.main(["import", str(official), str(ours)]) == 0
    capsys.readouterr()
    assert checkpoint.main(["info", str(ours)]) == 0
    info = json.loads(capsys.readouterr().out)
    assert info["model"] == "digit-w32"
    assert info["recipe"]["imported_from"] == "official.pt"
    assert info["sha256"] == checkpoint.sha256(ours)
    assert checkpoint.main(["info", str(tmp_path / "none.safetensors")]) == 2
    assert capsys.readouterr().err.startswith("error: There is no weights file")
    assert checkpoint.main(["import", str(tmp_path / "none.pt"), str(ours)]) == 2
