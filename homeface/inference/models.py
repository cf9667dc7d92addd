"""From a manifest entry to a running model. Called on the device thread only; imports are heavy and lazy."""

from __future__ import annotations

from dataclasses import replace

from homeface.inference.arrays import Pixels
from homeface.inference.manifest import Family, Kind, ModelSpec, find_spec
from homeface.inference.runtimes.choice import Runtime
from homeface.inference.runtimes.opening import Feeding, Placement, open_onnx, open_torch
from homeface.inference.types import Detector, Embedder
from homeface.inference.weights import read_weights

_SMALL_BYTES = 16_000_000
"""Weights of a network that stay in a processor's cache from one face to the next."""
__all__ = ["Placement", "load_detector", "load_embedder", "pixels_of"]


def load_detector(spec: ModelSpec, place: Placement, min_face_px: int) -> Detector:
    """A detector of faces from ``min_face_px`` up. Raises the ``ModelError`` tree."""
    if spec.family in {Family.MTCNN, Family.YUNET}:
        choice = place.choose(spec.name, onnx_only=spec.family is Family.YUNET)
        if choice.runtime is Runtime.TORCH and choice.device != "cpu" and spec.input_px == 0:
            from homeface.inference.detectors.opening_device import on_device

            return on_device(spec, place, choice.device, min_face_px, pixels_of(spec))
    if spec.family is Family.MTCNN:
        from homeface.inference.detectors.mtcnn import MtcnnDetector, MtcnnSettings
        from homeface.inference.detectors.mtcnn_networks import network

        feeding = Feeding(pixels=pixels_of(spec), bfloat16=spec.bfloat16)
        many = replace(feeding, free=(0,))
        return MtcnnDetector(
            open_torch(network("PNet"), "mtcnn_pnet", place, feeding),
            open_torch(network("RNet"), "mtcnn_rnet", place, many),
            open_torch(network("ONet"), "mtcnn_onet", place, many),
            MtcnnSettings(min_face_px=min_face_px),
        )
    from homeface.inference.detectors.scrfd import ScrfdDetector
    from homeface.inference.detectors.yunet import YuNetDetector

    place.choose(spec.name, onnx_only=True)  # a wish that cannot be met is told before a missing file
    content = read_weights(spec, place.folders)
    feeding = Feeding(pixels=pixels_of(spec), bfloat16=spec.bfloat16)
    session = open_onnx(content, spec.name, place, feeding)
    if spec.family is Family.YUNET:
        return YuNetDetector(spec, session, min_face_px)
    if spec.family is Family.FASTER_RCNN:
        from homeface.inference.detectors.faster_rcnn import FasterRcnnDetector
        from homeface.inference.detectors.mtcnn_networks import network
        from homeface.inference.detectors.onet import OnetLandmarks

        mtcnn = find_spec("mtcnn", Kind.DETECTOR)
        feeding = Feeding(pixels=pixels_of(mtcnn), free=(0,), bfloat16=mtcnn.bfloat16)
        onet = OnetLandmarks(open_torch(network("ONet"), "mtcnn_onet", place, feeding))
        return FasterRcnnDetector(spec, session, onet, min_face_px)
    return ScrfdDetector(spec, session, min_face_px)


def load_embedder(spec: ModelSpec, place: Placement) -> Embedder:
    """An embedder. Raises the ``ModelError`` tree."""
    from homeface.inference.embedders.network import NetworkEmbedder

    place.choose(spec.name, onnx_only=spec.family is not Family.FACENET)
    content = read_weights(spec, place.folders)
    small = len(content) <= _SMALL_BYTES
    free = () if small else (0,)
    feeding = Feeding(pixels=pixels_of(spec), free=free, apart=small, bfloat16=spec.bfloat16)
    if spec.family is Family.FACENET:
        from homeface.inference.embedders.facenet import facenet

        return NetworkEmbedder(spec, open_torch(facenet(spec, content), spec.name, place, feeding))
    return NetworkEmbedder(spec, open_onnx(content, spec.name, place, feeding))


def pixels_of(spec: ModelSpec) -> Pixels:
    """How its session is to treat pictures: detectors are given BGR, embedders RGB."""
    given = "bgr" if spec.kind is Kind.DETECTOR else "rgb"
    return Pixels(swap=spec.colour != given, mean=spec.mean, std=spec.std)
