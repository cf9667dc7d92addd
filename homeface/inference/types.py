"""The small protocols of the device: what a runtime, a detector and an embedder promise.

All of them are created and called on the one device thread (``homeface.inference.engine``); none is
thread-safe. Vendor types (torch tensors, ONNX values) stay behind them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from homeface.core.types import Detection, ImageBGR, ImageRGB
from homeface.inference.alignment import Template

Tensor: TypeAlias = NDArray[Any]
"""An array on its way into or out of a network; batch first, channels second."""
Vectors: TypeAlias = NDArray[np.float32]
"""(N, D), each row of unit length."""


class Session(Protocol):
    """One network in one runtime."""

    @property
    def name(self) -> str:
        """The runtime, for people: ``torch``, ``openvino``, ``onnxruntime``."""

    @property
    def device(self) -> str:
        """Where it runs: ``cpu``, ``cuda:0``."""

    def run(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """One forward pass, by input and output names; float32 in and out whatever the inside computes in."""

    def close(self) -> None:
        """Free the network. May be called twice."""


class Network(Session, Protocol):
    """A session that tells what it takes and gives."""

    @property
    def input_names(self) -> tuple[str, ...]:
        """Names for ``run``, the pictures first."""

    @property
    def output_names(self) -> tuple[str, ...]:
        """Names that ``run`` gives."""

    @property
    def output_shapes(self) -> tuple[tuple[object, ...], ...]:
        """Sizes of the outputs; what is no int may have any size. Empty where nobody knows."""

    @property
    def fixed_batch(self) -> int | None:
        """The batch size the network insists on; None when any will do."""

    @property
    def fixed_side(self) -> tuple[int, int] | None:
        """(height, width) the network insists on; None when any will do."""


class Detector(Protocol):
    """Finds faces with five landmarks."""

    @property
    def name(self) -> str:
        """Name in the manifest."""

    @property
    def min_face_px(self) -> int:
        """Smallest side of a face that it looks for, in pixels of a picture, whatever the picture's size."""

    def detect(self, images: Sequence[ImageBGR]) -> list[list[Detection]]:
        """Faces of each picture, best score first, in pixels of that picture."""

    def close(self) -> None:
        """Free the networks. May be called twice."""


class Embedder(Protocol):
    """Turns an aligned crop into a unit vector."""

    @property
    def model_id(self) -> str:
        """Name and alignment version: vectors of different ids must never be compared."""

    @property
    def device(self) -> str:
        """Where it runs: ``cpu``, ``cuda:0``."""

    @property
    def runtime(self) -> str:
        """What runs it: ``torch``, ``openvino``, ``onnxruntime``."""

    @property
    def dimension(self) -> int:
        """Length of a vector."""

    @property
    def cut(self) -> tuple[int, Template]:
        """Side of the crop in pixels, and how it is cut: what ``align`` does."""

    def align(self, image: ImageBGR, detection: Detection) -> ImageRGB:
        """The (h, w, 3) RGB crop that ``embed`` wants, cut from the full frame."""

    def embed(self, crops: Sequence[ImageRGB]) -> Vectors:
        """(N, dimension) float32 rows of unit length, in the order of the crops."""

    def close(self) -> None:
        """Free the network. May be called twice."""
