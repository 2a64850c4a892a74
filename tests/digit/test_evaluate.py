"""The evaluation on made-up annotations with a fake network and landmarker; the clip figures on made-up tracks."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from digit import evaluate
from digit.errors import UserError
from digit.evaluation import clips
from digit.evaluation.annotations import Annotation, read_annotations
from digit.evaluation.photographs import landmarker_result, measure_network, network_result, summary
from digit.geometry import affine_from_bbox, axis_of, invert_affine, joints_2p5d_from_3d, project, square_bbox
from digit.landmarker import HandLandmarks
from digit.prediction import DepthAxis, Prediction
from digit.skeleton import SLOTS
from launcher import parser

K = np.array([[400.0, 0.0, 160.0], [0.0, 400.0, 120.0], [0.0, 0.0, 1.0]])
SHIFT_PX = 3.0


def hand_mm(centre: tuple[float, float, float], seed: int) -> np.ndarray:
    return np.array(centre) + np.random.default_rng(seed).uniform(-40, 40, (21, 3))


def row(image: str, side: str) -> dict[str, object]:
    joints_mm = np.concatenate([hand_mm((-60, 0, 500), 1), hand_mm((60, 10, 540), 2)])
    valid = np.zeros(42)
    for name in ("right", "left") if side == "interacting" else ("right",) if side == "unknown" else (side,):
        valid[SLOTS[name]] = 1
    joints_px = project(joints_mm, K)
    low, high = joints_px[valid > 0].min(axis=0), joints_px[valid > 0].max(axis=0)
    return {
        "image": image,
        "K": K.tolist(),
        "side": side,
        "joints_mm": joints_mm.tolist(),
        "joints_px": joints_px.tolist(),
        "joint_valid": valid.tolist(),
        "bbox_xywh": [*low, *(high - low)],
    }


@pytest.fixture
def annotations_path(tmp_path: Path) -> Path:
    rows = [
        row("images/webcam/0.png", "left"),
        row("images/webcam/1.png", "right"),
        row("images/studio/2.png", "interacting"),
        row("images/other/3.png", "unknown") | {"K": None, "joints_mm": None},
    ]
    for r in rows:
        image_path = tmp_path / str(r["image"])
        image_path.parent.mkdir(parents=True, exist_ok=True)
        assert cv2.imwrite(str(image_path), np.full((240, 320, 3), 90, np.uint8))
    path = tmp_path / "annotations.jsonl"
    path.write_text("".join(json.dumps(r) + "\n" for r in rows), encoding="utf-8")
    return path


def prediction_for(
    annotation: Annotation, shift_px: float = 0.0, swapped: bool = False, depth_axis: DepthAxis = "camera"
) -> Prediction:
    """What a network would answer that is off by ``shift_px`` of the photograph in x."""
    crop_from_image = affine_from_bbox(square_bbox(annotation.bbox))
    joints_mm = np.concatenate([hand_mm((-60, 0, 500), 1), hand_mm((60, 10, 540), 2)])
    axis = axis_of(depth_axis, invert_affine(crop_from_image), K)
    joints_2p5d, _ = joints_2p5d_from_3d(joints_mm, crop_from_image, K, axis)
    joints_2p5d[:, 0] += shift_px * crop_from_image[0, 0]
    if swapped:
        joints_2p5d = np.roll(joints_2p5d, 21, axis=0)
    truth = annotation.handedness
    return Prediction(
        joints_2p5d=joints_2p5d,
        confidence=np.ones(42, np.float32),
        part_labels=np.zeros((128, 128), np.uint8),
        handedness=np.array([1.0, 0.0]) if truth is None else truth.astype(np.float32),
        root_depth_mm=float((joints_mm[41] - joints_mm[20]) @ axis),
        depth_axis=depth_axis,
    )


class FakeBackend:
    """Answers the annotations in turn, each off by SHIFT_PX, and keeps what it was given."""

    def __init__(self, annotations: Sequence[Annotation]) -> None:
        self.answers = [prediction_for(annotation, SHIFT_PX) for annotation in annotations]
        self.crops: list[np.ndarray] = []
        self.priors: list[np.ndarray | None] = []
        self.closed = False

    def __call__(self, crop: np.ndarray, prior: np.ndarray | None = None) -> Prediction:
        self.crops.append(crop)
        self.priors.append(prior)
        return self.answers[len(self.crops) - 1]

    def close(self) -> None:
        self.closed = True


def longer_side(annotation: Annotation) -> float:
    return max(annotation.bbox[2:])


def seen_hand(joints_px: np.ndarray, side: str = "right") -> HandLandmarks:
    assert side in ("right", "left")
    return HandLandmarks(side, 0.9, joints_px, np.zeros((21, 3), np.float32))


@pytest.mark.parametrize("depth_axis", ["camera", "crop"])
def test_perfect_answer_has_no_error(annotations_path: Path, depth_axis: DepthAxis) -> None:
    for annotation in read_annotations(annotations_path):
        image_from_crop = invert_affine(affine_from_bbox(square_bbox(annotation.bbox)))
        result = network_result(annotation, prediction_for(annotation, depth_axis=depth_axis), image_from_crop)
        for hand in result.hands:
            assert np.nanmax(hand.errors_px) == pytest.approx(0.0, abs=1e-6)
            if annotation.joints_mm is not None:
                assert np.nanmax(hand.errors_mm) == pytest.approx(0.0, abs=1e-6)


def test_summary_by_hand(annotations_path: Path) -> None:
    annotations = read_annotations(annotations_path)
    backend = FakeBackend(annotations)
    figures = summary(measure_network(annotations, backend, see_hands=None))
    sets = figures["sets"]
    assert isinstance(sets, dict)
    assert set(sets) == {"webcam", "studio_interacting", "other"}
    assert [sets[name]["hands"] for name in ("webcam", "studio_interacting", "other")] == [2, 2, 1]
    expected = np.mean([SHIFT_PX / longer_side(a) for a in annotations[:2]])
    assert sets["webcam"]["nme_mean"] == pytest.approx(expected, abs=1e-4)
    assert sets["webcam"]["nme_median"] == pytest.approx(expected, abs=1e-4)
    assert sets["webcam"]["pck_0.1"] == 1.0
    # 3 px at about 0.5 m and 400 px of focal length move all joints nearly alike: the wrist-relative error stays small.
    assert 0.0 < sets["webcam"]["mpjpe_mm"] < 1.0
    assert sets["other"]["mpjpe_mm"] is None
    assert figures["handedness_accuracy"] == 1.0
    assert all(crop.shape == (256, 256, 3) and crop.dtype == np.uint8 for crop in backend.crops)


def test_unknown_side_takes_the_nearer_hand(annotations_path: Path) -> None:
    unknown = read_annotations(annotations_path)[3]
    image_from_crop = invert_affine(affine_from_bbox(square_bbox(unknown.bbox)))
    result = network_result(unknown, prediction_for(unknown, swapped=True), image_from_crop)
    assert np.nanmax(result.hands[0].errors_px) == pytest.approx(0.0, abs=1e-6)
    assert result.handedness_truth is None


def test_a_hand_of_unknown_side_has_the_given_depth_whichever_answer_is_taken(annotations_path: Path) -> None:
    """The relative depth between two hands says nothing about the one that is there."""
    unknown = replace(read_annotations(annotations_path)[1], side="unknown")
    image_from_crop = invert_affine(affine_from_bbox(square_bbox(unknown.bbox)))
    result = network_result(unknown, prediction_for(unknown, swapped=True), image_from_crop)
    assert np.nanmax(result.hands[0].errors_mm) == pytest.approx(0.0, abs=1e-6)


def test_known_side_does_not(annotations_path: Path) -> None:
    known = read_annotations(annotations_path)[0]
    image_from_crop = invert_affine(affine_from_bbox(square_bbox(known.bbox)))
    result = network_result(known, prediction_for(known, swapped=True), image_from_crop)
    assert np.nanmean(result.hands[0].errors_px) > 20


def test_network_gets_the_landmark_prior_in_crop_pixels(annotations_path: Path) -> None:
    annotations = read_annotations(annotations_path)[:1]
    backend = FakeBackend(annotations)
    seen = [seen_hand(annotations[0].joints_px[SLOTS["left"]], "left")]
    measure_network(annotations, backend, lambda _: seen)
    prior = backend.priors[0]
    assert prior is not None
    assert prior[SLOTS["right"]].any() is np.False_
    assert (prior[SLOTS["left"], 3] == 1).all()
    low, high = prior[SLOTS["left"], :2].min(axis=0), prior[SLOTS["left"], :2].max(axis=0)
    assert (low + high) / 2 == pytest.approx([128, 128], abs=1e-3)
    assert max(high - low) == pytest.approx(256 / 1.25, abs=1e-3)


def test_each_seen_hand_answers_once(annotations_path: Path) -> None:
    interacting = read_annotations(annotations_path)[2]
    near_left = seen_hand(interacting.joints_px[SLOTS["left"]] + 2.0, "right")
    result = landmarker_result(interacting, [near_left])
    assert [hand.found for hand in result.hands] == [False, True]
    assert np.nanmean(result.hands[1].errors_px) == pytest.approx(2.0 * np.sqrt(2))
    assert result.handedness.tolist() == [1.0, 0.0]
    assert [hand.found for hand in landmarker_result(interacting, []).hands] == [False, False]


def test_command_prints_one_line_of_json(
    annotations_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    backend = FakeBackend(read_annotations(annotations_path))
    monkeypatch.setattr(evaluate, "load", lambda *_: backend)
    assert evaluate.main(["--annotations", str(annotations_path), "--prior", "none", "--json"]) == 0
    out = capsys.readouterr().out
    assert out.count("\n") == 1
    figures = json.loads(out)
    assert set(figures) == {"sets", "handedness_accuracy"}
    assert {"hands", "nme_median", "nme_mean", "pck_0.1", "mpjpe_mm"} <= set(figures["sets"]["webcam"])
    assert backend.priors == [None] * 4
    assert backend.closed


def test_command_prints_a_table(
    annotations_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    backend = FakeBackend(read_annotations(annotations_path))
    monkeypatch.setattr(evaluate, "load", lambda *_: backend)
    assert evaluate.main(["--annotations", str(annotations_path), "--prior", "none"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["hands", "found", "nme_median", "nme_mean", "pck_0.1", "mpjpe_mm"]
    assert [line.split()[0] for line in lines[1:]] == ["other", "studio_interacting", "webcam", "handedness"]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{}", "'side'"),
        ("not json", "Expecting value"),
        (json.dumps(row("a.png", "left") | {"side": "both"}), "side 'both'"),
        (json.dumps(row("a.png", "left") | {"joints_px": [[1, 2]]}), "shape"),
        (json.dumps(row("a.png", "left") | {"bbox_xywh": [0, 0, 0, 0]}), "a box needs a finite, positive size"),
        (json.dumps(row("a.png", "left") | {"joint_valid": [0] * 42}), "names no joint as valid"),
        ("", "holds no annotations"),
    ],
)
def test_bad_annotations_end_in_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], line: str, reason: str
) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_text(line + "\n", encoding="utf-8")
    assert evaluate.main(["--annotations", str(path), "--prior", "none"]) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("error: ")
    assert reason in error


def test_missing_files_end_in_one_sentence(annotations_path: Path) -> None:
    with pytest.raises(UserError, match="Cannot read the annotations"):
        read_annotations(annotations_path.with_name("none.jsonl"))
    annotations = read_annotations(annotations_path)
    annotations[1].image_path.write_bytes(b"no picture")
    with pytest.raises(UserError, match=r"Cannot read the picture .*1\.png"):
        measure_network(annotations, FakeBackend(annotations), None)
    with pytest.raises(UserError, match="holds no video"):
        clips.clip_paths(annotations_path.parent / "images")


def tracks(*frames: tuple[float | None, float | None]) -> np.ndarray:
    """Frames as the x of the right and left hand's centre; None is no hand. A hand is 20 px wide."""
    shape = np.stack([np.linspace(-10, 10, 21), np.zeros(21)], axis=-1)
    out = np.full((len(frames), 2, 21, 2), np.nan)
    for f, frame in enumerate(frames):
        for k, x in enumerate(frame):
            if x is not None:
                out[f, k] = shape + np.array([x, 0.0])
    return out


