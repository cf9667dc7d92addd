"""The API document against the API: whatever the document allows, and much that it does not, is answered.

Requests are made up by schemathesis from the document that a whole life serves.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance

from homeface.adapters.store import Store
from homeface.adapters.web.accounts import csrf_of
from homeface.adapters.web.openapi import document
from homeface.adapters.web.routes import ROUTES
from homeface.core.gallery import Subject
from homeface.service.life import Life
from tests.fakes.engine import FakeEngine
from tests.support.life import enrol, house_config, living
from tests.support.mosquitto import Mosquitto, requires_mosquitto
from tests.support.waiting import wait_until
from tests.support.web import url_of

pytestmark = [pytest.mark.mosquitto, pytest.mark.slow, requires_mosquitto]

EXAMPLES = int(os.environ.get("HOMEFACE_TEST_SCHEMA_EXAMPLES", "5"))
"""Requests for each operation, valid and not."""
ENDLESS = {"get_events"}  # a stream never ends
CHECKS = (not_a_server_error, content_type_conformance, response_schema_conformance)


@dataclass
class Served:
    """A life in a thread of its own: made-up requests come from this one."""

    life: Life
    loop: asyncio.AbstractEventLoop
    url: str
    owner: str

    def known(self, names: Iterable[str] | None) -> dict[str, str]:
        """What is really there, for these parts of a path."""
        subjects = self.life.store.subjects() or self._enrol()
        person = subjects[0].subject_id
        templates = self.life.store.templates(subject_id=person)
        there = {"person_id": person, "room_id": "hall", "camera_id": "hall"}
        if templates:
            there["template_id"] = templates[0].template_id
        return {name: there[name] for name in names or () if name in there}

    def _enrol(self) -> list[Subject]:
        enrolling = enrol(self.life.store, 1)
        asyncio.run_coroutine_threadsafe(enrolling, self.loop).result(10)
        return self.life.store.subjects()

    def headers(self) -> dict[str, str]:
        """A new session of the owner: some requests end the one that they use."""
        assert self.life._web is not None
        accounts = self.life._web._services.accounts
        opening = accounts.open_session(account_id=self.owner)
        secret = asyncio.run_coroutine_threadsafe(opening, self.loop).result(10)
        cookie = self.life._web.settings.cookie
        return {"Cookie": f"{cookie}={secret}", "X-CSRF-Token": csrf_of(secret)}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("schema")
    found: list[Served] = []
    failed: list[BaseException] = []
    stop = threading.Event()

    async def live(store: Store, broker: Mosquitto) -> None:
        engine = FakeEngine()
        await engine.start()
        await enrol(store, 1)
        config = await house_config(folder, broker, web={"enabled": True, "port": 0, "camera_pictures": True})
        async with living(config, engine, store) as life:
            assert life._web is not None
            accounts = life._web._services.accounts
            owner = await accounts.add_account("owner", "owner", "an owner's password", None)
            url = url_of(life._web, "")
            found.append(Served(life, asyncio.get_running_loop(), url, owner.account_id))
            await asyncio.to_thread(stop.wait)
        await engine.aclose()

    def run() -> None:
        try:
            with Mosquitto(folder / "mosquitto") as broker, closing(Store(folder / "homeface.db")) as store:
                asyncio.run(live(store, broker))
        except BaseException as error:
            failed.append(error)
            raise

    thread = threading.Thread(target=run, name="served")
    thread.start()
    try:
        wait_until(lambda: found or failed, 30, "the page is served")
        yield found[0]
    finally:
        stop.set()
        thread.join(30)
    assert not failed


def operations() -> list[Any]:
    said = document([route for route in ROUTES if route.operation not in ENDLESS])
    for item in said["paths"].values():
        for operation in item.values():
            del operation["security"]  # who asks is the owner, with a session for each request
    return [found.ok() for found in schemathesis.openapi.from_dict(said).get_all_operations()]


@pytest.mark.parametrize("operation", operations(), ids=lambda operation: operation.label)
@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["as said", "odd"])
def test_every_operation_answers_as_the_document_says(
    served: Served, operation: Any, mode: GenerationMode, tmp_path: Path
) -> None:
    if mode is GenerationMode.NEGATIVE and not (
        operation.body or operation.query or operation.path_parameters
    ):
        return  # there is nothing that could be wrong

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def ask(case: Any) -> None:
        if mode is GenerationMode.POSITIVE:
            case.path_parameters = {**(case.path_parameters or {}), **served.known(case.path_parameters)}
        answer = case.call_and_validate(
            base_url=served.url,
            headers={**(case.headers or {}), **served.headers()},
            checks=CHECKS,
            timeout=20,
        )
        assert answer.status_code != 401 or case.path == "/api/v1/session"

    ask()
