"""The whole loop on painted discs, frame by frame."""

from collections.abc import Generator
from dataclasses import replace

import numpy as np
import pytest

from demo.apart import Answer, with_sides_swapped
from demo.approach import FOLLOWED_WELL, LOOK_EVERY_ALONE, LOOK_EVERY_CALM, LOOK_EVERY_NO_PRIOR, InTurn, agreed
from demo.detector import NOWHERE, Sighting, Whereabouts
from demo.handedness import ENTER_FRAMES, LEAVE_FRAMES
from demo.pipeline import Pipeline
from demo.prior import Carrier
from demo.records import Frame, Scene, SeenCrop
from demo.settings import Settings
from digit.geometry import project
from digit.prediction import Prediction
from digit.skeleton import FIRST_PART, SIDES, SLOTS
from tests.demo.scripted import ColourBackend, ColourDetector, draw_hands

RIGHT, LEFT = (110.0, 90.0), (210.0, 80.0)
#: So near to the right hand that both are in one crop.
NEAR = (RIGHT[0] + 32, RIGHT[1])
STEP_NS = 33_000_000


class Flipping(ColourBackend):
    """Calls right left and left right as long as ``flips`` is true."""

    flips = False

    def __call__(self, crop: np.ndarray, prior: np.ndarray | None = None) -> Prediction:
        prediction = super().__call__(crop, prior)
        return with_sides_swapped(Answer(prediction)).prediction if self.flips else prediction


def frame(index: int, **centres: tuple[float, float]) -> Frame:
    return Frame(index, index * STEP_NS + 1, draw_hands(180, 320, **centres))


def sides(scene: Scene) -> list[str]:
    return [hand.side for hand in scene.hands]


def test_found_by_the_detector_then_tracked() -> None:
    pipeline = Pipeline(Settings(), ColourBackend(), InTurn(ColourDetector()))
    first, second = (pipeline(frame(i, right=RIGHT, left=LEFT)) for i in range(2))
    assert (first.crop_origin, second.crop_origin) == ("detector", "track")
    for scene in (first, second):
        assert sides(scene) == ["right", "left"]
        assert scene.hands[0].joints_px.mean(axis=0) == pytest.approx(RIGHT, abs=6)
        assert scene.hands[1].joints_px.mean(axis=0) == pytest.approx(LEFT, abs=6)
        for hand in scene.hands:
            assert project(hand.joints_mm, scene.K) == pytest.approx(hand.joints_px, abs=0.01)
            assert hand.joints_mm[:, 2].min() > 0
        assert set(scene.timings_ms) == {"detect", "track", "crop", "predict", "lift", "smooth"}
        assert scene.part_labels is not None
        assert len(np.unique(scene.part_labels)) == 3


def test_each_of_two_hands_apart_is_looked_at_in_its_own_crop() -> None:
    backend = ColourBackend()
    pipeline = Pipeline(Settings(), backend, InTurn(ColourDetector()))
    for i in range(4):
        looked = len(backend.priors)
        scene = pipeline(frame(i, right=(60, 100), left=(260, 80)))
        assert len(backend.priors) - looked == (1 if i == 0 else 2)  # the detector's hands are not yet the network's
        assert sides(scene) == ["right", "left"]
        assert scene.hands[0].joints_px.mean(axis=0) == pytest.approx((60, 100), abs=7)
        assert scene.hands[1].joints_px.mean(axis=0) == pytest.approx((260, 80), abs=7)
        assert scene.image_from_crop is not None
        left, right = scene.image_from_crop @ [0, 0, 1], scene.image_from_crop @ [256, 256, 1]
        assert left[0] < 60 and right[0] > 260  # the crop around both
        assert [seen.image_from_crop[0, 0] < 0.3 for seen in scene.own_crops] == ([True, True] if i else [])
    for prior, at in zip(backend.priors[-2:], ("right", "left"), strict=True):
        assert prior is not None
        assert prior[SLOTS[at], 3].all() and prior[:, 3].sum() == 21
    for i in range(4, 10):
        scene = pipeline(frame(i, right=RIGHT, left=NEAR))
    assert sides(scene) == ["right", "left"]
    looked = len(backend.priors)
    pipeline(frame(10, right=RIGHT, left=NEAR))
    assert sum(prior is not None for prior in backend.priors[looked:]) == 1


