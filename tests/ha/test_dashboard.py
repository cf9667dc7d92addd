"""The dashboard in Chromium, of a house that is drawn: nobody in these pictures exists."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.async_api import Page, async_playwright, expect

from homeface.adapters import homeassistant as ha
from homeface.core.presence import HouseState, PersonState, RoomState
from tests.ha import furniture
from tests.support.hass import HomeAssistant, requires_hass
from tests.support.mosquitto import Listener, Mosquitto, requires_mosquitto

CHROMIUM = "/usr/bin/chromium"
PICTURES = ("home-assistant-dashboard.png", "home-assistant-blueprints.png")
pytestmark = [
    pytest.mark.ha,
    pytest.mark.mosquitto,
    pytest.mark.slow,
    pytest.mark.timeout(240),
    requires_hass,
    requires_mosquitto,
    pytest.mark.skipif(not Path(CHROMIUM).exists(), reason=f"needs Chromium in {CHROMIUM}"),
]

HOUSE = ha.HouseView(
    "homeface",
    "0.1.0",
    rooms=(
        ha.RoomView("kitchen", "Kitchen"),
        ha.RoomView("living_room", "Living room"),
        ha.RoomView("porch", "Porch"),
        ha.RoomView("attic", "Attic"),
    ),
    people=(ha.PersonView("p1", "Anna"), ha.PersonView("p2", "Ben"), ha.PersonView("p3", "Cem")),
    cameras=(
        ha.CameraView("kitchen", "Camera kitchen", "kitchen"),
        ha.CameraView("attic", "Camera attic", "attic"),
    ),
)


LAKE = ha.HouseView(
    "lake",
    "0.1.0",
    name="Lake",
    rooms=(ha.RoomView("kueche", "Küche"), ha.RoomView("sauna", "Weiße Sauna")),
    people=(ha.PersonView("q1", "Özlem"), ha.PersonView("q2", "Sauna")),
)
"""A second node at the same broker; one of its people is called like a room."""


@pytest.fixture
def album(tmp_path: Path) -> Path:
    """Where the pictures go: docs/pictures when they are to be made anew (HOMEFACE_WRITE_PICTURES=1)."""
    wanted = os.environ.get("HOMEFACE_WRITE_PICTURES")
    folder = Path(__file__).resolve().parents[2] / "docs" / "pictures" if wanted else tmp_path
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture
def drawn(broker: Mosquitto) -> Iterator[Listener]:
    """The drawn house at the broker, as the daemon would tell it."""
    now = time.time()
    state = HouseState(
        rooms={
            "kitchen": RoomState("kitchen", True, True, 2, ("p1", "p2"), 0, now - 1500, now),
            "living_room": RoomState("living_room", True, False, 0, (), 0, now - 9000, now - 9000),
            "porch": RoomState("porch", True, True, 1, (), 1, now - 40, now),
            "attic": RoomState("attic", False, False, 0, (), 0, now, None),
        },
        people={
            "p1": PersonState(
                "p1", "kitchen", True, now - 1500, now, "kitchen", now, 0.7, 0.3, 5, "v", "kitchen"
            ),
            "p2": PersonState(
                "p2", "kitchen", True, now - 700, now, "kitchen", now, 0.8, 0.3, 5, "w", "kitchen"
            ),
            "p3": PersonState("p3", None, False, now - 20000, now - 20000, "porch"),
        },
        at=now,
    )
    cameras = {"kitchen": ha.CameraFigures(online=True), "attic": ha.CameraFigures(last_error="timed out")}
    messages = {ha.status_topic(HOUSE): "online", **ha.discovery_messages(HOUSE)}
    messages |= ha.state_messages(HOUSE, state, cameras)
    with Listener(broker, "homeassistant/status") as listener:
        for topic, payload in messages.items():
            listener.publish(topic, payload, retain=True)
        yield listener


async def test_who_is_where_at_a_glance(
    broker: Mosquitto, drawn: Listener, tmp_path: Path, album: Path
) -> None:
    hass = HomeAssistant(
        tmp_path / "hass",
        broker.port,
        configuration=furniture.CONFIGURATION,
        furnish=settled,
    )
    async with hass, async_playwright() as playwright:
        starting = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"]
        )
        browser = await starting
        await hass.wait_state("sensor.anna_room", "kitchen", 30)
        await hass.wait_state("switch.homeface_guest_mode", "off", 30)
        page = await browser.new_page(viewport={"width": 1180, "height": 560})
        await log_in(page, hass)
        await page.goto(f"{hass.url}/homeface-rooms/home")
        for text in ("Anna", "Anna, Ben", "nobody known", "cannot be seen now", "away", "Camera attic"):
            await expect(page.get_by_text(text).first).to_be_visible(timeout=60_000)
        await expect(page.get_by_text("Guest mode").first).to_be_visible()
        await page.screenshot(path=album / PICTURES[0], animations="disabled")
        await page.goto(f"{hass.url}/config/blueprint/dashboard")
        for name in ("welcome a person", "stranger at the door", "guest mode", "heating by who is in"):
            await expect(page.get_by_text(f"homeface: {name}").first).to_be_visible(timeout=60_000)
        await page.screenshot(path=album / PICTURES[1], animations="disabled")
        await check_a_second_node(hass, page, drawn)
        await browser.close()
    for name in PICTURES:
        size = (await asyncio.to_thread((album / name).stat)).st_size
        assert size < 150_000, name


async def check_a_second_node(hass: HomeAssistant, page: Page, listener: Listener) -> None:
    """Umlauts, and a person called like a room: everything is there, nothing under the name of another."""
    now = time.time()
    rooms = {"kueche": RoomState("kueche", True, True, 1, ("q1",), 0, now, now)}
    rooms["sauna"] = RoomState("sauna", True, False, 0, (), 0, now, now)
    seen = ("kueche", True, now, now, "kueche", now, 0.7, 0.3, 5, "v", "kueche")
    people = {"q1": PersonState("q1", *seen), "q2": PersonState("q2", None, False, now, now, "sauna")}
    messages = {ha.status_topic(LAKE): "online", **ha.discovery_messages(LAKE)}
    messages |= ha.state_messages(LAKE, HouseState(rooms=rooms, people=people, at=now), {})
    for topic, payload in messages.items():
        listener.publish(topic, payload, retain=True)
    await hass.wait_state("sensor.ozlem_room", "kueche", 15)
    await hass.wait_state("sensor.kuche_names", "Özlem", 15)
    await hass.wait_state("sensor.sauna_room", "not_home", 15)
    await hass.wait_state("sensor.weisse_sauna_names", "nobody", 15)
    assert not [entity for entity in await hass.entity_registry() if entity.endswith("_2")]
    await page.goto(f"{hass.url}/homeface-rooms/home")
    for text in ("Özlem", "Küche", "Weiße Sauna", "Living room"):
        await expect(page.get_by_text(text).first).to_be_visible(timeout=60_000)


def settled(folder: Path) -> None:
    """A Home Assistant whose owner has answered all questions but the first."""
    furniture.furnish(folder)
    done = {"done": ["core_config", "analytics", "integration"]}
    text = json.dumps({"version": 4, "minor_version": 1, "key": "onboarding", "data": done})
    (folder / ".storage" / "onboarding").write_text(text, encoding="utf-8")


async def log_in(page: Page, hass: HomeAssistant) -> None:
    """As somebody who has logged in before."""
    tokens = {
        "access_token": hass.token,
        "token_type": "Bearer",
        "expires_in": 10**6,
        "hassUrl": hass.url,
        "clientId": f"{hass.url}/",
        "expires": (time.time() + 10**6) * 1000,
        "refresh_token": "",
    }
    script = f"localStorage.setItem('hassTokens', {json.dumps(json.dumps(tokens))})"
    await page.add_init_script(script)
