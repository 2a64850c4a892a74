"""One frame in, one Scene out: detect, place the crop, predict, recall, decide on the sides, lift, smooth.

A Pipeline is used in one thread. What it answers depends on the frames alone, unless its detector looks in the
background (`demo.detector`).

A frame goes through four steps, so that its neighbours hide behind the network: `approach` follows the landmarker's
hands into its picture, `begin` starts the network, `settle` takes its answer and with it the place of the next crop,
`finish` makes the Scene. While the network works on a frame, the frame before it is finished and shown. Where every
frame counts (`Pipeline.scenes`), the network seldom waits: the next frame's crop lies ready for it, cut where the hands
were two frames before, and the frames after that are meanwhile decoded and approached.

Where the network sees a hand that the landmarker does not know, the next look asks the landmarker about that place.
"""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from time import monotonic_ns, perf_counter
from types import MappingProxyType
from typing import Literal, Protocol

import cv2
import numpy as np

from demo.apart import Answer, Look, answer_of, inside, with_sides_swapped
from demo.approach import Ahead, Approached, Approaching, InTurn, Standing, agreed
from demo.crop import bbox_from_parts, cut, whole_frame_bbox
from demo.detector import BackgroundDetector, Guess, LateDetector, PromptDetector, open_detector
from demo.handedness import Handedness, mean_confidence
from demo.lift import Lift, intrinsics
from demo.records import Detection, Frame, Hand, Loaded, Scene, Side
from demo.settings import Settings
from demo.smoothing import Smoothing
from demo.tracker import WELL_TRACKED, Tracker, clamped_square
from digit.consensus import consensus
from digit.geometry import apply_affine, invert_affine
from digit.landmarker import prior_from_hands
from digit.prediction import Prediction, Prior
from digit.recall import recall
from digit.skeleton import JOINTS_PER_HAND, SIDES, SLOTS, mirrored_joints

CropOrigin = Literal["track", "detector", "segmentation", "none"]
Tell = Callable[[str], None]

_HANDS: tuple[tuple[Side, slice], ...] = (("right", SLOTS["right"]), ("left", SLOTS["left"]))

#: Frames that are approached while the network works on one: a look takes longer than a frame, but few frames need one.
AHEAD = 2
#: Frames that the network has, one of them waiting. On rendered clips two do as well as one (`digit-lite.history.md`).
UNDERWAY = 2
#: Of two hands in one crop, told of by the landmarker, the network is asked every so many frames without being told:
#: with names that are not sure, and with sure ones. What it is told of names it mostly repeats, right or wrong.
ASKED_EVERY, SURE_ASKED_EVERY = 2, 6


class Backend(Protocol):
    """What `digit.backends.load` answers."""

    name: str
    model: str
    weights_sha256: str
    why: str

    def __call__(self, crop: np.ndarray, prior: np.ndarray | None = None) -> Prediction: ...

    def start(self, crop: np.ndarray, prior: np.ndarray | None = None) -> Callable[[], Prediction]:
        """Begin with a crop, at once or after those begun before; what this returns waits for the answer."""
        ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True, eq=False)
class Given:
    """What the network is given."""

    crop: np.ndarray  # (256, 256, 3) uint8 RGB
    prior: Prior | None
    image_from_crop: np.ndarray  # (2, 3)


@dataclass(frozen=True, slots=True, eq=False)
class Underway:
    """A frame that the network is working on, or one without hands."""

    frame: Frame
    settings: Settings
    timings: "Timings"
    K: np.ndarray  # (3, 3)
    origin: CropOrigin
    image_from_crop: np.ndarray | None  # (2, 3) around all hands; None without hands
    detections: tuple[Detection, ...]  # of the landmarker, where they stand in this frame
    prior: Prior | None  # those of them that were not lost, in the crop around all hands
    looks: tuple[Look, ...]  # what waits for the network: of one crop or of each hand's own; none without hands
    unprompted: Look | None = None  # the one crop without the prior; it is answered before the next frame's looks


@dataclass(frozen=True, slots=True, eq=False)
class Settled:
    """A frame that the network has answered: where its hands are is known, its Scene is yet to be made."""

    underway: Underway
    answer: Answer | None  # under the decided sides; None without hands
    present: np.ndarray  # (2,) bool: right, left
    named: float = 1.0  # probability that the hands have their right names


