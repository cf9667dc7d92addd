"""facenet-pytorch as its README and notebooks use it: MTCNN, InceptionResnetV1 and the FastMTCNN idea.

timesler/facenet-pytorch: README.md and ``examples/infer.ipynb`` (``mtcnn(image)`` gives crops,
``resnet(crops)`` gives vectors), ``examples/face_tracking.ipynb`` (``keep_all=True``), and FastMTCNN of the
notebook "Fast MTCNN detector" that the README points to: stride 4, frames at half size, pyramid factor 0.6,
margin 14; boxes of one frame are kept for the following three. One kindness: no gradients are recorded,
which the README forgets.

Nothing here imports ``homeface.inference``: the peer runs with the thread settings its own users have.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from homeface.core.types import ImageRGB
from homeface.errors import WeightsUnavailableError
from homeface.lab.peers import missing_peer

Boxes = NDArray[np.float32]
"""(N, 5): corners in pixels of the picture, and the probability."""

FAST_STRIDE, FAST_RESIZE, FAST_FACTOR, FAST_MARGIN = 4, 0.5, 0.6, 14


class FacenetPytorch:
    """The package's own classes, made as its README makes them.

    ``device``: ``cpu`` or ``cuda:0``. ``weights``: the VGGFace2 state dict, since the README's download lies
    in another place on each machine; None when nobody embeds.
    """

    def __init__(self, device: str, min_face_px: int, weights: Path | None = None) -> None:
        try:
            import facenet_pytorch
            import torch
        except ImportError as error:
            raise missing_peer("facenet-pytorch", "facenet-pytorch") from error
        self._torch: Any = torch
        self._device = device
        self._mtcnn: Any = facenet_pytorch.MTCNN(
            image_size=160, margin=0, min_face_size=min_face_px, keep_all=True, device=device
        )
        self._fast: Any = facenet_pytorch.MTCNN(
            margin=FAST_MARGIN, factor=FAST_FACTOR, keep_all=True, device=device
        )
        self._resnet: Any = None if weights is None else _resnet(weights).to(device)

    def detect(self, image_rgb: ImageRGB) -> Boxes:
        """``mtcnn.detect(image)``."""
        boxes, scores = self._mtcnn.detect(image_rgb)
        return _rows(boxes, scores)

    def detect_batch(self, images_rgb: Sequence[ImageRGB]) -> list[Boxes]:
        """``mtcnn.detect(images)``: pictures of one size, all in one call."""
        boxes, scores = self._mtcnn.detect(list(images_rgb))
        return [_rows(b, s) for b, s in zip(boxes, scores, strict=True)]

    def detect_strided(self, images_rgb: Sequence[ImageRGB]) -> list[Boxes]:
        """FastMTCNN on consecutive frames: each fourth is looked at, at half its size."""
        import cv2

        small = [
            cv2.resize(image, (int(image.shape[1] * FAST_RESIZE), int(image.shape[0] * FAST_RESIZE)))
            for image in images_rgb
        ]
        boxes, scores = self._fast.detect(small[::FAST_STRIDE])
        found = []
        for index in range(len(images_rgb)):
            rows = _rows(boxes[index // FAST_STRIDE], scores[index // FAST_STRIDE])
            rows[:, :4] /= FAST_RESIZE
            found.append(rows)
        return found

    def embed(self, crops_rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
        """``resnet(crops)`` for (N, 160, 160, 3) as ``MTCNN.forward`` standardises them: (N, 512)."""
        torch = self._torch
        batch = torch.from_numpy(crops_rgb).permute(0, 3, 1, 2).float()
        return self._vectors((batch - 127.5) / 128.0)

    def recognise(self, image_rgb: ImageRGB) -> NDArray[np.float32]:
        """``resnet(mtcnn(image))``: the README's quick start with ``keep_all=True``; (N, 512)."""
        crops = self._mtcnn(image_rgb)
        return np.zeros((0, 512), np.float32) if crops is None else self._vectors(crops)

    def _vectors(self, batch: Any) -> NDArray[np.float32]:
        if self._resnet is None:
            raise WeightsUnavailableError("facenet-pytorch's InceptionResnetV1 was given no weights.")
        with self._torch.no_grad():
            vectors: NDArray[np.float32] = self._resnet(batch.to(self._device)).cpu().numpy()
        return vectors


def _resnet(weights: Path) -> Any:
    import torch
    from facenet_pytorch import InceptionResnetV1

    state = torch.load(weights, map_location="cpu", weights_only=True)
    state = {key: value.float() if value.is_floating_point() else value for key, value in state.items()}
    resnet = InceptionResnetV1(pretrained=None)
    resnet.load_state_dict({key: value for key, value in state.items() if not key.startswith("logits.")})
    return resnet.eval()


def _rows(boxes: Any, scores: Any) -> Boxes:
    if boxes is None:
        return np.zeros((0, 5), np.float32)
    corners = np.asarray(boxes, np.float32).reshape(-1, 4)
    return np.hstack([corners, np.asarray(scores, np.float32).reshape(-1, 1)])
