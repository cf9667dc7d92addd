"""What the process of a peer can do. facenet-pytorch and dlib see nothing of ``homeface.inference``."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from homeface.core.types import Box, Detection
from homeface.lab.benchmark.worker import FrameFiles, Images, Task


def load_peer(name: str, options: Mapping[str, Any]) -> Mapping[str, Task]:
    """The tasks of one peer. Raises ``BackendUnavailableError`` when it is not installed."""
    return {"facenet": _facenet, "dlib": _dlib, "opencv": _opencv}[name](options)


def _facenet(options: Mapping[str, Any]) -> Mapping[str, Task]:
    from homeface.lab.peers.facenet_pytorch import FacenetPytorch

    weights = options.get("weights")
    peer = FacenetPytorch(options["device"], options["min_face_px"], Path(weights) if weights else None)
    frames = FrameFiles(rgb=True)
    crops = cache(lambda: np.load(options["crops"]))  # it is drawn while we load

    def detect(wanted: Mapping[str, Any]) -> Any:
        return [peer.detect(image).tolist() for image in frames(wanted)]

    def batch(wanted: Mapping[str, Any]) -> Any:
        return [rows.tolist() for rows in peer.detect_batch(frames(wanted))]

    def strided(wanted: Mapping[str, Any]) -> Any:
        return [rows.tolist() for rows in peer.detect_strided(frames(wanted))]

    def embed(wanted: Mapping[str, Any]) -> Any:
        return len(peer.embed(crops()[: wanted["count"]]))

    def whole(wanted: Mapping[str, Any]) -> Any:
        return [len(peer.recognise(image)) for image in frames(wanted)]

    return {
        "detect": detect,
        "detect_batch": batch,
        "detect_strided": strided,
        "embed": embed,
        "whole": whole,
    }


def _dlib(_options: Mapping[str, Any]) -> Mapping[str, Task]:
    from homeface.lab.peers.dlib import DlibFaces

    peer = DlibFaces()
    frames = FrameFiles(rgb=True)

    def detect(wanted: Mapping[str, Any]) -> Any:
        return [[[*box, 1.0] for box in peer.detect_hog(image)] for image in frames(wanted)]

    def whole(wanted: Mapping[str, Any]) -> Any:
        return [len(peer.embed(image, peer.detect_hog(image))) for image in frames(wanted)]

    return {"detect": detect, "whole": whole}


def _opencv(options: Mapping[str, Any]) -> Mapping[str, Task]:
    from homeface.inference.alignment import align, template_named
    from homeface.inference.manifest import Kind, find_spec
    from homeface.lab.peers.opencv_yunet import OpenCvEmbedder, OpenCvYuNet

    detector = OpenCvYuNet(Path(options["model"]), options["scale"])
    spec = find_spec(options["embedder"], Kind.EMBEDDER)
    embedder = OpenCvEmbedder(Path(options["embedder_file"]), spec.mean, spec.std)
    template = template_named(spec.template)
    frames = FrameFiles(rgb=False)

    def detect(wanted: Mapping[str, Any]) -> Any:
        return [
            [[r[0], r[1], r[0] + r[2], r[1] + r[3], r[14]] for r in detector.detect(image).tolist()]
            for image in frames(wanted)
        ]

    def whole(wanted: Mapping[str, Any]) -> Any:
        return [_recognise(image) for image in frames(wanted)]

    def _recognise(image: Images) -> int:
        crops = []
        for row in detector.detect(image):
            box = Box(row[0], row[1], row[0] + row[2], row[1] + row[3])
            crops.append(
                align(image, Detection(box, row[14], row[4:14].reshape(5, 2)), spec.input_px, template)
            )
        return len(embedder.embed(crops)) if crops else 0

    return {"detect": detect, "whole": whole}
