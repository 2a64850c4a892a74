import os
import struct
import sys
import zlib
from contextlib import closing
from itertools import islice, pairwise
from pathlib import Path
from time import monotonic_ns

import av
import cv2
import numpy as np
import pytest

from demo.records import Frame
from demo.settings import Settings
from demo.sources import LATE_NS, PICTURES_FPS, Pace, Pictures, Source, Video, open_source
from digit.errors import UserError
from tests.demo.clips import truncated, two_hands, write_clip
from tests.demo.scripted import discs


def read(source: Source) -> list[Frame]:
    with closing(source):
        return list(source)


def assert_well_timed(frames: list[Frame]) -> None:
    times_ns = [frame.time_ns for frame in frames]
    assert all(later > earlier for earlier, later in pairwise(times_ns))
    assert [frame.index for frame in frames] == list(range(len(frames)))


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return write_clip(tmp_path / "clip.mp4", two_hands(12), fps=20)


def test_every_frame_with_its_own_time(clip: Path) -> None:
    source = Video(clip, live=False)
    assert (source.length, source.fps, source.notice) == (12, 20.0, "")
    frames = read(source)
    assert len(frames) == 12
    assert_well_timed(frames)
    assert np.diff([frame.time_ns for frame in frames]) == pytest.approx(50e6)
    assert frames[0].image.shape == (180, 320, 3)
    assert not frames[0].image.flags.writeable
    assert discs(frames[5].image)["right"][0] == pytest.approx([105, 90], abs=1.5)
    assert discs(frames[5].image)["left"][0] == pytest.approx([215, 80], abs=1.5)


@pytest.mark.parametrize("width", [320, 330])  # FFmpeg pads the rows of the second
def test_colours_are_those_of_ffmpeg(tmp_path: Path, width: int) -> None:
    ramp = np.linspace(20, 235, width).astype(np.uint8)
    image = np.stack(np.broadcast_arrays(ramp, ramp[::-1], np.arange(30, 212, dtype=np.uint8)[:, None]), axis=2)
    path = write_clip(tmp_path / "colours.mp4", [image])
    with av.open(str(path)) as container:
        (expected,) = (picture.to_ndarray(format="rgb24") for picture in container.decode(video=0))
    (frame,) = read(Video(path, live=False))
    assert frame.image.shape == image.shape
    assert np.abs(frame.image.astype(int) - expected).max() <= 3


@pytest.mark.parametrize("turn", [(1, 0, 0, 1), (0, 1, -1, 0), (-1, 0, 0, -1), (0, -1, 1, 0)])
@pytest.mark.parametrize("mirrored", [False, True])
def test_upright_as_the_file_says_but_never_mirrored(
    tmp_path: Path, turn: tuple[int, int, int, int], mirrored: bool
) -> None:
    """The file's matrix shows (x, y) at (ax + cy, bx + dy); a mirrored one shows the upright picture mirrored."""
    a, b, c, d = turn
    path = write_clip(tmp_path / "turned.mp4", two_hands(1))
    (filmed,) = read(Video(path, live=False))
    start = path.read_bytes().index(b"tkhd") + 44  # ISO/IEC 14496-12, 8.3.2
    matrix = [-a if mirrored else a, b, 0, -c if mirrored else c, d, 0, 0, 0, 1 << 14]
    with path.open("r+b") as file:
        file.seek(start)
        file.write(struct.pack(">9i", *(value << 16 for value in matrix)))
    (upright,) = read(Video(path, live=False))
    y, x = np.mgrid[: filmed.image.shape[0], : filmed.image.shape[1]]
    shown_x, shown_y = a * x + c * y, b * x + d * y
    expected = np.empty((np.ptp(shown_y) + 1, np.ptp(shown_x) + 1, 3), np.uint8)
    expected[shown_y - shown_y.min(), shown_x - shown_x.min()] = filmed.image
    assert np.array_equal(upright.image, expected)


@pytest.mark.parametrize("suffix", [".avi", ".mkv", ".ts"])
def test_truncated_video_gives_its_frames_and_says_so(tmp_path: Path, suffix: str) -> None:
    cut = truncated(write_clip(tmp_path / f"clip{suffix}", two_hands(40)), 0.5)
    source = Video(cut, live=False)
    frames = read(source)
    assert 12 <= len(frames) <= 28
    assert_well_timed(frames)
    if suffix == ".avi":  # the only one of the three whose head tells the length
        assert f"breaks off after {len(frames)} frames" in source.notice


