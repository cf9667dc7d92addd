"""Detectors that run in torch on a GPU, made from their weights. Imports torch."""

from __future__ import annotations

import torch

from homeface.inference.arrays import Pixels
from homeface.inference.detectors.mtcnn import MtcnnSettings
from homeface.inference.detectors.mtcnn_device import MtcnnOnDevice
from homeface.inference.detectors.mtcnn_networks import network
from homeface.inference.detectors.yunet_device import YuNetOnDevice
from homeface.inference.manifest import Family, ModelSpec
from homeface.inference.runtimes.graphs import Replayed, entering
from homeface.inference.runtimes.onnx_modules import OnnxModule
from homeface.inference.runtimes.opening import Placement
from homeface.inference.runtimes.torch import dtype_on
from homeface.inference.types import Detector
from homeface.inference.weights import read_weights


def on_device(spec: ModelSpec, place: Placement, device: str, min_face_px: int, pixels: Pixels) -> Detector:
    """MTCNN, or a YuNet of any size, on ``device``. Raises the ``ModelError`` tree.

    MTCNN always computes in float32: its scores end in a softmax, and in half precision all that is sure is
    equally sure, so that suppression and the choice of candidates are left to chance.
    """
    if spec.family is Family.MTCNN:
        enter = entering(pixels, device)
        stages = [
            Replayed(network(name).make(), device, dtype=torch.float32, enter=enter)
            for name in ("PNet", "RNet", "ONet")
        ]
        settings = MtcnnSettings(min_face_px=min_face_px)
        return MtcnnOnDevice((stages[0], stages[1], stages[2]), settings)
    module = OnnxModule(read_weights(spec, place.folders), spec.name)
    return YuNetOnDevice(spec, module, device, dtype_on(device, place.precision), min_face_px)
