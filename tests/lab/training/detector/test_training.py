"""The detector's own part of a training: data without faces, weights to begin with, export."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torchvision.models import mobilenet_v2

from homeface.errors import DatasetError, TrainingError
from homeface.lab.training.checkpoint import read_tensors
from homeface.lab.training.detector import export as exporting
from homeface.lab.training.detector.augmentation import Augmentation
from homeface.lab.training.detector.export import export
from homeface.lab.training.detector.network import FaceRcnn, Shape
from homeface.lab.training.detector.run import DetectorRequest, train_detector
from homeface.lab.training.detector.task import Learning
from homeface.lab.training.settings import TrainingSettings
from tests.lab.training.detector.made_labels import Boxes, sample, wider_list

SHAPE = Shape(variant="fpn", pyramid=16, head=16, width=0.35, regions=8)
FACES: dict[str, Boxes] = {f"{n}.jpg": [(10 + n, 10, 30, 35)] if n % 3 else [] for n in range(8)}


def request(folder: Path, **changes: Any) -> DetectorRequest:
    data = sample(folder / "data", FACES) if not (folder / "data").exists() else folder / "data"
    made = DetectorRequest(
        data=data,
        held_out=data,
        out=folder / "run",
        shape=SHAPE,
        how=Augmentation(side_px=64, zoom=(0.8, 1.1)),
        learning=Learning(warm_up_steps=2),
        training=TrainingSettings(epochs=2, batch=4, device="cpu", clip_norm=10.0),
        exports=False,
    )
    return replace(made, **changes)


def weights(folder: Path) -> dict[str, torch.Tensor]:
    found: dict[str, torch.Tensor] = read_tensors(folder / "last.ckpt")["states"]["module"]
    return found


def test_a_run_goes_on_only_as_it_was_begun(tmp_path: Path) -> None:
    begun = request(tmp_path, training=TrainingSettings(epochs=1, batch=4, device="cpu"))
    train_detector(begun)
    with pytest.raises(TrainingError, match="holds a run already"):
        train_detector(begun)
    with pytest.raises(TrainingError, match="begun with batch 4, not 2"):
        train_detector(replace(begun, resume=True, training=replace(begun.training, batch=2)))


def test_data_without_any_face(tmp_path: Path) -> None:
    listed = wider_list(tmp_path, {f"{n}.jpg": [] for n in range(12)})
    with pytest.raises(DatasetError, match=r"No face is left in the .* pictures to train on"):
        train_detector(request(tmp_path, data=listed, held_out=None))


def test_what_is_wrong_with_the_data_is_written_down(tmp_path: Path) -> None:
    wrong = dict(FACES) | {"9.jpg": [(200, 200, 9, 9)]}
    data = sample(tmp_path / "data", wrong)
    train_detector(request(tmp_path, training=TrainingSettings(epochs=1, batch=4, device="cpu")))
    told = (tmp_path / "run" / "problems.txt").read_text()
    assert "lies outside of 80 × 60" in told
    assert data.exists()


def test_weights_of_mobilenet_to_begin_with(tmp_path: Path) -> None:
    state = mobilenet_v2(weights=None, width_mult=SHAPE.width).state_dict()
    torch.save(state, tmp_path / "mobilenet.pth")
    short = TrainingSettings(epochs=1, batch=8, device="cpu")
    still = Learning(rate=1e-12, decay=0.0, warm_up_steps=0)
    train_detector(
        request(tmp_path, training=short, learning=still, backbone_weights=tmp_path / "mobilenet.pth")
    )
    key = "features.4.conv.0.0.weight"
    assert torch.allclose(weights(tmp_path / "run")["net.backbone.body." + key[9:]], state[key], atol=1e-6)
    torch.save({"features.0.weight": torch.zeros(3)}, tmp_path / "other.pth")
    with pytest.raises(TrainingError, match=r"other\.pth holds no weights of torchvision's MobileNetV2"):
        train_detector(request(tmp_path, out=tmp_path / "b", backbone_weights=tmp_path / "other.pth"))


@pytest.mark.parametrize(("moved", "told"), [(0.0, None), (25.0, "as onnx sees something else")])
def test_a_file_that_sees_something_else_is_not_given_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moved: float, told: str | None
) -> None:
    """Here the forms are pretended; the real ones are compared where a detector is learned and used."""
    boxes = np.array([[10, 10, 40, 50], [60, 10, 90, 45]], np.float32)
    scores = np.array([0.9, 0.4], np.float32)
    monkeypatch.setattr(exporting, "_outputs", lambda _module, _tensor: (boxes, scores))
    monkeypatch.setattr(exporting, "_onnx", lambda _module: b"onnx")
    monkeypatch.setattr(exporting, "_torchscript", lambda _module: b"torchscript")
    monkeypatch.setattr(exporting, "_onnx_run", lambda _content: lambda _tensor: (boxes + moved, scores))
    monkeypatch.setattr(exporting, "_torchscript_run", lambda _path: lambda _tensor: (boxes, scores))
    picture = np.zeros((60, 100, 3), np.uint8)
    if told is None:
        product = export(FaceRcnn(SHAPE), tmp_path, "faster_rcnn", [picture])
        assert product.compared == 8
        assert (tmp_path / "faster_rcnn.yaml").read_text() == product.entry
        return
    with pytest.raises(TrainingError, match=told):
        export(FaceRcnn(SHAPE), tmp_path, "faster_rcnn", [picture])
    assert list(tmp_path.iterdir()) == []
