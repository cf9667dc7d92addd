"""Settings that change while homeface runs: at once, over a restart, above the file; and backups."""

from __future__ import annotations

import asyncio
import threading
from asyncio import to_thread
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from homeface.adapters.store import Store
from homeface.config import Config
from homeface.config.live import changed
from homeface.core.calibration import STRICTNESS
from homeface.core.gallery import Gallery
from homeface.service import life as life_module
from homeface.service.life import Life
from homeface.service.pipeline import Recognition
from homeface.service.recognition import asked_rate
from homeface.service.settings import effective
from tests.fakes.engine import FakeEngine
from tests.support.life import enrol, house_config, living, show
from tests.support.mosquitto import Mosquitto, requires_mosquitto
from tests.support.people import BOX, DAD, MUM, frame_with
from tests.support.waiting import until
from tests.support.web import API, PASSWORD, Browser, Reply, url_of

pytestmark = [pytest.mark.mosquitto, requires_mosquitto]

SETTINGS = f"{API}/settings"


class LivePage:
    """The page of a life."""

    def __init__(self, life: Life) -> None:
        assert life._web is not None
        self._server = life._web
        self.cookie = self._server.settings.cookie

    def url(self, path: str) -> str:
        return url_of(self._server, path)


async def owner_of(life: Life) -> Browser:
    """The owner's browser."""
    browser = Browser(LivePage(life))
    new = (await browser.get(f"{API}/session")).json["setup_needed"]
    answer = await browser.post(f"{API}/setup" if new else f"{API}/session", {"password": PASSWORD})
    assert answer.status == 200, answer.text
    return browser


async def change(browser: Browser, changes: dict[str, Any]) -> Reply:
    return await browser.patch(SETTINGS, {"changes": changes})


async def setting(browser: Browser, key: str) -> dict[str, Any]:
    found = (await browser.get(SETTINGS)).json["settings"]
    return next(entry for entry in found if entry["key"] == key)


@pytest.fixture
async def config(tmp_path: Path, broker: Mosquitto) -> Config:
    web = {"enabled": True, "port": 0}
    return await house_config(tmp_path, broker, web=web, presence={"hold": "10min"})


async def test_a_shorter_hold_lets_people_leave_at_once(
    tmp_path: Path, config: Config, store: Store, engine: FakeEngine
) -> None:
    mum = (await enrol(store, MUM))[MUM]
    async with living(config, engine, store) as life:
        life.config_path = tmp_path / "config.yaml"
        browser = await owner_of(life)
        await show(life, "hall", frame_with((MUM, BOX)))
        await until(lambda: life.hub.house.snapshot().people[mum].room == "hall")
        before = await setting(browser, "presence.hold")
        assert (before["value"], before["source"], before["live"]) == ("10min", "file", True)
        assert before["place"]["line"] is not None
        assert (await change(browser, {"presence.hold": "1s"})).status == 200
        await until(lambda: life.hub.house.snapshot().people[mum].room is None)
        after = await setting(browser, "presence.hold")
        assert (after["value"], after["source"], after["file_value"]) == ("1s", "page", "10min")
    async with living(config, engine, store) as life:  # the file still says ten minutes
        assert life.config.presence.hold_seconds == 1.0
        browser = await owner_of(life)
        await change(browser, {"presence.hold": None})
        assert life.config.presence.hold_seconds == 600.0
    assert await to_thread(store.settings) == {}


async def test_strictness_reaches_the_cameras_at_once(
    config: Config, store: Store, engine: FakeEngine
) -> None:
    await enrol(store, MUM)
    async with living(config, engine, store) as life:
        browser = await owner_of(life)
        pipeline = life.watches["hall"].pipeline
        before = pipeline.recognition.policy.threshold
        await change(browser, {"recognition.strictness": "strict"})
        assert pipeline.recognition.policy.threshold > before
        # a rate says the same as strictness: the last one said holds
        await change(browser, {"recognition.false_names": "1 in 500 visits"})
        assert asked_rate(life.config) == 1 / 500
        assert set(await to_thread(store.settings)) == {"recognition.false_names"}
        await change(browser, {"recognition.strictness": "relaxed"})
        assert asked_rate(life.config) == STRICTNESS["relaxed"]
        assert asked_rate(await to_thread(effective, config, store)) == STRICTNESS["relaxed"]


