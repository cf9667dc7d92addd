"""Models in other forms: smaller, the same vectors, and refused where that cannot be."""

from __future__ import annotations

import hashlib
import json
import warnings
from pathlib import Path

import cv2
import numpy as np
import pytest

from homeface.cli import run_cli
from homeface.errors import BackendUnavailableError, ModelError
from homeface.inference.manifest import Artefact, Family, Kind, ModelSpec, find_spec
from homeface.inference.models import Placement, load_embedder, pixels_of
from homeface.lab.export.forms import as_onnx, write
from homeface.lab.export.quantising import in_eight_bits, in_half
from tests.lab.made_house import house_with
from tests.support.data import data_dir, requires_data, weights_dir
from tests.support.painted_clips import portraits_on_a_wall

PLACE = Placement([weights_dir()] if weights_dir().is_dir() else [], "cpu", 1)
SPEC = find_spec("mobilefacenet", Kind.EMBEDDER)

pytestmark = [requires_data, pytest.mark.accuracy]


def crops(count: int) -> list[np.ndarray]:
    paths = sorted((data_dir() / "lfw" / "images").glob("*/*.jpg"))[:: 3941 // count][:count]
    pictures = [cv2.imread(str(path))[60:190, 60:190, ::-1] for path in paths]
    return [cv2.resize(picture, (SPEC.input_px,) * 2) for picture in pictures]


def vectors(content: bytes, folder: Path, faces: list[np.ndarray]) -> np.ndarray:
    """As the daemon computes them, from a file under ``models``."""
    (folder / "made.onnx").write_bytes(content)

    made = ModelSpec(
        name="made",
        family=Family.ONNX_EMBEDDER,
        licence="",
        artefacts=(Artefact("made.onnx", hashlib.sha256(content).hexdigest()),),
        input_px=SPEC.input_px,
        colour=SPEC.colour,
        mean=SPEC.mean,
        std=SPEC.std,
        template=SPEC.template,
    )
    return load_embedder(made, Placement([folder], "cpu", 1, "openvino")).embed(faces)  # type: ignore[arg-type]


def test_eight_bits_are_a_third_of_the_size_and_nearly_the_same(tmp_path: Path) -> None:
    plain = as_onnx(SPEC, PLACE)
    rows = [pixels_of(SPEC).batch(crop[None]) for crop in crops(12)]
    made = in_eight_bits(plain, rows, "mobilefacenet")
    faces = crops(40)[1::2]
    (tmp_path / "plain").mkdir()
    alike = (vectors(made, tmp_path, faces) * vectors(plain, tmp_path / "plain", faces)).sum(axis=1)
    assert len(plain) / len(made) >= 3
    assert np.median(alike) > 0.995
    assert alike.min() > 0.98


def test_half_precision_is_half_the_size_and_the_same(tmp_path: Path) -> None:
    plain = as_onnx(SPEC, PLACE)
    made = in_half(plain)
    (tmp_path / "plain").mkdir()
    faces = crops(10)
    alike = (vectors(made, tmp_path, faces) * vectors(plain, tmp_path / "plain", faces)).sum(axis=1)
    assert len(plain) / len(made) > 1.9
    assert alike.min() > 0.9999


@pytest.mark.parametrize("form", ["openvino", "torchscript"])
def test_other_forms_compute_the_same(form: str, tmp_path: Path) -> None:
    plain = as_onnx(SPEC, PLACE)
    files = write(plain, form, tmp_path / "made", SPEC, half=False)
    assert all(file.stat().st_size for file in files)
    row = pixels_of(SPEC).batch(crops(1)[0][None])
    if form == "openvino":
        from homeface.inference.runtimes.openvino import core

        found = core().compile_model(str(files[0]), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})(row)[0]
    else:
        import torch

        with warnings.catch_warnings(), torch.inference_mode():
            warnings.simplefilter("ignore")  # that tracing is to be replaced one day
            found = torch.jit.load(str(files[0]))(torch.from_numpy(row)).numpy()  # type: ignore[no-untyped-call]
    expected = load_embedder(SPEC, Placement([weights_dir()], "cpu", 1, "onnxruntime")).embed(crops(1))  # type: ignore[arg-type]
    unit = found / np.linalg.norm(found)
    assert float((unit * expected).sum()) > 0.9999


