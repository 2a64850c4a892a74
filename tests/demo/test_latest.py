import threading

import pytest

from demo.latest import Latest


def test_newest_value_once() -> None:
    slot: Latest[int] = Latest()
    assert slot.take() is None
    slot.put(1)
    slot.put(2)
    assert slot.take() == 2
    assert slot.take() is None


def test_last_value_then_the_error_once_then_nothing() -> None:
    slot: Latest[int] = Latest()
    slot.put(1)
    slot.close(ValueError("the cable"))
    slot.close(ValueError("a later one does not count"))
    slot.put(2)
    assert not slot.ended
    assert slot.take() == 1
    with pytest.raises(ValueError, match="the cable"):
        slot.take()
    assert slot.ended
    assert slot.take() is None


def test_wait_gives_up_and_wakes_at_the_end() -> None:
    slot: Latest[int] = Latest()
    assert slot.wait(timeout_s=0.01) is None
    assert not slot.ended
    closer = threading.Timer(0.02, slot.close)
    closer.start()
    assert slot.wait(timeout_s=None) is None
    assert slot.ended
    closer.join()


def test_values_only_grow_under_a_fast_writer() -> None:
    slot: Latest[int] = Latest()

    def write() -> None:
        for value in range(20_000):
            slot.put(value)
        slot.close()

    writer = threading.Thread(target=write)
    writer.start()
    seen: list[int] = []
    while not slot.ended:
        value = slot.wait(timeout_s=5)
        if value is not None:
            seen.append(value)
    writer.join()
    assert seen == sorted(set(seen))
    assert seen[-1] == 19_999
