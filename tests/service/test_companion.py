"""Where the companion is told to look: only for a page that others can reach."""

from __future__ import annotations

import json
from asyncio import to_thread
from pathlib import Path
from typing import Any

import pytest

from homeface.adapters.store import Store
from homeface.service import companion
from homeface.service.companion import reachable_address
from tests.fakes.engine import FakeEngine
from tests.support.life import BASE, DISCOVERY, house_config, living
from tests.support.mosquitto import Listener, Mosquitto, requires_mosquitto
from tests.support.waiting import until


@pytest.mark.parametrize(
    ("host", "broker", "ways", "expected"),
    [
        ("127.0.0.1", "127.0.0.1", {}, "127.0.0.1"),
        ("127.0.0.1", "192.168.1.9", {}, None),
        ("192.168.1.5", "192.168.1.9", {}, "192.168.1.5"),
        ("0.0.0.0", "192.168.1.9", {"192.168.1.9": "192.168.1.5"}, "192.168.1.5"),
        ("0.0.0.0", "localhost", {None: "10.0.0.5"}, "10.0.0.5"),
        ("0.0.0.0", "broker", {None: "10.0.0.5"}, "10.0.0.5"),
        ("::", "broker", {}, None),
    ],
)
def test_reachable_address(host: str, broker: str, ways: dict[Any, str], expected: str | None) -> None:
    assert reachable_address(host, broker, lambda towards=None: ways.get(towards)) == expected


@pytest.mark.mosquitto
@requires_mosquitto
@pytest.mark.parametrize("discovery", [True, False])
async def test_the_broker_knows_where_the_page_is(
    tmp_path: Path, broker: Mosquitto, store: Store, engine: FakeEngine, discovery: bool
) -> None:
    listener = await to_thread(Listener, broker, "homeface/#", "homeassistant/#")
    listener.publish(f"{BASE}/announce", b"left behind", retain=True)
    config = await house_config(
        tmp_path, broker, web={"enabled": True, "port": 0}, mqtt={"discovery": discovery}
    )
    async with living(config, engine, store) as life:
        topic = f"{BASE}/announce"
        if not discovery:
            await until(lambda: listener.last(topic) == b"", what="the old announcement is cleared")
        else:
            await until(lambda: (listener.last(topic) or b"").startswith(b"{"), what="it is announced")
            told = json.loads(listener.last(topic) or b"")
            assert told["instance_id"] == await to_thread(store.instance_id)
            assert told["url"] == life.publisher.view.configuration_url
            hub = f"{DISCOVERY}/hub/config"
            await until(
                lambda: told["url"].encode() in (listener.last(hub) or b""), what="the hub links to it"
            )
    await to_thread(listener.close)


async def test_the_network_hears_of_a_page_beyond_this_machine_unless_it_shall_not(
    tmp_path: Path, broker: Mosquitto, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[Any] = []

    async def announce(page: Any) -> None:
        heard.append(page)

    class Told:
        def set_page(self, url: str, instance_id: str) -> None:
            heard.append(url)

    class Served:
        port = 8477

        class settings:  # noqa: N801 - stands for an attribute
            host, tls = "192.168.1.5", None

    monkeypatch.setattr(companion.local_network, "announce", announce)
    for wanted in (False, True):
        config = await house_config(tmp_path, broker, web={"enabled": True, "announce": wanted})
        await companion.tell(config, Served(), store, Told())  # type: ignore[arg-type]
    assert heard[:2] == ["http://192.168.1.5:8477"] * 2
    (page,) = heard[2:]
    assert (page.port, page.addresses, page.tls) == (8477, ("192.168.1.5",), False)
