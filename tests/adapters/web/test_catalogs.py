"""Translations are complete, and what is read at run time is built from them."""

from __future__ import annotations

import re

import pytest

from homeface.adapters.web.wrapper import _STATUS
from homeface.core.enrolment import _WORDS, ACCEPTED, DUPLICATE, ENOUGH, RESTS, SET_ASIDE
from homeface.core.health_findings import Topic
from homeface.errors import (
    LooksLikeAnotherError,
    LowQualityError,
    NoFaceError,
    OutlierError,
    SeveralFacesError,
)
from homeface.service.enrolment import UNREADABLE
from tests.support.catalogs import DOMAINS, LANGUAGES, WEB, Domain, problems

PACKAGE = WEB.parents[1]
FOR_PROGRAMS = {"not_a_form", "not_json", "not_json_text", "unknown_token", "unknown_host"}
NO_PICTURE = "no_picture"
"""The reason that has no words of its own: the sentence for ``unreadable`` says it."""


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("domain", DOMAINS, ids=lambda domain: domain.name)
def test_everything_is_translated_and_built(domain: Domain, language: str) -> None:
    assert list(problems(domain, language)) == []


def test_every_error_that_people_can_meet_has_words_of_the_page() -> None:
    """The sentence of the server is English: a page in another language has its own for each key."""
    errors = (PACKAGE / "errors.py").read_text()
    keys = set(re.findall(r'default_key = "(\w+)"', errors)) | {key for _, _, key in _STATUS if key}
    for path in (*(PACKAGE / "adapters" / "web").glob("*.py"), *(PACKAGE / "service").glob("*.py")):
        keys |= set(re.findall(r'\bkey="(\w+)"', path.read_text()))
    words = (PACKAGE / "adapters" / "web" / "static" / "js" / "words.js").read_text()
    known = set(re.findall(r"^  (\w+): \(\) => t\(", words, re.M))
    assert keys - known - FOR_PROGRAMS == set()


def test_every_finding_and_every_verdict_has_words_of_the_page() -> None:
    scripts = PACKAGE / "adapters" / "web" / "static" / "js"
    found = set(re.findall(r"^  (\w+): \(", (scripts / "findings.js").read_text(), re.M))
    assert {str(topic) for topic in Topic} <= found
    verdicts = (scripts / "verdicts.js").read_text()
    said = set(re.findall(r"^  (\w+)(?::|,)", verdicts, re.M))
    kinds = (NoFaceError, SeveralFacesError, LowQualityError, OutlierError, LooksLikeAnotherError)
    assert {kind.key for kind in kinds} | {ACCEPTED, DUPLICATE, ENOUGH, UNREADABLE} <= said
    assert {str(reason) for reason in _WORDS} <= said
    assert {*RESTS.reasons, *SET_ASIDE.reasons} <= said
    photos = (PACKAGE / "adapters" / "photos.py").read_text()
    files = set(re.findall(r'\breason="(\w+)"', photos))
    assert NO_PICTURE in files
    assert files - {NO_PICTURE} <= said
