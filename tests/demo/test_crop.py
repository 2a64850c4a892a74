"""Boxes, crops and their affines."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from demo.crop import bbox_around, bbox_from_parts, crop_from_cells, cut, holds, whole_frame_bbox
from digit.geometry import affine_from_bbox, apply_affine, invert_affine
from tests.demo.scripted import ColourBackend, discs, draw_hands


@given(st.floats(-500, 2000), st.floats(-500, 2000), st.floats(8, 3000), st.floats(0, 255), st.floats(0, 255))
def test_crop_to_image_and_back(x: float, y: float, side: float, crop_x: float, crop_y: float) -> None:
    image_from_crop = invert_affine(affine_from_bbox([x, y, side, side]))
    point = np.array([crop_x, crop_y])
    back = apply_affine(affine_from_bbox([x, y, side, side]), apply_affine(image_from_crop, point))
    assert back == pytest.approx(point, abs=1e-6)


def test_a_disc_in_the_crop_is_the_disc_in_the_picture() -> None:
    image = draw_hands(240, 320, right=(210, 90))
    crop, image_from_crop = cut(image, np.array([150.0, 40, 110, 110]))
    assert crop.shape == (256, 256, 3)
    centre, _ = discs(crop)["right"]
    assert apply_affine(image_from_crop, centre) == pytest.approx([210, 90], abs=0.7)


def test_outside_the_picture_is_black() -> None:
    crop, _ = cut(np.full((100, 100, 3), 200, np.uint8), np.array([-50.0, 0, 100, 100]))
    assert (crop[:, :100] == 0).all()
    assert (crop[20:-20, 150:] == 200).all()


def test_the_whole_frame_fits() -> None:
    x, y, width, height = whole_frame_bbox(np.zeros((240, 320, 3), np.uint8))
    assert (x, width) == (-0.5, 320)
    assert (y, height) == (-40.5, 320)


def test_the_segmentation_of_the_whole_frame_finds_the_hands() -> None:
    image = draw_hands(240, 320, right=(210, 90), left=(120, 120))
    crop, image_from_crop = cut(image, whole_frame_bbox(image))
    bbox = bbox_from_parts(ColourBackend()(crop).part_labels, image_from_crop)
    assert bbox is not None
    assert bbox == pytest.approx(bbox_around(np.array([[96, 66], [234, 144]])), abs=10)
    assert bbox_from_parts(np.zeros((128, 128), np.uint8), image_from_crop) is None


def test_a_box_holds_what_is_in_it() -> None:
    box = np.array([10.0, 20, 30, 30])
    assert holds(box, np.array([10, 20]))
    assert not holds(box, np.array([40, 30]))
    assert not holds(box, np.array([20, 19]))


def test_the_outer_edges_of_the_cells_are_those_of_the_crop() -> None:
    for size in (64, 128, 256):
        first, last = (crop_from_cells(size) @ [at, at, 1] for at in (-0.5, size - 0.5))
        assert first.tolist() == [-0.5, -0.5, 1]
        assert last.tolist() == [255.5, 255.5, 1]
