"""Each loss term by hand and by a second, naive implementation; what is unknown teaches nothing."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from digit.heatmap import depth_from_mm
from digit.internet import InterNetOutput
from digit.model import DigitOutput
from digit.predict import decode
from digit.skeleton import BONES_42, FIRST_PART, ROOTS, mirrored_joints, mirrored_parts
from digit.training import likelihood, lite_losses, losses
from digit.training.lite_losses import UNKNOWN_PART
from digit.variants import VARIANTS, find

CELLS = 16


@pytest.fixture
def batch() -> losses.Batch:
    """Four samples: everything known; one hand; unknown hands and parts; nothing at all."""
    rng = torch.Generator().manual_seed(0)
    valid = torch.rand(4, 42, generator=rng) > 0.2
    valid[0] = True
    valid[1, 21:] = False
    valid[3] = False
    parts = torch.randint(0, 33, (4, 128, 128), generator=rng, dtype=torch.uint8)
    parts[2:] = UNKNOWN_PART
    xy, z_mm = torch.rand(4, 42, 2, generator=rng) * 255, torch.randn(4, 42, 1, generator=rng) * 40
    return {
        "joints": torch.cat((xy, z_mm), dim=2),
        "valid": valid,
        "hands": torch.tensor([[1.0, 1.0], [1.0, 0.0], [-1.0, -1.0], [0.0, 0.0]]),
        "parts": parts,
        "root_depth_mm": torch.tensor([62.5, 0.0, 30.0, 0.0]),
        "root_valid": torch.tensor([True, False, True, False]),
    }


def random_output(count: int = 4, classes: int = 33, size: int = 2 * CELLS) -> DigitOutput:
    rng = torch.Generator().manual_seed(1)
    return DigitOutput(
        heatmap_logits=3 * torch.randn(count, 42, CELLS, CELLS, generator=rng),
        depth_maps=32 + 5 * torch.randn(count, 42, CELLS, CELLS, generator=rng),
        part_logits=torch.randn(count, classes, size, size, generator=rng),
        root_depth_logits=torch.randn(count, 64, generator=rng),
        handedness_logits=torch.randn(count, 2, generator=rng),
    )


def perfect_output(batch: losses.Batch) -> DigitOutput:
    """Joints on whole cells, told exactly; changes the batch's joints to those cells."""
    cells = (batch["joints"][..., :2] / 256 * CELLS).floor()
    batch["joints"][..., :2] = cells * 256 / CELLS
    flat = (cells[..., 1] * CELLS + cells[..., 0]).long()
    heatmap_logits = 200.0 * F.one_hot(flat, CELLS * CELLS).unflatten(2, (CELLS, CELLS))
    depth = depth_from_mm(batch["joints"][..., 2])
    bins = depth_from_mm(batch["root_depth_mm"]).round().long()
    batch["root_depth_mm"] = (bins / 64 * 2 - 1) * 200.0
    return DigitOutput(
        heatmap_logits=heatmap_logits,
        depth_maps=depth[..., None, None].expand(-1, -1, CELLS, CELLS),
        part_logits=200.0 * F.one_hot(batch["parts"].long() % 33, 33).permute(0, 3, 1, 2),
        root_depth_logits=200.0 * F.one_hot(bins, 64),
        handedness_logits=100.0 * batch["hands"].clamp(min=0) * 2 - 100.0,
    )


def naive_2p5d(output: DigitOutput, sample: int, joint: int) -> np.ndarray:
    """DIGIT eq. 9 and 10, cell by cell."""
    logits = output.heatmap_logits[sample, joint].double().numpy()
    weights = np.exp(logits - logits.max())
    weights /= weights.sum()
    found = np.zeros(3)
    for row in range(CELLS):
        for column in range(CELLS):
            z = float(output.depth_maps[sample, joint, row, column])
            found += weights[row, column] * np.array([column, row, z])
    return found


def true_2p5d(batch: losses.Batch, sample: int, joint: int) -> np.ndarray:
    x, y, z_mm = batch["joints"][sample, joint].double().numpy()
    return np.array([x * CELLS / 256, y * CELLS / 256, (z_mm / 200 + 1) * 32])


def test_pose_is_the_l1_of_valid_joints(batch: losses.Batch):
    output = random_output()
    naive = [
        np.abs(naive_2p5d(output, i, j) - true_2p5d(batch, i, j)).sum() if batch["valid"][i, j] else 0.0
        for i in range(4)
        for j in range(42)
    ]
    assert losses.pose(output, batch).item() == pytest.approx(sum(naive) / (4 * 42 * 3), rel=1e-4)


