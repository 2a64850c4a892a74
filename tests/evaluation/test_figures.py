"""The drawn figures: each panel shows what it says, seen in its pixels; whole pages are written."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from digit.errors import UserError
from digit.evaluation import drawing, figures
from digit.evaluation.figures import choose, choose_worst, draw_all, examples, joint_number
from digit.interhand import Index
from digit.internet import InterNetOutput
from digit.skeleton import PART_CLASSES
from tests.evaluation.oracle import Oracle


def drawn(draw, size: int = 256) -> np.ndarray:
    """(size, size, 3) uint8 RGB of one panel that fills a figure."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(size / 100, size / 100), dpi=100)
    canvas = FigureCanvasAgg(figure)
    draw(figure.add_axes((0, 0, 1, 1)))
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3]


GREY = np.full((256, 256, 3), 90, np.uint8)


def test_a_heatmap_is_bright_where_it_is_and_marked_where_it_should_be() -> None:
    heat = np.zeros((64, 64), np.float32)
    heat[40, 10] = 1.0
    panel = drawn(lambda axes: drawing.heatmap(axes, GREY, heat, np.array([200.0, 60.0]), np.array([60.0, 200.0])))
    assert panel[160, 40].astype(int).sum() > panel[120, 120].astype(int).sum() + 150  # cell 4 i lies at pixel 4 i
    assert panel[60, 200].tolist() == [0, 255, 255], "a cyan plus"
    assert panel[200, 60].tolist() == [0, 255, 0], "a lime cross"
    below_plus, below_cross = panel[60 + 4, 200], panel[200 + 4, 60]
    assert below_plus[1] > 150 > below_plus[0] and below_cross[1] < 150, "one stands upright, the other does not"


def test_keypoints_lie_on_their_pixels_and_right_is_darker() -> None:
    joints = np.zeros((42, 2))
    joints[[20, 3], :] = [[40, 200], [40, 100]]
    joints[[41, 24], :] = [[200, 200], [200, 100]]
    shown = np.isin(np.arange(42), [20, 3, 41, 24])
    panel = drawn(lambda axes: drawing.keypoints(axes, GREY, joints, shown))
    right, left = panel[150, 40].astype(int), panel[150, 200].astype(int)
    assert right.max() < left.max() - 50 and np.abs(panel[150, 120].astype(int) - 90).max() <= 1
    hidden = drawn(lambda axes: drawing.keypoints(axes, GREY, joints, np.zeros(42, bool)))
    assert np.abs(hidden.astype(int) - 90).max() <= 1


def test_parts_have_colours_of_their_own() -> None:
    colours = drawing.part_colours()
    assert len({tuple(c) for c in colours}) == PART_CLASSES
    assert (colours[1:17].max(axis=1) < colours[17:].max(axis=1)).all(), "right hands are darker"
    labels = np.zeros((128, 128), np.uint8)
    labels[:64] = 20
    panel = drawn(lambda axes: drawing.parts(axes, GREY, labels))
    assert np.abs(panel[200, 128].astype(int) - 90).max() <= 1
    assert np.abs(panel[60, 128] - (0.25 * 90 + 0.75 * colours[20])).max() <= 2


def test_joint_names() -> None:
    assert drawing.joint_name(joint_number("left ring3")) == "left ring3"
    assert joint_number("right wrist") == 20
    with pytest.raises(UserError, match="no joint 'ring3'"):
        joint_number("ring3")


def test_pictures_are_chosen_evenly_and_with_two_whole_hands(index: Index) -> None:
    assert choose(index, 8).tolist() == [0, 1]
    single = index.take(np.array([2, 3]))
    assert choose(single, 1).tolist() == [0]


def test_pictures_without_a_known_joint_are_not_chosen(index: Index) -> None:
    none = replace(index, joint_valid=index.joint_valid & (np.arange(4) == 3)[:, None])
    assert choose(none, 8).tolist() == [3]
    with pytest.raises(UserError, match="No picture of the set has a known joint"):
        choose(replace(index, joint_valid=np.zeros_like(index.joint_valid)), 8)


def test_examples_see_what_the_tables_see(index: Index) -> None:
    """The landmarker's prior and the true root depths, where they are asked for."""
    seen: list[tuple[int, ...]] = []

    def see_hands(image: np.ndarray):
        seen.append(image.shape)
        return ()

    wrong = replace(index, rootnet_mm=np.full_like(index.rootnet_mm, 9000.0))
    deep, true = (
        examples([Oracle(index)], wrong, None, "cpu", see_hands, source)[0].answers[0] for source in (None, "true")
    )
    assert len(seen) == 2 * len(index)
    assert deep.joints_mm[20, 2] == pytest.approx(9000) and true.joints_mm[20, 2] < 1000


def test_the_worst_pictures_come_first() -> None:
    assert choose_worst(np.array([3.0, np.nan, 9.0, 1.0, 9.0]), 3).tolist() == [2, 4, 0]
    assert choose_worst(np.array([np.nan, 2.0]), 5).tolist() == [1]


def test_examples_hold_truth_and_answers(index: Index) -> None:
    first = examples([Oracle(index), Oracle(index, parts=False)], index, joint=None)
    assert len(first) == 4
    for example in first:
        for answer in example.answers:
            shown = example.there
            np.testing.assert_allclose(answer.joints_2p5d[shown, :2], example.truth_px[shown], atol=0.05)
            np.testing.assert_allclose(answer.joints_mm[shown], example.sample.joints_mm[shown], atol=0.1)
            np.testing.assert_allclose(answer.heatmaps.sum(axis=(1, 2)), 1, atol=1e-4)
            np.testing.assert_array_equal(example.predicted(answer), np.repeat(example.sample.hands, 21))
        assert example.answers[0].labels is not None and example.answers[1].labels is None
        assert example.there[example.joint]
    assert examples([Oracle(index)], index, joint=33)[2].joint == 33


def test_volumetric_heatmaps_are_summed_over_depth() -> None:
    """Two peaks at different depths of one cell count twice as much as one elsewhere."""
    volume = torch.zeros(1, 42, 8, 64, 64)
    volume[0, 5, 2, 10, 20] = volume[0, 5, 6, 10, 20] = volume[0, 5, 3, 40, 50] = 255.0
    heat = figures.heatmaps_2d(InterNetOutput(volume, torch.zeros(1, 64), torch.zeros(1, 2)))
    assert heat.shape == (1, 42, 64, 64)
    assert heat[0, 5, 10, 20] == pytest.approx(2 / 3) and heat[0, 5, 40, 50] == pytest.approx(1 / 3)
    assert np.isfinite(heat).all()


def test_a_folder_that_cannot_be_written(index: Index, tmp_path: Path) -> None:
    shown = examples([Oracle(index)], index, joint=None)
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="cannot be written"):
        draw_all(tmp_path / "file", shown, ["oracle"], [])
