"""Two rooms in which the same person is by turns, for the time from a face to a message."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from homeface.lab.benchmark.daemon import daemon_config
from homeface.lab.benchmark.drawing import Portrait, draw_frame, write_clip
from homeface.lab.benchmark.setting import Setting

_LOOP_SECONDS = 9.0
_VISITS = ((0.5, 3.5), (5.0, 8.0))
_PHOTOS = 5


@dataclass(frozen=True, slots=True)
class Turns:
    """``clips``: one recording for each room. ``photos`` (label, JPEG): who is to be enrolled."""

    clips: tuple[Path, Path]
    photos: tuple[tuple[str, bytes], ...]

    def write_config(self, folder: Path, setting: Setting, port: int) -> Path:
        """A configuration whose rooms forget soon and tell each visit."""
        home = folder / "latency"
        home.mkdir(parents=True, exist_ok=True)
        config = daemon_config(home, self.clips, setting, port)
        config["rooms"] = {name: {"hold": "1s"} for name in ("camera1", "camera2")}
        config["presence"] = {"event_cooldown": "0s", "move_hysteresis": "0s"}
        path = home / "config.yaml"
        path.write_text(json.dumps(config), encoding="utf-8")
        return path


def taking_turns(portrait: Portrait, folder: Path) -> Turns:
    """Draw the recordings and the photos: somebody is there at once, the whole face in sight."""
    import cv2

    random = np.random.default_rng(3)
    photos = []
    for number in range(_PHOTOS):
        frame = draw_frame([portrait], 1, random)[0]
        photos.append((f"photo {number + 1}", cv2.imencode(".jpg", frame)[1].tobytes()))
    first, second = (
        write_clip(folder / f"turn{number}.mp4", [portrait], _LOOP_SECONDS, [visit], walks=False)
        for number, visit in enumerate(_VISITS)
    )
    return Turns((first, second), tuple(photos))
