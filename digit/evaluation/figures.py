"""The paper's figures 5, 7, 17, 18 and 19 for some pictures of a set; Fig. 8 and 15 as bars."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from digit.errors import UserError
from digit.evaluation import drawing
from digit.evaluation.protocol import (
    Loaded,
    RootDepths,
    SeeHands,
    batches,
    given_roots_mm,
    lift,
    root_depth_source,
)
from digit.evaluation.tables import Evaluated, by_overlap
from digit.geometry import Array, apply_affine
from digit.interhand import Index, Sample
from digit.skeleton import JOINTS_PER_HAND, PART_CLASSES, ROOTS

if TYPE_CHECKING:
    from torch import nn

    from digit.predict import Output

#: The second view on 3D hands, degrees about the vertical.
SIDE_VIEW = 80.0
_COLOURS = ("#e0a030", "#4060c0", "#50a060", "#b04060")


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """What one network says of one crop."""

    joints_2p5d: np.ndarray  # (42, 3) crop pixels, mm
    joints_mm: Array  # (42, 3) camera space
    confidence: np.ndarray  # (42,)
    handedness: np.ndarray  # (2,) probability of right, left
    heatmaps: np.ndarray  # (42, 64, 64) each adds up to 1
    labels: np.ndarray | None  # (128, 128) uint8 part classes; None without a segmentation


@dataclass(frozen=True, slots=True, eq=False)
class Example:
    """One picture with its truth and what each network says of it."""

    sample: Sample
    image: np.ndarray  # (256, 256, 3) uint8 RGB
    parts: np.ndarray | None  # (128, 128) uint8
    truth_px: Array  # (42, 2) crop pixels
    answers: tuple[Answer, ...]
    joint: int  # whose heatmap is shown

    @property
    def there(self) -> np.ndarray:
        """(42,) bool: joints of which the truth is known."""
        return self.sample.joint_valid

    def predicted(self, answer: Answer) -> np.ndarray:
        """(42,) bool: joints of the hands that the network sees; of the likelier hand where it sees none."""
        hands = answer.handedness > 0.5
        return np.repeat(hands if hands.any() else answer.handedness == answer.handedness.max(), JOINTS_PER_HAND)


def joint_number(name: str) -> int:
    """0-41 of a joint such as "right ring3" or "left wrist". Raises UserError when there is none."""
    names = [drawing.joint_name(joint) for joint in range(len(ROOTS))]
    if name not in names:
        raise UserError(f"There is no joint '{name}'; name one like 'right ring3', 'left wrist' or 'left thumb4'.")
    return names.index(name)


def choose(index: Index, count: int) -> np.ndarray:
    """Rows of pictures to show: two hands with all joints known where there are such, evenly over the set.

    Raises:
        UserError: no picture has a known joint.
    """
    known = index.joint_valid.sum(axis=1)
    candidates = next((rows for least in (len(ROOTS), 1) if len(rows := np.flatnonzero(known >= least))), None)
    if candidates is None:
        raise UserError("No picture of the set has a known joint, so there is nothing to draw; mend the set first.")
    return candidates[np.unique(np.linspace(0, len(candidates) - 1, count).astype(int))]


def choose_worst(errors_mm: np.ndarray, count: int) -> np.ndarray:
    """Rows of the pictures with the largest mean errors (N,), the worst first; nan is none of them."""
    known = np.flatnonzero(np.isfinite(errors_mm))
    return known[np.argsort(-errors_mm[known], kind="stable")[:count]]


def examples(
    networks: "Sequence[nn.Module]",
    index: Index,
    joint: int | None,
    device: str = "cpu",
    see_hands: SeeHands | None = None,
    root_depths_from: RootDepths | None = None,
) -> list[Example]:
    """Each sample with every network's answer; unreadable ones are left out and named.

    Args:
        joint: whose heatmap is shown; None takes each picture's valid joint of which the first network is least sure.
        see_hands, root_depths_from: as in `digit.evaluation.protocol.run`.
    """
    found: list[Example] = []
    source = root_depths_from or root_depth_source(index)
    for loaded in batches(index, 8, 0, see_hands):
        answered = [_answers(network, index, loaded, source, device) for network in networks]
        for k, one in enumerate(loaded):
            sample = index[one.row]
            answers = tuple(of_network[k] for of_network in answered)
            least_sure = np.where(sample.joint_valid, answers[0].confidence, np.inf).argmin()
            truth = apply_affine(one.crop_from_image, sample.joints_px)
            shown = int(least_sure) if joint is None else joint
            found.append(Example(sample, one.image, one.parts, truth, answers, shown))
    if not found:
        raise UserError("None of the chosen pictures can be read; check the images folder.")
    return found


def _answers(network: "nn.Module", index: Index, loaded: Sequence[Loaded], source: Any, device: str) -> list[Answer]:
    import torch

    from digit.predict import decode, depth_axis, part_labels, takes_prior

    with torch.inference_mode():
        image = torch.from_numpy(np.stack([one.image for one in loaded])).to(device).permute(0, 3, 1, 2).float() / 255
        prior = torch.from_numpy(np.stack([one.prior for one in loaded])).to(device)
        network = network.eval().to(device)
        output = network(image, prior) if takes_prior(network) else network(image)
        decoded = decode(output)
        maps = heatmaps_2d(output)
        labels = None
        if decoded.part_logits is not None:
            labels = part_labels(decoded.part_logits, decoded.joints_2p5d).cpu().numpy()
        joints, confidence, hands, relative = (t.float().cpu().numpy() for t in decoded[:4])
    answers: list[Answer] = []
    for k, one in enumerate(loaded):
        sample = index[one.row]
        roots, axis = given_roots_mm(sample, source), depth_axis(network)
        joints_mm = lift(sample, joints[k], hands[k], float(relative[k]), roots, axis)
        answers.append(
            Answer(joints[k], joints_mm, confidence[k], hands[k], maps[k], None if labels is None else labels[k])
        )
    return answers


def heatmaps_2d(output: "Output") -> np.ndarray:
    """(B, 42, H, W), each adding up to 1; a volumetric heatmap is summed over depth (DIGIT 7)."""
    from digit.heatmap import softmax_2d
    from digit.model import DigitOutput

    if isinstance(output, DigitOutput):
        return softmax_2d(output.heatmap_logits).cpu().numpy()
    flat = output.heatmaps.float().sum(dim=2)
    flat = flat - flat.amin(dim=(2, 3), keepdim=True)
    return (flat / flat.sum(dim=(2, 3), keepdim=True).clamp(min=1e-12)).cpu().numpy()


def draw_all(
    folder: Path, shown: Sequence[Example], names: Sequence[str], evaluated: Sequence[Evaluated]
) -> list[Path]:
    """Write fig05.png, fig07.png, fig17.png, fig18.png, fig19.png and, with results, fig08.png and fig15.png.

    Raises:
        UserError: the folder cannot be written.
    """
    pages: dict[str, Callable[[], Any]] = {
        "fig05.png": lambda: figure_5(shown),
        "fig07.png": lambda: figure_7(shown[:4], names),
        "fig17.png": lambda: figure_17(shown, names[0]),
        "fig18.png": lambda: figure_18(shown, names),
        "fig19.png": lambda: figure_19(shown),
    }
    if evaluated:
        pages["fig08.png"] = lambda: bars(evaluated, "MPJPE (mm)", lambda r: r.picture_mm)
        segmenting = [e for e in evaluated if any(r.has_parts for r in e.by_split.values())]
        if segmenting:
            pages["fig15.png"] = lambda: bars(segmenting, "mIoU of the parts", lambda r: r.miou)
    written: list[Path] = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, draw in pages.items():
            draw().savefig(folder / name, dpi=110, facecolor="white")
            written.append(folder / name)
    except OSError as error:
        raise UserError(f"The figures cannot be written to {folder}: {error.strerror or error}.") from error
    return written


def figure_5(shown: Sequence[Example]) -> Any:
    """A row a picture: input, 2D keypoints, segmentation, 3D in two views; predictions of the last network."""
    titles = ("input", "2D keypoints", "segmentation", "3D, front", "3D, side")
    figure, grid = _grid(len(shown), titles, three_d=(3, 4))
    for row, example in zip(grid, shown, strict=True):
        answer = example.answers[-1]
        drawing.picture(row[0], example.image)
        drawing.keypoints(row[1], example.image, answer.joints_2p5d, example.predicted(answer))
        _parts_or_nothing(row[2], example.image, answer.labels)
        _two_views(row[3:], answer.joints_mm, example.predicted(answer), example)
    return figure


def figure_7(shown: Sequence[Example], names: Sequence[str]) -> Any:
    """A column a picture: input, then each network's heatmap of one joint."""
    figure, grid = _grid(1 + len(names), tuple(drawing.joint_name(e.joint) for e in shown))
    for column, example in enumerate(shown):
        drawing.picture(grid[0][column], example.image)
        for k, (name, answer) in enumerate(zip(names, example.answers, strict=True), start=1):
            _heatmap(grid[k][column], example, answer)
            if column == 0:
                grid[k][0].set_ylabel(name, fontsize=8)
    return figure


