"""Translations are complete, and what is read at run time is built from them."""

from __future__ import annotations

import pytest

from tests.support.catalogs import DOMAINS, LANGUAGES, Domain, problems


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("domain", DOMAINS, ids=lambda domain: domain.name)
def test_everything_is_translated_and_built(domain: Domain, language: str) -> None:
    assert list(problems(domain, language)) == []
