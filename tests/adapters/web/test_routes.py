"""The table of routes: who may use which, and that the API document says the same."""

from __future__ import annotations

import re
from asyncio import to_thread

import pytest

from homeface.adapters.web.access import Access, Scope
from homeface.adapters.web.openapi import document
from homeface.adapters.web.routes import ROUTES
from homeface.adapters.web.routing import Route
from tests.support.web import Browser, WebHome

IDS = [f"{route.method} {route.path}" for route in ROUTES]


def path_of(route: Route) -> str:
    return re.sub(r"\{[a-z_]+\}", "0123456789ab", route.path)


def admits(access: Access, scope: Scope) -> bool:
    return (
        access.anybody
        or access.local
        or access.scope is scope
        or (scope is Scope.ADMIN and access.scope is not None)
    )


def test_each_route_is_there_once() -> None:
    assert len(set(IDS)) == len(IDS)
    assert len({route.operation for route in ROUTES}) == len(ROUTES)


async def test_nobody_gets_in_without_a_log_in(home: WebHome) -> None:
    for route in ROUTES:
        if route.access.anybody:
            continue
        # what is open to this machine alone is asked for from elsewhere: by a proxy that nobody named
        headers = {"X-Forwarded-For": "127.0.0.1"} if route.access.local else {}
        for browser in (Browser(home), Browser(home, token="hf_wrong"), Browser(home, session="wrong")):
            answer = await browser.ask(route.method, path_of(route), headers=headers)
            assert answer.status in ({303} if route.page else {401}), f"{route.method} {route.path}"


@pytest.mark.parametrize("scope", list(Scope))
async def test_tokens_open_what_their_scope_says(home: WebHome, scope: Scope) -> None:
    program = await home.program(scope)
    for route in ROUTES:
        if route.access.anybody:
            continue
        answer = await program.ask(route.method, path_of(route))
        refused = answer.status in {401, 403}
        assert refused is not admits(route.access, scope), f"{route.method} {route.path}: {answer.status}"


@pytest.mark.parametrize("enrolled", [False, True])
async def test_members_open_what_is_theirs(home: WebHome, enrolled: bool) -> None:
    """Somebody else's (``path_of`` names nobody) is not; what invites open is in test_links."""
    ben = await to_thread(home.store.add_subject, "Ben")
    member = await home.member(ben.subject_id if enrolled else None)
    asked = 0
    for route in ROUTES:
        access = route.access
        if (
            access.anybody
            or access.local
            or access.member
            or (access.own and "{person_id}" not in route.path)  # the handler looks whose it is
        ):
            if access.member:
                answer = await member.ask(route.method, path_of(route), csrf="")
                assert (answer.status == 403) is route.changes, "only the missing proof stops them"
            continue
        asked += 1
        answer = await member.ask(route.method, path_of(route))
        assert answer.status == 403, f"{route.method} {route.path}"
    assert asked > len(ROUTES) / 3


def test_the_few_routes_whose_handlers_look_whose_it_is_are_known() -> None:
    """Each of them is asked about somebody else's in tests/service/test_web_rounds.py."""
    own = {
        route.operation
        for route in ROUTES
        if route.access.own and "{person_id}" not in route.path and not route.access.member
    }
    assert own == {"send_frame", "skip_step", "end_round"}
    anybody = {route.operation for route in ROUTES if route.access.anybody and not route.page}
    assert anybody == {
        "get_session", "log_in", "log_out", "set_up", "get_authority", "look_at_link", "open_link",
        "get_openapi",
    }  # fmt: skip


async def test_no_change_without_the_csrf_token(home: WebHome) -> None:
    owner = await home.owner()
    for route in ROUTES:
        if not route.changes:
            continue
        answer = await owner.ask(route.method, path_of(route), csrf="")
        assert (answer.status, answer.key) == (403, "csrf"), f"{route.method} {route.path}"


async def test_the_document_is_of_the_routes_that_are_served(home: WebHome) -> None:
    said = (await Browser(home).get("/api/openapi.json")).json
    assert said["openapi"] == "3.1.0"
    listed = {(method.upper(), path) for path, item in said["paths"].items() for method in item}
    assert listed == {(route.method, route.path) for route in ROUTES if not route.page}
    assert said == document(ROUTES)


def test_every_reference_in_the_document_leads_somewhere() -> None:
    said = document(ROUTES)
    names = set(re.findall(r"#/components/schemas/(\w+)", str(said)))
    assert names
    assert names <= set(said["components"]["schemas"])


async def test_every_answer_carries_the_headers_of_safety(home: WebHome) -> None:
    owner = await home.owner()
    for path in ("/api/v1/info", "/nothing", "/healthz", "/api/openapi.json"):
        answer = await owner.get(path)
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert answer.headers["Cache-Control"] == "no-store"
        assert "Python" not in answer.headers.get("Server", "")
