"""Style sheets, scripts and pictures of the pages: read once, kept in memory, compressed once."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable

_TYPES = {
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
    ".txt": "text/plain",
    ".md": "text/plain",
    "": "text/plain",
}
_LEAST_BYTES = 512
"""Below that compression saves nothing."""


@dataclass(frozen=True, slots=True)
class PageFile:
    """One file as it is sent; ``packed``: the same with gzip, or None."""

    content: bytes
    packed: bytes | None
    media: str


@dataclass(frozen=True, slots=True)
class PageFiles:
    """All of them by path. ``version`` changes with any of them: it stands in their addresses."""

    version: str
    by_path: Mapping[str, PageFile]


@cache
def page_files() -> PageFiles:
    """Read them all (blocks, once)."""
    found = dict(sorted(_walk(resources.files(__package__).joinpath("static"), "")))
    digest = hashlib.sha256()
    for path, content in found.items():
        digest.update(path.encode() + b"\0" + content)
    return PageFiles(
        version=digest.hexdigest()[:12],
        by_path={path: _file(path, content) for path, content in found.items()},
    )


def _walk(folder: Traversable, path: str) -> Iterator[tuple[str, bytes]]:
    for entry in folder.iterdir():
        if entry.is_dir():
            yield from _walk(entry, f"{path}{entry.name}/")
        else:
            yield f"{path}{entry.name}", entry.read_bytes()


def _file(path: str, content: bytes) -> PageFile:
    name = path.rpartition("/")[2]
    media = _TYPES.get(name[name.rfind(".") :] if "." in name else "", "application/octet-stream")
    packed = gzip.compress(content, 9, mtime=0) if len(content) >= _LEAST_BYTES else b""
    return PageFile(content, packed if 0 < len(packed) < len(content) else None, media)
