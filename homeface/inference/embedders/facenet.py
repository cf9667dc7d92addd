"""FaceNet: facenet-pytorch's InceptionResnetV1, 512 numbers a face. torch is imported only to build it."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from homeface.errors import ModelError
from homeface.inference.manifest import ModelSpec
from homeface.inference.runtimes.networks import TorchNetwork

if TYPE_CHECKING:
    from torch import nn


def facenet(spec: ModelSpec, content: bytes) -> TorchNetwork:
    """The network of the verified bytes of any artefact of ``spec``."""
    return TorchNetwork(
        make=lambda: _build(spec, content),
        key=hashlib.sha256(content).hexdigest(),
        shapes=[(None, 3, spec.input_px, spec.input_px)],
        inputs=["input"],
        outputs=["embedding"],
    )


def _build(spec: ModelSpec, content: bytes) -> nn.Module:
    from facenet_pytorch.models.inception_resnet_v1 import InceptionResnetV1

    from homeface.inference.runtimes.torch import load_state

    module: nn.Module = InceptionResnetV1(pretrained=None)
    # The official files also carry the classifier that the network was trained with.
    state = {key: value for key, value in load_state(content, spec.name).items() if "logits." not in key}
    try:
        module.load_state_dict(state, strict=True)
    except RuntimeError as error:
        raise ModelError(f"The weights of {spec.name} are of another network: {error}") from error
    return _folded(module.eval())


def _folded(module: nn.Module) -> nn.Module:
    """The same network with each normalisation inside the convolution before it: half as many steps."""
    from facenet_pytorch.models.inception_resnet_v1 import BasicConv2d
    from torch import nn
    from torch.nn.utils.fusion import fuse_conv_bn_eval

    for block in module.modules():
        if isinstance(block, BasicConv2d):
            block.conv = fuse_conv_bn_eval(block.conv, block.bn)
            block.bn = nn.Identity()
    return module
