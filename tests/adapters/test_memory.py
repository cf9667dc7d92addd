"""Free memory goes back to the system."""

from __future__ import annotations

import subprocess
import sys

import pytest

from homeface.adapters.memory import _trim

_SCRIPT = """
import os
from homeface.adapters.memory import give_back_memory
def resident():
    return int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20
blocks = [bytearray(60_000) for _ in range(3000)]
pins = blocks[::50]
del blocks
before = resident()
assert give_back_memory()
print(before - resident())
"""


@pytest.mark.skipif(_trim() is None, reason="needs glibc")
def test_what_lies_between_used_blocks_is_given_back() -> None:
    """180 MB in small blocks, of which one in fifty is still used: the heap cannot shrink by itself."""
    done = subprocess.run([sys.executable, "-c", _SCRIPT], capture_output=True, text=True, check=True)
    assert float(done.stdout) > 60
