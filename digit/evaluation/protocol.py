"""Run a network over a split of InterHand2.6M's layout as the paper's protocol says, and keep what its tables need.

The crop is the annotated box, square, x1.25. 2.5D becomes 3D with given root depths (DIGIT eq. 2-5): RootNet's where
the set has them, else the true ones. Errors are wrist-aligned for each hand, without scaling.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
from tqdm import tqdm

from digit import metrics
from digit.crops import crop_parts, crop_picture
from digit.errors import UserError
from digit.evaluation.silhouettes import overlap
from digit.geometry import (
    Array,
    affine_from_bbox,
    axis_of,
    invert_affine,
    joints_from_2p5d,
    root_depths,
    square_bbox,
    wrists_along,
)
from digit.interhand import Index, Sample, read_parts, read_picture, say_skipped
from digit.landmarker import HandLandmarks, prior_from_hands
from digit.prediction import DepthAxis
from digit.skeleton import JOINTS_PER_HAND, PART_CLASSES, ROOTS, WRIST

if TYPE_CHECKING:
    from torch import nn

RootDepths = Literal["rootnet", "true"]
#: (H, W, 3) uint8 RGB in, the hands that a landmarker saw out.
SeeHands = Callable[[np.ndarray], Sequence[HandLandmarks]]
#: Maps hands (N, 21, 3) of one side, mm, wrist at zero, onto the truth's skeleton (`digit.evaluation.tzionas`).
MapSkeleton = Callable[[np.ndarray, str], np.ndarray]


class Loaded(NamedTuple):
    """One sample ready for a network."""

    row: int
    image: np.ndarray  # (256, 256, 3) uint8 RGB
    parts: np.ndarray | None  # (128, 128) uint8
    crop_from_image: Array
    prior: np.ndarray  # (42, 4) float32


@dataclass(frozen=True, slots=True, eq=False)
class Results:
    """What one network answered on one split, beside the truth; N pictures."""

    name: str
    split: str
    root_depths: RootDepths
    predicted_mm: np.ndarray  # (N, 42, 3) float32 camera space
    truth_mm: np.ndarray  # (N, 42, 3) float32
    joint_valid: np.ndarray  # (N, 42) bool
    interacting: np.ndarray  # (N,) bool
    handedness: np.ndarray  # (N, 2) probability of right, left
    hands: np.ndarray  # (N, 2) bool, the truth
    hands_valid: np.ndarray  # (N,) bool
    miou: Array  # (N,) of parts in each picture; nan without mask or segmentation
    overlap: Array  # (N,) IoU of the hands' full masks; nan unless both are known
    confusion: np.ndarray  # (33, 33) counts of part cells over all pictures

    def __len__(self) -> int:
        return len(self.predicted_mm)

    @property
    def errors_mm(self) -> Array:
        """Root-relative (N, 42)."""
        return metrics.root_relative_errors_mm(self.predicted_mm, self.truth_mm, self.joint_valid)

    @property
    def picture_mm(self) -> Array:
        """Root-relative MPJPE (N,) of each picture."""
        return metrics.picture_errors(self.errors_mm)

    @property
    def mpjpe(self) -> metrics.Mpjpe:
        return metrics.mean_errors(self.errors_mm, self.interacting)

    @property
    def absolute_mpjpe(self) -> metrics.Mpjpe:
        return metrics.absolute_mpjpe(self.predicted_mm, self.truth_mm, self.joint_valid, self.interacting)

    @property
    def mrrpe_mm(self) -> float:
        """Over pictures of two hands."""
        two = self.interacting
        return metrics.mrrpe_mm(self.predicted_mm[two], self.truth_mm[two], self.joint_valid[two])

    @property
    def has_parts(self) -> bool:
        return bool(np.isfinite(self.miou).any())


def crop_of(sample: Sample) -> Array:
    """``crop_from_image`` (2, 3) of the paper's crop."""
    return affine_from_bbox(square_bbox(sample.bbox))


