"""``homeface lab convert-tf``: a TensorFlow checkpoint becomes a weight file, if both agree."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from homeface.errors import ModelError
from homeface.lab.conversion.checkpoint import TensorFlowCheckpoint
from homeface.lab.conversion.inception import state_from
from homeface.lab.conversion.reference import Reference
from homeface.lab.training.files import replace_file

_SIDE_PX = 160
_LEAST_COSINE = 0.99999


@dataclass(frozen=True, slots=True)
class Converted:
    """``alike``: least cosine between the converted network's vectors and the checkpoint's own."""

    file: Path
    sha256: str
    variables: int
    alike: float
    compared_with: str


def convert(path: Path, out: Path, expected: Path | None = None) -> Converted:
    """Write facenet-pytorch's weight file of a checkpoint, if both give the same vectors.

    ``expected``: an ``.npz`` with ``pictures`` (N, 160, 160, 3) as they were fed to TensorFlow and the
    ``embeddings`` (N, D) that it gave. Raises ``ModelError``; nothing is written then.
    """
    import torch
    from facenet_pytorch.models.inception_resnet_v1 import InceptionResnetV1

    checkpoint = TensorFlowCheckpoint(path)
    state = state_from(checkpoint)
    network = InceptionResnetV1(pretrained=None)
    try:
        missing = network.load_state_dict(state, strict=False).missing_keys
    except RuntimeError as error:
        raise ModelError(f"{checkpoint.prefix} is a FaceNet of other sizes: {error}") from error
    if lacking := [name for name in missing if "num_batches_tracked" not in name and "logits" not in name]:
        raise ModelError(f"{checkpoint.prefix} lacks {', '.join(lacking[:5])}.")
    pictures, truth, source = _truth(checkpoint, expected)
    with torch.no_grad():
        vectors = network.eval()(torch.from_numpy(pictures).permute(0, 3, 1, 2)).numpy()
    unit = [rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in (vectors, truth)]
    alike = float((unit[0] * unit[1]).sum(axis=1).min())
    if not alike >= _LEAST_COSINE:
        raise ModelError(
            f"The converted network gives other vectors than {source} (cosine {alike:.5f}): not written."
        )
    buffer = io.BytesIO()
    torch.save(state, buffer)
    out.parent.mkdir(parents=True, exist_ok=True)
    replace_file(out, buffer.getbuffer())
    return Converted(out, hashlib.sha256(buffer.getbuffer()).hexdigest(), len(state), alike, source)


def _truth(
    checkpoint: TensorFlowCheckpoint, expected: Path | None
) -> tuple[NDArray[np.float32], NDArray[np.float32], str]:
    """Pictures, the vectors they must give, and who says so."""
    if expected is None:
        pictures = np.random.default_rng(0).normal(0, 0.5, (2, _SIDE_PX, _SIDE_PX, 3)).astype(np.float32)
        reference = Reference(checkpoint)
        rows = np.stack([reference.embed(picture) for picture in pictures])
        return pictures, rows, "the checkpoint, calculated in numpy"
    try:
        with np.load(expected, allow_pickle=False) as kept:
            pictures, rows = (np.asarray(kept[name], np.float32) for name in ("pictures", "embeddings"))
    except (OSError, ValueError, KeyError) as error:
        raise ModelError(f"{expected} cannot be read as pictures and embeddings: {error}.") from error
    if pictures.ndim != 4 or pictures.shape[1:] != (_SIDE_PX, _SIDE_PX, 3) or len(rows) != len(pictures):
        raise ModelError(f"{expected}: pictures must be (N, 160, 160, 3) and embeddings (N, D).")
    return pictures, rows, f"TensorFlow, in {expected}"
