"""FaceNet: facenet-pytorch's InceptionResnetV1, 512 numbers a face. Imported by the device thread only."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from facenet_pytorch.models.inception_resnet_v1 import InceptionResnetV1

from homeface.core.types import Detection, ImageBGR, ImageRGB
from homeface.errors import ModelError
from homeface.inference.alignment import Template, align, template_named
from homeface.inference.arrays import as_batch
from homeface.inference.embedders import unit_rows
from homeface.inference.manifest import ModelSpec
from homeface.inference.runtimes.torch import TorchSession, load_state
from homeface.inference.types import Session, Vectors

DIMENSION = 512


class FaceNetEmbedder:
    """Takes (160, 160, 3) RGB crops."""

    dimension = DIMENSION

    def __init__(self, spec: ModelSpec, session: Session) -> None:
        self._spec = spec
        self._template = template_named(spec.template)
        self._session = session

    @classmethod
    def load(cls, spec: ModelSpec, content: bytes, device: str) -> FaceNetEmbedder:
        """Build the network from the verified bytes of any artefact of ``spec``."""
        module = InceptionResnetV1(pretrained=None)
        state = load_state(content, spec.name)
        # The official files also carry the classifier that the network was trained with.
        state = {key: value for key, value in state.items() if not key.startswith("logits.")}
        try:
            module.load_state_dict(state, strict=True)
        except RuntimeError as error:
            raise ModelError(f"The weights of {spec.name} are of another network: {error}") from error
        return cls(spec, TorchSession(module, device, ("embedding",)))

    @property
    def model_id(self) -> str:
        """Name and alignment version."""
        return self._spec.model_id

    @property
    def device(self) -> str:
        """Where it runs."""
        return self._session.device

    @property
    def cut(self) -> tuple[int, Template]:
        """Side of the crop, and how it is cut."""
        return self._spec.input_px, self._template

    def align(self, image: ImageBGR, detection: Detection) -> ImageRGB:
        """(160, 160, 3) RGB."""
        return align(image, detection, self._spec.input_px, self._template)

    def embed(self, crops: Sequence[ImageRGB]) -> Vectors:
        """(N, 512) unit rows."""
        if not crops:
            return np.zeros((0, DIMENSION), np.float32)
        batch = as_batch(crops, swap=self._spec.colour != "rgb", mean=self._spec.mean, std=self._spec.std)
        return unit_rows(self._session.run({"input": batch})["embedding"])

    def close(self) -> None:
        """Free the network."""
        self._session.close()
