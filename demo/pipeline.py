"""One frame in, one Scene out: detect, place the crop, predict, decide on the sides, lift, smooth.

A Pipeline has no thread of its own and is used in one. What it answers depends on the frames alone, unless its detector
looks in the background (`demo.detector`).

A frame goes through four steps, so that its neighbours hide behind the network: `approach` follows the hands into its
picture, `begin` starts the network, `settle` takes its answer and with it the place of the next crop, `finish` makes
the Scene. While the network works on a frame, the frame before it is finished and shown, and the next one is decoded
and approached. Two frames are under way at most, and the Scenes are those of one frame after the other.
"""

from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from time import monotonic_ns, perf_counter
from types import MappingProxyType
from typing import Literal, Protocol

import numpy as np

from demo.crop import bbox_from_parts, cut, whole_frame_bbox
from demo.detector import BackgroundDetector, Detector, Look, PunctualDetector, Sighting, open_detector
from demo.handedness import Handedness, mean_confidence
from demo.lift import Lift, intrinsics
from demo.prior import Carrier
from demo.records import Detection, Frame, Hand, Loaded, Scene, Side
from demo.settings import Settings
from demo.smoothing import Smoothing
from demo.tracker import Tracker, clamped_square
from digit.geometry import apply_affine, invert_affine
from digit.landmarker import prior_from_hands
from digit.prediction import Prediction
from digit.skeleton import SLOTS, mirrored_joints, mirrored_parts

CropOrigin = Literal["track", "detector", "segmentation", "none"]
Tell = Callable[[str], None]

_HANDS: tuple[tuple[Side, slice], ...] = (("right", SLOTS["right"]), ("left", SLOTS["left"]))

#: The detector looks every so many frames: while two hands are tracked well, while one is and another may come, and
#: while hands are tracked without the prior. Whenever there is doubt it looks at once.
LOOK_EVERY_CALM, LOOK_EVERY_ALONE, LOOK_EVERY_NO_PRIOR = 4, 2, 15
#: Doubt: fewer of a hand's joints could be followed in the picture, or it went so far since the last look, in sizes of
#: a hand. On rendered clips of moving hands 0.9 of the joints asked for more looks and did no better.
FOLLOWED_WELL, LOOK_AFTER_WAY = 0.6, 0.1
#: A hand that is tracked well lies so near to the landmarker's on average, in hand sizes. Most do within 0.05.
AGREED_AT = 0.15
#: Mean confidence of a hand that is tracked well: 98 % of the hands placed well on rendered crops lie above it.
WELL_TRACKED = 0.4


class Backend(Protocol):
    """What `digit.backends.load` answers."""

    name: str
    model: str
    weights_sha256: str
    why: str

    def __call__(self, crop: np.ndarray, prior: np.ndarray | None = None) -> Prediction: ...

    def start(self, crop: np.ndarray, prior: np.ndarray | None = None) -> Callable[[], Prediction]:
        """Begin with a crop; what this returns waits for the answer."""
        ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True, eq=False)
class Underway:
    """A frame that the network is working on, or one without hands."""

    frame: Frame
    settings: Settings
    timings: "Timings"
    K: np.ndarray  # (3, 3)
    origin: CropOrigin
    image_from_crop: np.ndarray | None  # (2, 3); None without hands
    detections: tuple[Detection, ...]  # of the landmarker, where they stand in this frame
    answer: Callable[[], Prediction] | None  # waits for the network; None without hands


@dataclass(frozen=True, slots=True, eq=False)
class Settled:
    """A frame that the network has answered: where its hands are is known, its Scene is yet to be made."""

    underway: Underway
    prediction: Prediction | None  # under the decided sides; None without hands
    present: np.ndarray  # (2,) bool: right, left


