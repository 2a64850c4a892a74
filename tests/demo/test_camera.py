"""Cameras that do what cameras do, made up; and the computer's own list."""

import threading
from collections.abc import Callable
from contextlib import closing
from itertools import islice

import numpy as np
import pytest

from demo.camera import Camera, cameras
from digit.errors import UserError

PICTURE = np.full((8, 8, 3), (1, 2, 3), np.uint8)  # BGR


class FakeCapture:
    """Gives ``pictures`` frames, then fails, or hangs until it is released."""

    def __init__(self, pictures: int, then: str = "fail", opened: bool = True) -> None:
        self.left, self.then, self.opened = pictures, then, opened
        self.let_go = threading.Event()
        self.released = threading.Event()

    def isOpened(self) -> bool:
        return self.opened

    def read(self) -> tuple[bool, np.ndarray | None]:
        if self.left > 0:
            self.left -= 1
            return True, PICTURE.copy()
        if self.then == "hang":
            self.let_go.wait(30)
        return False, None

    def release(self) -> None:
        self.released.set()


def opener(capture: FakeCapture) -> Callable[[int], FakeCapture]:
    return lambda index: capture


def test_rgb_frames_until_it_is_closed() -> None:
    capture = FakeCapture(10**9)
    camera = Camera(0, opener(capture))
    with closing(camera):
        frames = list(islice(camera, 3))
    assert frames[0].image[0, 0].tolist() == [3, 2, 1]
    assert frames[0].time_ns < frames[1].time_ns < frames[2].time_ns
    assert capture.released.is_set()


def test_as_they_come_there_is_none_while_the_next_picture_is_not_there() -> None:
    capture = FakeCapture(1, then="hang")
    with closing(Camera(0, opener(capture), watchdog_s=30)) as camera:
        frames = camera.as_they_come()
        assert next(frames) is not None
        assert next(frames) is None
        capture.let_go.set()
        with pytest.raises(UserError, match="stopped giving pictures"):
            next(frames)


@pytest.mark.parametrize("pictures", [0, 1])
def test_a_camera_that_hangs_is_told_and_does_not_hang_the_loop(pictures: int) -> None:
    capture = FakeCapture(pictures, then="hang")
    camera = Camera(4, opener(capture), watchdog_s=0.05)
    with pytest.raises(UserError, match=r"Camera 4 gave no picture for 0\.05 s"):
        list(camera)
    capture.let_go.set()
    camera.close()
    assert capture.released.wait(5)


def test_a_camera_that_hangs_while_it_opens() -> None:
    let_go = threading.Event()

    def open_capture(index: int) -> FakeCapture:
        let_go.wait(30)
        return FakeCapture(0)

    camera = Camera(0, open_capture, watchdog_s=0.05)
    with pytest.raises(UserError, match="gave no picture"):
        list(camera)
    let_go.set()
    camera.close()


def test_a_camera_that_vanishes() -> None:
    capture = FakeCapture(3)
    with (
        closing(Camera(1, opener(capture))) as camera,
        pytest.raises(UserError, match="Camera 1 stopped giving pictures"),
    ):
        list(camera)
    assert capture.released.is_set()


def test_no_such_camera() -> None:
    capture = FakeCapture(0, opened=False)
    with closing(Camera(7, opener(capture))) as camera, pytest.raises(UserError, match="Camera 7 cannot be opened"):
        list(camera)
    with closing(Camera(98)) as camera, pytest.raises(UserError, match="Camera 98 cannot be opened"):
        list(camera)


def test_stop_from_another_thread_ends_the_iteration() -> None:
    capture = FakeCapture(1, then="hang")
    camera = Camera(0, opener(capture), watchdog_s=30)
    stopper = threading.Timer(0.05, camera.stop)
    stopper.start()
    assert len(list(camera)) <= 1
    stopper.join()
    capture.let_go.set()
    camera.close()


def test_the_list_of_cameras_may_be_empty() -> None:
    assert all(isinstance(index, int) and name for index, name in cameras())
