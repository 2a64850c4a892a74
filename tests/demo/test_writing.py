"""Files behind the loop: every Scene in order, a slow file holds the loop up, and a fault reaches it."""

import threading

import pytest

from demo.writing import Writing
from tests.demo.recording.scenes import scenes


def test_every_scene_is_written_in_order_before_it_closes() -> None:
    made, written = scenes(5), []
    with Writing("test", written.append, queue_scenes=1) as writing:
        for scene in made:
            writing.put(scene)
    assert [a is b for a, b in zip(written, made, strict=True)] == [True] * 5


def test_a_slow_file_holds_the_loop_up() -> None:
    go_on, taken = threading.Event(), []

    def fill() -> None:
        with Writing("test", lambda _: go_on.wait(10), queue_scenes=1) as writing:
            for scene in scenes(4):
                writing.put(scene)
                taken.append(scene)

    loop = threading.Thread(target=fill)
    loop.start()
    loop.join(0.3)
    assert loop.is_alive() and len(taken) < 4
    go_on.set()
    loop.join(10)
    assert len(taken) == 4


@pytest.mark.parametrize("late", [False, True])
def test_a_fault_reaches_the_loop_and_nothing_is_written_after_it(late: bool) -> None:
    written: list[int] = []

    def write(scene: object) -> None:
        written.append(1)
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"), Writing("test", write) as writing:
        first, second = scenes(2)
        writing.put(first)
        if not late:
            for _ in range(1000):
                writing.put(second)
    assert written == [1]
