"""One real daemon with real weights, and one Chromium with somebody before its camera, for all tests."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, ViewportSize, sync_playwright

from tests.browser.pictures import house_clip, webcam
from tests.support.daemon import Daemon, write_config
from tests.support.data import has_data
from tests.support.mosquitto import Mosquitto, free_port

CHROMIUM = "/usr/bin/chromium"
PASSWORD = "three words and more"
ROOM, CAMERA = "living_room", "living_room"
INSECURE_NAME = "homeface.test"
INGRESS_ADDRESS = "127.0.0.9"
"""From here Home Assistant's ingress asks for pages."""
DESK: ViewportSize = {"width": 1280, "height": 860}
PHONE: ViewportSize = {"width": 390, "height": 844}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All of it needs Chromium and real faces."""
    for item in items:
        if "tests/browser/" not in item.nodeid:
            continue
        item.add_marker(pytest.mark.timeout(300))  # they wait for people on a film, whatever else runs here
        if not Path(CHROMIUM).exists():
            item.add_marker(pytest.mark.skip(reason=f"needs Chromium in {CHROMIUM}"))
        elif not has_data():
            item.add_marker(pytest.mark.skip(reason="needs the test data (set HOMEFACE_TEST_DATA)"))


@dataclass
class House:
    """The daemon, and where its page is."""

    daemon: Daemon
    folder: Path
    url: str
    owner: dict[str, object] = field(default_factory=dict)
    """Cookies of the owner, once there is one."""

    @property
    def state(self) -> Path:
        return self.folder / "state"

    @property
    def port(self) -> int:
        return int(self.url.rstrip("/").rpartition(":")[2])


@pytest.fixture(scope="package")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A living room in which a man comes and goes every ten seconds."""
    folder = tmp_path_factory.mktemp("house")
    clip = house_clip(folder)
    with Mosquitto(folder / "mosquitto") as broker:
        config = write_config(
            folder / "config.yaml",
            home={"name": "Our home"},
            rooms={ROOM: {"name": "Living room", "hold": "2s"}},
            cameras={CAMERA: {"room": ROOM, "file": str(clip), "loop": True}},
            mqtt_port=broker.port,
            storage=folder / "state",
            web={
                "enabled": True,
                "port": free_port(),
                "camera_pictures": True,
                "allowed_hosts": [INSECURE_NAME],
                "ingress_proxies": [INGRESS_ADDRESS],
            },
        )
        with Daemon(config, folder).start() as daemon:
            daemon.wait_log(r"The page is at (http\S+)")
            found = re.search(r"The page is at (http\S+)", daemon.log())
            assert found
            yield House(daemon, folder, found[1])


@pytest.fixture(scope="package")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """Chromium, whose camera shows ``pictures.webcam``.

    Ends with this package: while it is open an event loop runs, and tests of other folders start their own.
    """
    film = webcam(tmp_path_factory.mktemp("webcam"))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=[
                "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking",
                "--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream",
                f"--use-file-for-fake-video-capture={film}",
                f"--host-resolver-rules=MAP {INSECURE_NAME} 127.0.0.1",
            ],
        )  # fmt: skip
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def album(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where screenshots are kept: HOMEFACE_TEST_SCREENSHOTS, or pytest's own folder."""
    wanted = os.environ.get("HOMEFACE_TEST_SCREENSHOTS")
    folder = Path(wanted) if wanted else tmp_path_factory.mktemp("screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


class Visitor:
    """A browser context of its own, one page, and what went wrong in it."""

    def __init__(self, context: BrowserContext, house: House, album: Path) -> None:
        self.context = context
        self.house = house
        self.album = album
        self.faults: list[str] = []
        self.page: Page = context.new_page()
        self.page.set_default_timeout(20_000)
        self.page.on("pageerror", lambda error: self.faults.append(f"{self.page.url}: {error}"))
        self.page.on("console", lambda message: self._heard(message.type, message.text))

    def open(self, path: str) -> Page:
        """Load a page below the house's root."""
        self.page.goto(self.house.url + path)
        return self.page

    def shoot(self, name: str) -> None:
        """Keep a picture of the whole page, and let axe look at it: what it finds fails the test."""
        self.page.screenshot(path=self.album / f"{name}.png", full_page=True, animations="disabled")
        for rule in Axe().run(self.page).response["violations"]:
            self.faults += [f"{self.page.url} {rule['id']}: {node['html'][:160]}" for node in rule["nodes"]]

    def _heard(self, kind: str, text: str) -> None:
        """Violations of the content security policy and bugs of scripts are told on the console."""
        expected = ("Failed to load resource", "Cross-Origin-Opener-Policy header has been ignored")
        if kind == "error" and not any(part in text for part in expected):
            self.faults.append(f"{self.page.url}: {text}")


class Visitors:
    """Makes visitors and closes them; scripts of none of them may have failed."""

    def __init__(self, chromium: Browser, house: House, album: Path) -> None:
        self._chromium = chromium
        self._house = house
        self._album = album
        self._made: list[Visitor] = []

    def stranger(
        self,
        *,
        viewport: ViewportSize = DESK,
        locale: str = "en-GB",
        scheme: str = "light",
        phone: bool = False,
    ) -> Visitor:
        """Somebody who is not logged in."""
        return self._new({}, viewport, locale, scheme, phone)

    def owner(
        self,
        *,
        viewport: ViewportSize = DESK,
        locale: str = "en-GB",
        scheme: str = "light",
        phone: bool = False,
    ) -> Visitor:
        """The owner, logged in; the first time through the set-up page."""
        if not self._house.owner:
            first = self.stranger()
            set_up(first)
            self._house.owner.update(first.context.storage_state())
        return self._new(self._house.owner, viewport, locale, scheme, phone)

    def close(self) -> list[str]:
        """What went wrong in all of them."""
        faults = [fault for visitor in self._made for fault in visitor.faults]
        for visitor in self._made:
            visitor.context.close()
        return faults

    def _new(
        self, state: dict[str, object], viewport: ViewportSize, locale: str, scheme: str, phone: bool
    ) -> Visitor:
        context = self._chromium.new_context(
            viewport=viewport,
            locale=locale,
            color_scheme="dark" if scheme == "dark" else "light",
            is_mobile=phone,
            has_touch=phone,
            storage_state=state or None,  # type: ignore[arg-type]
        )
        visitor = Visitor(context, self._house, self._album)
        self._made.append(visitor)
        return visitor


@pytest.fixture
def visitors(chromium: Browser, house: House, album: Path) -> Iterator[Visitors]:
    """Browsers of this test; a script that failed in one of them fails the test."""
    made = Visitors(chromium, house, album)
    yield made
    assert made.close() == []


def set_up(visitor: Visitor) -> None:
    """Make the owner on the set-up page."""
    page = visitor.open("")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_label("Once more").fill(PASSWORD)
    page.get_by_role("button", name="Make it mine").click()
    page.wait_for_url(visitor.house.url)