def test_every_frame_is_answered_when_there_is_no_hand() -> None:
    pipeline = Pipeline(Settings(), ColourBackend(), InTurn(ColourDetector()))
    for i in range(3):
        scene = pipeline(frame(i))
        assert (scene.hands, scene.hands_raw, scene.crop_origin) == ((), (), "none")
        assert scene.image_from_crop is None
    assert sides(pipeline(frame(3, left=LEFT))) == ["left"]


def test_the_networks_own_segmentation_finds_what_the_detector_does_not_see() -> None:
    pipeline = Pipeline(Settings(), ColourBackend(), InTurn(ColourDetector(blind=True)))
    first, second = (pipeline(frame(i, right=RIGHT, left=LEFT)) for i in range(2))
    assert (first.crop_origin, second.crop_origin) == ("segmentation", "track")
    assert sides(first) == sides(second) == ["right", "left"]


def test_the_prior_is_in_crop_pixels_and_can_be_off() -> None:
    backend = ColourBackend()
    pipeline = Pipeline(Settings(), backend, InTurn(ColourDetector()))
    scene = pipeline(frame(0, right=RIGHT))
    assert scene.image_from_crop is not None
    prior = backend.priors[-1]
    assert prior is not None
    assert prior[:21, :2] @ scene.image_from_crop[:, :2].T + scene.image_from_crop[:, 2] == pytest.approx(
        scene.hands[0].joints_px, abs=2
    )
    assert (prior[:21, 3] == 1).all()
    assert not prior[21:].any()
    pipeline.settings = Settings(prior=False)
    pipeline(frame(1, right=RIGHT))
    assert backend.priors[-1] is None


class SeenOnce(ColourDetector):
    """Its first look is still its last one: the others have not answered yet."""

    def __call__(self, frame: Frame, look: bool = True, near: Whereabouts = NOWHERE) -> Sighting | None:
        return self.seen or super().__call__(frame, look, near)


def test_a_hand_that_could_not_be_followed_is_no_prior() -> None:
    backend, grain = ColourBackend(), np.random.default_rng(0).integers(0, 25, (180, 320, 3), np.uint8)
    pipeline = Pipeline(Settings(), backend, InTurn(SeenOnce()))
    for i, x in enumerate((110.0, 112.0, 190.0)):
        seen = frame(i, right=(x, 90.0))
        pipeline(replace(seen, image=seen.image + grain))
    assert [prior is not None and bool(prior.any()) for prior in backend.priors] == [True, True, False]


class Torn(ColourBackend):
    """From its second crop on it does not know whether the hands are here or ``PULLED_PX`` lower, and says so."""

    PULLED_PX = 60.0

    def __call__(self, crop: np.ndarray, prior: np.ndarray | None = None) -> Prediction:
        prediction = super().__call__(crop, prior)
        if len(self.priors) == 1:
            return prediction
        here = np.concatenate([np.ones((42, 1), np.float32), prediction.joints_2p5d], axis=1)
        places = np.stack([0.4 * here, 0.6 * (here + np.float32([0, 0, self.PULLED_PX, 0]))], axis=1)
        return replace(prediction, joints_2p5d=places[..., 1:].sum(axis=1), places=places)


def test_of_two_places_a_hand_is_at_the_one_where_it_was() -> None:
    exact, torn = (
        [pipeline(frame(i, right=RIGHT, left=(RIGHT[0] + 32, RIGHT[1]))) for i in range(6)]
        for pipeline in (Pipeline(Settings(), kind(), InTurn(ColourDetector())) for kind in (ColourBackend, Torn))
    )
    for wanted, found in zip(exact, torn, strict=True):
        assert sides(found) == ["right", "left"]
        for one, other in zip(wanted.hands_raw, found.hands_raw, strict=True):
            assert other.joints_px == pytest.approx(one.joints_px, abs=3)  # the mean lies 11 lower


