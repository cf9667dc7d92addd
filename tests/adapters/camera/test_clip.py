"""Recordings: deterministic, dated from their start, and told apart from what is none."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import numpy as np
import pytest

from homeface.adapters.camera import Camera, CameraSettings, FileSource, probe, read_clip
from homeface.errors import CameraError
from tests.adapters.camera.clips import level, write_clip
from tests.support.waiting import until


@pytest.mark.parametrize("codec", ["libx264", "libx265", "mpeg4"])
def test_frames_are_dated_from_the_start(tmp_path: Path, codec: str) -> None:
    path = write_clip(tmp_path / "clip.mp4", frames=30, fps=15, codec=codec)
    frames = list(read_clip(path, "porch", start_at=1000.0))
    assert [frame.index for frame in frames] == list(range(30))
    assert [frame.captured_at for frame in frames] == pytest.approx(
        [1000 + step / 15 for step in range(30)], abs=1e-4
    )
    for frame in frames:
        assert frame.camera == "porch"
        assert frame.image.shape == (240, 320, 3)
        assert frame.image.dtype == np.uint8
        assert abs(float(frame.image.mean()) - level(frame.index)) < 6


def test_colours_are_blue_first(tmp_path: Path) -> None:
    import av

    path = tmp_path / "blue.mp4"
    with av.open(str(path), mode="w") as container:
        stream = container.add_stream("libx264", rate=5)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        for _ in range(5):
            image = np.zeros((64, 64, 3), np.uint8)
            image[..., 0] = 255  # in bgr24 the first channel is blue
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="bgr24")))
        container.mux(stream.encode())
    blue, green, red = next(read_clip(path, "porch")).image.mean(axis=(0, 1))
    assert blue > 230
    assert max(green, red) < 25


def test_the_analysis_rate_picks_the_same_frames_each_time(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.mp4", frames=45, fps=15)
    first, second = (
        [
            (frame.index, frame.captured_at, frame.image.tobytes())
            for frame in read_clip(path, "porch", 5.0, 5)
        ]
        for _ in range(2)
    )
    assert first == second
    assert [index for index, _, _ in first] == list(range(0, 45, 3))


def test_large_pictures_are_made_smaller_when_asked(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.mp4", frames=2)
    assert next(read_clip(path, "porch", max_side_px=160)).image.shape == (120, 160, 3)
    assert next(read_clip(path, "porch", max_side_px=1600)).image.shape == (240, 320, 3)


def test_what_is_no_recording_is_told_by_name(tmp_path: Path) -> None:
    text, empty = tmp_path / "notes.mp4", tmp_path / "empty.mp4"
    text.write_text("not a video\n" * 100)
    empty.write_bytes(b"")
    for path in (text, empty, tmp_path, tmp_path / "missing.mp4"):
        with pytest.raises(CameraError) as caught:
            list(read_clip(path, "porch"))
        assert path.name in str(caught.value)
        assert caught.value.camera == "porch"


def test_a_file_with_sound_only_holds_no_video(tmp_path: Path) -> None:
    import wave

    with wave.open(str(tmp_path / "a.wav"), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(b"\0" * 16000)
    with pytest.raises(CameraError, match=r"a\.wav holds no video"):
        list(read_clip(tmp_path / "a.wav", "porch"))


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
@pytest.mark.parametrize("share", [0.1, 0.5])
def test_a_truncated_recording_is_an_error(tmp_path: Path, suffix: str, share: float) -> None:
    options = {"crf": "10"}
    whole = write_clip(tmp_path / f"whole.{suffix}", frames=150, fps=15, options=options).read_bytes()
    cut = tmp_path / f"cut.{suffix}"
    cut.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(CameraError, match=r"cut\."):
        list(read_clip(cut, "porch"))


def test_a_recording_that_starts_whole_but_is_cut_gives_its_frames_first(tmp_path: Path) -> None:
    import av

    plain, fast, cut = tmp_path / "plain.mp4", tmp_path / "fast.mp4", tmp_path / "cut.mp4"
    write_clip(plain, frames=150, fps=15)
    with av.open(str(plain)) as source, av.open(str(fast), "w", options={"movflags": "faststart"}) as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                target.mux(packet)
    cut.write_bytes(fast.read_bytes()[: int(fast.stat().st_size * 0.7)])
    frames = []
    with pytest.raises(CameraError, match=r"cut\.mp4"):
        frames.extend(frame.index for frame in read_clip(cut, "porch"))
    assert frames == list(range(len(frames)))
    assert 80 < len(frames) < 150


async def test_a_file_plays_in_real_time_and_ends(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.mp4", frames=12, fps=15)
    camera = Camera(CameraSettings("porch", url=str(path), analysis_fps=None))
    begin = time.time()
    camera.start()
    taken = []
    while await camera.ready():
        frame = await asyncio.to_thread(camera.take)
        if frame is not None:
            taken.append(frame)
            assert -0.01 < time.time() - frame.captured_at < 1.0
    assert time.time() - begin > 11 / 15
    assert camera.stats.decoded == 12
    assert camera.stats.dropped + camera.stats.analysed == 12
    assert len(taken) == camera.stats.analysed > 0
    assert camera.status.reason == "the recording is over"
    await camera.stop()


async def test_a_looping_file_goes_on(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.mp4", frames=6, fps=30)
    camera = Camera(CameraSettings("porch", url=f"file://{path}", analysis_fps=None, loop=True))
    camera.start()
    await until(lambda: camera.stats.decoded >= 20)
    begin = time.monotonic()
    assert await camera.stop()
    assert time.monotonic() - begin < 0.5
    assert camera.stats.reconnects == 0


def test_a_looping_file_has_steady_times(tmp_path: Path) -> None:
    source = FileSource(CameraSettings("porch", url=str(write_clip(tmp_path / "c.mp4", 4, 40)), loop=True))
    source.open()
    times = [source.grab() for _ in range(12)]
    source.close()
    gaps = np.diff(np.array(times, dtype=float))
    assert gaps == pytest.approx(np.full(11, 1 / 40), abs=0.01)


def test_probe(tmp_path: Path) -> None:
    found = probe(CameraSettings("porch", url=str(write_clip(tmp_path / "c.mp4", 4))))
    assert (found.width, found.height) == (320, 240)
    with pytest.raises(CameraError, match="missing"):
        probe(CameraSettings("porch", url=str(tmp_path / "missing.mp4")))