def test_bone_is_equation_8(batch: losses.Batch):
    output = random_output()
    total = 0.0
    for i in range(4):
        for child, parent in BONES_42:
            if batch["valid"][i, child] and batch["valid"][i, parent]:
                ours = naive_2p5d(output, i, child) - naive_2p5d(output, i, parent)
                true = true_2p5d(batch, i, child) - true_2p5d(batch, i, parent)
                total += math.sqrt(((ours - true) ** 2).sum())
    assert losses.bone(output, batch).item() == pytest.approx(total / (4 * len(BONES_42)), rel=1e-4)


def test_a_hand_moved_as_a_whole_has_its_bones_right(batch: losses.Batch):
    batch["valid"][:] = True
    output = perfect_output(batch)
    batch["joints"][:, :21] += torch.tensor([16.0, 32.0, 25.0])
    assert losses.bone(output, batch) < 1e-4
    # One cell, two cells and four depth units, for one of two hands, over three coordinates.
    assert losses.pose(output, batch).item() == pytest.approx((1 + 2 + 4) / 2 / 3, rel=1e-4)


def test_segmentation_is_equation_7(batch: losses.Batch):
    output = random_output(size=128)
    assert output.part_logits is not None
    total = 0.0
    for i in (0, 1):
        logits, truth = output.part_logits[i].double().numpy(), batch["parts"][i].numpy()
        rows, columns = np.indices(truth.shape)
        total += (np.log(np.exp(logits).sum(axis=0)) - logits[truth, rows, columns]).sum()
    assert losses.segmentation(output, batch).item() == pytest.approx(total / (4 * 128 * 128), rel=1e-4)


def test_handedness_and_root_depth_by_hand(batch: losses.Batch):
    output = random_output()._replace(
        handedness_logits=torch.zeros(4, 2), root_depth_logits=200.0 * F.one_hot(torch.full((4,), 40), 64)
    )
    # Unsure of three samples' two hands; of the third sample nothing is known.
    assert losses.handedness(output, batch).item() == pytest.approx(math.log(2) * 3 / 4)
    # 62.5 mm is bin 42; only the first sample has both hands and both wrists.
    assert losses.root_depth(output, batch).item() == pytest.approx(2 / 4)
    batch["valid"][0, ROOTS[0]] = False
    assert losses.root_depth(output, batch) == 0


def test_a_perfect_answer_costs_nothing(batch: losses.Batch):
    output = perfect_output(batch)
    terms = losses.objective(find("digit"))(output, batch).terms
    assert set(terms) == {"handedness", "pose", "root_depth", "bone", "segmentation"}
    for name, term in terms.items():
        assert term < 1e-4, name


def test_equation_6_has_its_weights(batch: losses.Batch):
    output = random_output()
    names = ("digit-w32", "baseline", "baseline-bl", "sf-unsupervised", "baseline-bl-sl")
    found = {name: losses.objective(VARIANTS[name])(output, batch) for name in names}
    t = found["digit-w32"].terms
    three = t["handedness"] + t["pose"] + t["root_depth"]
    assert torch.allclose(found["digit-w32"].total, three + 10 * t["segmentation"] + 1 * t["bone"])
    assert torch.allclose(found["baseline"].total, three)
    assert torch.allclose(found["baseline-bl"].total, three + t["bone"])
    assert torch.allclose(found["sf-unsupervised"].total, three + t["bone"])
    assert torch.allclose(found["baseline-bl-sl"].total, found["digit-w32"].total)


def test_two_stages_share_the_loss(batch: losses.Batch):
    variant, output = VARIANTS["segm-to-pose-two-stage"], random_output()
    first, second = (losses.objective(variant, stage)(output, batch).terms for stage in variant.stages)
    assert set(first) == {"segmentation"}
    assert set(second) == {"handedness", "pose", "root_depth", "bone"}


@pytest.mark.parametrize("name", ["digit", "digit-lite"])
def test_what_is_unknown_teaches_nothing(name: str, batch: losses.Batch):
    """A change of any answer about what nobody knows changes no loss; about what is known, it does."""
    objective = losses.objective(find(name))
    output = random_output(size=128)
    if name == "digit-lite":
        output = output._replace(heatmap_logits=torch.randn(4, 42, 64, 64), depth_maps=torch.randn(4, 42, 64, 64))
    output = DigitOutput(*(value.requires_grad_() for value in output if value is not None))
    objective(output, batch).total.backward()
    assert output.part_logits is not None
    grad = DigitOutput(*(value.grad for value in output if value is not None))
    assert grad.part_logits is not None
    touched = grad.heatmap_logits.abs().sum(dim=(2, 3)) > 0
    assert torch.equal(touched, batch["valid"])
    assert torch.equal(grad.depth_maps.abs().sum(dim=(2, 3)) > 0, batch["valid"])
    assert torch.equal(grad.handedness_logits != 0, batch["hands"] >= 0)
    looked_at = (grad.part_logits[:2] != 0).float().mean().item()
    assert looked_at == (1 / lite_losses.PART_STEP**2 if name == "digit-lite" else 1)
    assert not grad.part_logits[2:].any()
    assert (grad.root_depth_logits[0] != 0).any()
    assert not grad.root_depth_logits[1:].any()


