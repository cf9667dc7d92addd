"""How much of a card's measured peak an embedding network uses. In the process of the subject ``peak``."""

from __future__ import annotations

import time
from typing import Any

_WARM_UP, _REPEATS = 3, 20


def measure_peak(device: str) -> float:
    """Operations a second (2·n³ each) of large matrix products: half precision on CUDA, float32 elsewhere."""
    import torch

    cuda = device.startswith("cuda")
    side, kind = (8192, torch.float16) if cuda else (768, torch.float32)
    left = torch.randn(side, side, device=device, dtype=kind)
    right = torch.randn(side, side, device=device, dtype=kind)
    for _ in range(_WARM_UP):
        left @ right
    _settle(torch, cuda)
    begun = time.perf_counter()
    for _ in range(_REPEATS):
        left @ right
    _settle(torch, cuda)
    return 2.0 * side**3 * _REPEATS / (time.perf_counter() - begun)


def operations_of_facenet() -> float:
    """Operations (a multiply and an add are two) of InceptionResnetV1 for one face, as torch counts them."""
    import torch
    from facenet_pytorch import InceptionResnetV1
    from torch.utils.flop_counter import FlopCounterMode

    network = InceptionResnetV1(pretrained=None).eval()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(torch.zeros(1, 3, 160, 160))
    return float(counter.get_total_flops())


def _settle(torch: Any, cuda: bool) -> None:
    if cuda:
        torch.cuda.synchronize()
