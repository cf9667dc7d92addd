"""The translations of the pages: collect what is said, keep the .po files in step, build what is read.

    python -m tests.support.catalogs          # update and build
    python -m tests.support.catalogs --check  # say what is missing or out of date; exit code 1 if anything is

Templates become ``pages.po`` (built: ``pages.mo``), scripts ``scripts.po`` (built: ``scripts.json``).
"""

from __future__ import annotations

import io
import json
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

WEB = Path(__file__).resolve().parents[2] / "homeface" / "adapters" / "web"
LOCALES = WEB / "locales"
LANGUAGES = ("de",)
_NO_DATE = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Domain:
    """One catalog: where its messages come from, and what is built of it."""

    name: str
    methods: tuple[tuple[str, Any], ...]
    keywords: dict[str, tuple[int | tuple[int, str], ...] | None]
    build: Callable[[Catalog], bytes]
    built: str


def _mo(catalog: Catalog) -> bytes:
    out = io.BytesIO()
    write_mo(out, catalog)
    return out.getvalue()


def _json(catalog: Catalog) -> bytes:
    said: dict[str, str] = {}
    for message in catalog:
        if message.id:
            said.update(zip(_forms(message.id), _forms(message.string), strict=False))
    return (json.dumps(said, ensure_ascii=False, indent=0, sort_keys=True) + "\n").encode()


def _forms(text: str | tuple[str, ...] | list[str] | None) -> tuple[str, ...]:
    return (text or "",) if isinstance(text, str | None) else tuple(text)


_SAID = re.compile(r'\b(tn?)\(\s*("(?:[^"\\]|\\.)*")(?:\s*,\s*("(?:[^"\\]|\\.)*"))?')


def _script_texts(
    file: IO[bytes], _keywords: object, _comment_tags: object, options: object
) -> Iterator[tuple[int, str, str | tuple[str, str], list[str]]]:
    """Calls of ``t`` and ``tn``, in nested template literals too (Babel's own reader does not look there)."""
    text = file.read().decode()
    for call in _SAID.finditer(text):
        said = [json.loads(part) for part in call.groups()[1:] if part]
        line = text.count("\n", 0, call.start()) + 1
        yield line, call[1], (said[0], said[1]) if call[1] == "tn" else said[0], []


DOMAINS = (
    Domain(
        "pages",
        (("templates/**.j2", "jinja2"), ("page_view.py", "python"), ("pages.py", "python")),
        {"_": None, "gettext": None, "ngettext": (1, 2), "N_": None},
        _mo,
        "LC_MESSAGES/pages.mo",
    ),
    Domain(
        "scripts", (("static/js/**.js", _script_texts),), {"t": None, "tn": (1, 2)}, _json, "scripts.json"
    ),
)


def collected(domain: Domain) -> Catalog:
    """What the sources say now."""
    catalog = Catalog(project="homeface")
    found = extract_from_dir(WEB, list(domain.methods), keywords=domain.keywords)
    for file, _line, message, _comments, _context in sorted(found, key=lambda item: (item[0], item[1])):
        catalog.add(message, None, locations=[(file, None)])
    return catalog


def updated(domain: Domain, language: str) -> Catalog:
    """The .po file of the language with new messages added and vanished ones gone."""
    path = _po(domain, language)
    fresh = collected(domain)
    catalog = Catalog(locale=language, project="homeface")
    if path.exists():
        with path.open("rb") as file:
            catalog = read_po(file, locale=language)
    catalog.update(fresh, no_fuzzy_matching=True)
    catalog.obsolete.clear()
    catalog.creation_date = catalog.revision_date = _NO_DATE  # the same sources build the same bytes
    return catalog


def problems(domain: Domain, language: str) -> Iterator[str]:
    """Messages that are missing, wrong in their placeholders, or built files that are not up to date."""
    catalog = updated(domain, language)
    for message in catalog:
        if message.id and not all(_forms(message.string)):
            yield f"{language}/{domain.name}: not translated: {message.id!r}"
        elif message.id and not _same_places(message):
            yield f"{language}/{domain.name}: other placeholders: {message.id!r}"
    built = LOCALES / language / domain.built
    if not built.exists() or built.read_bytes() != domain.build(catalog):
        yield f"{built.name} of {language} is out of date: python -m tests.support.catalogs"


def _same_places(message: Message) -> bool:
    wanted = set(re.findall(r"\{\w+\}", " ".join(_forms(message.id))))
    return set(re.findall(r"\{\w+\}", " ".join(_forms(message.string)))) == wanted


def build() -> None:
    """Write .po files and what is built of them."""
    for domain in DOMAINS:
        for language in LANGUAGES:
            catalog = updated(domain, language)
            po = _po(domain, language)
            po.parent.mkdir(parents=True, exist_ok=True)
            with po.open("wb") as file:
                write_po(file, catalog, width=100, sort_by_file=True, include_lineno=False, omit_header=False)
            built = LOCALES / language / domain.built
            built.parent.mkdir(parents=True, exist_ok=True)
            built.write_bytes(domain.build(catalog))


def _po(domain: Domain, language: str) -> Path:
    return LOCALES / language / "LC_MESSAGES" / f"{domain.name}.po"


def main(arguments: list[str]) -> int:
    """The command."""
    if "--check" not in arguments:
        build()
    found = [text for domain in DOMAINS for language in LANGUAGES for text in problems(domain, language)]
    print("\n".join(found) or "All texts are translated.")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
