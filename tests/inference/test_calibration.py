"""Each built-in embedder that can be had has its figures, and a model without figures is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from homeface.core.calibration import calibration_file
from homeface.errors import ModelError
from homeface.inference import calibration
from homeface.inference.calibration import calibration_for
from homeface.inference.manifest import Kind, find_spec


@pytest.mark.parametrize("name", ["facenet_vggface2", "mobilefacenet"])
def test_built_in_embedders_are_calibrated(name: str) -> None:
    model_id = find_spec(name, Kind.EMBEDDER).model_id
    assert calibration_for(model_id).model_id == model_id


@pytest.mark.parametrize(
    "model_id", ["mine/arcface_112-1", "facenet_vggface2/stretched-99", "../../../etc/passwd"]
)
def test_an_uncalibrated_model_is_told(model_id: str) -> None:
    with pytest.raises(ModelError, match="no calibration"):
        calibration_for(model_id)


@pytest.mark.parametrize("content", ["{", "[]", "{}", '"x"', '{"model_id": "m/1"}'])
def test_a_damaged_file_is_told(content: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / calibration_file("m/1")).write_text(content)
    monkeypatch.setattr(calibration.resources, "files", lambda package: tmp_path)
    with pytest.raises(ModelError, match="damaged"):
        calibration_for("m/1")