def test_swaps_by_hand() -> None:
    assert clips.count_swaps(tracks((0, 100), (1, 99), (2, 101))) == 0
    assert clips.count_swaps(tracks((0, 100), (100, 0), (0, 100))) == 2
    assert clips.count_swaps(tracks((0, None), (None, 2))) == 1  # the same place, another side
    assert clips.count_swaps(tracks((0, None), (None, 90))) == 0  # another hand
    assert clips.count_swaps(tracks((0, 100), (None, None), (100, 0))) == 0  # gone in between: nothing to compare with


def test_middles_of_hands_on_each_other_change_places_and_no_joint_does() -> None:
    crossed = tracks((0, 2), (2, 0))
    for frame in crossed:
        frame[1] = frame[1, :, ::-1]  # the left hand stands upright
    assert clips.count_swaps(crossed) == 1
    assert clips.count_swaps(crossed, by_joints=True) == 0
    for real in (((0, 100), (100, 0), (0, 100)), ((0, None), (None, 2))):
        assert clips.count_swaps(tracks(*real), by_joints=True) == clips.count_swaps(tracks(*real)) > 0


def test_clip_figures_by_hand() -> None:
    loop = tracks((0, 100), (0, 100), (None, 100), (0, 100))
    at = [tracks((x, None))[0, 0] for x in (1.0, 102.0)]
    seen = [[seen_hand(at[0]), seen_hand(at[1])], [seen_hand(at[0])], [], []]
    figures = clips.clip_figures(loop, seen)
    assert figures == {
        "frames": 4,
        "two_hand_share": 0.75,
        "mediapipe_two_hand_share": 0.25,
        "swaps_per_1000": 0.0,
        "joint_swaps_per_1000": 0.0,
        "mediapipe_distance": 0.05,  # 1, 2 and 1 px over 20 px
        "jitter": 0.0,
        "left_on_left_share": 0.0,
    }
    assert clips.clip_figures(tracks((100, 0), (0, 100), (None, 0), (60, 10)), [])["left_on_left_share"] == 0.6667


