"""``homeface models``: what is here, what is wrong, and what to do without a network."""

from __future__ import annotations

import shutil
import urllib.error
from pathlib import Path

import pytest

from homeface.inference.manifest import MANIFEST
from tests.cli.conftest import Command
from tests.support.data import requires_data, weights_dir

_SPEC = next(spec for spec in MANIFEST if spec.name == "mobilefacenet")
_ONNX = next(artefact for artefact in _SPEC.artefacts if artefact.file.endswith(".onnx"))


@pytest.fixture
def empty(tmp_path: Path, homeface: Command, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder that is looked in, apart from the system's."""
    folder = tmp_path / "models"
    folder.mkdir()
    monkeypatch.setenv("HOMEFACE_MODELS", str(folder))
    monkeypatch.delenv("TORCH_HOME", raising=False)
    return folder


def test_list(homeface: Command) -> None:
    rows = {row["model"]: row for row in homeface("models", "list", "--json").json}
    assert {spec.name for spec in MANIFEST} <= rows.keys()
    assert rows["mtcnn"]["state"] == "in package"
    assert all(row["licence"] for row in rows.values())
    assert "facenet_vggface2" in homeface("models", "list").out


@requires_data
def test_compile_prepares_the_models_in_use(
    homeface: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CACHE_DIRECTORY", str(tmp_path / "cache"))
    answer = homeface("models", "compile", "mobilefacenet")
    assert answer.code == 0
    assert "mobilefacenet: openvino on cpu" in answer.out
    assert any(path.name.startswith("mobilefacenet.") for path in (tmp_path / "cache" / "compiled").iterdir())
    assert homeface("models", "compile", "arcface").code == 2


@requires_data
def test_verify_knows_good_files(homeface: Command) -> None:
    answer = homeface("models", "verify", "--json")
    assert answer.code == 0
    states = {row["model"]: row["state"] for row in answer.json}
    assert states["facenet_vggface2"] == "ok"
    assert "not here" not in states.values()


@requires_data
def test_a_file_with_another_hash_is_told(homeface: Command, empty: Path) -> None:
    target = empty / _ONNX.file
    shutil.copy(next(weights_dir().rglob(_ONNX.file)), target)
    with target.open("r+b") as file:
        file.seek(1000)
        file.write(b"\0\1\2\3")
    answer = homeface("models", "verify")
    assert answer.code == 1
    assert "wrong" in answer.out
    row = next(r for r in homeface("models", "verify", "--json").json if r["model"] == "mobilefacenet")
    told = row["state"]
    assert str(target) in told
    assert str(_ONNX.sha256) in told


def test_without_a_network_the_sentence_says_what_to_put_where(
    homeface: Command, empty: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_network(*_: object, **__: object) -> None:
        raise urllib.error.URLError("Temporary failure in name resolution")

    monkeypatch.setattr("urllib.request.urlopen", no_network)
    answer = homeface("models", "fetch", "facenet_vggface2")
    assert answer.code == 1
    wanted = next(a for spec in MANIFEST if spec.name == "facenet_vggface2" for a in spec.artefacts if a.url)
    assert wanted.file in answer.err
    assert str(wanted.sha256) in answer.err
    assert str(empty) in answer.err
    assert "cannot be reached" in answer.err
    assert "Traceback" not in answer.err


def test_what_cannot_be_downloaded_at_all_is_told_the_same_way(homeface: Command, empty: Path) -> None:
    answer = homeface("models", "fetch", "mobilefacenet")
    assert answer.code == 1
    assert _ONNX.file in answer.err
    assert str(_ONNX.sha256) in answer.err
    assert str(empty) in answer.err


@requires_data
def test_fetching_what_is_here_downloads_nothing(homeface: Command) -> None:
    answer = homeface("models", "fetch", "mobilefacenet", "mtcnn")
    assert answer.code == 0
    assert str(weights_dir()) in answer.out
    assert "nothing to fetch" in answer.out


def test_a_name_that_is_no_model(homeface: Command) -> None:
    answer = homeface("models", "fetch", "mobilefacenut")
    assert answer.code == 2
    assert "There is no model mobilefacenut. Known: " in " ".join(answer.err.split())
