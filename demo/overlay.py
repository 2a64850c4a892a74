"""The one painter: screen, export and golden pictures are drawn here."""

import cv2
import numpy as np

from demo.crop import crop_from_cells
from demo.palette import CROP_RGB, JOINT_RGB, PART_RGB
from demo.records import Hand, Scene
from demo.settings import OverlayOptions
from digit.prediction import CROP_SIZE
from digit.skeleton import BACKGROUND, BONES, SLOTS

#: A joint below this confidence is rather wrong than right (`digit.calibration`); it and its bones are painted faintly.
FAINT_BELOW = 0.5
FAINT_OPACITY = 0.35
#: OpenCV draws at sixteenths of a pixel.
_SUBPIXEL_BITS = 4


def paint(image: np.ndarray, scene: Scene, options: OverlayOptions | None = None) -> np.ndarray:
    """A copy of the (H, W, 3) uint8 RGB picture with the scene drawn over it, in the same orientation."""
    options = options or OverlayOptions()
    painted = np.array(image, order="C")
    # Where no hand was believed, parts are a face or a shirt.
    for seen in scene.seen_crops if options.parts and scene.hands else ():
        _paint_parts(painted, seen.part_labels, seen.image_from_crop, options.opacity)
    # So thick that it looks alike on every camera.
    thickness = max(1, round(image.shape[0] / 300))
    for seen in scene.seen_crops if options.crop else ():
        outline = [_fixed_point(corner) for corner in crop_corners_px(seen.image_from_crop)]
        cv2.polylines(painted, [np.array(outline, np.int32)], True, CROP_RGB, thickness, cv2.LINE_AA, _SUBPIXEL_BITS)
    for hand in scene.hands:
        _paint_hand(painted, hand, thickness, options)
    return painted


def crop_corners_px(image_from_crop: np.ndarray) -> np.ndarray:
    """(4, 2) image pixels of the crop's outer corners, clockwise from the top left."""
    corners = np.array([[0, 0], [1, 0], [1, 1], [0, 1]]) * CROP_SIZE - 0.5
    return corners @ image_from_crop[:, :2].T + image_from_crop[:, 2]


def _paint_parts(image: np.ndarray, part_labels: np.ndarray, image_from_crop: np.ndarray, opacity: float) -> None:
    """Blend the parts' colours in place, within the crop's bounding box only."""
    corners_px = crop_corners_px(image_from_crop)
    height, width = image.shape[:2]
    left, top = np.clip(np.floor(corners_px.min(axis=0)).astype(int), 0, [width, height])
    right, bottom = np.clip(np.ceil(corners_px.max(axis=0)).astype(int) + 1, 0, [width, height])
    if left >= right or top >= bottom:
        return
    area_from_cell = image_from_crop @ crop_from_cells(len(part_labels)) - [[0, 0, left], [0, 0, top]]
    size = (int(right - left), int(bottom - top))
    # Colours and what they leave of the picture are both premultiplied, so that edges blend without a dark seam.
    colour = (PART_RGB * opacity).round().astype(np.uint8)[part_labels]
    rest = np.where(part_labels == BACKGROUND, 255, round(255 * (1 - opacity))).astype(np.uint8)
    colour = cv2.warpAffine(colour, area_from_cell, size, flags=cv2.INTER_LINEAR)
    rest = cv2.warpAffine(rest, area_from_cell, size, flags=cv2.INTER_LINEAR, borderValue=(255,))
    area = image[top:bottom, left:right]
    cv2.add(cv2.multiply(area, cv2.merge([rest, rest, rest]), scale=1 / 255), colour, dst=area)


def _paint_hand(image: np.ndarray, hand: Hand, thickness: int, options: OverlayOptions) -> None:
    """The uncertain joints and bones faintly, then the certain ones."""
    sure = hand.confidence >= FAINT_BELOW
    if not sure.all():
        area = _area(image, hand.joints_px, int(max(3.0, image.shape[0] / 160)) + thickness + 1)
        before = area.copy()
        _paint_joints(image, hand, thickness, options, sure, faint=True)
        cv2.addWeighted(area, FAINT_OPACITY, before, 1 - FAINT_OPACITY, 0, dst=area)
    _paint_joints(image, hand, thickness, options, sure, faint=False)


def _area(image: np.ndarray, points_px: np.ndarray, margin_px: int) -> np.ndarray:
    """A view of the picture around points (N, 2), at least a pixel of it."""
    height, width = image.shape[:2]
    low, high = (np.clip(np.nan_to_num(end(points_px, axis=0)), -1e6, 1e6) for end in (np.min, np.max))
    left, top = np.clip(np.floor(low).astype(int) - margin_px, 0, [width - 1, height - 1])
    right, bottom = np.clip(np.ceil(high).astype(int) + margin_px, [left + 1, top + 1], [width, height])
    return image[top:bottom, left:right]


def _paint_joints(
    image: np.ndarray, hand: Hand, thickness: int, options: OverlayOptions, sure: np.ndarray, faint: bool
) -> None:
    """Those of a hand that are sure, or the others. A bone is as sure as both its ends."""
    rgb = [tuple(int(value) for value in row) for row in JOINT_RGB[SLOTS[hand.side]]]
    points = [_fixed_point(joint) for joint in hand.joints_px]
    if options.bones:
        for child, parent in BONES:
            if (sure[child] and sure[parent]) != faint:
                cv2.line(image, points[child], points[parent], rgb[child], thickness, cv2.LINE_AA, _SUBPIXEL_BITS)
    if options.joints:
        radius = int(max(3.0, image.shape[0] / 160) * 2**_SUBPIXEL_BITS)
        for joint in np.flatnonzero(sure != faint):
            cv2.circle(image, points[joint], radius, (255, 255, 255), -1, cv2.LINE_AA, _SUBPIXEL_BITS)
            cv2.circle(image, points[joint], int(0.75 * radius), rgb[joint], -1, cv2.LINE_AA, _SUBPIXEL_BITS)


def _fixed_point(xy_px: np.ndarray) -> tuple[int, int]:
    """OpenCV's subpixel integers. Far outside points are pulled in, where its 32-bit arithmetic holds."""
    x, y = np.clip(np.nan_to_num(xy_px), -30_000, 30_000) * 2**_SUBPIXEL_BITS
    return round(float(x)), round(float(y))