def figure_17(shown: Sequence[Example], name: str) -> Any:
    """Pairs of rows: inputs with the joint's name, and the first network's heatmaps of it."""
    columns = min(4, len(shown))
    lines = -(-len(shown) // columns)
    figure, grid = _grid(2 * lines, ("",) * columns)
    figure.suptitle(f"{name}: plus = prediction, cross = truth", fontsize=9)
    for k in range(lines * columns):
        above, below = grid[2 * (k // columns)][k % columns], grid[2 * (k // columns) + 1][k % columns]
        if k >= len(shown):
            above.set_visible(False)
            below.set_visible(False)
            continue
        above.set_title(drawing.joint_name(shown[k].joint), fontsize=8)
        drawing.picture(above, shown[k].image)
        _heatmap(below, shown[k], shown[k].answers[0])
    return figure


def figure_18(shown: Sequence[Example], names: Sequence[str]) -> Any:
    """A row a picture: input, each network's heatmap of one joint, the last network's segmentation."""
    figure, grid = _grid(len(shown), ("input", *names, f"segmentation, {names[-1]}"))
    for row, example in zip(grid, shown, strict=True):
        drawing.picture(row[0], example.image)
        row[0].set_ylabel(drawing.joint_name(example.joint), fontsize=8)
        for axes, answer in zip(row[1:], example.answers, strict=False):
            _heatmap(axes, example, answer)
        _parts_or_nothing(row[-1], example.image, example.answers[-1].labels)
    return figure


def figure_19(shown: Sequence[Example]) -> Any:
    """A row a picture: input; then prediction beside truth of the 2D keypoints, the parts and 3D in two views."""
    titles = ("input", "2D", "2D truth", "parts", "parts truth", "3D", "3D truth", "3D, side", "3D truth, side")
    figure, grid = _grid(len(shown), titles, three_d=(5, 6, 7, 8))
    for row, example in zip(grid, shown, strict=True):
        answer = example.answers[-1]
        drawing.picture(row[0], example.image)
        drawing.keypoints(row[1], example.image, answer.joints_2p5d, example.predicted(answer))
        drawing.keypoints(row[2], example.image, example.truth_px, example.there)
        _parts_or_nothing(row[3], example.image, answer.labels)
        _parts_or_nothing(row[4], example.image, example.parts)
        _two_views((row[5], row[7]), answer.joints_mm, example.predicted(answer), example)
        _two_views((row[6], row[8]), example.sample.joints_mm, example.there, example)
    return figure


def bars(evaluated: Sequence[Evaluated], label: str, values: Callable[[Any], np.ndarray]) -> Any:
    """Fig. 8 and 15: means by the IoU of the hands' full masks; error bars reach half a standard deviation."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 3.2), layout="constrained")
    axes: Any = figure.add_subplot()
    split = next(iter(evaluated[0].by_split))
    width = 0.8 / len(evaluated)
    names: list[str] = []
    for k, one in enumerate(evaluated):
        ranges = by_overlap(one.by_split[split], values(one.by_split[split]))
        names = [f"{name}\n({found.count})" for name, found in ranges.items()]
        at = np.arange(len(ranges)) + (k - (len(evaluated) - 1) / 2) * width
        found = list(ranges.values())
        means, half = [r.mean for r in found], [0.5 * r.std for r in found]
        axes.bar(at, means, width, yerr=half, capsize=3, label=one.label(), color=_COLOURS[k % len(_COLOURS)])
    axes.set_xticks(np.arange(len(names)), names, fontsize=7)
    axes.set_ylabel(label)
    axes.set_xlabel(f"IoU of the hands' true full masks (pictures), split {split}")
    figure.legend(fontsize=7, loc="outside upper center", ncols=len(evaluated))
    return figure


def _grid(rows: int, titles: Sequence[str], three_d: Sequence[int] = ()) -> tuple[Any, list[list[Any]]]:
    """A figure of square panels, titled by column."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(1.7 * len(titles), 1.7 * rows + 0.3), layout="constrained")
    grid: list[list[Any]] = []
    for row in range(rows):
        grid.append([])
        for column, title in enumerate(titles):
            number = row * len(titles) + column + 1
            axes = figure.add_subplot(rows, len(titles), number, projection="3d" if column in three_d else None)
            if row == 0:
                axes.set_title(title, fontsize=8)
            grid[-1].append(axes)
    return figure, grid


def _heatmap(axes: Any, example: Example, answer: Answer) -> None:
    truth = example.truth_px[example.joint] if example.there[example.joint] else None
    drawing.heatmap(axes, example.image, answer.heatmaps[example.joint], answer.joints_2p5d[example.joint], truth)


def _parts_or_nothing(axes: Any, image: np.ndarray, labels: np.ndarray | None) -> None:
    if labels is None or labels.max() >= PART_CLASSES:
        drawing.blank(axes)
        axes.text(0.5, 0.5, "none", ha="center", va="center", transform=axes.transAxes, fontsize=8)
    else:
        drawing.parts(axes, image, labels)


def _two_views(axes: Sequence[Any], joints_mm: np.ndarray, shown: np.ndarray, example: Example) -> None:
    """Prediction and truth of one picture share their scale; each stands about its own middle."""
    truth = example.sample.joints_mm[example.there]
    radius = 0.55 * float(np.ptp(truth, axis=0).max())
    points = joints_mm[shown]
    centre = (points.min(axis=0) + points.max(axis=0)) / 2
    for panel, turn in zip(axes, (0.0, SIDE_VIEW), strict=True):
        drawing.hands_3d(panel, joints_mm, shown, centre, radius, turn)
