"""Numbers of 16 bits instead of 32: where the device is made for them, and where a model's results stay.

bfloat16 has the range of float32 and two to three decimals. What that does to each model of the manifest was
measured (docs/decisions/0005); another model runs in float32 unless told otherwise.
"""

from __future__ import annotations

from enum import StrEnum
from functools import cache
from pathlib import Path

from homeface.errors import BackendUnavailableError

PRECISION_WISHES = ("auto", "float32", "bfloat16")
_CPU_INFO = Path("/proc/cpuinfo")


class Low(StrEnum):
    """What of a network is computed in bfloat16 on a processor."""

    NOTHING = "nothing"
    PRODUCTS = "products"
    """The products of convolutions over channels; sums, biases and all between them stay float32."""
    ALL = "all"
    """All but the result."""


def low_on_cpu(wish: str, measured: Low, what: str) -> Low:
    """What to compute in bfloat16. ``wish``: one of ``PRECISION_WISHES``; ``measured``: what was found good.

    Raises ``BackendUnavailableError`` for a wish that the processor cannot meet.
    """
    if wish not in PRECISION_WISHES:
        raise BackendUnavailableError(
            f"recognition.precision: there is no {wish!r}; use one of {', '.join(PRECISION_WISHES)}."
        )
    if wish == "bfloat16" and not cpu_flags() & {"amx_bf16", "avx512_bf16"}:
        raise BackendUnavailableError(
            f"recognition.precision: bfloat16 was asked for {what}, but this processor has no unit for it; "
            "use auto or float32."
        )
    if wish == "bfloat16":
        return measured if measured is not Low.NOTHING else Low.ALL
    return measured if wish == "auto" and "amx_bf16" in cpu_flags() else Low.NOTHING


@cache
def cpu_flags() -> frozenset[str]:
    """What the processor says it can do, as Linux names it; empty where it does not say."""
    try:
        text = _CPU_INFO.read_text(encoding="ascii", errors="replace")
    except OSError:
        return frozenset()
    for line in text.splitlines():
        name, _, value = line.partition(":")
        if name.strip() in {"flags", "Features"}:
            return frozenset(value.split())
    return frozenset()