@pytest.mark.parametrize("name", ["digit", "digit-lite"])
def test_two_hands_without_a_wrist_teach_no_depth_between_them(name: str, batch: losses.Batch):
    batch["root_valid"][0], batch["valid"][0, ROOTS[0]], batch["root_depth_mm"][0] = False, False, 0.0
    output = random_output(size=128)
    output.root_depth_logits.requires_grad_()
    losses.objective(find(name))(output, batch).total.backward()
    assert output.root_depth_logits.grad is None or not output.root_depth_logits.grad.any()


@pytest.mark.parametrize("name", [name for name, variant in VARIANTS.items() if variant.graph == "digit"])
def test_the_loss_of_a_batch_is_the_mean_of_its_parts(name: str, batch: losses.Batch):
    """So that accumulation and several GPUs learn what one large batch would."""
    objective, output = losses.objective(VARIANTS[name]), random_output()
    whole = objective(output, batch).total
    parts = [
        objective(
            DigitOutput(*(v[i : i + 2] for v in output if v is not None)), {k: v[i : i + 2] for k, v in batch.items()}
        ).total
        for i in (0, 2)
    ]
    assert torch.allclose(whole, torch.stack(parts).mean())


def test_truth_of_other_sizes_and_classes():
    parts = torch.zeros(1, 128, 128, dtype=torch.uint8)
    parts[0, :64] = FIRST_PART["right"] + 15
    parts[0, 64:, :64] = FIRST_PART["left"]
    parts[0, 64:, 64:96] = UNKNOWN_PART
    small = losses.parts_as(torch.zeros(1, 33, 4, 4), parts)
    assert small.tolist() == [[[16] * 4, [16] * 4, [17, 17, 255, 0], [17, 17, 255, 0]]]
    sides = losses.parts_as(torch.zeros(1, 3, 4, 4), parts)
    assert sides.tolist() == [[[1] * 4, [1] * 4, [2, 2, 255, 0], [2, 2, 255, 0]]]
    large = losses.parts_as(torch.zeros(1, 33, 256, 256), parts)
    assert torch.equal(large[:, ::2, ::2], parts.long())
    every = torch.arange(33, dtype=torch.uint8).expand(1, 1, 33)
    assert losses.parts_as(torch.zeros(1, 3, 1, 33), every)[0, 0].tolist() == [0] + [1] * 16 + [2] * 16


def test_mirrored_hands_and_labels_cost_the_same(batch: losses.Batch):
    """Both sides exchanged in answer and truth."""
    swap, parts = torch.from_numpy(mirrored_joints()), torch.from_numpy(mirrored_parts())
    output = random_output()
    assert output.part_logits is not None
    swapped = output._replace(
        heatmap_logits=output.heatmap_logits[:, swap], depth_maps=output.depth_maps[:, swap],
        part_logits=output.part_logits[:, parts], handedness_logits=output.handedness_logits[:, [1, 0]],
    )  # fmt: skip
    lookup = torch.cat((parts, torch.full((256 - 33,), UNKNOWN_PART))).to(torch.uint8)
    other = batch | {
        "joints": batch["joints"][:, swap], "valid": batch["valid"][:, swap], "hands": batch["hands"][:, [1, 0]],
        "parts": lookup[batch["parts"].long()],
    }  # fmt: skip
    ours, theirs = (losses.objective(find("digit"))(*pair) for pair in ((output, batch), (swapped, other)))
    for name in ours.terms:
        assert torch.allclose(ours.terms[name], theirs.terms[name]), name


def gaussian_3d(x: float, y: float, depth: float, size: int) -> Tensor:
    grid = torch.stack(torch.meshgrid(torch.arange(64), torch.arange(size), torch.arange(size), indexing="ij"))
    squared = ((grid - torch.tensor([depth, y, x])[:, None, None, None]) ** 2).sum(dim=0)
    return 255 * torch.exp(-squared / (2 * 2.5**2))


def test_internet_is_supervised_by_volumetric_gaussians(batch: losses.Batch):
    output = InterNetOutput(torch.randn(4, 42, 64, CELLS, CELLS), torch.randn(4, 64), torch.randn(4, 2))
    batch["joints"][0, 5, 2] = 230.0  # deeper than the volume
    total = 0.0
    for i in range(4):
        for j in range(42):
            if batch["valid"][i, j] and abs(batch["joints"][i, j, 2]) < 200:
                target = gaussian_3d(*true_2p5d(batch, i, j), CELLS)
                total += float(((output.heatmaps[i, j] - target) ** 2).mean())
    assert losses.heatmap_3d(output, batch).item() == pytest.approx(total / (4 * 42), rel=1e-3)
    assert set(losses.objective(find("internet"))(output, batch).terms) == {"handedness", "heatmap_3d", "root_depth"}