class Beside(ColourDetector):
    """Sees every hand a pixel too far to the right."""

    def __call__(self, frame: Frame, look: bool = True, near: Whereabouts = NOWHERE) -> Sighting | None:
        seen = super().__call__(frame, look, near)
        if seen is None or not look:
            return seen
        moved = tuple(replace(hand, joints_px=hand.joints_px + np.float32([1, 0])) for hand in seen.detections)
        self.seen = Sighting(seen.time_ns, moved)
        return self.seen


def test_what_is_shown_is_the_mean_of_network_and_landmarker() -> None:
    scenes = []
    for detector in (ColourDetector(), Beside()):
        pipeline = Pipeline(Settings(smooth=False), ColourBackend(), InTurn(detector))
        scenes.append([pipeline(frame(i, right=(150, 90))) for i in range(6)])
    exact, beside = (run[-1] for run in scenes)
    away = beside.hands_raw[0].joints_px - exact.hands_raw[0].joints_px
    assert away[:, 0] == pytest.approx(0.5, abs=0.1)
    assert away[:, 1] == pytest.approx(0, abs=0.1)


def test_without_the_prior_the_detector_is_asked_now_and_then() -> None:
    detector = ColourDetector()
    pipeline = Pipeline(Settings(prior=False), ColourBackend(), InTurn(detector))
    for i in range(1 + 2 * LOOK_EVERY_NO_PRIOR):
        pipeline(frame(i, right=RIGHT))
    assert detector.looks == 3


@pytest.mark.parametrize("prior", [True, False])
def test_a_second_hand_outside_the_crop_is_found(prior: bool) -> None:
    pipeline = Pipeline(Settings(prior=prior), ColourBackend(), InTurn(ColourDetector()))
    for i in range(5):
        assert sides(pipeline(frame(i, right=(40, 90)))) == ["right"]
    scenes = [pipeline(frame(5 + i, right=(40, 90), left=(280, 90))) for i in range(LOOK_EVERY_NO_PRIOR + 3)]
    assert sides(scenes[-1]) == ["right", "left"]


@pytest.mark.parametrize("flipped", range(1, 5))
def test_bad_flipped_frames_change_neither_hands_nor_parts(flipped: int) -> None:
    backend = Flipping()
    pipeline = Pipeline(Settings(smooth=False), backend, InTurn(ColourDetector()))
    before = [pipeline(frame(i, right=RIGHT, left=LEFT)) for i in range(4)][-1]
    backend.flips = True
    for i in range(flipped):
        after = pipeline(frame(4 + i, right=RIGHT, left=LEFT))
        assert sides(after) == ["right", "left"]
        for old, new in zip(before.hands, after.hands, strict=True):
            assert new.joints_px == pytest.approx(old.joints_px, abs=2)
        assert after.part_labels is not None
        assert before.part_labels is not None
        assert (after.part_labels != before.part_labels).mean() < 0.03


def test_joints_are_as_sure_as_their_hands_names() -> None:
    """What the network says of a joint takes its hand's name for granted; the names are doubted while it errs."""
    backend = Flipping()
    pipeline = Pipeline(Settings(), backend, InTurn(ColourDetector()))
    known = [pipeline(frame(i, right=RIGHT, left=LEFT)) for i in range(8)][-1]
    said = backend(known.frame.image[:, :256]).confidence.max()
    assert said > 0.8
    backend.flips = True
    doubted = pipeline(frame(8, right=RIGHT, left=LEFT))
    assert sides(doubted) == ["right", "left"]
    for sure, unsure in zip(known.hands, doubted.hands, strict=True):
        assert 0.95 * said < sure.confidence.min() < said
        assert unsure.confidence.max() < sure.confidence.min()
    for hand, raw in zip(doubted.hands, doubted.hands_raw, strict=True):
        assert np.array_equal(hand.confidence, raw.confidence)


