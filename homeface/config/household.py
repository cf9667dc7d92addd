"""Sections about the home: rooms, cameras, people, and how presence behaves."""

from __future__ import annotations

import re
from typing import Annotated, Literal
from urllib.parse import quote, urlsplit, urlunsplit

from pydantic import AfterValidator, BeforeValidator, SecretStr

from homeface.config.problems import without_credentials
from homeface.config.values import (
    Number,
    PathTo,
    Payloads,
    Section,
    Slug,
    Text,
    Topic,
    Whole,
    Within,
    setting,
)

_URL_SCHEMES = {"rtsp", "rtsps", "http", "https", "rtmp", "rtmps"}
_DECODER = re.compile(r"[a-z][a-z0-9]{1,20}(:[^\s:]{1,100})?")


class Home(Section):
    """The home as a whole."""

    name: Text = setting("Name of the home's device in Home Assistant.", "homeface")
    node_id: Slug = setting(
        "Short id of this installation, used in MQTT topics and entity ids; must differ between two "
        "installations on one broker.",
        "homeface",
    )


class OccupancySensor(Section):
    """An external occupancy sensor (mmWave, PIR) that publishes over MQTT."""

    topic: Topic = setting("MQTT topic that the sensor publishes on; no wildcards.")
    occupied: Payloads = setting(
        "Payload, or list of payloads, that mean occupied; upper and lower case are the same. "
        "Any other payload means free.",
        ["on", "true", "1", "occupied"],
    )
    json_key: Text | None = setting(
        "Key of the value when payloads are JSON objects, e.g. presence; dots reach into nested objects.",
        None,
    )


class Room(Section):
    """One room."""

    name: Text | None = setting("Name shown in Home Assistant; by default made from the room's key.", None)
    area: Text | None = setting("Area suggested to Home Assistant; by default the room's name.", None)
    exit_room: bool = setting(
        "true for a room through which people leave the home, such as a porch: gone from here means away "
        "sooner.",
        False,
        key="exit",
    )
    hold_seconds: Annotated[float, Within("1s", "1d")] | None = setting(
        "How long after the last sight somebody still counts as in this room; a duration with a unit. "
        "Default: presence.hold.",
        None,
        key="hold",
    )
    leave_seconds: Annotated[float, Within("0s", "30d")] | None = setting(
        "How long after the last sight in this room somebody seen nowhere else becomes not home; a duration "
        "with a unit. Default: presence.exit_leave for an exit room, else presence.away_after.",
        None,
        key="leave",
    )
    sensor_release_seconds: Annotated[float, Within("0s", "1d")] | None = setting(
        "How long people are kept after this room's occupancy sensor has cleared; a duration with a unit. "
        "Default: presence.sensor_release.",
        None,
        key="sensor_release",
    )
    occupancy_sensor: OccupancySensor | None = setting(
        "External occupancy sensor that holds people in the room while it says occupied.", None
    )


def _camera_url(secret: SecretStr) -> SecretStr:
    """Check a camera URL; the message never holds it."""
    text = secret.get_secret_value().strip()
    scheme, _, rest = text.partition("://")
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port  # a bad port raises
    except ValueError:
        host = None
    else:
        stray_login = "#" in rest or ("@" in rest and "@" not in parts.netloc)
        host = None if stray_login or any(sign.isspace() for sign in rest) else host
    if scheme.lower() not in _URL_SCHEMES:
        raise ValueError(
            "a URL that starts with rtsp://, rtsps://, http:// or https:// "
            "(a recording goes under file, a USB camera under device)"
        )
    if not host:
        raise ValueError(
            "a URL with a host, such as rtsp://192.168.1.20:554/stream; a user name or password with signs "
            "such as / ? # @ belongs under username and password"
        )
    return SecretStr(text)


def _device(value: object) -> object:
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 64:
        return value
    if isinstance(value, str) and value.isascii() and value.isdigit() and int(value) < 64:
        return int(value)
    if isinstance(value, str) and value.startswith("/dev/"):
        return value
    raise ValueError("the number of a USB camera (0, 1, ...) or its path (/dev/video0)")


def _decoder(value: str) -> str:
    if not _DECODER.fullmatch(value):
        raise ValueError(
            "software, auto, or a decoder such as cuda, vaapi, qsv, drm, cuda:1 or vaapi:/dev/dri/renderD128"
        )
    return value


