"""From the configuration to the plain values each part takes. The only place that knows both sides."""

from __future__ import annotations

import math
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from homeface.config import Camera as CameraConfig
from homeface.config import Config, KnownModels, default_compiled_folder, default_model_folders
from homeface.core.presence import PresencePolicy, RoomPolicy
from homeface.errors import ModelError

if TYPE_CHECKING:
    from homeface.adapters.camera import CameraSettings
    from homeface.adapters.mqtt import MqttSettings
    from homeface.adapters.web.settings import WebSettings
    from homeface.inference.engine import EngineSettings
    from homeface.inference.weights import ModelSpec

_FRAMES_IN_FLIGHT = 2
"""With several cameras the device need not wait while one's faces are matched; faces share batches."""

DATABASE_NAME = "homeface.db"


def model_folders(config: Config | None, environ: Mapping[str, str]) -> list[Path]:
    """Where weights are looked for, in order."""
    return default_model_folders(None if config is None else config.models_dir, environ)


def custom_models(config: Config | None) -> tuple[ModelSpec, ...]:
    """The ONNX models a configuration adds, and built-in ones it vouches for. Raises ``ModelError``."""
    from homeface.inference.manifest import MANIFEST, with_hash
    from homeface.inference.weights import Artefact, Family, ModelSpec, custom_model

    built_in = {spec.name: spec for spec in MANIFEST}
    vouched = []
    for entry in config.vouched if config is not None else ():
        if entry.model not in built_in:
            raise ModelError(f"vouched: there is no built-in model {entry.model!r}.")
        vouched.append(with_hash(built_in[entry.model], entry.file, entry.sha256))
    return tuple(vouched) + tuple(
        custom_model(
            ModelSpec(
                name=model.name,
                family=Family(model.family),
                licence=model.licence,
                artefacts=(Artefact(model.file, model.sha256, model.url),),
                input_px=model.input_px,
                colour=model.colour,
                mean=model.mean,
                std=model.std,
                template=model.template or "",
            )
        )
        for model in (config.models if config is not None else ())
    )


def known_models(config: Config | None) -> list[ModelSpec]:
    """All models that can be named: the configuration's first, then the built-in ones."""
    from homeface.inference.weights import MANIFEST

    return [*custom_models(config), *MANIFEST]


def known_names() -> KnownModels:
    """The built-in models' names, for the check of a configuration."""
    from homeface.inference.manifest import MANIFEST, Kind

    names = {kind: frozenset(spec.name for spec in MANIFEST if spec.kind is kind) for kind in Kind}
    return KnownModels(detectors=names[Kind.DETECTOR], embedders=names[Kind.EMBEDDER])


def wanted_models(config: Config | None) -> list[ModelSpec]:
    """Detector and embedder of the configuration, or the default ones. Raises ``ModelError``."""
    from homeface.inference.engine import EngineSettings
    from homeface.inference.weights import Kind, find_spec

    extra = custom_models(config)
    default = EngineSettings()
    detector = default.detector if config is None else config.recognition.detector
    embedder = default.embedder if config is None else config.recognition.embedder
    return [find_spec(detector, Kind.DETECTOR, extra), find_spec(embedder, Kind.EMBEDDER, extra)]


def engine_settings(config: Config | None, environ: Mapping[str, str]) -> EngineSettings:
    """What the device runs; without a configuration the default. Raises ``ModelError`` for a broken entry."""
    from homeface.inference.engine import EngineSettings

    folders, cache = tuple(model_folders(config, environ)), default_compiled_folder(environ)
    if config is None:
        return EngineSettings(folders=folders, cache=cache)
    recognition = config.recognition
    return EngineSettings(
        detector=recognition.detector,
        embedder=recognition.embedder,
        device=recognition.device,
        runtime=recognition.runtime,
        precision=recognition.precision,
        cache=cache,
        max_frames=min(_FRAMES_IN_FLIGHT, max(1, len(enabled_cameras(config)))),
        folders=folders,
        min_face_px=recognition.min_face_px,
        threads=recognition.threads,
        models=custom_models(config),
    )


def database_path(config: Config) -> Path:
    """Where the gallery and the log of sightings lie."""
    return config.storage.folder / DATABASE_NAME