def test_jitter_by_hand() -> None:
    assert clips.jitter(tracks((0, None), (1, None), (2, None), (3, None))) == pytest.approx(0.0)
    assert clips.jitter(tracks((0, None), (1, None), (0, None))) == pytest.approx(2 / 20)
    assert clips.jitter(tracks((None, None), (None, None))) is None


def test_total_weighs_by_frames() -> None:
    first = {"frames": 10, "two_hand_share": 1.0, "jitter": None}
    second = {"frames": 30, "two_hand_share": 0.5, "jitter": 0.25}
    assert clips.total_of_clips([first, second]) == {"frames": 40, "two_hand_share": 0.625, "jitter": 0.25}


def test_clips_with_and_without_a_truth(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    bare, known = {"frames": 10, "jitter": 0.5}, {"frames": 30, "jitter": 0.5, "nme": 0.25}
    for clips_figures in ([bare, known], [known, bare]):
        assert clips.total_of_clips(clips_figures) == {"frames": 40, "jitter": 0.5, "nme": 0.25}
    for name in ("a.mp4", "b.mp4"):
        (tmp_path / name).touch()
    monkeypatch.setattr("digit.evaluate.measure_clip", lambda path, *_: bare if path.stem == "a" else known)
    assert evaluate.main(["--clips", str(tmp_path)]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines == [["frames", "jitter", "nme"], ["a.mp4", "10", "0.5", "-"], ["b.mp4", "30", "0.5", "0.25"],
                     ["all", "40", "0.5", "0.25"]]  # fmt: skip


def test_true_hands_are_counted_where_there_is_a_truth() -> None:
    loop = tracks((0, 100), (0, 100), (0, 100))
    sure = np.ones((3, 2, 21))
    assert clips.truth_figures(loop, sure, loop[:1])["found_share"] == 1.0
    one = tracks((0, None), (None, 100), (None, 0))
    figures = clips.truth_figures(tracks((0, None), (100, None), (None, None)), sure, one)
    assert (figures["found_share"], figures["sides_right"]) == (0.6667, 0.5)


def test_a_truth_of_another_shape_is_one_sentence(tmp_path: Path) -> None:
    np.savez(tmp_path / "clip.npz", joints_px=np.zeros((5, 42, 2)))
    with pytest.raises(UserError, match=r"Cannot read the truth .*\(5, 42, 2\)"):
        clips.read_truth(tmp_path / "clip.mp4")


def test_failing_loop_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "launcher.py").write_text(
        "import sys\nprint('error: the video is broken', file=sys.stderr)\nsys.exit(2)\n", encoding="utf-8"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(UserError, match=r"failed on clip\.mp4: the video is broken"):
        clips.run_loop(tmp_path / "clip.mp4", tmp_path / "out", [], None)


def test_clips_are_played_as_the_options_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    (tmp_path / "clip.mp4").touch()
    asked: list[list[str]] = []

    def measure(path: Path, launcher_options: list[str], hand_model: object, max_frames: object) -> dict[str, int]:
        asked.append(launcher_options)
        return {"frames": 1}

    monkeypatch.setattr("digit.evaluate.measure_clip", measure)
    for options in ([], ["--as-live", "--prior", "none"]):
        assert evaluate.main(["--clips", str(tmp_path), "--json", *options]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[0])["all"] == {"frames": 1}
    plain, live = asked
    assert "--prior" in plain and "--as-live" not in plain
    assert "--no-prior" in live and "--as-live" in live
    for launcher_options in asked:
        arguments = parser().parse_args(["--headless", *launcher_options])
        assert arguments.as_live == ("--as-live" in launcher_options)
