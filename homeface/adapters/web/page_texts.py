"""Languages of the pages: gettext catalogs for templates, texts for scripts, and which one a browser gets."""

from __future__ import annotations

import gettext
import json
from dataclasses import dataclass
from functools import cache
from importlib import resources

SOURCE_LANGUAGE = "en"
LANGUAGES: tuple[tuple[str, str], ...] = (("en", "English"), ("de", "Deutsch"))
"""(code, its own name for itself)."""

_CODES = frozenset(code for code, _ in LANGUAGES)


@dataclass(frozen=True, slots=True)
class Texts:
    """One language. ``scripts``: what scripts say, by the English text; empty for English itself."""

    language: str
    translations: gettext.NullTranslations
    scripts: dict[str, str]


@cache
def texts(language: str) -> Texts:
    """Read the catalogs of a language (blocks once). Raises KeyError for one that is not in LANGUAGES."""
    if language not in _CODES:
        raise KeyError(language)
    if language == SOURCE_LANGUAGE:
        return Texts(language, gettext.NullTranslations(), {})
    folder = resources.files(__package__).joinpath("locales", language)
    with folder.joinpath("LC_MESSAGES", "pages.mo").open("rb") as file:
        translations = gettext.GNUTranslations(file)
    scripts = json.loads(folder.joinpath("scripts.json").read_text(encoding="utf-8"))
    return Texts(language, translations, scripts)


def chosen_language(cookie: str, configured: str, accepted: str) -> str:
    """The code to use: what the person chose, else as configured, else what the browser prefers.

    ``accepted``: the header Accept-Language, as it came.
    """
    for code in (cookie, configured):
        if code in _CODES:
            return code
    return next((code for code in _preferred(accepted) if code in _CODES), SOURCE_LANGUAGE)


def _preferred(accepted: str) -> list[str]:
    """Codes without their country, the best first."""
    weighed: list[tuple[float, str]] = []
    for part in accepted.split(",")[:20]:
        tag, _, parameter = part.strip().partition(";")
        try:
            weight = float(parameter.strip().removeprefix("q=")) if parameter else 1.0
        except ValueError:
            continue
        weighed.append((weight, tag.strip().partition("-")[0].lower()))
    return [code for weight, code in sorted(weighed, key=lambda item: -item[0]) if weight > 0]