def test_what_cannot_be_made_is_told(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="three networks"):
        as_onnx(find_spec("mtcnn", Kind.DETECTOR), PLACE)
    with pytest.raises(BackendUnavailableError, match="package tensorrt"):
        write(as_onnx(SPEC, PLACE), "tensorrt", tmp_path / "made", SPEC, half=True)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["mobilefacenet", "--int8"], "--faces"),
        (["yunet_n", "--int8"], "finds faces"),
        (["mobilefacenet", "--int8", "--format", "torchscript"], "no eight-bit form"),
        (["mobilefacenet", "--int8", "--fp16"], "not both"),
        (["nobody"], "no model nobody"),
        (["mobilefacenet", "--format", "tensorrt"], "install the package tensorrt there"),
    ],
)
def test_wishes_that_make_no_sense(
    arguments: list[str],
    told: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("HOMEFACE_MODELS", str(weights_dir()))
    assert run_cli(["lab", "export", *arguments, "--out", str(tmp_path)]) != 0
    said = capsys.readouterr().err
    assert told in said
    assert "Traceback" not in said
    assert not list(tmp_path.iterdir())


def test_a_smaller_model_is_taken_by_name_and_recognises(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its ranges, its thresholds, and whom the daemon then names, each from other people."""
    monkeypatch.setenv("HOMEFACE_MODELS", str(weights_dir()))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    images = data_dir() / "lfw" / "images"
    most = sorted(images.iterdir(), key=lambda person: (-len(list(person.iterdir())), person.name))
    (known, other), measured = most[:2], tmp_path / "measured"
    for person in most[2:42]:
        (measured / person.name).mkdir(parents=True)
        for picture in sorted(person.iterdir())[:6]:
            (measured / person.name / picture.name).symlink_to(picture)
    ranges = tmp_path / "ranges"
    for person in sorted(images.iterdir())[:20]:
        if person not in most[:42]:
            (ranges / person.name).mkdir(parents=True)
            (ranges / person.name / "1.jpg").symlink_to(next(person.iterdir()))
    out = tmp_path / "out"

    def homeface(*arguments: object) -> str:
        assert run_cli([str(argument) for argument in arguments]) == 0
        return capsys.readouterr().out

    def replayed(clip: Path, kind: str) -> set[str | None]:
        lines = [json.loads(line) for line in homeface("replay", clip, "-c", config, "--json").splitlines()]
        return {line["person"] for line in lines if line["kind"] == kind}

    homeface("lab", "export", "mobilefacenet", "--int8", "--faces", ranges, "--out", out)
    config = house_with("mobilefacenet_int8", out, tmp_path)
    measuring = ("--embedder", "mobilefacenet_int8", "--out", out, "--jobs", "1", "--everybody")
    homeface("evaluate", "calibrate", measured, "-c", config, *measuring)
    homeface("enrol", "Known", *sorted(known.iterdir())[:5], "-c", config)
    clip = portraits_on_a_wall(tmp_path / "hall.mkv", sorted(known.iterdir())[5:10])
    assert replayed(clip, "event") == {"Known"}
    clip = portraits_on_a_wall(tmp_path / "hall.mp4", sorted(other.iterdir())[:5])
    assert replayed(clip, "visit") == {None}


def test_the_command_makes_a_model_and_judges_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HOMEFACE_MODELS", str(weights_dir()))
    people = tmp_path / "people"
    for person in sorted((data_dir() / "lfw" / "images").iterdir())[:10]:
        (people / person.name).mkdir(parents=True)
        for picture in sorted(person.glob("*.jpg"))[:2]:
            (people / person.name / picture.name).symlink_to(picture)
    out = tmp_path / "out"
    arguments = ["mobilefacenet", "--int8", "--faces", str(people), "--out", str(out), "--json"]
    assert run_cli(["lab", "export", *arguments]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["smaller"] >= 3
    assert told["accuracy"]["cosine_median"] > 0.99
    assert "enrol" in told["accuracy"]["missing"] or "people" in told["accuracy"]["missing"]
    assert (out / "mobilefacenet_int8.onnx").is_file()
    assert "name: mobilefacenet_int8" in (out / "mobilefacenet_int8.yaml").read_text()
