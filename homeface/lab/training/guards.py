"""What may stop a training: numbers that are none, and somebody who wants it to stop."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import FrameType

import torch
from torch import Tensor

from homeface.errors import NonFiniteLossError


class Finiteness:
    """Watches losses without waiting for the device at each step."""

    def __init__(self, device: torch.device) -> None:
        self._bad = torch.zeros((), dtype=torch.bool, device=device)

    def note(self, *values: Tensor) -> None:
        """Remember whether a scalar was not finite."""
        for value in values:
            self._bad |= ~torch.isfinite(value.detach())

    def bad(self) -> bool:
        """Whether one was; waits for the device."""
        return bool(self._bad)


def not_finite(
    losses: Mapping[str, float], epoch: int, steps: tuple[int, int], kept: str
) -> NonFiniteLossError:
    """The error: which loss, where, and what there is to go on from."""
    values = ", ".join(f"{name} {value:.4g}" for name, value in losses.items())
    first, last = steps
    where = f"step {last}" if first == last else f"steps {first} to {last}"
    return NonFiniteLossError(
        f"The training has gone astray in epoch {epoch + 1}, {where}: a loss or gradient is no finite number "
        f"({values}). {kept} Begin anew with a lower learning rate or --precision 32-true, or look for "
        "broken pictures."
    )


class StopWish:
    """Set by Ctrl-C or SIGTERM; the second one stops at once."""

    def __init__(self) -> None:
        self.asked = False

    def __bool__(self) -> bool:
        """Whether the training shall end after this step."""
        return self.asked


@contextmanager
def stop_wishes() -> Iterator[StopWish]:
    """Listen to SIGINT and SIGTERM (in the main thread; elsewhere nobody is listened to)."""
    wish = StopWish()
    if threading.current_thread() is not threading.main_thread():
        yield wish
        return

    def listen(_number: int, _frame: FrameType | None) -> None:
        if wish.asked:
            raise KeyboardInterrupt
        wish.asked = True

    before = {number: signal.signal(number, listen) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield wish
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
