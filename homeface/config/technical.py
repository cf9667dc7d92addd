"""Sections about the machinery: broker, recognition, models, storage, web and logging."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, SecretStr, ValidationInfo

from homeface.config.values import Number, PathTo, Rate, Section, Text, Topic, Whole, Within, setting

Strictness = Literal["relaxed", "normal", "strict"]
_MODEL_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}")
_DEVICE = re.compile(r"auto|cpu|cuda(:\d{1,2})?")
_SHA256 = re.compile(r"[0-9a-f]{64}")


class Tls(Section):
    """Encryption of the connection to the broker."""

    ca: PathTo | None = setting(
        "File with the broker's certificate authority; by default the system's.", None
    )
    cert: PathTo | None = setting("File with this client's certificate, when the broker wants one.", None)
    key: PathTo | None = setting("File with the key of that certificate.", None)
    insecure: bool = setting(
        "true accepts any certificate: anybody could pose as your broker. For trials only.", False
    )


def _tls_switch(value: object) -> object:
    """``tls: true`` means all defaults; an empty ``tls:`` must not silently mean no encryption."""
    if value is None:
        raise ValueError("true, false, or ca, cert, key and insecure below it (nothing could mean either)")
    if isinstance(value, bool):
        return {} if value else None
    return value


def _version(value: object) -> object:
    return str(value) if value == 5 and not isinstance(value, bool) else value


def _host(value: str) -> str:
    if not value.strip() or "/" in value or any(character.isspace() for character in value.strip()):
        raise ValueError("a host name or address alone, such as 192.168.1.10 (the port goes under port)")
    return value.strip()


class Mqtt(Section):
    """The MQTT broker, and what Home Assistant is told through it."""

    host: Annotated[str, AfterValidator(_host)] = setting("Host name or address of the broker.")
    port: Whole | None = setting(
        "TCP port of the broker; by default 1883, or 8883 with tls.", None, ge=1, le=65535
    )
    username: SecretStr | None = setting("User name at the broker.", None)
    password: SecretStr | None = setting("Password at the broker; use !secret.", None)
    tls: Annotated[Tls | None, BeforeValidator(_tls_switch)] = setting(
        "Encryption: true for the system's certificate authorities, or the keys below it.", False
    )
    version: Annotated[Literal["3.1.1", "5"], BeforeValidator(_version)] = setting(
        "MQTT version: 5, or 3.1.1 for old brokers.", "5"
    )
    client_id: Text | None = setting("Client id at the broker; by default home.node_id.", None)
    keepalive_seconds: Annotated[float, Within("5s", "10min")] = setting(
        "How often the connection is checked; a duration with a unit. A dead connection is seen after one "
        "and a half of it.",
        "30s",
        key="keepalive",
    )
    discovery: bool = setting("Announce devices and entities to Home Assistant.", True)
    discovery_prefix: Topic = setting(
        "Topic prefix on which Home Assistant listens for devices.", "homeassistant"
    )
    base_topic: Topic = setting("Topic prefix of everything homeface publishes.", "homeface")
    max_event_age_seconds: Annotated[float, Within("1s", "1h")] = setting(
        "Events older than this are dropped, not sent late: nothing may act on the past; a duration "
        "with a unit.",
        "10s",
        key="max_event_age",
    )

    @property
    def port_number(self) -> int:
        """The port to connect to."""
        return self.port or (1883 if self.tls is None else 8883)


def _model_name(value: str) -> str:
    if not _MODEL_NAME.fullmatch(value):
        raise ValueError("a model name of lower-case letters, digits and _ . -")
    return value


def _torch_device(value: str) -> str:
    if not _DEVICE.fullmatch(value):
        raise ValueError("auto, cpu, cuda or cuda:N")
    return value


ModelName = Annotated[str, AfterValidator(_model_name)]


class Recognition(Section):
    """Which models look, on which device, and how sure they must be."""

    detector: ModelName = setting(
        "Model that finds faces: yunet_n, yunet_s, yunet_2023mar, mtcnn, scrfd_500m, scrfd_2.5g, or one of "
        "models.",
        "yunet_n",
    )
    embedder: ModelName = setting(
        "Model that tells faces apart: mobilefacenet, facenet_vggface2, facenet_casia, or one of models. "
        "After a change run: homeface people reembed.",
        "mobilefacenet",
    )
    device: Annotated[str, AfterValidator(_torch_device)] = setting(
        "Where the models run: auto (a GPU when there is one), cpu, cuda or cuda:N.", "auto"
    )
    runtime: Literal["auto", "torch", "openvino", "onnxruntime"] = setting(
        "What runs the models: auto (openvino on a processor, torch on a GPU), torch, openvino or "
        "onnxruntime.",
        "auto",
    )
    precision: Literal["auto", "float32", "bfloat16"] = setting(
        "Numbers the models compute with: auto (bfloat16 on a processor with AMX for models whose results "
        "were measured to stay, half precision on a GPU, else float32), float32 or bfloat16.",
        "auto",
    )
    threads: Whole = setting(
        "Processor threads for the models, a count; 0 lets the runtime choose.", 0, ge=0, le=256
    )
    min_face_px: Whole = setting(
        "Smallest face worth finding: its side in pixels of the picture. Smaller reaches farther and is "
        "slower.",
        40,
        ge=16,
        le=1000,
    )
    strictness: Strictness = setting(
        "How sure a name must be: relaxed, normal or strict (about one wrong name in 100, 1,000 or 10,000 "
        "visits of strangers).",
        "normal",
    )
    false_names: Rate | None = setting(
        "The same as a number, instead of strictness: how many visits of strangers may be given a name, "
        "e.g. '1 in 1000 visits'.",
        None,
    )
    adapt: bool = setting(
        "true lets very sure visits teach how people look now, slowly and reversibly (homeface people "
        "adapted lists and forgets what was learned). Strangers teach nothing.",
        False,
    )
    second_opinion: PathTo | None = setting(
        "File of a classifier of your household (homeface lab train-household), asked before a name is said; "
        "it may only take a name away.",
        None,
    )
    min_faces: Whole | None = setting(
        "Least usable faces (a count) before a name is said; by default as measured for the model.",
        None,
        ge=1,
        le=50,
    )


def _file_name(value: str) -> str:
    if not value or "/" in value or "\\" in value or value in {".", ".."} or not value.isprintable():
        raise ValueError("the bare name of a file that lies in one of the model folders (see models_dir)")
    return value


def _sha256(value: str) -> str:
    if not _SHA256.fullmatch(value.strip().lower()):
        raise ValueError("64 hexadecimal digits, as sha256sum prints them")
    return value.strip().lower()


def _three(value: object) -> object:
    return [value] * 3 if isinstance(value, int | float | str) and not isinstance(value, bool) else value


Channels = Annotated[tuple[Number, Number, Number], BeforeValidator(_three)]


class Model(Section):
    """An ONNX file of yours that serves as detector or embedder."""

    name: ModelName = setting("Name to use under recognition.detector or recognition.embedder.")
    family: Literal["yunet", "scrfd", "faster_rcnn", "onnx_embedder"] = setting(
        "How its inputs and outputs are laid out: yunet, scrfd or faster_rcnn (detectors), onnx_embedder "
        "(one vector a face)."
    )
    file: Annotated[str, AfterValidator(_file_name)] = setting("File name in one of the model folders.")
    sha256: Annotated[str, AfterValidator(_sha256)] = setting(
        "SHA-256 of the file, as sha256sum prints it; the file is not loaded when it differs."
    )
    url: Text | None = setting("Where the file can be downloaded.", None)
    licence: Text = setting("Licence of the weights, for your own records.", "not stated")
    input_px: Whole = setting(
        "Side of the square input in pixels; 0: any size (detectors only).", 0, ge=0, le=4096
    )
    colour: Literal["rgb", "bgr"] = setting("Order of the colours that the network wants.", "bgr")
    mean: Channels = setting("Subtracted from each pixel (0 to 255), one number or one per channel.", 0)
    std: Channels = setting("What the difference is divided by, one number or one per channel; not 0.", 1)
    template: Text | None = setting(
        "How a face is cut out for an embedder: arcface_112, stretched or plain.", None
    )


def _default_folder(value: object, info: ValidationInfo) -> object:
    context: dict[str, Any] = info.context or {}
    return context.get("state_folder", Path("/var/lib/homeface")) if value is None else value


def _default_key_file(value: object, info: ValidationInfo) -> object:
    context: dict[str, Any] = info.context or {}
    return context.get("key_file") if value is None else value


class VouchedFile(Section):
    """A weight file of a built-in model whose hash homeface does not know, and you vouch for."""

    model: ModelName = setting("Built-in model that the file belongs to, e.g. facenet_casia.")
    file: Annotated[str, AfterValidator(_file_name)] = setting("File name, as homeface models list shows it.")
    sha256: Annotated[str, AfterValidator(_sha256)] = setting("SHA-256 of your copy, as sha256sum prints it.")


class Storage(Section):
    """Where the gallery and the log of sightings are kept."""

    folder: Annotated[PathTo, BeforeValidator(_default_folder)] = setting(
        "Folder of the database. Default: /var/lib/homeface for the service and root, else "
        "~/.local/state/homeface.",
        None,
    )
    retention_seconds: Annotated[float, Within("1h", "3650d")] = setting(
        "How long sightings are kept; a duration with a unit, usually days (d).", "30d", key="retention"
    )
    keep_crops: bool = setting(
        "Keep the enrolled face pictures (encrypted), so that another embedder needs no new photos.", True
    )
    keep_acts_seconds: Annotated[float, Within("1d", "3650d")] = setting(
        "How long the log of administrative acts is kept (who enrolled, renamed, removed whom; homeface "
        "acts shows it); a duration with a unit, usually days (d).",
        "365d",
        key="keep_acts",
    )
    key_file: Annotated[PathTo | None, BeforeValidator(_default_key_file)] = setting(
        "File with the key that encrypts the gallery; by default systemd's credential homeface.key when it "
        "is passed on, else a file made on first use in the folder. Keep a copy elsewhere (homeface backup): "
        "without it the gallery cannot be read.",
        None,
    )


class Logging(Section):
    """What is logged, and how."""

    level: Literal["debug", "info", "warning", "error"] = setting("Least level that is logged.", "info")
    format: Literal["auto", "text", "json"] = setting(
        "auto (for a person at a terminal, with priorities for journald), text, or json (one object a line).",
        "auto",
    )