class Pipeline:
    """Holds the network, the detector and what is remembered from frame to frame. Owns both and closes them.

    ``settings`` may be replaced between two frames.
    """

    def __init__(self, settings: Settings, backend: Backend, detector: Detector) -> None:
        self.settings = settings
        self.backend = backend
        self._detector = detector
        self._tracker, self._handedness = Tracker(), Handedness()
        self._lift, self._smoothing = Lift(), Smoothing()
        self._carrier = Carrier()
        self._since_look, self._way, self._calm = 0, 0.0, False
        self._sighting: Sighting | None = None
        self._approached: Frame | None = None
        self._carried: tuple[Detection, ...] = ()

    @property
    def loaded(self) -> Loaded:
        """The network and what runs it."""
        backend = self.backend
        return Loaded(backend.name, backend.model, backend.why, backend.weights_sha256)

    def __call__(self, frame: Frame) -> Scene:
        """The Scene of a frame. Frames come in the order of their time."""
        return self.finish(self.settle(self.begin(frame)))

    def scenes(self, frames: Iterable[Frame]) -> Generator[Scene]:
        """The Scene of each frame, in order. What the caller does with a Scene overlaps the next frame's network."""
        source = iter(frames)
        frame, settled = next(source, None), None
        while frame is not None:
            underway = self.begin(frame)
            if settled is not None:
                yield self.finish(settled)
            frame = next(source, None)
            if frame is not None:
                self.approach(frame)
            settled = self.settle(underway)
        if settled is not None:
            yield self.finish(settled)

    def approach(self, frame: Frame) -> None:
        """Follow the landmarker's hands into the next frame. It may happen before the frame before it has settled."""
        self._approached = frame
        self._carried = () if self._sighting is None else self._carrier(frame, self._sighting)
        self._since_look += 1
        self._way += self._carrier.step

    def begin(self, frame: Frame) -> Underway:
        """Find the crop of a frame and start the network on it. The frame before must have settled."""
        timings, settings = Timings(), self.settings
        with timings.stage("detect"):
            if self._approached is not frame:
                self.approach(frame)
            detections, fresh = self._detect(frame)
        with timings.stage("track"):
            tracking = self._tracker.tracking
            if fresh and detections:
                self._tracker.sight(np.concatenate([hand.joints_px for hand in detections]))
            bbox = self._tracker.place(frame.image.shape)
            origin: CropOrigin = "track" if tracking else "detector"
        if bbox is None:
            with timings.stage("predict"):
                bbox, origin = self._search(frame.image), "segmentation"
        K = intrinsics(frame.image.shape, settings.focal_px, settings.fov_deg)
        if bbox is None:
            return Underway(frame, settings, timings, K, "none", None, detections, None)
        with timings.stage("crop"):
            crop, image_from_crop = cut(frame.image, bbox)
            prior = prior_from_hands(detections, invert_affine(image_from_crop)) if settings.prior else None
        with timings.stage("predict"):  # only what the loop waits for counts, here and in `settle`
            answer = self.backend.start(crop, prior)
        return Underway(frame, settings, timings, K, origin, image_from_crop, detections, answer)

    def settle(self, underway: Underway) -> Settled:
        """Wait for the network, decide on the sides and follow the hands: the next frame may begin."""
        if underway.answer is None or underway.image_from_crop is None:
            return Settled(underway, None, np.zeros(2, bool))
        with underway.timings.stage("predict"):
            prediction = underway.answer()
        with underway.timings.stage("track"):
            joints_px = apply_affine(underway.image_from_crop, prediction.joints_2p5d[:, :2])
            decision = self._handedness(joints_px, prediction.handedness, prediction.confidence)
            if decision.swapped:
                prediction, joints_px = with_sides_swapped(prediction), joints_px[mirrored_joints()]
            self._tracker.update(joints_px, prediction.confidence, decision.present)
            sure = mean_confidence(prediction.confidence) >= WELL_TRACKED
            shown_px = joints_px.reshape(2, -1, 2)[decision.present]
            self._calm = bool(sure[decision.present].all()) and agreed(underway.detections, shown_px)
            if not self._tracker.tracking:
                self._handedness = Handedness()
        return Settled(underway, prediction, decision.present)

    def finish(self, settled: Settled) -> Scene:
        """Lift and smooth: the Scene of a settled frame."""
        underway, prediction = settled.underway, settled.prediction
        frame, timings, K = underway.frame, underway.timings, underway.K
        if prediction is None or underway.image_from_crop is None:
            self._smoothing.reset()
            return self._scene(underway)
        with timings.stage("lift"):
            hands_raw = self._lifted(prediction, settled.present, underway.image_from_crop, K)
        with timings.stage("smooth"):
            hands = self._smoothed(hands_raw, frame.time_ns, K, underway.settings.smooth)
        return replace(
            self._scene(underway),
            hands=hands,
            hands_raw=hands_raw,
            handedness=prediction.handedness,
            image_from_crop=underway.image_from_crop,
            part_labels=prediction.part_labels,
            crop_origin=underway.origin,
        )

    def close(self) -> None:
        """Free the network and the detector."""
        self._detector.close()
        self.backend.close()

    def _detect(self, frame: Frame) -> tuple[tuple[Detection, ...], bool]:
        """The detector's hands where they stand by now, and whether it saw them just now."""
        before, look = self._sighting, self._look()
        if look != "no":
            self._since_look, self._way = 0, 0.0
        self._sighting = self._detector(frame, look, self._carried)
        if self._sighting is None:
            return (), False
        if before is None or self._sighting.time_ns != before.time_ns:
            return self._carrier(frame, self._sighting), True
        return self._carried, False

    def _look(self) -> Look:
        """What the last frames ask of the detector: nothing but what they show decides, so that it repeats."""
        if not self._tracker.tracking:
            return "now"
        if not self.settings.prior:
            return "no" if self._since_look < LOOK_EVERY_NO_PRIOR else "later"
        if not self._calm or self._carrier.found < FOLLOWED_WELL or self._way > LOOK_AFTER_WAY:
            return "now"
        every = LOOK_EVERY_CALM if len(self._carried) == 2 else LOOK_EVERY_ALONE
        return "later" if self._since_look >= every else "no"

    def _search(self, image: np.ndarray) -> np.ndarray | None:
        """(4,) a square around what the network takes for hands in the whole picture."""
        crop, image_from_crop = cut(image, whole_frame_bbox(image))
        prediction = self.backend(crop, None)
        bbox = bbox_from_parts(prediction.part_labels, image_from_crop)
        return None if bbox is None or prediction.handedness.max() < 0.5 else clamped_square(bbox, image.shape)

    def _lifted(
        self, prediction: Prediction, present: np.ndarray, image_from_crop: np.ndarray, K: np.ndarray
    ) -> tuple[Hand, ...]:
        joints_px, joints_mm = self._lift(
            prediction.joints_2p5d, prediction.confidence, prediction.root_depth_mm, present, image_from_crop, K,
            prediction.depth_axis,
        )  # fmt: skip
        joints_px, joints_mm = joints_px.astype(np.float32), joints_mm.astype(np.float32)
        joints_px.flags.writeable = joints_mm.flags.writeable = False
        return tuple(
            Hand(side, float(prediction.handedness[i]), joints_px[at], joints_mm[at], prediction.confidence[at])
            for i, (side, at) in enumerate(_HANDS)
            if present[i] and np.isfinite(joints_mm[at]).all()
        )

    def _smoothed(self, hands: tuple[Hand, ...], time_ns: int, K: np.ndarray, smooth: bool) -> tuple[Hand, ...]:
        if smooth:
            return self._smoothing(hands, time_ns, K)
        self._smoothing.reset()
        return hands

    def _scene(self, underway: Underway) -> Scene:
        """A Scene without hands."""
        return Scene(
            frame=underway.frame,
            hands=(),
            hands_raw=(),
            handedness=np.zeros(2, np.float32),
            image_from_crop=None,
            part_labels=None,
            K=underway.K,
            K_origin="field of view" if underway.settings.focal_px is None else "focal",
            crop_origin="none",
            timings_ms=underway.timings.ms,
            emitted_ns=monotonic_ns(),
        )


