"""Each training command with two processes, as with two GPUs: they share the work, and one of them speaks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from homeface.lab.training.checkpoint import read_tensors
from tests.lab.training.detector.made_labels import Boxes, sample
from tests.lab.training.embedding.made import make_aligned
from tests.support.data import data_dir, requires_data, weights_dir

TWO = ("--device", "cpu", "--devices", "2", "--epochs", "1", "--json")
pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]


def lab(folder: Path, *arguments: object) -> Any:
    """A command of the workshop in an interpreter of its own; the one JSON document that it printed."""
    command = [sys.executable, "-m", "homeface", "lab", *map(str, arguments), *TWO]
    environ = os.environ | {"HOMEFACE_MODELS": str(weights_dir()), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=380, cwd=folder, env=environ, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    return json.loads(done.stdout)


def steps_of(run: Path) -> int:
    """Steps of the optimiser until the last checkpoint."""
    states = read_tensors(run / "last.ckpt")["states"]["optimizer"]["state"]
    return int(next(iter(states.values()))["step"])


def test_the_detector(tmp_path: Path) -> None:
    faces: dict[str, Boxes] = {f"{number}.jpg": [(10, 10, 30, 35)] for number in range(16)}
    data = sample(tmp_path / "data", faces)
    small = "--variant fpn --pyramid 16 --head 16 --width 0.35 --regions 8 --side 64 --batch 4 --warm-up 2"
    told = lab(tmp_path, "train-detector", data, "--val", data, "-o", "run", *small.split(), "--no-export")
    assert told["epochs"] == 1
    assert steps_of(tmp_path / "run") == 2  # 16 pictures, 4 a step in each of two processes


def test_the_embedding(tmp_path: Path) -> None:
    faces = make_aligned(tmp_path / "faces")
    small = "--input-px 32 --dimension 16 --batch 4 --held-out 3 --households 0 --ema 0"
    told = lab(tmp_path, "train-embedding", faces, "--out", "run", *small.split())
    assert not told["stopped"]
    assert set(told["files"]) == {"onnx", "torchscript", "openvino"}
    learned = len((faces / "faces.txt").read_text().splitlines()) - 4 * told_apart(faces)
    assert steps_of(tmp_path / "run") == learned // 8


def told_apart(faces: Path) -> int:
    """People who judge."""
    from homeface.lab.training.embedding.aligned import read_aligned
    from homeface.lab.training.embedding.held_out import held_out

    return len({face.person for face in held_out(read_aligned(faces), 3)})


@requires_data
def test_the_household(tmp_path: Path) -> None:
    images = data_dir() / "lfw" / "images"
    for person in ("Hugo_Chavez", "Tony_Blair"):
        (tmp_path / "photos" / person).mkdir(parents=True)
        for picture in sorted((images / person).iterdir())[:8]:
            (tmp_path / "photos" / person / picture.name).symlink_to(picture)
    (tmp_path / "strangers").mkdir()
    for person in sorted(images.iterdir())[:60]:
        if len(list(person.iterdir())) == 1:
            (tmp_path / "strangers" / person.name).symlink_to(person)
    weights = weights_dir() / "embed" / "mobilefacenet_foamliu.pt"
    arguments = (
        f"photos --strangers strangers --out run --weights {weights} --unknown 20 --views 1 --repeat 1"
    )
    told = lab(tmp_path, "train-household", *arguments.split(), "--batch", "8")
    assert told["names"] == ["Hugo_Chavez", "Tony_Blair"]
    assert told["finetuned"] is not None
    learned = 2 * 6 + 20 + 10  # photos, strangers, pieces without a face
    assert steps_of(tmp_path / "run" / "finetuning") == learned // 16
