"""A network that has lost its last layers learns again whom it sees, and the daemon recognises with it.

Real faces: some people of the LFW part, of whom a third judge and teach nothing. Half a minute of two cores.
"""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
import yaml

from homeface.cli import run_cli
from homeface.lab.training.embedding.aligned import read_aligned
from homeface.lab.training.embedding.held_out import held_out
from homeface.lab.training.embedding.networks.starting import read_state
from tests.support.daemon import write_config
from tests.support.data import data_dir, requires_data, weights_dir
from tests.support.painted_clips import write_painted

PEOPLE, PICTURES = 60, 6
LOST = ("gdconv.", "conv3.", "bn.")


@dataclass(frozen=True)
class Run:
    """One training through the command, and what it printed."""

    folder: Path
    pictures: Path
    told: dict[str, Any]


@pytest.fixture(autouse=True)
def blockbuster() -> None:
    """A command does one thing and ends: nobody waits while it reads a file in its event loop."""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    base = tmp_path_factory.mktemp("training")
    pictures = base / "people"
    source = data_dir() / "lfw" / "images"
    most = sorted(source.iterdir(), key=lambda person: (-len(list(person.iterdir())), person.name))[:PEOPLE]
    for person in most:
        (pictures / person.name).mkdir(parents=True)
        for picture in sorted(person.iterdir())[:PICTURES]:
            (pictures / person.name / picture.name).symlink_to(picture)
    whole = read_state(weights_dir() / "embed" / "mobilefacenet_foamliu.pt")
    torch.save({k: v for k, v in whole.items() if not k.startswith(LOST)}, base / "beheaded.pt")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOMEFACE_MODELS", str(weights_dir()))
        patch.setenv("XDG_CACHE_HOME", str(base / "cache"))
        arguments = f"""lab train-embedding {pictures} --out {base / "run"} --name learned --held-out 3
            --weights {base / "beheaded.pt"} --teacher mobilefacenet --device cpu --json
            --teacher-weights {weights_dir() / "embed" / "mobilefacenet_foamliu.pt"} --train-last 3
            --epochs 4 --batch 32 --rate 0.01 --ema 0.5 --households 10""".split()
        code, told = call(*arguments)
        assert code == 0
        yield Run(base / "run", pictures, told[0])


@requires_data
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_loss_falls_and_unseen_people_are_told_apart_again(run: Run) -> None:
    history = [json.loads(line) for line in (run.folder / "history.jsonl").read_text().splitlines()]
    assert history[-1]["train_loss"] < 0.6 * history[0]["train_loss"]
    before, best = run.told["before"], run.told["best"]
    # some 300 pairs of each kind: two standard deviations of an accuracy are 0.03
    assert best["verify_accuracy"] > before["verify_accuracy"] + 0.06
    assert best["verify_fnmr_at_fmr_0.01"] < 0.6 * before["verify_fnmr_at_fmr_0.01"]
    assert any("gdconv" in note for note in run.told["notes"])


@requires_data
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_every_form_of_the_product_gives_the_same_vectors(run: Run) -> None:
    assert set(run.told["alike"]) == {"onnx", "torchscript", "openvino"}
    assert min(run.told["alike"].values()) > 0.9999
    assert all(Path(file).is_file() for file in run.told["files"].values())


@requires_data
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_daemons_pipeline_takes_it_by_name_and_recognises(run: Run, tmp_path: Path) -> None:
    """A recording of somebody enrolled and of somebody else, neither of whom taught the network anything."""
    known, other = unseen(run)
    config = write_config(
        tmp_path / "config.yaml",
        rooms={"hall": {"name": "Hall"}},
        cameras={"hall": {"url": "rtsp://127.0.0.1:9/none", "room": "hall"}},
        mqtt_port=9,
        storage=tmp_path / "state",
        recognition={"detector": "yunet_n", "embedder": "learned", "device": "cpu", "false_names": 0.01},
    )
    document = yaml.safe_load(config.read_text())
    document |= yaml.safe_load((run.folder / "product" / "learned.yaml").read_text())
    document["models_dir"] = str(run.folder / "product")
    config.write_text(yaml.safe_dump(document))
    enrolled, shown = known[:5], known[5:10]
    assert call("enrol", "Known", *enrolled, "-c", config)[0] == 0
    code, lines = call("replay", painted(tmp_path / "known.mkv", shown), "-c", config, "--json")
    assert code == 0
    assert {line["person"] for line in lines if line["kind"] == "event"} == {"Known"}
    code, lines = call("replay", painted(tmp_path / "other.mkv", other[:5]), "-c", config, "--json")
    assert code == 0
    assert [line["person"] for line in lines if line["kind"] == "visit"] == [None]


def unseen(run: Run) -> list[list[Path]]:
    """All pictures of the two people with most of them who were kept apart."""
    apart = dict.fromkeys(face.person for face in held_out(read_aligned(run.folder / "aligned"), 3))
    folders = [data_dir() / "lfw" / "images" / person for person in apart]
    return sorted((sorted(folder.iterdir()) for folder in folders), key=lambda own: -len(own))[:2]


def painted(path: Path, pictures: list[Path]) -> Path:
    """Each picture for a second, in front of a grey wall."""
    wall = np.full((360, 640, 3), 90, np.uint8)
    scenes = [(wall, 1.0)]
    for picture in pictures:
        scene = wall.copy()
        scene[55:305, 195:445] = cv2.imread(str(picture))
        scenes.append((scene, 1.0))
    return write_painted(path, scenes)


def call(*arguments: object) -> tuple[int, list[dict[str, Any]]]:
    """A command in this process; the JSON lines that it printed."""
    out = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(out):
        patch.setenv("HOMEFACE_MODELS", str(weights_dir()))
        code = run_cli([str(argument) for argument in arguments])
    return code, [json.loads(line) for line in out.getvalue().splitlines() if line.startswith("{")]
