"""What cameras show in the browser tests: real faces of the test data, put together in the test's folder."""

from __future__ import annotations

import subprocess
from pathlib import Path

from PIL import Image

from tests.support.data import data_dir

WIDTH, HEIGHT = 640, 480
WEBCAM_FPS = 30
"""Chromium plays an MJPEG file at this rate, again and again."""

ROUND_PERSON = "Tony_Blair"
POSES: tuple[tuple[str, int, float], ...] = (
    ("front", 141, 6.0),
    ("left", 6, 1.5),
    ("right", 139, 1.5),
    ("up", 69, 1.5),
    ("down", 50, 1.5),
)
"""(pose, number of the picture, how long it is shown). Measured: yaw -1 and pitch 10 degrees in the frontal
picture; against it yaw +23 and -20, pitch -8 and +11.
"""


def photos(person: str, *numbers: int) -> list[Path]:
    """Pictures of one person of LFW, by number."""
    return [data_dir() / "lfw" / "images" / person / f"{person}_{number:04d}.jpg" for number in numbers]


def webcam(folder: Path) -> Path:
    """Somebody who looks ahead, left, right, up and down, for ever: an MJPEG file for Chromium."""
    path = folder / "webcam.mjpeg"
    with path.open("wb") as file:
        for _, number, seconds in POSES:
            [source] = photos(ROUND_PERSON, number)
            file.write(_still(source, folder) * round(seconds * WEBCAM_FPS))
    return path


def _still(source: Path, folder: Path) -> bytes:
    """One frame of the webcam: the picture fills its height."""
    with Image.open(source) as picture:
        frame = Image.new("RGB", (WIDTH, HEIGHT), (127, 127, 127))
        frame.paste(picture.convert("RGB").resize((HEIGHT, HEIGHT)), ((WIDTH - HEIGHT) // 2, 0))
    path = folder / f"{source.stem}.jpg"
    frame.save(path, quality=92)
    return path.read_bytes()


def house_clip(folder: Path) -> Path:
    """Ten seconds of a room: a man comes, speaks for five seconds, and is gone for five; to be looped."""
    clips, path = data_dir() / "clips", folder / "room.mp4"
    same = "scale=768:432:force_original_aspect_ratio=increase,crop=768:432,fps=10,setsar=1"
    subprocess.run(
        [
            "ffmpeg", "-v", "error", "-y", "-i", str(clips / "hieubkvn123_obama.mp4"),
            "-t", "5", "-i", str(clips / "overhead_no_faces.mp4"),
            "-filter_complex", f"[0:v]{same}[a];[1:v]{same}[b];[a][b]concat=n=2:v=1:a=0",
            "-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p", "-g", "10", str(path),
        ],
        check=True,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    return path
