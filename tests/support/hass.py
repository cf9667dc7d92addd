"""A real Home Assistant on loopback: set up, asked, restarted and killed by tests.

It lives in an environment of its own (``tests/run`` makes it; ``HOMEFACE_TEST_HASS`` names its Python) and
runs with ``--skip-pip``, without recorder, analytics or anything else that would want the network.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.support.mosquitto import free_port

_ROOT = Path(__file__).resolve().parents[2]
_STEP_SECONDS = 0.1
_CONFIGURATION = """\
homeassistant:
  name: Test home
  latitude: 52.0
  longitude: 5.0
  elevation: 0
  unit_system: metric
  time_zone: UTC
  country: NL
  internal_url: "http://127.0.0.1:{port}"
  media_dirs:
    local: "{folder}/media"
http:
  server_host: 127.0.0.1
  server_port: {port}
api:
config:
automation: !include automations.yaml
logger:
  default: warning
  logs:
    homeassistant.components.mqtt: info
    homeassistant.components.automation: info
"""


def hass_python() -> Path:
    """The Python of the Home Assistant environment (it may not exist)."""
    default = _ROOT / ".test-env" / "hass" / "bin" / "python"
    return Path(os.environ.get("HOMEFACE_TEST_HASS", default))


def has_hass() -> bool:
    """True when Home Assistant is installed there."""
    return any(hass_python().parent.glob("hass"))


requires_hass = pytest.mark.skipif(
    not has_hass(), reason=f"needs Home Assistant beside {hass_python()} (bash tests/run installs it)"
)


@dataclass(frozen=True, slots=True)
class State:
    """What Home Assistant shows of one entity."""

    value: str
    attributes: Mapping[str, Any] = field(default_factory=dict)


class HomeAssistant:
    """One Home Assistant with an MQTT entry for a broker on loopback. ``async with`` starts and stops it."""

    def __init__(
        self,
        folder: Path,
        mqtt_port: int,
        *,
        configuration: str = "",
        furnish: Callable[[Path], None] | None = None,
    ) -> None:
        """``configuration``: further YAML; ``furnish``: puts more into the folder before the first start."""
        self.folder = self._folder = folder
        self._furnish = furnish
        self._mqtt_port = mqtt_port
        self._extra = configuration
        self._process: subprocess.Popen[bytes] | None = None
        self._session: aiohttp.ClientSession | None = None
        self._token = ""
        self.port = free_port()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    def log(self) -> str:
        """What it has logged so far."""
        path = self._folder / "home-assistant.log"
        return path.read_text(errors="replace") if path.exists() else ""

    # -- life ---------------------------------------------------------------------------------------------

    async def start(self, timeout: float = 120) -> HomeAssistant:
        """Start and return when it is running; the first time also make its owner and a lasting token."""
        assert self._process is None, "already running"
        if not (self._folder / "configuration.yaml").exists():
            self._lay_out()
            if self._furnish is not None:
                await asyncio.to_thread(self._furnish, self._folder)
        if self._session is None:
            self._session = aiohttp.ClientSession()
        self._process = self._spawn()
        await self._until(self._answers, timeout, "Home Assistant answers")
        if not self._token:
            self._token = await self._onboard()
        await self._until(self._running, timeout, "Home Assistant runs")
        return self

    async def stop(self, timeout: float = 60) -> None:
        """End it politely; does nothing when it is not running."""
        await self._end(signal.SIGTERM, timeout)

    async def kill(self) -> None:
        """End it with SIGKILL."""
        await self._end(signal.SIGKILL, 10)

    async def restart(self) -> None:
        """Stop and start again with the same configuration and port."""
        await self.stop()
        await self.start()

    async def aclose(self) -> None:
        """End for good, without waiting for a polite goodbye."""
        try:
            await self.kill()
        finally:
            if self._session is not None:
                await self._session.close()
                self._session = None

    async def __aenter__(self) -> HomeAssistant:
        try:
            return await self.start()
        except BaseException:
            await self.aclose()
            raise

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    # -- questions ----------------------------------------------------------------------------------------

    async def states(self) -> dict[str, State]:
        """All entities, by entity id."""
        shown = await self._request("GET", "/api/states")
        return {item["entity_id"]: State(item["state"], item["attributes"]) for item in shown}

    async def state(self, entity_id: str) -> State | None:
        """One entity, None when there is none."""
        return (await self.states()).get(entity_id)

    async def entity_registry(self) -> dict[str, dict[str, Any]]:
        """Registered entities, by entity id (platform, unique_id, device_id, area_id, ...)."""
        entries = await self.command("config/entity_registry/list")
        return {entry["entity_id"]: entry for entry in entries}

    async def device_registry(self) -> list[dict[str, Any]]:
        """Registered devices."""
        devices: list[dict[str, Any]] = await self.command("config/device_registry/list")
        return devices

    async def areas(self) -> dict[str, str]:
        """Names of the areas, by id."""
        return {area["area_id"]: area["name"] for area in await self.command("config/area_registry/list")}

    async def entity_of(self, unique_id: str) -> str | None:
        """Entity id of an MQTT entity, by its unique id."""
        for entity_id, entry in (await self.entity_registry()).items():
            if entry["platform"] == "mqtt" and entry["unique_id"] == unique_id:
                return entity_id
        return None

    async def wait_state(self, entity_id: str, value: str, timeout: float = 15) -> State:
        """Wait until the entity shows this value."""
        seen: State | None = None

        async def there() -> bool:
            nonlocal seen
            seen = await self.state(entity_id)
            return seen is not None and seen.value == value

        await self._until(there, timeout, lambda: f"{entity_id} is {value!r}; it is {seen}")
        assert seen is not None
        return seen

    async def wait_gone(self, entity_id: str, timeout: float = 15) -> None:
        """Wait until no such entity is shown or registered."""

        async def gone() -> bool:
            return entity_id not in await self.states() and entity_id not in await self.entity_registry()

        await self._until(gone, timeout, f"{entity_id} is gone")

    # -- actions ------------------------------------------------------------------------------------------

    async def call(self, domain: str, service: str, **data: Any) -> None:
        """Call a service."""
        await self._request("POST", f"/api/services/{domain}/{service}", data)

    async def ask(self, domain: str, service: str, **data: Any) -> Any:
        """Call a service that answers, and return its answer."""
        path = f"/api/services/{domain}/{service}?return_response"
        return (await self._request("POST", path, data))["service_response"]

    async def fire(self, event_type: str, **data: Any) -> None:
        """Fire an event, as an app would."""
        await self._request("POST", f"/api/events/{event_type}", data)

    async def flow(self, path: str = "", **data: Any) -> Any:
        """Begin (no path) or go on with a config flow; returns what it shows."""
        return await self._request("POST", f"/api/config/config_entries/flow{path}", data)

    async def get(self, path: str) -> tuple[int, str, bytes]:
        """Status, content type and body of a page."""
        headers = {"Authorization": f"Bearer {self._token}"}
        async with self._http.get(self.url + path, headers=headers) as answer:
            return answer.status, answer.content_type, await answer.read()

    @property
    def token(self) -> str:
        """A token of the owner."""
        return self._token

    async def add_automation(self, automation_id: str, **config: Any) -> str:
        """Add or replace an automation (``alias``, ``triggers``, ``conditions``, ``actions``).

        Returns its entity id. An action ``{"event": NAME, "event_data": ...}`` is heard by ``listen``.
        """
        await self._request("POST", f"/api/config/automation/config/{automation_id}", config)
        found = ""

        async def loaded() -> bool:
            nonlocal found
            for entity_id, state in (await self.states()).items():
                if entity_id.startswith("automation.") and state.attributes.get("id") == automation_id:
                    found = entity_id
                    return state.value == "on"
            return False

        await self._until(loaded, 15, f"automation {automation_id} is loaded; log: {self.log()[-800:]}")
        return found

    @contextlib.asynccontextmanager
    async def listen(self, event_type: str) -> AsyncIterator[list[dict[str, Any]]]:
        """Collect the data of every event of this type while the block runs."""
        heard: list[dict[str, Any]] = []
        async with self._websocket() as socket:
            await _ask(socket, 1, {"type": "subscribe_events", "event_type": event_type})

            async def collect() -> None:
                async for message in socket:
                    answer = json.loads(message.data)
                    if answer.get("type") == "event":
                        heard.append(answer["event"]["data"])

            task = asyncio.create_task(collect(), name=f"listen {event_type}")
            try:
                yield heard
            finally:
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task

    async def command(self, kind: str, **fields: Any) -> Any:
        """One websocket command; returns its result."""
        async with self._websocket() as socket:
            return await _ask(socket, 1, {"type": kind, **fields})

    # -- inside -------------------------------------------------------------------------------------------

    def _lay_out(self) -> None:
        """A configuration folder with one MQTT entry, as if it had been set up by hand."""
        storage = self._folder / ".storage"
        storage.mkdir(parents=True, exist_ok=True)
        (self._folder / "media").mkdir()
        text = _CONFIGURATION.format(port=self.port, folder=self._folder) + self._extra
        (self._folder / "configuration.yaml").write_text(text, encoding="utf-8")
        (self._folder / "automations.yaml").write_text("[]\n", encoding="utf-8")
        since = "2025-01-01T00:00:00+00:00"
        entry: dict[str, Any] = {
            "created_at": since,
            "modified_at": since,
            "data": {"broker": "127.0.0.1", "port": self._mqtt_port, "protocol": "5"},
            "disabled_by": None,
            "discovery_keys": {},
            "domain": "mqtt",
            "entry_id": "homefacetestmqttentry00000",
            "minor_version": 2,
            "options": {"discovery": True},
            "pref_disable_new_entities": False,
            "pref_disable_polling": False,
            "source": "user",
            "subentries": [],
            "title": "Test broker",
            "unique_id": None,
            "version": 1,
        }
        key = "core.config_entries"
        stored = {"version": 1, "minor_version": 5, "key": key, "data": {"entries": [entry]}}
        (storage / key).write_text(json.dumps(stored), encoding="utf-8")

    def _spawn(self) -> subprocess.Popen[bytes]:
        python = hass_python()
        environment = {
            k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "VIRTUAL_ENV", "UV_"))
        }
        environment["PATH"] = f"{python.parent}:{environment.get('PATH', '')}"
        with (self._folder / "output.log").open("ab") as output:
            return subprocess.Popen(
                [str(python), "-m", "homeassistant", "-c", str(self._folder), "--skip-pip"],
                stdout=output,
                stderr=output,
                cwd=self._folder,
                env=environment,
            )

    async def _answers(self) -> bool:
        try:
            async with self._http.get(f"{self.url}/api/onboarding") as answer:
                return answer.status == 200
        except aiohttp.ClientError:
            return False

    async def _running(self) -> bool:
        state: str = (await self._request("GET", "/api/config"))["state"]
        return state == "RUNNING"

    async def _onboard(self) -> str:
        """Make the owner, and a long-lived token that is on disk before anybody kills us."""
        client = f"{self.url}/"
        owner = {"name": "Owner", "username": "owner", "password": "only-for-tests", "language": "en"}
        async with self._http.post(
            f"{self.url}/api/onboarding/users", json={**owner, "client_id": client}
        ) as answer:
            answer.raise_for_status()
            code = (await answer.json())["auth_code"]
        form = {"grant_type": "authorization_code", "code": code, "client_id": client}
        async with self._http.post(f"{self.url}/auth/token", data=form) as answer:
            answer.raise_for_status()
            self._token = (await answer.json())["access_token"]
        lasting: str = await self.command("auth/long_lived_access_token", client_name="tests", lifespan=365)
        stored = self._folder / ".storage" / "auth"

        async def saved() -> bool:
            return stored.exists() and '"long_lived_access_token"' in stored.read_text(encoding="utf-8")

        await self._until(saved, 30, "the token is on disk")
        return lasting

    @property
    def _http(self) -> aiohttp.ClientSession:
        assert self._session is not None, "not started"
        return self._session

    async def _request(self, method: str, path: str, body: Any = None) -> Any:
        headers = {"Authorization": f"Bearer {self._token}"}
        async with self._http.request(method, self.url + path, json=body, headers=headers) as answer:
            text = await answer.text()
            assert answer.status < 400, f"{method} {path}: {answer.status} {text[:500]}"
            return json.loads(text)

    @contextlib.asynccontextmanager
    async def _websocket(self) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
        async with self._http.ws_connect(f"{self.url}/api/websocket", max_msg_size=0) as socket:
            assert (await socket.receive_json())["type"] == "auth_required"
            await socket.send_json({"type": "auth", "access_token": self._token})
            assert (await socket.receive_json())["type"] == "auth_ok"
            yield socket

    async def _end(self, how: signal.Signals, timeout: float) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(how)
        try:
            await asyncio.to_thread(process.wait, timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise

    async def _until(
        self, condition: Callable[[], Awaitable[bool]], timeout: float, what: str | Callable[[], str]
    ) -> None:
        """Ask again until it is true; fails at the deadline or when Home Assistant has ended."""
        deadline = time.monotonic() + timeout
        while not await condition():
            told = what if isinstance(what, str) else what()
            ended = self._process is None or self._process.poll() is not None
            if ended or time.monotonic() > deadline:
                why = "Home Assistant ended" if ended else f"not within {timeout} s"
                raise AssertionError(f"{why}: {told}; log: {self.log()[-1500:]}")
            await asyncio.sleep(_STEP_SECONDS)


async def _ask(socket: aiohttp.ClientWebSocketResponse, number: int, message: dict[str, Any]) -> Any:
    await socket.send_json({"id": number, **message})
    answer = await socket.receive_json()
    assert answer.get("success"), f"{message['type']}: {answer}"
    return answer["result"]
