"""Names of people: how they are written."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from homeface.core.names import name_key
from homeface.errors import GalleryError

NAME_MAX_CHARACTERS = 80


def clean_name(name: str) -> str:
    """The name as stored: NFC, single spaces. Raises GalleryError when nobody can be called that."""
    for character in name:
        if unicodedata.category(character) in ("Cc", "Cs", "Co", "Cn") and not character.isspace():
            raise GalleryError(f"The name {name!r} contains a character that cannot be shown; leave it out.")
    cleaned = " ".join(unicodedata.normalize("NFC", name).split())
    if not cleaned:
        raise GalleryError("A name must not be empty.")
    if len(cleaned) > NAME_MAX_CHARACTERS:
        raise GalleryError(
            f"The name {cleaned[:20]}… has {len(cleaned)} characters; {NAME_MAX_CHARACTERS} are allowed."
        )
    return cleaned


def clean_names(name: str, aliases: Sequence[str]) -> list[str]:
    """Name and aliases, cleaned, each once. Raises GalleryError."""
    cleaned: dict[str, str] = {}
    for item in (name, *aliases):
        text = clean_name(item)
        cleaned.setdefault(name_key(text), text)
    return list(cleaned.values())
