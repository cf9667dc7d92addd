"""Networks before any runtime has them. Imports no torch: most starts find the network in the cache."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch
    from torch import nn


@dataclass(frozen=True, slots=True)
class TorchNetwork:
    """A torch module that is built only if it has to be.

    ``key``: tells the weights from all others, e.g. their SHA-256. ``shapes``: of the example inputs; axes
    given as None may have any size, and the example has 2 (axis 0) or 64 there. ``inputs`` and ``outputs``:
    names to use in ``Session.run``, in the module's order.
    """

    make: Callable[[], nn.Module]
    key: str
    shapes: Sequence[Sequence[int | None]]
    inputs: Sequence[str]
    outputs: Sequence[str]

    def examples(self) -> tuple[torch.Tensor, ...]:
        """Zeros of the shapes."""
        import torch

        return tuple(torch.zeros([_example(axis, size) for axis, size in enumerate(s)]) for s in self.shapes)

    @property
    def identity(self) -> str:
        """Tells the network from all others, also by how it is fed."""
        return f"{self.key}|{self.shapes}|{self.inputs}|{self.outputs}"


def _example(axis: int, size: int | None) -> int:
    return size if size is not None else (2 if axis == 0 else 64)
