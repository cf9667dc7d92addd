"""Backup and restore for the page: the store's one encrypted file, by way of a private folder."""

from __future__ import annotations

import asyncio
import secrets
from pathlib import Path
from typing import TYPE_CHECKING

from homeface.adapters.store import BackupInfo, Restored
from homeface.service.settings import effective

if TYPE_CHECKING:
    from homeface.service.life import Life


class Backups:
    """One at a time: each reads or replaces everything."""

    def __init__(self, life: Life) -> None:
        self._life = life
        self._order = asyncio.Lock()

    def clear(self) -> None:
        """Remove what a run that was killed left behind. Blocks."""
        for left in self._life.store.path.parent.glob(".web-*.part"):
            left.unlink(missing_ok=True)

    def place(self) -> Path:
        """A name for a file that is not there yet, on the disk of the database; whoever asks removes it."""
        return self._life.store.path.parent / f".web-{secrets.token_hex(8)}.part"

    async def back_up(self, target: Path, password: str) -> BackupInfo:
        """Write everything into a new file. Raises BackupError, StoreError."""
        async with self._order:
            return await asyncio.to_thread(self._life.store.back_up, target, password)

    async def restore(self, source: Path, password: str) -> Restored:
        """Replace everything by what the file holds, and go on with it. Raises BackupError, StoreError."""
        async with self._order:
            restored = await asyncio.to_thread(self._life.store.restore, source, password)
            config = await asyncio.to_thread(effective, self._life.file_config, self._life.store)
            await self._life.apply(config)
            return restored