def test_a_perfect_internet_costs_nothing_and_is_read_back(batch: losses.Batch):
    heatmaps = torch.stack(
        [torch.stack([gaussian_3d(*true_2p5d(batch, i, j), CELLS) for j in range(42)]) for i in range(4)]
    )
    output = InterNetOutput(heatmaps, torch.zeros(4, 64), torch.zeros(4, 2))
    assert losses.heatmap_3d(output, batch) < 1e-4
    error = (decode(output).joints_2p5d - batch["joints"]).abs()
    inside = (batch["joints"][..., :2] < 256 - 256 / CELLS).all(dim=2)
    assert (error[inside] <= torch.tensor([256 / CELLS, 256 / CELLS, 400 / 64]) / 2 + 1e-3).all()


def test_digit_lite_weighs_every_term():
    zero = lite_losses.LiteTerms(*(torch.zeros(()) for _ in lite_losses.LiteTerms._fields))
    weights = {
        name: float(lite_losses.total(zero._replace(**{name: torch.ones(())})))
        for name in lite_losses.LiteTerms._fields
    }
    assert weights == pytest.approx(
        {"heatmap": 0.5, "pose": 0.4, "bone": 0.2, "parts": 2.0, "handedness": 2.0, "root_depth": 0.3, "root_bins": 1.0}
    )


def test_digit_lite_heatmaps_are_drawn_to_gaussians(batch: losses.Batch):
    centre = torch.tensor([[[20.0, 40.0]]])
    heat = likelihood.gaussian(centre, 64, 64)
    assert heat.sum().item() == pytest.approx(1)
    assert heat[0, 0, 40, 20] == heat.max()
    # The entropy of a Gaussian of one cell is what a perfect answer costs.
    batch["joints"][..., :2] = centre * 4
    logits = heat.log().clamp(min=-80).expand(4, 42, 64, 64)
    output = random_output(size=128)._replace(heatmap_logits=logits, depth_maps=logits)
    assert lite_losses.lite_terms(output, batch).heatmap.item() == pytest.approx(
        math.log(2 * math.pi * math.e), abs=1e-3
    )


def test_likelihoods_are_cross_entropies_with_gaussians():
    logits, target = torch.randn(3, 64), torch.tensor([0.0, 20.3, 63.0])
    for found, row, centre in zip(likelihood.bin_nll(logits, target), logits, target, strict=True):
        bell = [math.exp(-((k - float(centre)) ** 2) / 8) for k in range(64)]
        normal = math.log(sum(math.exp(float(v)) for v in row))
        naive = sum(b * (normal - float(v)) for b, v in zip(bell, row, strict=True)) / sum(bell)
        assert float(found) == pytest.approx(naive, rel=1e-4)


@pytest.mark.parametrize("name", ["digit", "internet"])
def test_a_root_depth_that_is_sure_and_wrong_is_drawn_back_only_by_its_likelihood(name: str, batch: losses.Batch):
    batch["hands"][:], batch["valid"][:], batch["root_depth_mm"][:] = 1, True, 100.0
    gradients: list[float] = []
    for beside in (False, True):
        logits = torch.zeros(4, 64)
        logits[:, 3] = 40.0
        output = random_output(size=128)._replace(root_depth_logits=logits.requires_grad_())
        if name == "internet":
            output = InterNetOutput(torch.zeros(4, 42, 8, 8, 8), logits, torch.zeros(4, 2))
        losses.objective(find(name), likelihood=beside)(output, batch).total.backward()
        gradients.append(float(logits.grad.abs().max()))
    assert gradients[0] < 1e-6 < 1e-2 < gradients[1]


def test_digit_lite_learns_all_cells_of_the_parts_in_turn(batch: losses.Batch):
    """Over many draws, the loss is that of every cell, and no cell is left out."""
    output = random_output(size=128)
    assert output.part_logits is not None
    logits = output.part_logits.detach().clone().requires_grad_()
    torch.manual_seed(0)
    found: list[float] = []
    for _ in range(40):
        parts = lite_losses.lite_terms(output._replace(part_logits=logits), batch).parts
        parts.backward()
        found.append(parts.item())
    known = batch["parts"] != UNKNOWN_PART
    every = F.cross_entropy(logits.detach(), batch["parts"].long(), ignore_index=UNKNOWN_PART)
    assert np.mean(found) == pytest.approx(every.item(), rel=0.01)
    assert len({round(loss, 6) for loss in found}) == lite_losses.PART_STEP**2
    assert logits.grad is not None
    assert torch.equal(logits.grad.abs().sum(dim=1) > 0, known)