def camera_settings(slug: str, camera: CameraConfig) -> CameraSettings:
    """One camera, in the reader's words."""
    from homeface.adapters.camera import CameraSettings

    url = None if camera.url is None else camera.url.get_secret_value()
    return CameraSettings(
        name=slug,
        url=url or (str(camera.file) if camera.file is not None else None),
        device=camera.device,
        pipeline=None if camera.pipeline is None else camera.pipeline.get_secret_value(),
        username=None if camera.username is None else camera.username.get_secret_value(),
        password=None if camera.password is None else camera.password.get_secret_value(),
        transport=camera.transport,
        analysis_fps=camera.analysis_fps,
        decoder=camera.decoder,
        substream=None if camera.substream is None else camera.substream.get_secret_value(),
        loop=camera.loop,
        open_timeout_seconds=camera.open_timeout_seconds,
        read_timeout_seconds=camera.read_timeout_seconds,
    )


def enabled_cameras(config: Config) -> dict[str, CameraConfig]:
    """The cameras that are to be watched."""
    return {slug: camera for slug, camera in config.cameras.items() if camera.enabled}


def room_policies(config: Config) -> dict[str, RoomPolicy]:
    """Timings of each room: its own, else the house's."""
    presence = config.presence
    return {
        slug: RoomPolicy(
            room=slug,
            hold_seconds=presence.hold_seconds if room.hold_seconds is None else room.hold_seconds,
            leave_seconds=room.leave_seconds,
            exit_room=room.exit_room,
            sensor_release_seconds=(
                presence.sensor_release_seconds
                if room.sensor_release_seconds is None
                else room.sensor_release_seconds
            ),
        )
        for slug, room in config.rooms.items()
    }


def presence_policy(config: Config) -> PresencePolicy:
    """Timings of the house."""
    presence = config.presence
    return PresencePolicy(
        away_seconds=presence.away_after_seconds,
        exit_leave_seconds=presence.exit_leave_seconds,
        move_hysteresis_seconds=presence.move_hysteresis_seconds,
        event_cooldown_seconds=presence.event_cooldown_seconds,
        max_sensor_hold_seconds=presence.max_sensor_hold_seconds,
        max_blind_hold_seconds=presence.max_blind_hold_seconds,
        min_unknown_votes=presence.min_unknown_votes,
    )


def mqtt_settings(config: Config) -> MqttSettings:
    """How to speak to the broker."""
    from homeface.adapters.mqtt import MqttSettings, MqttTls

    mqtt = config.mqtt
    tls = None
    if mqtt.tls is not None:
        files = {name: getattr(mqtt.tls, name) for name in ("ca", "cert", "key")}
        paths = {name: None if path is None else str(path) for name, path in files.items()}
        tls = MqttTls(**paths, insecure=mqtt.tls.insecure)
    return MqttSettings(
        host=mqtt.host,
        port=mqtt.port_number,
        username=None if mqtt.username is None else mqtt.username.get_secret_value(),
        password=None if mqtt.password is None else mqtt.password.get_secret_value(),
        tls=tls,
        version=mqtt.version,
        client_id=mqtt.client_id or "",
        keepalive_seconds=int(mqtt.keepalive_seconds),
        base_topic=mqtt.base_topic,
        max_event_age_seconds=mqtt.max_event_age_seconds,
    )


def web_settings(config: Config) -> WebSettings:
    """How the page is served."""
    from homeface.adapters.web.settings import TlsSettings, WebSettings

    web = config.web
    own = config.storage.folder / "tls"
    tls = None
    if web.certificate is not None and web.certificate_key is not None:
        tls = TlsSettings(web.certificate, web.certificate_key)
    elif web.tls == "self-signed":
        tls = TlsSettings(own / "server.pem", own / "server.key", own_ca=own)
    machine = socket.gethostname().lower()
    short = machine.partition(".")[0]
    named = {urlsplit(web.url).hostname or machine} if web.url else set()
    return WebSettings(
        host=web.host,
        port=web.port,
        tls=tls,
        base_path=web.base_path,
        trusted_proxies=web.trusted_proxies,
        ingress_proxies=web.ingress_proxies,
        host_names=frozenset({machine, short, f"{short}.local", *web.allowed_hosts, *named}),
        url=web.url or "",
        node_id=config.home.node_id,
        language=web.language,
        camera_pictures=web.camera_pictures,
    )


def keeps_unknown_visits(config: Config) -> bool:
    """Whether faces of visits without a name are kept: only for a page on which somebody can settle them."""
    return config.web.enabled and config.web.unknown_visits


def oldest_unknown_visit(config: Config, now: float) -> float:
    """Unknown visits that ended before then are forgotten: all of them, when none are to be kept."""
    if not keeps_unknown_visits(config):
        return math.inf
    return now - min(config.web.unknown_retention_seconds, config.storage.retention_seconds)