def test_frames_that_the_file_itself_cuts_off_are_not_missing(tmp_path: Path) -> None:
    whole = write_clip(tmp_path / "whole.mp4", two_hands(30))
    with av.open(str(whole)) as source, av.open(str(tmp_path / "cut.mp4"), "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(source.streams.video[0]):
            if packet.dts is not None:
                second = round(0.5 / packet.time_base)
                packet.pts, packet.dts, packet.stream = packet.pts - second, packet.dts - second, stream
                target.mux(packet)
    video = Video(tmp_path / "cut.mp4", live=False)
    assert (video.length, len(read(video)), video.notice) == (30, 20, "")


def test_unreadable_videos(tmp_path: Path, clip: Path) -> None:
    text = tmp_path / "text.mp4"
    text.write_text("this is no video")
    empty = tmp_path / "empty.mp4"
    empty.touch()
    for path in (text, empty, truncated(clip, 0.5)):
        with pytest.raises(UserError, match="convert it to MP4"):
            read(Video(path, live=False))
    with pytest.raises(UserError, match="There is no video file"):
        Video(tmp_path / "none.mp4", live=False)


def test_live_video_keeps_its_pace(clip: Path) -> None:
    source = Video(clip, live=True)
    with closing(source):
        for frame in source:
            assert monotonic_ns() >= frame.time_ns


def test_repeat_goes_on_growing(clip: Path) -> None:
    source = open_source(Settings(source="video", path=clip, repeat=True))
    with closing(source):
        frames = list(islice(source, 16))
    assert_well_timed(frames)
    assert discs(frames[12].image)["right"][0] == pytest.approx(discs(frames[0].image)["right"][0], abs=1)


def test_stop_ends_a_waiting_source(clip: Path) -> None:
    source = Video(clip, live=True, repeat=True)
    with closing(source):
        for frame in source:
            if frame.index == 3:
                source.stop()
        assert frame.index == 3


def test_pace_after_a_pause_does_not_rush(monkeypatch: pytest.MonkeyPatch) -> None:
    now_ns = 0
    monkeypatch.setattr("demo.sources.monotonic_ns", lambda: now_ns)
    pace = Pace(live=True)
    first_ns = pace.wait(0)
    now_ns = 10 * LATE_NS  # somebody pressed pause
    assert pace.wait(50_000_000) >= 10 * LATE_NS > first_ns
    assert pace.wait(50_000_000) > 10 * LATE_NS  # the same media time again still grows


def png_of(width: int, height: int) -> bytes:
    """The beginning of a picture of that size."""
    head = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + head + struct.pack(">I", zlib.crc32(head))


def test_pictures_in_the_order_of_their_names(tmp_path: Path) -> None:
    for name, value in (("b.png", 20), ("a.png", 10), ("c.jpg", 30)):
        cv2.imwrite(str(tmp_path / name), np.full((20, 30, 3), (0, 0, value), np.uint8))
    (tmp_path / "b0.jpg").write_bytes(b"broken")
    (tmp_path / "b1.jpg").touch()
    (tmp_path / "b2.png").write_bytes(png_of(40_000, 40_000))  # OpenCV takes none so large
    (tmp_path / "notes.txt").write_text("no picture")
    source = Pictures(tmp_path, live=False)
    frames = read(source)
    assert [round(float(frame.image[..., 0].mean())) for frame in frames] == pytest.approx([10, 20, 30], abs=2)
    assert_well_timed(frames)
    assert np.diff([frame.time_ns for frame in frames]) == pytest.approx(1e9 / PICTURES_FPS)
    assert "b0.jpg, b1.jpg, b2.png" in source.notice


@pytest.mark.skipif(sys.platform != "linux", reason="names are bytes there only")
def test_names_that_are_not_utf8(tmp_path: Path, clip: Path) -> None:
    folder = tmp_path / os.fsdecode(b"h\xe4nde")
    folder.mkdir()
    picture = folder / os.fsdecode(b"\xe4.png")
    picture.write_bytes(cv2.imencode(".png", np.zeros((20, 30, 3), np.uint8))[1].tobytes())
    source = Pictures(folder, live=False)
    assert len(read(source)) == 1
    assert source.name == "h\ufffdnde"
    video = clip.rename(folder / os.fsdecode(b"\xe4.mp4"))
    source = Video(video, live=False)
    assert len(read(source)) > 1
    assert source.name == "\ufffd.mp4"


def test_folders_without_pictures(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="There is no folder"):
        Pictures(tmp_path / "none", live=False)
    with pytest.raises(UserError, match="holds no pictures"):
        Pictures(tmp_path, live=False)
    (tmp_path / "a.jpg").write_bytes(b"broken")
    with pytest.raises(UserError, match=r"a\.jpg"):
        read(Pictures(tmp_path, live=False))
