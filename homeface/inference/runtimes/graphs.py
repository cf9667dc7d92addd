"""Networks on CUDA as recorded graphs: one launch instead of hundreds, which is what small networks wait for.

On a processor the same objects run the module as it is, so that all but the recording is tested anywhere.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import torch
from torch import nn

ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
"""Batch sizes that are recorded; others are filled up to the next one."""
_KEPT = 24
"""Recordings kept of one network, the last used."""
_WARM_UP = 3


def rows_for(count: int) -> int:
    """The recorded batch size that holds ``count`` rows (at most the largest)."""
    return next((rows for rows in ROWS if rows >= count), ROWS[-1])


class Replayed:
    """A module in evaluation mode on a device, channels last.

    Its calls take one tensor and give a tuple of tensors, which are **overwritten by the next call of the
    same shape** on CUDA: use or copy them before.
    """

    def __init__(self, module: nn.Module, device: str, *, dtype: torch.dtype) -> None:
        cuda = device.startswith("cuda")
        self.device = device
        self.dtype = dtype
        placed = module.eval().to(device=device, dtype=dtype)
        self._module: nn.Module = placed.to(memory_format=torch.channels_last)
        self._graphs: OrderedDict[tuple[int, ...], _Recording] | None = OrderedDict() if cuda else None

    def __call__(self, pictures: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """(N, c, h, w) numbers of any kind, on the device or not."""
        entered = self._entered(pictures)
        if self._graphs is None:
            return _all(self._module(entered))
        shape = tuple(entered.shape)
        recording = self._graphs.pop(shape, None)
        if recording is None:
            recording = _Recording(self._module, entered)
        self._graphs[shape] = recording
        while len(self._graphs) > _KEPT:
            self._graphs.popitem(last=False)
        return recording.run(entered)

    def rows(self, pictures: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """As a call, for batches whose size changes: filled up to a recorded size, the result cut back."""
        if not len(pictures):  # networks that flatten cannot do nothing
            return tuple(value[:0] for value in self(pictures.new_zeros((1, *pictures.shape[1:]))))
        if self._graphs is None:
            return self(pictures)
        parts = []
        for start in range(0, len(pictures), ROWS[-1]):
            part = pictures[start : start + ROWS[-1]]
            count, rows = len(part), rows_for(len(part))
            if rows > count:
                part = torch.cat([part, part[:1].expand(rows - count, *part.shape[1:])])
            parts.append([value[:count].clone() for value in self(part)])
        return tuple(torch.cat(values) for values in zip(*parts, strict=True))

    def _entered(self, pictures: torch.Tensor) -> torch.Tensor:
        return pictures.to(self.device, self.dtype).contiguous(memory_format=torch.channels_last)


class _Recording:
    def __init__(self, module: nn.Module, example: torch.Tensor) -> None:
        self._input = torch.empty_like(example, memory_format=torch.channels_last).copy_(example)
        beside = torch.cuda.Stream(example.device)  # type: ignore[no-untyped-call]
        beside.wait_stream(torch.cuda.current_stream(example.device))
        with torch.cuda.stream(beside):
            for _ in range(_WARM_UP):  # libraries choose their kernels, which cannot be recorded
                module(self._input)
        torch.cuda.current_stream(example.device).wait_stream(beside)
        self._graph: Any = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph):
            self._outputs = _all(module(self._input))

    def run(self, entered: torch.Tensor) -> tuple[torch.Tensor, ...]:
        self._input.copy_(entered)
        self._graph.replay()
        return self._outputs


def _all(result: torch.Tensor | tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
    return result if isinstance(result, tuple) else (result,)