class Camera(Section):
    """One camera. Exactly one of url, device, pipeline and file says where pictures come from."""

    room: str = setting("Key of the room this camera looks at, as written under rooms.")
    url: Annotated[SecretStr, AfterValidator(_camera_url)] | None = setting(
        "Stream of a network camera: rtsp://, rtsps://, http:// or https://. rtsps and https "
        "keep listeners out, but the camera's certificate is not checked.",
        None,
    )
    device: Annotated[int | str, BeforeValidator(_device)] | None = setting(
        "USB camera: its number (0 is the first) or its path (/dev/video0).", None
    )
    pipeline: SecretStr | None = setting(
        "GStreamer pipeline that ends in an appsink, for hardware such as Jetson's nvv4l2decoder.", None
    )
    file: PathTo | None = setting("A recording that is played as if it were a camera.", None)
    loop: bool = setting("true plays file again and again; false only once.", False)
    username: SecretStr | None = setting("User name for url, when it is not part of it.", None)
    password: SecretStr | None = setting("Password for url, when it is not part of it; use !secret.", None)
    transport: Literal["tcp", "udp"] = setting(
        "How RTSP pictures travel: tcp (nothing is lost) or udp.", "tcp"
    )
    analysis_fps: Number = setting(
        "Most pictures looked at, in frames per second; more is faster to a name, and more work.",
        5,
        ge=0.1,
        le=60,
    )
    substream: Annotated[SecretStr, AfterValidator(_camera_url)] | None = setting(
        "The camera's small second stream, with the same login: watched for motion while the room is quiet, "
        "so that the large one at url need not be decoded.",
        None,
    )
    decoder: Annotated[str, AfterValidator(_decoder)] = setting(
        "What decodes: software, auto (hardware where there is some), or one of FFmpeg's, such as cuda "
        "(NVIDIA), vaapi (Intel, AMD), qsv (Intel) or drm; a device may follow: cuda:1, "
        "vaapi:/dev/dri/renderD128.",
        "software",
    )
    open_timeout_seconds: Annotated[float, Within("1s", "10s")] = setting(
        "How long connecting may take before the camera counts as unavailable; a duration with a unit, "
        "at most 10s.",
        "5s",
        key="open_timeout",
    )
    read_timeout_seconds: Annotated[float, Within("1s", "10s")] = setting(
        "How long a picture may be overdue before the camera counts as unavailable; a duration with a unit, "
        "at most 10s.",
        "5s",
        key="read_timeout",
    )
    enabled: bool = setting("false: this camera is left alone until it is enabled.", True)

    def full_url(self) -> str | None:
        """``url`` with username and password put in (percent-encoded). Secret: never log or show it."""
        if self.url is None:
            return None
        text = self.url.get_secret_value()
        if self.username is None:
            return text
        login = quote(self.username.get_secret_value(), safe="")
        if self.password is not None:
            login += ":" + quote(self.password.get_secret_value(), safe="")
        parts = urlsplit(text)
        return urlunsplit(parts._replace(netloc=f"{login}@{parts.netloc.rpartition('@')[2]}"))

    @property
    def redacted(self) -> str:
        """Where pictures come from, in a form that may be shown: no credentials, no query, no pipeline."""
        if self.url is not None:
            return without_credentials(self.url.get_secret_value()).partition("?")[0]
        if self.pipeline is not None:
            return "GStreamer pipeline"
        return str(self.file) if self.device is None else f"device {self.device}"


class Person(Section):
    """Options of one person. The people themselves are enrolled, and live in the database."""

    aliases: tuple[Text, ...] = setting("Other names this person is known by.", [])


class Presence(Section):
    """How presence behaves over time. Faces are seen only now and then; these bridge the gaps."""

    hold_seconds: Annotated[float, Within("1s", "1d")] = setting(
        "How long after the last sight somebody still counts as in a room; a duration with a unit.",
        "2min",
        key="hold",
    )
    away_after_seconds: Annotated[float, Within("1min", "30d")] = setting(
        "How long somebody is seen nowhere before becoming not home; a duration with a unit. Long, because a "
        "sleeper is not seen.",
        "12h",
        key="away_after",
    )
    exit_leave_seconds: Annotated[float, Within("0s", "1d")] = setting(
        "The same after a last sight in an exit room; a duration with a unit.", "5min", key="exit_leave"
    )
    move_hysteresis_seconds: Annotated[float, Within("0s", "10min")] = setting(
        "How long the old room must not have seen somebody before they move to another one (two cameras may "
        "see one person); a duration with a unit.",
        "2s",
        key="move_hysteresis",
    )
    event_cooldown_seconds: Annotated[float, Within("0s", "1d")] = setting(
        "Least time between two seen-again events of one person in one room; a duration with a unit.",
        "60s",
        key="event_cooldown",
    )
    sensor_release_seconds: Annotated[float, Within("0s", "1d")] = setting(
        "How long people are kept after a room's occupancy sensor has cleared; a duration with a unit.",
        "15s",
        key="sensor_release",
    )
    max_sensor_hold_seconds: Annotated[float, Within("1min", "30d")] = setting(
        "How long an occupancy sensor may keep somebody whom no camera sees: a stuck sensor must not keep "
        "anybody for ever; a duration with a unit.",
        "12h",
        key="max_sensor_hold",
    )
    max_blind_hold_seconds: Annotated[float, Within("0s", "30d")] = setting(
        "How long a room whose cameras are unavailable keeps its people; a duration with a unit.",
        "1h",
        key="max_blind_hold",
    )
    min_unknown_votes: Whole = setting(
        "How many usable faces (a count) it takes to tell of an unknown person.", 3, ge=1, le=20
    )
