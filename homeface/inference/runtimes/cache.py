"""A folder of things that were slow to make: converted and compiled networks.

Nothing here may ever keep homeface from starting: whatever is missing, damaged or unwritable is made again,
and told once. Each file carries the SHA-256 of its content, because the runtimes trust what they read.
"""

from __future__ import annotations

import hashlib
import logging
import os
import tempfile
from pathlib import Path

_LOG = logging.getLogger(__name__)
_DIGEST_BYTES = 32
_TOLD: set[Path | None] = set()
"""Folders about which a warning was given: each network has a cache of its own, all mean the same folder."""
KEPT_BYTES = 1_000_000_000
"""The folder is kept below this: the files longest unused go first."""


class ModelCache:
    """Bytes by key. ``folder`` None: nothing is kept."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    def load(self, what: str, key: str) -> bytes | None:
        """The content stored under this name and key; None when there is none that can be trusted."""
        if self._folder is None:
            return None
        path = self._path(what, key)
        try:
            data = path.read_bytes()
            os.utime(path)
        except FileNotFoundError:
            return None
        except OSError as error:
            self._warn(f"{path} cannot be read ({error.strerror or error})")
            return None
        content = memoryview(data)[_DIGEST_BYTES:]
        if hashlib.sha256(content).digest() != data[:_DIGEST_BYTES]:
            self._warn(f"{path} is damaged")
            return None
        return bytes(content)

    def store(self, what: str, key: str, content: bytes) -> None:
        """Keep ``content``; a folder that cannot be written to is told once and otherwise ignored."""
        if self._folder is None:
            return
        path = self._path(what, key)
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=self._folder, prefix=".part-", delete=False) as file:
                try:
                    file.write(hashlib.sha256(content).digest())
                    file.write(content)
                    file.close()
                    Path(file.name).replace(path)
                except BaseException:
                    Path(file.name).unlink(missing_ok=True)
                    raise
            self._prune(path)
        except OSError as error:
            self._warn(f"{self._folder} cannot be written to ({error.strerror or error})")

    def distrust(self, what: str, key: str, reason: str) -> None:
        """Tell that the content of this key was of no use to its runtime; it will be made anew."""
        if self._folder is not None:
            self._warn(f"{self._path(what, key)} cannot be used ({reason})")

    def _path(self, what: str, key: str) -> Path:
        assert self._folder is not None  # noqa: S101 - narrows for the type checker
        return self._folder / f"{what}-{hashlib.sha256(key.encode()).hexdigest()[:24]}"

    def _prune(self, newest: Path) -> None:
        files = [(path.stat(), path) for path in newest.parent.iterdir() if path.is_file()]
        left = sum(stat.st_size for stat, _ in files)
        for stat, path in sorted(files, key=lambda entry: entry[0].st_mtime):
            if left <= KEPT_BYTES or path == newest:
                return
            path.unlink(missing_ok=True)
            left -= stat.st_size

    def _warn(self, what: str) -> None:
        level = logging.DEBUG if self._folder in _TOLD else logging.WARNING
        _LOG.log(level, "Compiled models: %s. They are made anew, which makes a start slower.", what)
        _TOLD.add(self._folder)
