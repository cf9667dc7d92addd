"""What is left undecoded: every picture that is delivered is the right one, and comes at the right time."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from homeface.adapters.camera import CameraSettings, FileSource, read_clip, rehearse
from homeface.adapters.camera.alertness import WAKE_SECONDS, Alertness
from homeface.adapters.camera.structure import Structure, Surge, is_needed
from homeface.core.types import Frame, ImageBGR

FPS = 15
STILL_SECONDS = 6
"""Afterwards the picture moves."""


def written(
    path: Path, codec: str = "libx264", group: int = FPS, seconds: int = 9, fps: int = FPS, **options: str
) -> Path:
    """A still, structured room; from ``STILL_SECONDS`` on a dark box walks through it."""
    rng = np.random.default_rng(1)
    room = np.kron(rng.integers(60, 200, (12, 16), np.uint8), np.ones((20, 20), np.uint8))
    quiet = {"x265-params": f"log-level=none:keyint={group}:scenecut=0:{options.pop('x265', '')}"}
    more = quiet if codec == "libx265" else {"sc_threshold": "0", **options}
    with av.open(str(path), "w") as container:
        stream = container.add_stream(
            codec, rate=fps, options={"g": str(group), "preset": "veryfast", **more}
        )
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        stream.codec_context.time_base = Fraction(1, fps)
        for index in range(seconds * fps):
            picture = room.copy()
            step = index - STILL_SECONDS * fps
            if step >= 0:
                picture[60:200, 4 * step : 4 * step + 80] = 20
            frame = av.VideoFrame.from_ndarray(np.repeat(picture[:, :, None], 3, 2), format="bgr24")
            frame.pts, frame.time_base = index, Fraction(1, fps)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("clips")


@pytest.fixture(scope="module")
def plain(folder: Path) -> Path:
    """As cameras send: no B-frames, a key frame each second."""
    return written(folder / "plain.mp4", bf="0")


def truth(path: Path) -> dict[int, ImageBGR]:
    """Every picture by its number."""
    return {round(frame.captured_at * FPS): frame.image for frame in read_clip(path, "porch")}


def numbers(frames: Iterator[Frame], right: dict[int, ImageBGR]) -> list[int]:
    """Numbers of the pictures, from their times; each must be that picture."""
    seen = []
    for frame in frames:
        number = round(frame.captured_at * FPS)
        assert np.array_equal(frame.image, right[number])
        seen.append(number)
    assert seen == sorted(seen)
    return seen


def asleep() -> Alertness:
    alertness = Alertness()
    alertness.attention = False
    return alertness


@pytest.mark.parametrize(
    ("codec", "options"),
    [
        ("libx264", {"bf": "0"}),
        ("libx264", {"bf": "2", "b-pyramid": "none"}),
        ("libx265", {"x265": "bframes=0"}),
    ],
    ids=["h264", "h264 with B-frames", "h265"],
)
def test_a_quiet_room_costs_key_frames_and_motion_wakes(
    folder: Path, codec: str, options: dict[str, str]
) -> None:
    path = written(folder / f"{codec}-{'-'.join(options.values())}.mp4", codec, **options)
    seen = numbers(rehearse(path, asleep(), analysis_fps=None), truth(path))
    quiet = [number for number in seen if 3 * FPS <= number < STILL_SECONDS * FPS]
    assert quiet == [3 * FPS, 4 * FPS, 5 * FPS]
    moving = [number for number in seen if number >= STILL_SECONDS * FPS]
    assert moving[0] <= STILL_SECONDS * FPS + 4
    assert len(moving) > 2 * FPS - 4  # awake for at least two seconds


def test_packets_that_grow_wake_between_key_frames(folder: Path) -> None:
    """The box comes in the middle of a group of pictures; nothing of it is in a key frame yet."""
    path = written(folder / "middle.mp4", group=11, bf="0")
    first = next(
        frame.captured_at for frame in rehearse(path, asleep(), None) if frame.captured_at > STILL_SECONDS
    )
    assert first < STILL_SECONDS + 4 / FPS  # the next key frame is 9 / FPS away


def test_attention_catches_up_with_what_was_left(plain: Path) -> None:
    right, alertness = truth(plain), asleep()
    frames = rehearse(plain, alertness, None)
    seen = []
    for frame in frames:
        number = round(frame.captured_at * FPS)
        assert np.array_equal(frame.image, right[number])
        seen.append(number)
        if number == 4 * FPS:
            alertness.attention = True
    assert seen[seen.index(4 * FPS) :] == list(range(4 * FPS, 9 * FPS))


def test_whoever_says_nothing_gets_everything(plain: Path) -> None:
    assert numbers(rehearse(plain, None, None), truth(plain)) == list(range(9 * FPS))


def test_far_key_frames_are_slept_through_only_when_something_else_watches(folder: Path) -> None:
    path = written(folder / "far.mp4", group=2 * FPS, bf="0")
    right = truth(path)
    assert numbers(rehearse(path, asleep(), None), right) == list(range(9 * FPS))
    guarded = asleep()
    guarded.guard(1e9)
    seen = numbers(rehearse(path, guarded, None), right)
    assert [number for number in seen if 2 * FPS < number < STILL_SECONDS * FPS] == [4 * FPS]


def test_waking_lasts_two_seconds(folder: Path) -> None:
    path = written(folder / "still.mp4", seconds=STILL_SECONDS, bf="0")
    alertness = asleep()
    seen = []
    for frame in rehearse(path, alertness, None):
        seen.append(frame.captured_at)
        if frame.captured_at == 3.0:
            alertness.wake(3.0)
    assert np.diff([at for at in seen if 3.0 < at <= 3.0 + WAKE_SECONDS - 0.1]) == pytest.approx(1 / FPS)
    assert [at for at in seen if at > 3.0 + WAKE_SECONDS] == []


def test_a_recording_that_runs_again_is_known_already(folder: Path) -> None:
    path = written(folder / "again.mp4", seconds=3, bf="0")
    settings = CameraSettings("porch", url=str(path), analysis_fps=None, loop=True)
    source = FileSource(settings, None, asleep(), flat_out=True)
    source.open()
    times: list[float] = []
    while not times or times[-1] < 8.5:
        captured_at = source.grab()
        assert captured_at is not None
        times.append(captured_at)
    source.close()
    assert [at for at in times if at > 2.9] == pytest.approx([3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0], abs=0.01)


def test_pictures_that_no_other_needs_are_skipped_when_the_rest_suffices(folder: Path) -> None:
    fps = 30
    path = written(
        folder / "b.mp4", fps=fps, group=fps, **{"b-pyramid": "none", "b_strategy": "0", "bf": "1"}
    )
    right = {round(frame.captured_at * fps): frame.image for frame in read_clip(path, "porch")}
    source = FileSource(CameraSettings("porch", url=str(path), analysis_fps=5), flat_out=True)
    source.open()
    decoded = 0
    while source.grab() is not None:
        decoded += 1
    assert source.received == 9 * fps
    assert decoded < 0.6 * source.received
    for wanted in (5.0, 10.0, 30.0):
        frames = list(rehearse(path, None, wanted))
        assert len(frames) == pytest.approx(9 * wanted, abs=4)
        assert np.diff([frame.captured_at for frame in frames]).max() < 1.4 / wanted
        for frame in frames[::7]:
            assert np.array_equal(frame.image, right[round(frame.captured_at * fps)])


@pytest.mark.parametrize("suffix", ["mp4", "ts"])
@pytest.mark.parametrize("codec", ["libx264", "libx265"])
def test_which_pictures_others_build_on(folder: Path, suffix: str, codec: str) -> None:
    """B-frames without a pyramid are needed by nobody, all others are."""
    options = {"bf": "2", "b-pyramid": "none"} if codec == "libx264" else {"x265": "bframes=2:b-pyramid=0"}
    path = written(folder / f"refs-{codec}.{suffix}", codec, seconds=3, **options)
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        name = stream.codec_context.codec.canonical_name
        packets = [packet for packet in container.demux(stream) if packet.size]
        needed = sum(is_needed(packet, name) for packet in packets)
    with av.open(str(path)) as container:
        kinds = [frame.pict_type for frame in container.decode(video=0)]
    assert needed == len(kinds) - kinds.count(av.video.frame.PictureType.B) < len(packets)


@pytest.mark.parametrize(
    ("fps", "needed", "wanted", "reorders", "can"),
    [
        (15, 15, 5, False, False),  # nothing to skip
        (15, 8, 5, False, True),
        (15, 4, 5, False, False),  # too few would be left
        (15, 8, None, False, False),
        (30, 12, 5, True, True),
        (15, 5, 5, True, False),  # a decoder that holds two back would be 0.27 s later
    ],
)
def test_skipping(fps: int, needed: int, wanted: float | None, reorders: bool, can: bool) -> None:
    structure = Structure()
    assert not structure.can_skip(wanted, reorders)
    for number in range(2 * fps):
        structure.note(number / fps, number % fps == 0, number % fps < needed)
    assert (structure.group_seconds, structure.fps) == (pytest.approx(1.0), pytest.approx(fps))
    assert structure.can_skip(wanted, reorders) == can


def test_one_large_packet_is_no_surge_but_two_are() -> None:
    surge = Surge()
    assert not any(surge.grew(300 + 40 * (number % 5)) for number in range(60))
    assert not surge.grew(5000)
    assert not any(surge.grew(300) for _ in range(5))
    assert [surge.grew(700), surge.grew(700)] == [False, True]
    assert not any([surge.grew(700) for _ in range(20)][10:])  # what stays is no surge any more


def test_stopping_does_not_wait_for_the_next_key_frame(plain: Path) -> None:
    stopping, settings = threading.Event(), CameraSettings("porch", url=str(plain), analysis_fps=None)
    source = FileSource(dataclasses.replace(settings), stopping, asleep())
    source.open()
    assert source.grab() is not None
    stopping.set()
    assert source.grab() is None