class Pipeline:
    """Holds the network, the detector and what is remembered from frame to frame. Owns both and closes them.

    ``settings`` may be replaced between two frames.
    """

    def __init__(self, settings: Settings, backend: Backend, approaching: Approaching) -> None:
        self.settings = settings
        self.backend = backend
        self._approaching = approaching
        self._tracker, self._handedness = Tracker(), Handedness()
        self._lift, self._smoothing = Lift(), Smoothing()
        self._calm = False
        self._guesses: tuple[Guess, ...] = ()
        self._settled_ns = 0
        self._prompted = 0  # frames since the network was last asked without the prior
        self._unheard: Look | None = None  # what it was asked so in the last frame
        self._told: Prediction | None = None  # and what it answered there when told
        self._heeds = True  # the network's answer depends on the prior, as far as is known

    @property
    def loaded(self) -> Loaded:
        """The network and what runs it."""
        backend = self.backend
        return Loaded(backend.name, backend.model, backend.why, backend.weights_sha256)

    def __call__(self, frame: Frame) -> Scene:
        """The Scene of a frame. Frames come in the order of their time."""
        return self.finish(self.settle(self.begin(self.approach(frame))))

    def scenes(self, frames: Iterable[Frame]) -> Generator[Scene]:
        """The Scene of each frame, in order.

        All else, what the caller does with a Scene included, is done while the network works.
        """
        source = iter(frames)
        coming = deque(self.approach(frame) for frame in islice(source, AHEAD))
        underway: deque[Underway] = deque()
        settled: Settled | None = None
        while coming or underway:
            if coming:
                underway.append(self.begin(coming.popleft()))
                coming.extend(self.approach(frame) for frame in islice(source, 1))
            if settled is not None:
                yield self.finish(settled)
                settled = None
            if len(underway) == UNDERWAY or not coming:
                settled = self.settle(underway.popleft())
        if settled is not None:
            yield self.finish(settled)

    def scenes_in_turn(self, frames: Iterable[Frame | None]) -> Generator[Scene]:
        """The Scene of each frame, in order, each crop placed after the frame before: for frames that come live.

        None, where no frame has come yet, finishes the one before.
        """
        settled: Settled | None = None
        for frame in frames:
            underway = None if frame is None else self.begin(self.approach(frame))
            if settled is not None:
                yield self.finish(settled)
            settled = None if underway is None else self.settle(underway)
        if settled is not None:
            yield self.finish(settled)

    def approach(self, frame: Frame) -> Callable[[], Approached]:
        """Ask for the landmarker's hands in a frame. Frames before it need not have settled."""
        standing = Standing(self._tracker.tracking, self._calm, self.settings.prior, self._guesses)
        return self._approaching.start(frame, standing)

    def begin(self, approach: Callable[[], Approached]) -> Underway:
        """Find the crop of a frame, from where the last settled frame had its hands, and start the network on it."""
        timings, settings = Timings(), self.settings
        with timings.stage("detect"):
            approached = approach()
        frame, detections = approached.frame, approached.detections
        with timings.stage("track"):
            tracking = self._tracker.tracking
            if approached.fresh and detections:
                self._tracker.sight(np.concatenate([hand.joints_px for hand in detections]))
            bbox = self._tracker.place(frame.image.shape)
            origin: CropOrigin = "track" if tracking else "detector"
        if bbox is None:
            with timings.stage("predict"):
                bbox, origin = self._search(frame.image), "segmentation"
        K = intrinsics(frame.image.shape, settings.focal_px, settings.fov_deg)
        if bbox is None:
            return Underway(frame, settings, timings, K, "none", None, detections, None, ())
        with timings.stage("track"):
            middles_px = [hand.joints_px.mean(axis=0) for hand in detections]
            own = self._tracker.own_places(frame.image.shape, middles_px)
        with timings.stage("crop"):
            around = self._given(frame.image, bbox, approached.followed)
            given = [self._given(frame.image, square, approached.followed) for square in own] or [around]
        with timings.stage("predict"):  # only what the loop waits for counts, here and in `settle`
            looks = tuple(Look(one.image_from_crop, self.backend.start(one.crop, one.prior)) for one in given)
            unprompted = None
            if self._asks(around.prior, own):
                unprompted = Look(around.image_from_crop, self.backend.start(around.crop, None))
        return Underway(
            frame, settings, timings, K, origin, around.image_from_crop, detections, around.prior, looks, unprompted
        )

    def _asks(self, prior: Prior | None, own: Sequence[np.ndarray]) -> bool:
        """Whether this is a frame in which the network is asked without the prior as well."""
        if not self._heeds or own or len(self._guesses) < len(SIDES) or prior is None or not prior.any():
            return False
        self._prompted += 1
        if self._prompted < (SURE_ASKED_EVERY if self._handedness.sure else ASKED_EVERY):
            return False
        self._prompted = 0
        return True

    def _given(self, image: np.ndarray, bbox: np.ndarray, followed: Sequence[Detection]) -> Given:
        crop, image_from_crop = cut(image, bbox)
        seen = inside(followed, bbox)
        prior = prior_from_hands(seen, invert_affine(image_from_crop)) if self.settings.prior else None
        return Given(crop, prior, image_from_crop)

    def settle(self, underway: Underway) -> Settled:
        """Wait for the network, decide on the sides and follow the hands. Frames settle in the order of their time."""
        heard, self._unheard = self._unheard, underway.unprompted
        if underway.image_from_crop is None:
            return Settled(underway, None, np.zeros(2, bool))
        with underway.timings.stage("predict"):
            answer = answer_of(underway.looks, underway.image_from_crop, underway.K)
            told, self._told = self._told, answer.prediction
        with underway.timings.stage("track"):
            answer = replace(answer, prediction=self._recalled(answer.prediction, underway))
            prediction = answer.prediction
            joints_px = apply_affine(underway.image_from_crop, prediction.joints_2p5d[:, :2])
            if heard is not None and told is not None:
                witness = heard.answer()
                self._heeds = not np.array_equal(witness.joints_2p5d, told.joints_2p5d)
                if self._heeds and (witness.handedness >= 0.5).all():
                    self._handedness.hear(apply_affine(heard.image_from_crop, witness.joints_2p5d[:, :2]))
            decision = self._handedness(joints_px, prediction.handedness, prediction.confidence)
            if decision.swapped:
                answer, joints_px = with_sides_swapped(answer), joints_px[mirrored_joints()]
                prediction = answer.prediction
            self._tracker.update(joints_px, prediction.confidence, decision.present)
            sure = mean_confidence(prediction.confidence) >= WELL_TRACKED
            shown_px = joints_px.reshape(2, -1, 2)[decision.present]
            self._calm = bool(sure[decision.present].all()) and agreed(underway.detections, shown_px)
            self._guesses = tuple(
                Guess(side, joints_px[at]) for (side, at), there in zip(_HANDS, decision.present, strict=True) if there
            )
            if not self._tracker.tracking:
                self._handedness, self._guesses, self._unheard = Handedness(), (), None
            self._settled_ns = underway.frame.time_ns
        return Settled(underway, answer, decision.present, decision.named)

    def _recalled(self, prediction: Prediction, underway: Underway) -> Prediction:
        """The network's answer, read with the hands of the frame before in mind."""
        assert underway.image_from_crop is not None
        crop_from_image = invert_affine(underway.image_from_crop)
        hands = np.full((len(_HANDS), JOINTS_PER_HAND, 2), np.nan)
        for guess in self._guesses:
            hands[SIDES.index(guess.side)] = apply_affine(crop_from_image, guess.joints_px)
        return recall(prediction, hands, (underway.frame.time_ns - self._settled_ns) / 1e9)

    def finish(self, settled: Settled) -> Scene:
        """Lift and smooth: the Scene of a settled frame."""
        underway, answer = settled.underway, settled.answer
        frame, timings, K = underway.frame, underway.timings, underway.K
        if answer is None or underway.image_from_crop is None:
            self._lift = Lift()
            self._smoothing.reset()
            return self._scene(underway)
        with timings.stage("lift"):
            # Only what is shown: a crop that followed the landmarker's joints would answer itself.
            prediction = consensus(answer.prediction, underway.prior)
            lifted = self._lifted(prediction, settled.present, underway.image_from_crop, K)
        with timings.stage("smooth"):
            smoothed = self._smoothed(lifted, frame.time_ns, K, underway.settings.smooth)
        hands_raw = doubted(lifted, settled.named)
        return replace(
            self._scene(underway),
            hands=hands_raw if smoothed is lifted else doubted(smoothed, settled.named),
            hands_raw=hands_raw,
            handedness=prediction.handedness,
            image_from_crop=underway.image_from_crop,
            part_labels=prediction.part_labels,
            crop_origin=underway.origin,
            own_crops=answer.own_crops,
        )

    def close(self) -> None:
        """Free the network and the detector."""
        self._approaching.close()
        self.backend.close()

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


