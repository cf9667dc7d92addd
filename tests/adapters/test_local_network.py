"""The announcement in the local network: real mDNS on loopback, in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys

from homeface.adapters.local_network import Page, addresses_of, own_address, service_info

PAGE = Page("0123456789abcdef", "Our house", "home", "1.2.3", 8477, True, ("127.0.0.1",))

_FIND = """
import asyncio, json
from homeface.adapters import local_network
from tests.adapters.test_local_network import PAGE
from zeroconf import ServiceStateChange
from zeroconf.asyncio import AsyncServiceBrowser, AsyncServiceInfo, AsyncZeroconf

async def main():
    announcing = asyncio.create_task(local_network.announce(PAGE, ["127.0.0.1"]))
    found, gone = asyncio.Event(), asyncio.Event()
    looker = AsyncZeroconf(interfaces=["127.0.0.1"])
    def changed(zeroconf, service_type, name, state_change):
        (gone if state_change is ServiceStateChange.Removed else found).set()
    browser = AsyncServiceBrowser(looker.zeroconf, local_network.SERVICE_TYPE, handlers=[changed])
    async with asyncio.timeout(20):
        await found.wait()
        info = AsyncServiceInfo(local_network.SERVICE_TYPE, f"homeface-01234567.{local_network.SERVICE_TYPE}")
        assert await info.async_request(looker.zeroconf, 5000)
        announcing.cancel()
        await gone.wait()
    await browser.async_cancel()
    await looker.async_close()
    print(json.dumps({"port": info.port, "addresses": info.parsed_addresses(), **info.decoded_properties}))

asyncio.run(main())
"""


def test_whoever_looks_finds_the_page_and_hears_when_it_goes() -> None:
    command = [sys.executable, "-c", _FIND]
    found = subprocess.run(command, check=False, capture_output=True, text=True, timeout=40)
    assert found.returncode == 0, found.stderr
    assert json.loads(found.stdout) == {
        "port": 8477,
        "addresses": ["127.0.0.1"],
        "instance_id": "0123456789abcdef",
        "name": "Our house",
        "node_id": "home",
        "version": "1.2.3",
        "tls": "1",
        "path": "",
    }


def test_the_record_names_no_person_and_one_service() -> None:
    info = service_info(PAGE)
    assert info.name == "homeface-01234567._homeface._tcp.local."
    assert info.server == "homeface-01234567.local."


def test_addresses() -> None:
    assert addresses_of("192.168.1.5", ("10.0.0.1",)) == ("192.168.1.5",)
    assert addresses_of("0.0.0.0", ("10.0.0.1",)) == ("10.0.0.1",)
    assert own_address("127.0.0.1") == "127.0.0.1"
    assert own_address("no host at all") is None