def load_sample(sample: Sample, row: int, see_hands: SeeHands | None = None) -> Loaded:
    """Read one sample's files and cut its crop. Raises UserError when they cannot be read."""
    picture = read_picture(sample.image_path)
    crop_from_image = crop_of(sample)
    parts = None
    if sample.parts_path is not None and sample.parts_path.is_file():
        parts = crop_parts(read_parts(sample.parts_path, picture.shape[:2]), crop_from_image)
    prior = np.zeros((len(ROOTS), 4), np.float32)
    if see_hands is not None:
        prior = prior_from_hands(see_hands(picture), crop_from_image)
    return Loaded(row, crop_picture(picture, crop_from_image), parts, crop_from_image, prior)


def root_depth_source(index: Index) -> RootDepths:
    """RootNet's depths, as in the paper, where every hand has one; else the true ones."""
    needed = index.hands & np.isnan(index.rootnet_mm)
    return "true" if needed.any() else "rootnet"


def given_roots_mm(sample: Sample, source: RootDepths) -> Array:
    """(right, left) absolute wrist depths; nan where the source has none."""
    if source == "rootnet":
        return sample.rootnet_mm
    depths = sample.joints_mm[[WRIST, WRIST + JOINTS_PER_HAND], 2]
    return np.where(sample.root_known, depths, np.nan)


def lift(
    sample: Sample,
    joints_2p5d: np.ndarray,
    handedness: np.ndarray,
    relative_mm: float,
    roots: Array,
    depth_axis: DepthAxis = "camera",
) -> Array:
    """The predicted pose (42, 3) in camera space, DIGIT eq. 2-5.

    Two hands always stand at the predicted relative depth, whatever the predicted handedness, so that no given depth of
    the left wrist leaks into MRRPE. A hand without a given depth (it is not there) takes the other's, so that an answer
    for it stays finite.
    """
    right_mm, left_mm = np.where(np.isnan(roots), roots[::-1], roots)
    right_counts = np.ones(2) if sample.interacting else handedness if np.isfinite(roots).all() else np.zeros(2)
    image_from_crop = invert_affine(crop_of(sample))
    axis = axis_of(depth_axis, image_from_crop, sample.K)
    along = wrists_along(joints_2p5d, image_from_crop, sample.K, axis)
    roots_mm = root_depths(right_mm, left_mm, relative_mm, right_counts, along)
    return joints_from_2p5d(joints_2p5d, image_from_crop, sample.K, roots_mm, axis)


