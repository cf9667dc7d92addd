"""Repairs: raised when it is so, withdrawn when it is not, and one that can be made here."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from conftest import until
from homeassistant.core import HomeAssistant
from homeassistant.helpers import issue_registry as ir
from homeassistant.setup import async_setup_component
from homeassistant.util import dt as dt_util
from peer import Peer, enrolled
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_fire_time_changed

from custom_components.homeface import issues
from custom_components.homeface.const import DOMAIN
from custom_components.homeface.repairs import async_create_fix_flow


def raised(hass: HomeAssistant) -> dict[str, ir.IssueEntry]:
    """Our issues by translation key."""
    return {
        str(issue.translation_key): issue
        for (domain, _), issue in ir.async_get(hass).issues.items()
        if domain == DOMAIN and issue.active
    }


async def strike(hass: HomeAssistant, seconds: float) -> None:
    """What waits for that time to come is called."""
    async_fire_time_changed(hass, dt_util.utcnow() + timedelta(seconds=seconds))
    await hass.async_block_till_done(wait_background_tasks=False)


async def test_a_camera_that_is_gone_for_an_hour(
    hass: HomeAssistant, peer: Peer, loaded: MockConfigEntry
) -> None:
    coordinator, now = loaded.runtime_data, dt_util.utcnow()
    watch = issues.Watch(coordinator, "0.1.0")
    peer.now["cameras"][1] |= {"available": False, "reason": "timed out"}
    peer.now["cameras"][0] |= {"available": False, "paused": True}
    peer.push_now()
    await until(hass, lambda: not coordinator.data.cameras["porch"].available)
    for minutes in (0, 30, 59):
        watch.look(now + timedelta(minutes=minutes))
        assert raised(hass) == {}
    watch.look(now + timedelta(minutes=61))
    issue = raised(hass)["camera_dead"]
    assert issue.translation_placeholders == {"camera": "Camera porch", "reason": "timed out"}
    peer.now["cameras"][1] |= {"available": True}
    peer.push_now()
    await until(hass, lambda: coordinator.data.cameras["porch"].available)
    watch.look(now + timedelta(minutes=62))
    assert raised(hass) == {}


async def test_a_camera_is_not_blamed_for_a_lost_connection(
    hass: HomeAssistant, peer: Peer, loaded: MockConfigEntry
) -> None:
    coordinator, now = loaded.runtime_data, dt_util.utcnow()
    watch = issues.Watch(coordinator, "0.1.0")
    peer.now["cameras"][1]["available"] = False
    peer.push_now()
    await until(hass, lambda: not coordinator.data.cameras["porch"].available)
    watch.look(now)
    peer.stop()
    await until(hass, lambda: not coordinator.connected)
    watch.look(now + timedelta(hours=2))
    assert raised(hass) == {}


async def test_people_that_look_alike_and_photos_of_another_model(
    hass: HomeAssistant, peer: Peer, loaded: MockConfigEntry
) -> None:
    alike = ("too_alike", "Anna and Ben look alike.")
    peer.people = [
        enrolled("p1", "Anna", alike),
        enrolled("p2", "Ben", alike, ("other_model", "3 photos belong to another model.")),
        enrolled("p3", "Cem", ("too_few_photos", "Few photos.")),
    ]
    peer.push("people", {})
    await until(hass, lambda: len(raised(hass)) == 2)
    told = raised(hass)["look_alike"].translation_placeholders
    assert told == {"name": "Anna", "sentence": "Anna and Ben look alike.", "help": "Add photos."}
    assert raised(hass)["reembed"].translation_placeholders == {"names": "Ben"}
    peer.people = [enrolled("p1", "Anna")]
    await strike(hass, 3700)  # asked again every hour
    await until(hass, lambda: not raised(hass))


async def test_who_looks_like_two_others_is_told_of_both(
    hass: HomeAssistant, peer: Peer, loaded: MockConfigEntry
) -> None:
    ben, cem = ("too_alike", "Anna and Ben look alike."), ("too_alike", "Anna and Cem look alike.")
    peer.people = [enrolled("p1", "Anna", ben, cem), enrolled("p2", "Ben", ben), enrolled("p3", "Cem", cem)]
    peer.push("people", {})
    issues_now = ir.async_get(hass).issues
    await until(hass, lambda: len(issues_now) == 2)
    told = {issue.translation_placeholders["sentence"] for issue in issues_now.values()}
    assert told == {ben[1], cem[1]}
    assert {issue.translation_key for issue in issues_now.values()} == {"look_alike"}
    ids = {issue.translation_placeholders["sentence"]: key for key, issue in issues_now.items()}
    ir.async_ignore_issue(hass, *ids[cem[1]], ignore=True)
    cem = ("too_alike", "Anna and Cem look alike, by 0.02 more.")
    peer.people = [enrolled("p3", "Cem", cem), enrolled("p1", "Anna", cem), enrolled("p2", "Ben")]
    peer.push("people", {})
    await until(hass, lambda: len(issues_now) == 1)
    (key,) = issues_now
    assert key == ids["Anna and Cem look alike."], "the pair that is left keeps its issue"
    assert issues_now[key].translation_placeholders["sentence"] == cem[1]
    assert issues_now[key].dismissed_version is not None, "what was ignored stays so"
    peer.people = [enrolled("p1", "Anna")]
    peer.push("people", {})
    await until(hass, lambda: not issues_now)


async def test_versions_that_do_not_fit(hass: HomeAssistant, peer: Peer, loaded: MockConfigEntry) -> None:
    peer.info["version"] = "0.9.0"
    peer.drop_streams()
    await until(hass, lambda: "version_mismatch" in raised(hass))
    told = raised(hass)["version_mismatch"].translation_placeholders
    assert told is not None
    assert told["daemon"] == "0.9.0"
    await hass.config_entries.async_unload(loaded.entry_id)
    assert raised(hass) == {}


def test_what_counts_as_the_same_version() -> None:
    assert issues._same_series("0.1.0", "0.1.7")
    assert issues._same_series("0.1.0", "nonsense")
    assert not issues._same_series("0.1.0", "1.1.0")


async def test_another_address_is_used_when_somebody_says_so(
    hass: HomeAssistant, peer: Peer, entry: MockConfigEntry, hass_client: Any
) -> None:
    port = peer.port
    peer.stop()
    moved = Peer()
    moved.start()
    assert not await hass.config_entries.async_setup(entry.entry_id)
    issues.tell_address_changed(hass, entry, moved.url)
    assert await async_setup_component(hass, "repairs", {})
    client = await hass_client()
    issue_id = f"address_changed_{entry.entry_id}"
    answer = await client.post("/api/repairs/issues/fix", json={"handler": DOMAIN, "issue_id": issue_id})
    flow = await answer.json()
    assert answer.status == 200, flow
    assert (flow["step_id"], flow["description_placeholders"]["url"]) == ("confirm", moved.url)
    assert entry.data["url"] == f"http://127.0.0.1:{port}"
    answer = await client.post(f"/api/repairs/issues/fix/{flow['flow_id']}", json={})
    assert (await answer.json())["type"] == "create_entry"
    assert entry.data["url"] == moved.url
    await until(hass, lambda: entry.runtime_data.connected)
    assert raised(hass) == {}
    await hass.config_entries.async_unload(entry.entry_id)
    moved.stop()


async def test_an_entry_that_is_gone_cannot_be_moved(hass: HomeAssistant) -> None:
    flow = await async_create_fix_flow(hass, "address_changed_x", {"entry_id": "x", "url": "http://x:1"})
    flow.hass = hass
    assert (await flow.async_step_init())["reason"] == "entry_gone"


async def test_it_goes_away_when_the_old_address_works_again(
    hass: HomeAssistant, peer: Peer, entry: MockConfigEntry
) -> None:
    issues.tell_address_changed(hass, entry, "http://127.0.0.1:9")
    assert "address_changed" in raised(hass)
    assert await hass.config_entries.async_setup(entry.entry_id)
    await until(hass, lambda: entry.runtime_data.connected)
    assert raised(hass) == {}
    await hass.config_entries.async_unload(entry.entry_id)
