"""What cameras show in the browser tests: real faces from the test data, put together in the test's folder."""

from __future__ import annotations

import subprocess
from pathlib import Path

from PIL import Image

from tests.support.data import data_dir

WIDTH, HEIGHT = 640, 480
WEBCAM_FPS = 30
"""Chromium plays an MJPEG file at this rate, again and again."""

ROUND_PERSON = "Lleyton_Hewitt"
POSES: tuple[tuple[str, str, float], ...] = (
    ("front", "0017", 3.5),
    ("left", "0009", 1.5),
    ("right", "0002", 1.5),
    ("up", "0034", 1.5),
    ("down", "0019", 1.5),
)
"""(pose, number of the picture, how long it is shown). Measured poses, against the frontal one: yaw +20 and -28
degrees, pitch -8 and +9 (yaw 3, pitch 5 in the frontal picture).
"""


def photos(person: str, count: int) -> list[Path]:
    """Pictures of one person of LFW."""
    return sorted((data_dir() / "lfw" / "images" / person).iterdir())[:count]


def webcam(folder: Path) -> Path:
    """Somebody who looks ahead, left, right, up and down, for ever: an MJPEG file for Chromium."""
    path = folder / "webcam.mjpeg"
    with path.open("wb") as file:
        for _, number, seconds in POSES:
            [source] = (data_dir() / "lfw" / "images" / ROUND_PERSON).glob(f"*_{number}.jpg")
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
    """Ten seconds of a room: a man comes, speaks for five seconds, and is gone for five; meant to be looped."""
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
