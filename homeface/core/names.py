"""When two names are the same."""

from __future__ import annotations

import unicodedata


def name_key(name: str) -> str:
    """Equal for names that people take for the same: case, spaces and Unicode form do not matter."""
    folded = unicodedata.normalize("NFC", name).casefold()
    return " ".join(unicodedata.normalize("NFC", folded).split())
