"""``homeface lab train-detector`` from real pictures to a detector that ``homeface`` uses."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.cli.conftest import LIGHT, Command
from tests.lab.training.detector.close_ups import write_close_ups
from tests.support.daemon import write_config
from tests.support.data import requires_data
from tests.support.scene_people import acting_portraits, enrolment_photos

SIDE_PX = 128
SMALL = [
    "--variant",
    "fpn",
    "--pyramid",
    "32",
    "--head",
    "128",
    "--width",
    "0.5",
    "--regions",
    "48",
    "--side",
    "128",
    "--zoom",
    "0.85",
    "1.1",
    "--batch",
    "16",
    "--epochs",
    "7",
    "--rate",
    "0.004",
    "--plateau",
    "2",
    "--warm-up",
    "10",
    "--device",
    "cpu",
]
PERSON = "Laura_Bush"


@requires_data
@pytest.mark.accuracy
@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_a_detector_is_learned_and_used(homeface: Command, config: Path, tmp_path: Path) -> None:
    """A minute of a processor: far from enough to be good, and far more than chance finds."""
    assert homeface("enrol", "Laura", *enrolment_photos(PERSON)[:6]).code == 0
    train, held_out = write_close_ups(tmp_path / "data", SIDE_PX)
    answer = homeface("lab", "train-detector", train, "--val", held_out, "-o", "run", *SMALL, "--json")
    assert answer.code == 0, answer.err
    untrained, best = answer.json["untrained"], answer.json["best"]
    assert untrained["ap"] < 0.01
    assert best["ap"] > 0.05  # on pictures it was not trained on; 0.17 to 0.26 where it was tried
    assert best["ap"] > 20 * untrained["ap"]
    rows = [json.loads(line) for line in (tmp_path / "run" / "history.jsonl").read_text().splitlines()]
    assert len(rows) == 7
    assert rows[-1]["train_loss"] < 0.9 * rows[0]["train_loss"]
    assert rows[-1]["train_proposal"] < 0.3 * rows[0]["train_proposal"]
    assert answer.json["compared_boxes"] > 20
    assert (tmp_path / "run" / "curves.png").read_bytes().startswith(b"\x89PNG")
    assert list((tmp_path / "run" / "tensorboard").iterdir())

    use(config, tmp_path / "run" / "product")
    portraits = [portrait.path for portrait in acting_portraits(PERSON)[:8]]
    rows = homeface("identify", *portraits, "--json").json
    # How many faces it finds after a minute is a matter of luck; that it runs and says no wrong name is not.
    assert {row["image"] for row in rows} == {str(path) for path in portraits}
    assert all("error" not in row for row in rows)
    assert {row.get("person") for row in rows} <= {"Laura", None}


def use(config: Path, product: Path) -> None:
    """The configuration with the made detector in it, word for word as the command printed it."""
    models = config.parent / "models"
    models.mkdir()
    shutil.copy(product / "faster_rcnn.onnx", models)
    entry = (product / "faster_rcnn.yaml").read_text().partition("recognition:")[0]
    write_config(
        config,
        rooms={"hall": {"name": "Hall"}},
        cameras={"hall": {"room": "hall", "url": "rtsp://127.0.0.1:9/hall"}},
        mqtt_port=1883,
        storage=config.parent / "state",
        recognition=LIGHT | {"detector": "faster_rcnn", "min_face_px": 80},
    )
    config.write_text(f"{config.read_text()}\nmodels_dir: {models}\n{entry}")


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["nowhere", "-o", "run"], 1, "nowhere holds no labels"),
        (["data", "-o", "run", "--zoom", "2", "1"], 2, "the smaller one first"),
        (["data", "-o", "run", "--device", "tpu"], 2, "tpu"),
        (["data"], 2, "Missing option"),
    ],
)
def test_mistakes_are_told(homeface: Command, arguments: list[str], code: int, told: str) -> None:
    answer = homeface("lab", "train-detector", *arguments)
    assert answer.code == code
    assert told in answer.err
    assert "Traceback" not in answer.err
