"""Networks on CUDA as recorded graphs: one launch instead of hundreds, which is what small networks wait for.

On a processor the same objects run the module as it is, so that all but the recording is tested anywhere.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from homeface.inference.arrays import Pixels

ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
"""Batch sizes that are recorded; others are filled up to the next one."""
_KEPT = 24
"""Recordings kept of one network, the last used."""
_WARM_UP = 3

Outputs = tuple[torch.Tensor, ...]
Enter = Callable[[torch.Tensor], torch.Tensor]
"""From what is handed in to (N, c, h, w) numbers; recorded with the network."""


def rows_for(count: int) -> int:
    """The recorded batch size that holds ``count`` rows (at most the largest)."""
    return next((rows for rows in ROWS if rows >= count), ROWS[-1])


def entering(pixels: Pixels, device: str) -> Enter:
    """From (N, h, w, 3) uint8 pictures to what a network wants of them."""
    mean, std = (torch.tensor(values, device=device) for values in (pixels.mean, pixels.std))

    def enter(pictures: torch.Tensor) -> torch.Tensor:
        values = (pictures.flip(-1) if pixels.swap else pictures).float()
        return ((values - mean) / std).permute(0, 3, 1, 2)

    return enter


class Slot:
    """One shape of input. Fill ``input``, then ``run``; outputs are overwritten by the next ``run``."""

    def __init__(self, work: Callable[[torch.Tensor], Outputs], given: torch.Tensor) -> None:
        self.input = given
        self._work = work

    def run(self) -> Outputs:
        """The outputs for what ``input`` holds now."""
        return self._work(self.input)


class _Recording(Slot):
    def __init__(self, work: Callable[[torch.Tensor], Outputs], given: torch.Tensor) -> None:
        super().__init__(work, given)
        beside = torch.cuda.Stream(given.device)  # type: ignore[no-untyped-call]
        beside.wait_stream(torch.cuda.current_stream(given.device))
        with torch.cuda.stream(beside):
            for _ in range(_WARM_UP):  # libraries choose their kernels, which cannot be recorded
                work(given)
        torch.cuda.current_stream(given.device).wait_stream(beside)
        self._graph: Any = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph):
            self._outputs = work(given)

    def run(self) -> Outputs:
        self._graph.replay()
        return self._outputs


class Replayed:
    """A module in evaluation mode on a device, channels last, computing in ``dtype``.

    ``enter``: takes uint8 pictures (N, h, w, 3) to the network's numbers; without it those are handed in.
    Outputs are **overwritten by the next call of the same shape** on CUDA: use or copy them before.
    """

    def __init__(
        self, module: nn.Module, device: str, *, dtype: torch.dtype, enter: Enter | None = None
    ) -> None:
        self.device = device
        self.dtype = dtype
        placed = module.eval().to(device=device, dtype=dtype)
        self._module: nn.Module = placed.to(memory_format=torch.channels_last)
        self._enter = enter
        self._slots: OrderedDict[tuple[int, ...], Slot] = OrderedDict()

    def slot(self, shape: tuple[int, ...]) -> Slot:
        """The place for input of this shape, made when it is first asked for. In ``torch.inference_mode``."""
        slot = self._slots.pop(shape, None)
        if slot is None:
            kind = self.dtype if self._enter is None else torch.uint8
            given = torch.zeros(shape, dtype=kind, device=self.device)
            slot = (_Recording if self.device.startswith("cuda") else Slot)(self._work, given)
        self._slots[shape] = slot
        while len(self._slots) > _KEPT:
            self._slots.popitem(last=False)
        return slot

    def __call__(self, given: torch.Tensor) -> Outputs:
        """Outputs of exactly these rows."""
        slot = self.slot(tuple(given.shape))
        slot.input.copy_(given)
        return slot.run()

    def rows(self, given: torch.Tensor) -> Outputs:
        """As a call, for batches whose size changes: filled up to a recorded size, the result cut back."""
        if not len(given):  # networks that flatten cannot do nothing
            return tuple(value[:0] for value in self(given.new_zeros((1, *given.shape[1:]))))
        parts = []
        for start in range(0, len(given), ROWS[-1]):
            part = given[start : start + ROWS[-1]]
            rows = rows_for(len(part)) if self.device.startswith("cuda") else len(part)
            slot = self.slot((rows, *part.shape[1:]))
            slot.input[: len(part)].copy_(part)
            parts.append([value[: len(part)] for value in slot.run()])
            if len(given) > ROWS[-1]:
                parts[-1] = [value.clone() for value in parts[-1]]
        return tuple(parts[0]) if len(parts) == 1 else tuple(map(torch.cat, zip(*parts, strict=True)))

    def _work(self, given: torch.Tensor) -> Outputs:
        numbers = given if self._enter is None else self._enter(given)
        entered = numbers.to(self.dtype).contiguous(memory_format=torch.channels_last)
        result = self._module(entered)
        return result if isinstance(result, tuple) else (result,)