def doubted(hands: Sequence[Hand], named: float) -> tuple[Hand, ...]:
    """The hands with the confidence that their joints are right and their names, of that probability, are too.

    The network's own takes the names for granted. The smoothing follows that one, as another name moves no hand.
    """
    confidences = [(hand.confidence * named).astype(np.float32) for hand in hands]
    for confidence in confidences:
        confidence.flags.writeable = False
    return tuple(replace(hand, confidence=each) for hand, each in zip(hands, confidences, strict=True))


def open_pipeline(settings: Settings, tell: Tell) -> Pipeline:
    """The live pipeline: its detector looks at the newest frame. Raises UserError, as does the pipeline later."""
    return _open(settings, tell, InTurn(BackgroundDetector(lambda: open_detector(settings.hand_model, tell))))


def open_exact_pipeline(settings: Settings, tell: Tell) -> Pipeline:
    """The pipeline for files: its detector answers for the frame that asks, so that every run is alike."""
    return _open(settings, tell, Ahead(lambda: PromptDetector(open_detector(settings.hand_model, tell))))


def open_late_pipeline(settings: Settings, tell: Tell) -> Pipeline:
    """The live pipeline for measuring: each look takes a frame's time, so that every run is alike."""
    return _open(settings, tell, InTurn(LateDetector(open_detector(settings.hand_model, tell))))


def _open(settings: Settings, tell: Tell, approaching: Approaching) -> Pipeline:
    """Loads the network while the detector loads in its thread."""
    from digit.backends import load

    cv2.setNumThreads(1)  # its pictures are small here: more threads wait for each other longer than they work
    try:
        return Pipeline(settings, load(settings.backend, settings.model, settings.weights, tell), approaching)
    except BaseException:
        approaching.close()
        raise
