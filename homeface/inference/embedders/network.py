"""A network that turns crops into vectors, in whatever runtime."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from homeface.core.types import Detection, ImageBGR, ImageRGB
from homeface.errors import ModelError
from homeface.inference.alignment import Template, align, template_named
from homeface.inference.embedders import unit_rows
from homeface.inference.manifest import ModelSpec
from homeface.inference.types import Network, Vectors


class NetworkEmbedder:
    """Takes (input_px, input_px, 3) RGB crops; the network's first output is the vector."""

    def __init__(self, spec: ModelSpec, session: Network) -> None:
        self._spec = spec
        self._session = session
        self._template = template_named(spec.template)
        side = session.fixed_side
        if side is not None and side != (spec.input_px, spec.input_px):
            raise ModelError(f"{spec.name} takes {side} pixels, but its entry says input_px {spec.input_px}.")
        self.dimension = self._measure()

    @property
    def model_id(self) -> str:
        """Name and alignment version."""
        return self._spec.model_id

    @property
    def device(self) -> str:
        """Where it runs."""
        return self._session.device

    @property
    def runtime(self) -> str:
        """What runs it."""
        return self._session.name

    @property
    def cut(self) -> tuple[int, Template]:
        """Side of the crop, and how it is cut."""
        return self._spec.input_px, self._template

    def align(self, image: ImageBGR, detection: Detection) -> ImageRGB:
        """(input_px, input_px, 3) RGB."""
        return align(image, detection, self._spec.input_px, self._template)

    def embed(self, crops: Sequence[ImageRGB]) -> Vectors:
        """(N, dimension) unit rows; a network made for one picture is run once for each."""
        if not crops:
            return np.zeros((0, self.dimension), np.float32)
        batch = np.stack(crops)
        step = self._session.fixed_batch or len(batch)
        rows = [self._forward(batch[start : start + step], step) for start in range(0, len(batch), step)]
        return unit_rows(np.concatenate(rows))

    def close(self) -> None:
        """Free the network."""
        self._session.close()

    def _forward(self, part: ImageRGB, step: int) -> Vectors:
        """Run up to ``step`` pictures, filled up to the batch size the network insists on."""
        count = len(part)
        if count < step:
            part = np.concatenate([part, np.repeat(part[-1:], step - count, axis=0)])
        output = self._session.run({self._session.input_names[0]: part})[self._session.output_names[0]]
        return np.asarray(output, np.float32)[:count]

    def _measure(self) -> int:
        """Length of the vector, from a trial run: not every file declares it, and the first run is slow."""
        side = self._spec.input_px
        blank = np.zeros((self._session.fixed_batch or 1, side, side, 3), np.uint8)
        output = self._session.run({self._session.input_names[0]: blank})[self._session.output_names[0]]
        if output.ndim != 2:
            raise ModelError(f"{self._spec.name} gives {output.shape}, not one vector a picture.")
        return int(output.shape[1])
