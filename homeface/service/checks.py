"""``homeface check``: is everything there that the daemon will need? Changes nothing."""

from __future__ import annotations

import asyncio
import os
import ssl
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from homeface.config import Camera as CameraConfig
from homeface.config import Config
from homeface.errors import HomefaceError
from homeface.service import wiring


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One thing that was looked at: what, whether it is well, and a sentence."""

    what: str
    ok: bool
    text: str


async def check_all(config: Config, environ: Mapping[str, str], timeout_seconds: float) -> list[CheckResult]:
    """Every check, at the same time; in the order in which a person would mend things."""
    cameras = [
        _try(f"camera {slug}", partial(_camera, slug, camera), timeout_seconds)
        for slug, camera in config.cameras.items()
    ]
    models = [
        _try(f"model {spec.name}", partial(_weights, spec, config, environ), timeout_seconds)
        for spec in wiring.wanted_models(config)
    ]
    page = [_try("page", partial(_page, config), timeout_seconds)] if config.web.enabled else []
    results = await asyncio.gather(
        _try("storage", lambda: _storage(config), timeout_seconds),
        _try("people", lambda: _people(config), timeout_seconds),
        *models,
        _try("device", lambda: _device(config), 60.0),
        _try("broker", lambda: _broker(config), timeout_seconds),
        *cameras,
        *page,
    )
    first = CheckResult("config", True, config.size_text())
    return [first, *results]


async def _try(what: str, check: Callable[[], Awaitable[str]], timeout_seconds: float) -> CheckResult:
    try:
        async with asyncio.timeout(timeout_seconds):
            return CheckResult(what, True, await check())
    except TimeoutError:
        return CheckResult(what, False, f"no answer within {timeout_seconds:g} s")
    except HomefaceError as error:
        return CheckResult(what, False, str(error))


async def _camera(slug: str, camera: CameraConfig) -> str:
    from homeface.adapters.camera import probe

    if not camera.enabled:
        return "switched off in the configuration"
    settings = wiring.camera_settings(slug, camera)
    answer = await asyncio.to_thread(probe, settings)
    return f"{answer.width}×{answer.height} {answer.codec} from {settings.address}"


async def _page(config: Config) -> str:
    from homeface.adapters.web.certificates import load_into
    from homeface.adapters.web.settings import is_loopback

    settings = wiring.web_settings(config)
    if settings.tls is not None and settings.tls.own_ca is None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        await asyncio.to_thread(load_into, context, settings.tls.certificate, settings.tls.key)
    if settings.tls is None and not is_loopback(settings.host):
        return f"{settings.host} port {settings.port}, without encryption (web.tls): passwords can be read"
    return f"{settings.host} port {settings.port}"


async def _weights(spec: object, config: Config, environ: Mapping[str, str]) -> str:
    from homeface.inference.weights import ModelSpec, locate

    assert isinstance(spec, ModelSpec)  # noqa: S101 - narrows for the type checker
    if spec.packaged:
        return "comes inside its package"
    return str(await asyncio.to_thread(locate, spec, wiring.model_folders(config, environ)))


async def _device(config: Config) -> str:
    from homeface.inference.devices import device_report

    wish = config.recognition
    report = await asyncio.to_thread(device_report, wish.device, wish.runtime, wiring.wanted_models(config))
    return "; ".join(report)


async def _broker(config: Config) -> str:
    from homeface.adapters.mqtt_probe import try_connection

    settings = wiring.mqtt_settings(config)
    await try_connection(settings)
    return f"connected to {settings.address} as MQTT {settings.version}"


async def _storage(config: Config) -> str:
    return await asyncio.to_thread(_look_at_storage, config)


def _look_at_storage(config: Config) -> str:
    from homeface.adapters.store import Store

    path = wiring.database_path(config)
    if path.exists():
        with Store(path, key_file=config.storage.key_file) as store:
            counts = store.counts()
        return f"{path}: {counts.subjects} people, {counts.templates} templates"
    folder = _existing_parent(path.parent)
    if not os.access(folder, os.W_OK):
        raise HomefaceError(f"{path.parent} cannot be made: {folder} is not writable by this user.")
    return f"{path} will be made at the first start"


async def _people(config: Config) -> str:
    return await asyncio.to_thread(_look_at_people, config)


def _look_at_people(config: Config) -> str:
    """Not being able to promise everything is no failure: it is told, and ``people health`` explains it."""
    from homeface.adapters.store import Store
    from homeface.service.health import household_health

    path = wiring.database_path(config)
    if not path.exists():
        return "nobody is enrolled yet: homeface enrol NAME photos/*.jpg"
    with Store(path, key_file=config.storage.key_file) as store:
        found = household_health(store, config, time.time())
    if not found.health.people:
        return "nobody is enrolled yet: homeface enrol NAME photos/*.jpg"
    count, broken = len(found.health.people), len(found.broken)
    if not broken:
        return f"{count} people, everybody can be named as promised"
    first = found.broken[0].text
    more = "" if broken == 1 else f" And {broken - 1} more."
    return f"{count} people. {first}{more} See: homeface people health"


def _existing_parent(folder: Path) -> Path:
    while not folder.exists():
        folder = folder.parent
    return folder
