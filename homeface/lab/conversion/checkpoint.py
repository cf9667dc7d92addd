"""Reading a TensorFlow checkpoint (format V2) without TensorFlow.

A checkpoint ``model`` is ``model.index``, a table that maps names to places, and
``model.data-0000k-of-0000n`` with the values. The table is LevelDB's (tensorflow/core/lib/io/format.h):
blocks of keys that share prefixes, a footer that points to the block of blocks. Entries are protocol buffers
(tensor_bundle.proto). The one reader on PyPI pins a protocol buffer library of years ago.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from homeface.errors import ModelError

_MAGIC = 0xDB4775248B80FB57
_FOOTER_BYTES = 48
_TRAILER_BYTES = 5
"""Behind each block: how it is compressed, and a checksum."""
_TYPES = {1: "<f4", 2: "<f8", 3: "<i4", 9: "<i8", 19: "<f2"}
"""Numbers of types (types.proto) that weights and counters have."""
_MOST_DIMENSIONS = 8


class _BrokenError(ValueError):
    """The bytes are not what the format says."""


@dataclass(frozen=True, slots=True)
class Entry:
    """Where a variable lies."""

    dtype: int
    shape: tuple[int, ...]
    shard: int
    offset: int
    size: int


class TensorFlowCheckpoint:
    """The variables of a checkpoint, by name. Values are read when they are asked for."""

    def __init__(self, path: Path) -> None:
        """``path``: the prefix, or any of its files. Raises ``ModelError`` for what is no checkpoint."""
        name = path.name
        for mark in (".index", ".meta"):
            name = name.removesuffix(mark)
        self.prefix = path.with_name(name.partition(".data-")[0])
        index = self.prefix.with_name(self.prefix.name + ".index")
        try:
            content = index.read_bytes()
        except OSError as error:
            raise ModelError(
                f"{index} cannot be read ({error.strerror or error}): name a TensorFlow checkpoint of format "
                "V2, three files such as model-275.index, model-275.meta and model-275.data-00000-of-00001."
            ) from error
        try:
            self.shards, self.entries = _entries(content)
        except (ValueError, IndexError) as error:
            raise ModelError(f"{index} is no index of a TensorFlow checkpoint: {error}.") from error

    def read(self, name: str) -> NDArray[np.generic]:
        """A variable's values. Raises ``ModelError`` naming what is lacking."""
        entry = self.entries.get(name)
        if entry is None:
            raise ModelError(f"{self.prefix} has no variable {name}.")
        file = self.prefix.with_name(f"{self.prefix.name}.data-{entry.shard:05d}-of-{self.shards:05d}")
        kind = _TYPES.get(entry.dtype)
        count = int(np.prod(entry.shape, dtype=np.int64))
        if kind is None or count * np.dtype(kind).itemsize != entry.size:
            raise ModelError(
                f"{self.prefix}: {name} is of a type that cannot be read (number {entry.dtype})."
            )
        try:
            with file.open("rb") as data:
                data.seek(entry.offset)
                content = data.read(entry.size)
        except OSError as error:
            raise ModelError(f"{file} cannot be read: {error.strerror or error}.") from error
        if len(content) != entry.size:
            raise ModelError(f"{file} ends before {name} does: copy it again, it is not whole.")
        return np.frombuffer(content, kind).reshape(entry.shape)


def _entries(content: bytes) -> tuple[int, Mapping[str, Entry]]:
    """Number of data files, and the entries by name."""
    if len(content) < _FOOTER_BYTES:
        raise _BrokenError("it is too short")
    footer = content[-_FOOTER_BYTES:]
    if int.from_bytes(footer[-8:], "little") != _MAGIC:
        raise _BrokenError("its last bytes are not those of such a table")
    _, place = _handle(footer, 0)
    (offset, size), _ = _handle(footer, place)
    found: dict[str, Entry] = {}
    shards = 1
    for _, value in _block(content, offset, size):
        (start, length), _ = _handle(value, 0)
        for key, entry in _block(content, start, length):
            if key:
                found[key.decode()] = _entry(entry)
            else:
                shards = int(dict(_fields(entry)).get(1, 1))  # the header
    return shards, found


def _handle(content: bytes, place: int) -> tuple[tuple[int, int], int]:
    """(offset, size) of a block, and where the next handle begins."""
    offset, place = _varint(content, place)
    size, place = _varint(content, place)
    return (offset, size), place


def _block(content: bytes, offset: int, size: int) -> Iterator[tuple[bytes, bytes]]:
    """Keys and values of one block."""
    if offset + size + _TRAILER_BYTES > len(content):
        raise _BrokenError("a block lies beyond its end")
    if content[offset + size]:
        raise _BrokenError("its blocks are compressed")
    block = content[offset : offset + size]
    restarts = int.from_bytes(block[-4:], "little")
    end = size - 4 * (restarts + 1)
    place, key = 0, b""
    while place < end:
        shared, place = _varint(block, place)
        own, place = _varint(block, place)
        length, place = _varint(block, place)
        if place + own + length > end or shared > len(key):
            raise _BrokenError("an entry lies beyond its block")
        key = key[:shared] + block[place : place + own]
        place += own
        yield key, block[place : place + length]
        place += length


def _entry(content: bytes) -> Entry:
    fields = dict(_fields(content))
    shape: list[int] = []
    raw = fields.get(2, b"")
    for number, dimension in _fields(raw if isinstance(raw, bytes) else b""):
        if number == 2 and isinstance(dimension, bytes):
            shape.append(int(dict(_fields(dimension)).get(1, 0)))
    if len(shape) > _MOST_DIMENSIONS:
        raise _BrokenError("a variable has too many dimensions")
    dtype, shard, offset, size = (int(fields.get(number, 0)) for number in (1, 3, 4, 5))
    return Entry(dtype, tuple(shape), shard, offset, size)


def _fields(content: bytes) -> Iterator[tuple[int, int | bytes]]:
    """(number, value) of a protocol buffer message."""
    place = 0
    while place < len(content):
        tag, place = _varint(content, place)
        number, wire = tag >> 3, tag & 7
        if wire == 0:
            value, place = _varint(content, place)
            yield number, value
            continue
        if wire == 2:
            length, place = _varint(content, place)
        elif wire in (1, 5):
            length = 8 if wire == 1 else 4
        else:
            raise _BrokenError("an entry is no protocol buffer")
        if place + length > len(content):
            raise _BrokenError("an entry is cut off")
        yield number, content[place : place + length]
        place += length


def _varint(content: bytes, place: int) -> tuple[int, int]:
    """A number in groups of seven bits, lowest first, and what follows."""
    value = 0
    for shift in range(0, 70, 7):
        byte = content[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, place
    raise _BrokenError("a number does not end")
