"""From a manifest entry to a running model. Called on the device thread only; imports are heavy and lazy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from homeface.inference.manifest import Family, ModelSpec
from homeface.inference.types import Detector, Embedder
from homeface.inference.weights import read_weights


@dataclass(frozen=True, slots=True)
class Placement:
    """Where weights lie and where the model shall run (``auto``, ``cpu``, ``cuda``, ``cuda:N``)."""

    folders: Sequence[Path]
    device: str
    threads: int = 0


def load_detector(spec: ModelSpec, place: Placement, min_face_px: int) -> Detector:
    """A detector of faces from ``min_face_px`` up. Raises the ``ModelError`` tree."""
    if spec.family is Family.MTCNN:
        from homeface.inference.detectors.mtcnn import MtcnnDetector, MtcnnSettings
        from homeface.inference.runtimes.torch import pick_device, set_threads

        set_threads(place.threads)
        return MtcnnDetector.load(pick_device(place.device), MtcnnSettings(min_face_px=min_face_px))
    from homeface.inference.detectors.scrfd import ScrfdDetector
    from homeface.inference.detectors.yunet import YuNetDetector
    from homeface.inference.runtimes.onnx import OnnxSession
    from homeface.inference.runtimes.onnx import pick_device as pick_onnx_device

    device = pick_onnx_device(place.device)
    session = OnnxSession(read_weights(spec, place.folders), spec.name, device, place.threads)
    if spec.family is Family.YUNET:
        return YuNetDetector(spec, session, min_face_px)
    return ScrfdDetector(spec, session, min_face_px)


def load_embedder(spec: ModelSpec, place: Placement) -> Embedder:
    """An embedder. Raises the ``ModelError`` tree."""
    if spec.family is Family.FACENET:
        from homeface.inference.embedders.facenet import FaceNetEmbedder
        from homeface.inference.runtimes.torch import pick_device, set_threads

        device = pick_device(place.device)
        set_threads(place.threads)
        return FaceNetEmbedder.load(spec, read_weights(spec, place.folders), device)
    from homeface.inference.embedders.onnx import OnnxEmbedder
    from homeface.inference.runtimes.onnx import OnnxSession
    from homeface.inference.runtimes.onnx import pick_device as pick_onnx_device

    device = pick_onnx_device(place.device)
    return OnnxEmbedder(
        spec, OnnxSession(read_weights(spec, place.folders), spec.name, device, place.threads)
    )
