"""Writes checkpoints as TensorFlow does: a table of entries, one file of values."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

_TYPES = {"float32": 1, "int64": 9}
_BLOCK_BYTES, _RESTART = 4096, 16


def varint(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def field(number: int, value: int | bytes) -> bytes:
    if isinstance(value, bytes):
        return varint(number << 3 | 2) + varint(len(value)) + value
    return varint(number << 3) + varint(value)


def block(entries: list[tuple[bytes, bytes]]) -> bytes:
    """Keys that share prefixes, the whole key every sixteenth time; uncompressed, with a trailer."""
    out, restarts, before = bytearray(), [], b""
    for number, (key, value) in enumerate(entries):
        shared = 0
        if number % _RESTART == 0:
            restarts.append(len(out))
        else:
            while shared < min(len(key), len(before)) and key[shared] == before[shared]:
                shared += 1
        out += varint(shared) + varint(len(key) - shared) + varint(len(value)) + key[shared:] + value
        before = key
    for place in [*restarts, len(restarts)]:
        out += place.to_bytes(4, "little")
    return bytes(out) + b"\0\0\0\0\0"


def write_checkpoint(prefix: Path, variables: Mapping[str, np.ndarray]) -> None:
    """``prefix``.index and ``prefix``.data-00000-of-00001."""
    entries = [(b"", field(1, 1))]
    offset = 0
    with Path(f"{prefix}.data-00000-of-00001").open("wb") as data:
        for name in sorted(variables):
            value = variables[name]
            dimensions = b"".join(field(2, field(1, size)) for size in value.shape)
            place = field(4, offset) if offset else b""
            head = field(1, _TYPES[value.dtype.name]) + field(2, dimensions)
            entries.append((name.encode(), head + place + field(5, value.nbytes)))
            data.write(np.ascontiguousarray(value).tobytes())
            offset += value.nbytes
    table, handles, waiting = bytearray(), [], []
    for entry in entries:
        waiting.append(entry)
        if sum(len(key) + len(value) for key, value in waiting) > _BLOCK_BYTES:
            handles.append((waiting[-1][0], place_block(table, block(waiting))))
            waiting = []
    if waiting:
        handles.append((waiting[-1][0], place_block(table, block(waiting))))
    meta = place_block(table, block([]))
    index = place_block(table, block(handles))
    footer = (meta + index).ljust(40, b"\0") + (0xDB4775248B80FB57).to_bytes(8, "little")
    Path(f"{prefix}.index").write_bytes(bytes(table) + footer)


def place_block(table: bytearray, content: bytes) -> bytes:
    """Append a block; its handle."""
    handle = varint(len(table)) + varint(len(content) - 5)
    table += content
    return handle