async def test_a_load_that_is_going_on_never_keeps_the_older_settings(
    config: Config, store: Store, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    await enrol(store, MUM)
    async with living(config, engine, store) as life:
        began, may_end, load = threading.Event(), threading.Event(), life_module.recognition_of

        def slow(gallery: Gallery, asked: Config) -> Recognition:
            found = load(gallery, asked)
            began.set()
            assert may_end.wait(20)
            return found

        monkeypatch.setattr(life_module, "recognition_of", slow)
        await enrol(store, DAD)
        loading = asyncio.create_task(life.reload_gallery())
        assert await to_thread(began.wait, 20)
        changing = asyncio.create_task(life.apply(changed(life.config, "recognition.strictness", "strict")))
        await until(lambda: life.config.recognition.strictness == "strict")
        await life.hub.refresh()  # behind it in the order of the hub: the load is what it waits for now
        may_end.set()
        await asyncio.gather(loading, changing)
        strict = load(await to_thread(store.gallery, engine.model_id), life.config).policy.threshold
        assert life.watches["hall"].pipeline.recognition.policy.threshold == strict


async def test_a_wrong_change_changes_nothing(config: Config, store: Store, engine: FakeEngine) -> None:
    async with living(config, engine, store) as life:
        browser = await owner_of(life)
        for changes, key, words in (
            ({"presence.hold": "soon"}, "presence.hold", "a duration such as"),
            ({"presence.hold": 30}, "presence.hold", "say a unit"),
            ({"presence.hold": "2d"}, "presence.hold", "from 1s to 1d"),
            ({"recognition.false_names": "1 in 1"}, "recognition.false_names", "at most 1 in 2"),
            ({"presence.event_cooldown": "5s", "mqtt.host": "evil"}, "mqtt.host", "configuration file"),
            ({"rooms.hall.exit": True}, "rooms.hall.exit", "configuration file"),
            ({"rooms.attic.hold": "5s"}, "rooms.attic.hold", "configuration file"),
            ({"web.unknown_visits": "maybe"}, "web.unknown_visits", "true or false"),
        ):
            refused = await change(browser, changes)
            assert (refused.status, refused.json["error"]["field"]) == (422, key)
            assert words in refused.json["error"]["message"]
        assert life.config == config
    assert await to_thread(store.settings) == {}


async def test_secrets_are_not_shown(
    tmp_path: Path, broker: Mosquitto, store: Store, engine: FakeEngine
) -> None:
    cameras = {"hall": {"room": "hall", "url": "rtsp://me:hunter22@127.0.0.1:9/hall"}}
    config = await house_config(tmp_path, broker, web={"enabled": True, "port": 0}, cameras=cameras)
    async with living(config, engine, store) as life:
        shown = (await (await owner_of(life)).get(SETTINGS)).text
        assert "hunter22" not in shown
        assert "(not shown)" in shown


async def test_what_no_longer_fits_leaves_the_file_in_force(
    config: Config, store: Store, engine: FakeEngine, caplog: pytest.LogCaptureFixture
) -> None:
    stored = {"rooms.attic.hold": "5s", "presence.hold": "5 fortnights", "presence.event_cooldown": "5s"}
    await to_thread(store.change_settings, stored, 0.0)
    async with living(config, engine, store) as life:
        assert life.config.presence.hold_seconds == 600.0
        assert life.config.presence.event_cooldown_seconds == 5.0
    assert "presence.hold was set to '5 fortnights'" in caplog.text


async def test_backup_and_restore_through_the_page(config: Config, store: Store, engine: FakeEngine) -> None:
    mum = (await enrol(store, MUM))[MUM]
    async with living(config, engine, store) as life:
        browser = await owner_of(life)
        token = (await browser.post(f"{API}/tokens", {"name": "old", "scopes": ["read"]})).json
        saved = await browser.post(f"{API}/backup", {"password": "a backup password"})
        assert saved.status == 200
        assert b"Person" not in saved.data
        assert ".backup" in saved.headers["Content-Disposition"]
        await to_thread(store.rename, mum, "Somebody else")
        await browser.delete(f"{API}/tokens/{token['id']}")

        async def restore(password: str) -> Reply:
            form = aiohttp.FormData()
            form.add_field("password", password)
            form.add_field("file", saved.data, filename="../../etc/passwd")
            return await browser.post(f"{API}/restore", data=form)

        wrong = await restore("another password")
        assert (wrong.status, wrong.key) == (422, "backup")
        assert [subject.name for subject in await to_thread(store.subjects)] == ["Somebody else"]
        restored = await restore("a backup password")
        assert (restored.status, restored.json["people"]) == (200, [f"Person {MUM}"])
        assert (await browser.get(f"{API}/session")).json["role"] == "owner"  # who restores stays logged in
        assert (await browser.get(f"{API}/tokens")).json == {"tokens": []}  # what was revoked stays so
        names = [person.name for person in life.publisher.view.people]
        assert names == [f"Person {MUM}"]
        left = await to_thread(lambda: [path.name for path in store.path.parent.iterdir()])
        assert not [name for name in left if "part" in name]
        acts = (await browser.get(f"{API}/audit")).json["acts"]
        assert [act["what"] for act in acts[:2]] == ["restore", "remove token"]