def test_smoothing_is_a_toggle() -> None:
    pipeline = Pipeline(Settings(smooth=True), ColourBackend(), InTurn(ColourDetector()))
    for i in range(3):
        scene = pipeline(frame(i, right=(RIGHT[0] + 9 * i, RIGHT[1])))
    assert np.abs(scene.hands[0].joints_px - scene.hands_raw[0].joints_px).max() > 0.5
    pipeline.settings = replace(pipeline.settings, smooth=False)
    scene = pipeline(frame(3, right=RIGHT))
    assert scene.hands == scene.hands_raw


def test_the_same_frames_give_the_same_scenes() -> None:
    runs = []
    for _ in range(2):
        pipeline = Pipeline(Settings(), ColourBackend(), InTurn(ColourDetector()))
        runs.append([pipeline(frame(i, right=(110 + 3 * i, 90), left=LEFT)) for i in range(6)])
    for one, other in zip(*runs, strict=True):
        for hand, same in zip(one.hands, other.hands, strict=True):
            assert (hand.joints_mm == same.joints_mm).all()


def test_a_live_scene_does_not_wait_for_the_next_frame() -> None:
    pipeline = Pipeline(Settings(), ColourBackend(), InTurn(ColourDetector()))
    asked: list[int] = []

    def live() -> Generator[Frame | None]:
        for index in (0, None, None, 1, 2):
            asked.append(len(asked))
            yield None if index is None else frame(index, right=RIGHT)

    scenes = [(scene.frame.index, len(asked)) for scene in pipeline.scenes_in_turn(live())]
    assert scenes == [(0, 2), (1, 5), (2, 5)]


def test_close_closes_both() -> None:
    backend, detector = ColourBackend(), ColourDetector()
    Pipeline(Settings(), backend, InTurn(detector)).close()
    assert backend.closed
    assert detector.closed


def test_swapping_the_sides_twice_is_nothing() -> None:
    prediction = ColourBackend()(draw_hands(256, 256, right=(80, 128), left=(180, 128)))
    right, left = (np.where(prediction.part_labels == FIRST_PART[side], FIRST_PART[side], 0) for side in SIDES)
    own_crops = (SeenCrop(np.eye(2, 3), right), SeenCrop(2 * np.eye(2, 3), left))
    other = with_sides_swapped(Answer(prediction, own_crops))
    assert [seen.image_from_crop[0, 0] for seen in other.own_crops] == [2, 1]
    assert set(np.unique(other.own_crops[0].part_labels)) == {0, FIRST_PART["right"]}
    answer = with_sides_swapped(other)
    for seen, before in zip(answer.own_crops, own_crops, strict=True):
        assert (seen.part_labels == before.part_labels).all()
        assert (seen.image_from_crop == before.image_from_crop).all()
    back = answer.prediction
    assert (back.joints_2p5d == prediction.joints_2p5d).all()
    assert (back.part_labels == prediction.part_labels).all()
    assert (back.handedness == prediction.handedness).all()


def test_two_calm_hands_are_looked_at_seldom() -> None:
    detector = ColourDetector()
    pipeline = Pipeline(Settings(), ColourBackend(), InTurn(detector))
    grain = np.random.default_rng(0).integers(0, 25, (180, 320, 3), np.uint8)  # flat discs cannot be followed

    def grainy(index: int, **centres: tuple[float, float]) -> Frame:
        flat = frame(index, **centres)
        return replace(flat, image=flat.image + grain)

    scenes = [pipeline(grainy(i, right=RIGHT, left=LEFT)) for i in range(1 + 5 * LOOK_EVERY_CALM)]
    assert all(len(scene.hands) == 2 for scene in scenes)
    assert detector.looks == 6
    pipeline(grainy(30, right=RIGHT))
    looked = detector.looks
    for i in range(LEAVE_FRAMES - 1):  # one hand goes: the next looks come at once
        assert len(pipeline(grainy(31 + i, right=RIGHT)).hands) == (2 if i < LEAVE_FRAMES - 2 else 1)
    assert detector.looks == looked + LEAVE_FRAMES - 1


