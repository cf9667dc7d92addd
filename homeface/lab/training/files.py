"""Files that are written whole or not at all."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from homeface.errors import TrainingError


def replace_file(path: Path, content: bytes | memoryview) -> None:
    """Write beside ``path``, then take its place. Raises ``TrainingError``, and leaves what was there."""
    part = path.with_name(path.name + ".part")
    try:
        with part.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        with suppress(OSError):
            part.unlink()
        kept = f" {path} is still the one written before." if path.exists() else ""
        raise TrainingError(
            f"{path} could not be written: {error.strerror or error}.{kept} "
            "Make room on that disk, then go on with --resume."
        ) from error
