"""The sample clip: the committed file, its motion, and how it is written."""

from itertools import islice
from pathlib import Path

import av
import numpy as np
import pytest

from digit.synth.clip import HEIGHT, WIDTH, frames, hands_at, main
from digit.synth.contact import SOFTNESS_MM, gap_mm

SAMPLE = Path(__file__).parents[2] / "assets" / "sample.mp4"


def test_sample_is_small_and_standard() -> None:
    with av.open(str(SAMPLE)) as file:
        stream = file.streams.video[0]
        assert (stream.width, stream.height, stream.average_rate) == (WIDTH, HEIGHT, 30)
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
        assert stream.frames == 240
    assert SAMPLE.stat().st_size < 1_500_000


def test_motion_is_smooth_and_hands_do_not_run_into_each_other() -> None:
    before: dict[str, np.ndarray] | None = None
    gaps: list[float] = []
    for n in range(240):
        hands = hands_at(n / 30, 5)
        gaps.append(gap_mm(hands))
        joints = {side: hand.joints_mm for side, hand in hands.items()}
        if before is not None:
            for side, now in joints.items():
                step = np.linalg.norm(now - before[side], axis=-1).max()
                assert step < 100, (n, side)  # a quick hand moves 3 m/s
        before = joints
    assert min(gaps) >= -SOFTNESS_MM
    assert sum(gap < 3 for gap in gaps) > 30  # they touch for a second or more


def test_right_hand_is_on_the_left_of_the_unmirrored_picture() -> None:
    hands = hands_at(1.3, 5)
    assert hands["right"].joints_mm[:, 0].max() < 0 < hands["left"].joints_mm[:, 0].min()


def test_frames_are_the_same_for_a_seed() -> None:
    one, other = (list(islice(frames(seed=3), 2)) for _ in range(2))
    assert one[0].shape == (HEIGHT, WIDTH, 3) and one[0].dtype == np.uint8
    assert all((a == b).all() for a, b in zip(one, other, strict=True))


def test_short_clip_is_written(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    assert main(["--out", str(path), "--seconds", "0.2"]) == 0
    with av.open(str(path)) as file:
        assert len(list(file.decode(video=0))) == 6


def test_unwritable_clip_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--out", str(tmp_path / "missing" / "clip.mp4")]) == 2
    assert capsys.readouterr().err.startswith("error: Cannot write")