class Timings:
    """Milliseconds by stage; a stage that runs twice counts both."""

    def __init__(self) -> None:
        self._ms: dict[str, float] = {}
        self.ms = MappingProxyType(self._ms)

    @contextmanager
    def stage(self, name: str) -> Generator[None]:
        """Time what happens inside."""
        start = perf_counter()
        yield
        self._ms[name] = self._ms.get(name, 0.0) + (perf_counter() - start) * 1000


def agreed(detections: Sequence[Detection], hands_px: np.ndarray) -> bool:
    """Whether the landmarker has these hands (N, 21, 2) and no others, whatever their sides."""
    if len(detections) != len(hands_px) or not len(hands_px):
        return False
    apart = np.empty((len(hands_px), len(hands_px)))
    for i, hand in enumerate(detections):
        size_px = max(float(np.ptp(hand.joints_px, axis=0).max()), 1.0)
        apart[i] = np.linalg.norm(hands_px - hand.joints_px, axis=-1).mean(axis=-1) / size_px
    return bool((apart.diagonal() < AGREED_AT).all() or (apart[::-1].diagonal() < AGREED_AT).all())


def with_sides_swapped(prediction: Prediction) -> Prediction:
    """The same hands under the other names."""
    joints, parts = mirrored_joints(), mirrored_parts().astype(np.uint8)
    return replace(
        prediction,
        joints_2p5d=prediction.joints_2p5d[joints],
        confidence=prediction.confidence[joints],
        part_labels=parts[prediction.part_labels],
        handedness=prediction.handedness[::-1],
        root_depth_mm=-prediction.root_depth_mm,
    )


def open_pipeline(settings: Settings, tell: Tell) -> Pipeline:
    """The live pipeline: its detector looks at the newest frame. Raises UserError, as does the pipeline later."""
    return _open(settings, tell, BackgroundDetector(lambda: open_detector(settings.hand_model, tell)))


def open_exact_pipeline(settings: Settings, tell: Tell) -> Pipeline:
    """The pipeline for files: its detector answers at fixed frames, so that every run answers the same."""
    return _open(settings, tell, PunctualDetector(lambda: open_detector(settings.hand_model, tell)))


def _open(settings: Settings, tell: Tell, detector: Detector) -> Pipeline:
    """Loads the network while the detector loads in its thread."""
    from digit.backends import load

    try:
        return Pipeline(settings, load(settings.backend, settings.model, settings.weights, tell), detector)
    except BaseException:
        detector.close()
        raise