def run(
    network: "nn.Module",
    name: str,
    index: Index,
    split: str,
    *,
    device: str = "cpu",
    batch: int = 16,
    workers: int = 0,
    see_hands: SeeHands | None = None,
    root_depths_from: RootDepths | None = None,
) -> Results:
    """Results of a network of `digit.variants` on every sample that can be read; the others are named on stderr.

    Raises:
        UserError: no sample can be read, or RootNet's depths are asked for where some are missing.
    """
    import torch

    from digit.predict import LABEL_SIZE, Decoded, decode, depth_axis, part_labels, takes_prior

    source = root_depths_from or root_depth_source(index)
    if source == "rootnet" and root_depth_source(index) != "rootnet":
        raise UserError("RootNet's root depths are missing for some samples; give their file or take the true depths.")
    with_prior, axis = takes_prior(network), depth_axis(network)
    network = network.eval().to(device)
    joints_mm = np.full((len(index), len(ROOTS), 3), np.nan, np.float32)
    handedness = np.full((len(index), 2), np.nan)
    miou, overlaps = np.full(len(index), np.nan), np.full(len(index), np.nan)
    confusion = np.zeros((PART_CLASSES, PART_CLASSES), np.int64)
    done = np.zeros(len(index), bool)

    def answer(loaded: Sequence[Loaded]) -> Decoded:
        image = torch.from_numpy(np.stack([one.image for one in loaded])).to(device).permute(0, 3, 1, 2).float() / 255
        prior = torch.from_numpy(np.stack([one.prior for one in loaded])).to(device)
        return decode(network(image, prior) if with_prior else network(image))

    with torch.inference_mode(), tqdm(total=len(index), desc=f"{name}, {split}", unit="picture", leave=False) as bar:
        for loaded in batches(index, batch, workers, see_hands):
            decoded = answer(loaded)
            # A segmentation of sides only is no part segmentation.
            all_parts = decoded.part_logits is not None and decoded.part_logits.shape[1] == PART_CLASSES
            labels = part_labels(decoded.part_logits, decoded.joints_2p5d).cpu().numpy()
            joints, hands, relative = (
                t.float().cpu().numpy() for t in (decoded.joints_2p5d, decoded.handedness, decoded.root_depth_mm)
            )
            for k, one in enumerate(loaded):
                sample = index[one.row]
                roots = given_roots_mm(sample, source)
                joints_mm[one.row] = lift(sample, joints[k], hands[k], float(relative[k]), roots, axis)
                handedness[one.row] = hands[k]
                overlaps[one.row] = overlap(sample, one.crop_from_image)
                if all_parts and one.parts is not None:
                    assert one.parts.shape == (LABEL_SIZE, LABEL_SIZE)
                    cells = metrics.part_confusion(labels[k], one.parts)
                    confusion += cells
                    miou[one.row] = metrics.miou(cells)
                done[one.row] = True
            bar.update(len(loaded))
    if not done.any():
        raise UserError(f"No picture of the split {split} can be read; check its images folder.")
    return Results(
        name=name,
        split=split,
        root_depths=source,
        predicted_mm=joints_mm[done],
        truth_mm=index.joints_mm[done],
        joint_valid=index.joint_valid[done],
        interacting=index.hands[done][:, 0] & index.hands[done][:, 1],
        handedness=handedness[done],
        hands=index.hands[done],
        hands_valid=index.hands_valid[done],
        miou=miou[done],
        overlap=overlaps[done],
        confusion=confusion,
    )


def batches(index: Index, size: int, workers: int, see_hands: SeeHands | None = None) -> Iterator[list[Loaded]]:
    """All samples in order, loaded; those that cannot be read are left out and named at the end.

    Threads load ahead: OpenCV decodes and warps without Python's lock. A landmarker keeps to this thread.
    """
    from collections import deque
    from concurrent.futures import Future, ThreadPoolExecutor

    skipped: list[str] = []

    def load(row: int) -> Loaded | None:
        sample = index[row]
        try:
            return load_sample(sample, row, see_hands)
        except UserError as error:
            skipped.append(f"{sample.image_path.name}: {error}")
            return None

    def in_order() -> Iterator[Loaded | None]:
        if workers == 0 or see_hands is not None:
            yield from (load(row) for row in range(len(index)))
            return
        with ThreadPoolExecutor(workers) as pool:
            ahead: deque[Future[Loaded | None]] = deque()
            for row in range(len(index)):
                ahead.append(pool.submit(load, row))
                if len(ahead) > 2 * size:
                    yield ahead.popleft().result()
            yield from (future.result() for future in ahead)

    waiting: list[Loaded] = []
    for loaded in in_order():
        waiting += [loaded] if loaded is not None else []
        if len(waiting) == size:
            yield waiting
            waiting = []
    if waiting:
        yield waiting
    say_skipped(sorted(skipped), len(index), "this run")


def on_other_skeleton(results: Results, map_skeleton: MapSkeleton) -> Results:
    """The predictions mapped onto the truth's skeleton, each hand about its own wrist (the Tzionas protocol)."""
    mapped = results.predicted_mm.copy()
    for k, side in enumerate(("right", "left")):
        slots = slice(JOINTS_PER_HAND * k, JOINTS_PER_HAND * (k + 1))
        wrist = mapped[:, slots][:, WRIST : WRIST + 1]
        mapped[:, slots] = map_skeleton(mapped[:, slots] - wrist, side) + wrist
    return replace(results, predicted_mm=mapped)
