"""MTCNN's three networks, with the weights inside facenet-pytorch. Imports torch only to build one."""

from __future__ import annotations

import hashlib
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from homeface.errors import WeightsUnavailableError
from homeface.inference.runtimes.networks import TorchNetwork

if TYPE_CHECKING:
    from torch import nn

_PARTS: dict[str, tuple[tuple[int | None, ...], tuple[str, ...]]] = {
    "PNet": ((None, 3, None, None), ("shift", "score")),
    "RNet": ((None, 3, 24, 24), ("shift", "score")),
    "ONet": ((None, 3, 48, 48), ("shift", "points", "score")),
}


def network(name: str) -> TorchNetwork:
    """``PNet``, ``RNet`` or ``ONet``. Raises ``WeightsUnavailableError`` without facenet-pytorch."""
    shape, outputs = _PARTS[name]
    content = _weights(name)
    key = f"mtcnn/{name}/{hashlib.sha256(content).hexdigest()}"
    return TorchNetwork(lambda: _build(name, content), key, [shape], ["image"], outputs)


def _build(name: str, content: bytes) -> nn.Module:
    from facenet_pytorch.models import mtcnn

    from homeface.inference.runtimes.torch import load_state

    module: nn.Module = getattr(mtcnn, name)(pretrained=False)
    module.load_state_dict(load_state(content, name))
    return module


def _weights(name: str) -> bytes:
    package = find_spec("facenet_pytorch")
    if package is None or package.origin is None:
        raise WeightsUnavailableError("MTCNN's weights come inside facenet-pytorch: install facenet-pytorch.")
    path = Path(package.origin).parent / "data" / f"{name.lower()}.pt"
    try:
        return path.read_bytes()
    except OSError as error:
        raise WeightsUnavailableError(
            f"{path} of facenet-pytorch cannot be read ({error.strerror}); install facenet-pytorch again."
        ) from error