FRAMES = 1 + LOOK_EVERY_CALM + LOOK_EVERY_CALM // 2


@pytest.mark.parametrize(("followed", "looks"), [(1.0, 2), (FOLLOWED_WELL, 2), (0.99 * FOLLOWED_WELL, FRAMES)])
def test_a_hand_that_is_lost_in_the_picture_is_looked_at_at_once(
    followed: float, looks: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    detector = ColourDetector()
    pipeline = Pipeline(Settings(), ColourBackend(), InTurn(detector))
    monkeypatch.setattr(Carrier, "found", property(lambda _: followed, lambda *_: None), raising=False)
    for i in range(FRAMES):
        pipeline(frame(i, right=RIGHT, left=LEFT))
    assert detector.looks == looks


def test_one_calm_hand_is_looked_at_seldom_and_a_second_one_found_soon() -> None:
    detector = ColourDetector()
    pipeline = Pipeline(Settings(), ColourBackend(), InTurn(detector))
    grain = np.random.default_rng(0).integers(0, 25, (180, 320, 3), np.uint8)  # flat discs cannot be followed

    def grainy(index: int, **centres: tuple[float, float]) -> Frame:
        flat = frame(index, **centres)
        return replace(flat, image=flat.image + grain)

    for i in range(1 + 5 * LOOK_EVERY_ALONE):
        assert sides(pipeline(grainy(i, right=(40, 90)))) == ["right"]
    assert detector.looks == 6
    later = range(30, 30 + LOOK_EVERY_ALONE + ENTER_FRAMES)
    scenes = [pipeline(grainy(i, right=(40, 90), left=(280, 90))) for i in later]
    assert sides(scenes[-1]) == ["right", "left"]


def test_quick_hands_are_looked_at_often() -> None:
    detector = ColourDetector()
    pipeline = Pipeline(Settings(), ColourBackend(), InTurn(detector))
    for i in range(12):
        pipeline(frame(i, right=(60 + 12 * i, 90), left=(120 + 12 * i, 90)))
    assert detector.looks >= 2 * 12 / LOOK_EVERY_CALM


def test_the_landmarker_is_told_where_the_network_sees_hands() -> None:
    told: list[Whereabouts] = []

    class Told(ColourDetector):
        def __call__(self, frame: Frame, look: bool = True, near: Whereabouts = NOWHERE) -> Sighting | None:
            told.append(near)
            return super().__call__(frame, look, near)

    pipeline = Pipeline(Settings(), ColourBackend(), InTurn(Told()))
    for i in range(3):
        pipeline(frame(i, right=RIGHT, left=LEFT))
    pipeline(frame(3))
    for i in range(4, 5 + LEAVE_FRAMES):
        pipeline(frame(i))
    assert told[0].guesses == ()
    assert [guess.side for guess in told[2].guesses] == ["right", "left"]
    for guess, place in zip(told[2].guesses, (RIGHT, LEFT), strict=True):
        assert guess.joints_px.mean(axis=0) == pytest.approx(place, abs=6)
    assert told[-1].guesses == ()


def test_agreed() -> None:
    detector = ColourDetector()
    sighting = detector(frame(0, right=RIGHT, left=LEFT))
    assert sighting is not None
    right, left = sighting.detections
    hands_px = np.stack([right.joints_px, left.joints_px])
    assert agreed((right, left), hands_px)
    assert agreed((left, right), hands_px)
    assert agreed((right,), hands_px[:1])
    assert not agreed((right,), hands_px)
    assert not agreed((right,), hands_px[1:])
    assert not agreed((right, left), hands_px[:1])
    assert not agreed((right, left), hands_px[[0, 0]])
    assert not agreed((), hands_px[:0])
