"""The table of routes: what is not here does not exist."""

from __future__ import annotations

from homeface.adapters.web import (
    api_accounts,
    api_house,
    api_links,
    api_now,
    api_people,
    api_session,
    api_settings,
    pages,
)
from homeface.adapters.web.openapi import api_document
from homeface.adapters.web.routing import Route

ROUTES: tuple[Route, ...] = (
    *api_session.ROUTES,
    *api_house.ROUTES,
    *api_now.ROUTES,
    *api_people.ROUTES,
    *api_accounts.ROUTES,
    *api_links.ROUTES,
    *api_settings.ROUTES,
    api_document,
    *pages.ROUTES,
)
