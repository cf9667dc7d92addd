"""Memory that is free but was not given back: glibc keeps what decoders and frames have left behind."""

from __future__ import annotations

import ctypes
from functools import cache


def give_back_memory() -> bool:
    """Hand free pages of the heap back to the system. Blocks for some milliseconds, without the interpreter's
    lock. False where the C library cannot (musl)."""
    trim = _trim()
    if trim is None:
        return False
    trim(0)
    return True


@cache
def _trim() -> ctypes._NamedFuncPointer | None:
    try:
        trim = ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError):
        return None
    trim.argtypes, trim.restype = [ctypes.c_size_t], ctypes.c_int
    return trim
