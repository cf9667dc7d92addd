"""The configuration as a whole, and its JSON schema."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote, urlsplit

from homeface.config.household import Camera, Home, Person, Presence, Room
from homeface.config.technical import Logging, Model, Mqtt, Recognition, Storage, VouchedFile
from homeface.config.values import PathTo, Section, Slug, Text, setting
from homeface.config.web import Web


class Config(Section):
    """Everything a household can set. Plain frozen data; durations are seconds, paths are absolute."""

    home: Home = setting("The home as a whole.", {})
    rooms: dict[Slug, Room] = setting("Rooms, each under a short id.", min_length=1)
    cameras: dict[Slug, Camera] = setting(
        "Cameras, each under a short id. A room may have several.", min_length=1
    )
    people: dict[Text, Person] = setting("Options of enrolled people, each under the person's name.", {})
    mqtt: Mqtt = setting("The MQTT broker, and what Home Assistant is told through it.")
    recognition: Recognition = setting("Which models look, and how sure they must be.", {})
    models: tuple[Model, ...] = setting("Further models: ONNX files of yours.", [])
    vouched: tuple[VouchedFile, ...] = setting(
        "Weight files of built-in models whose hash homeface does not know, and you vouch for.", []
    )
    models_dir: PathTo | None = setting(
        "Folder with model files, looked in after HOMEFACE_MODELS and before the usual folders.", None
    )
    presence: Presence = setting("How presence behaves over time.", {})
    storage: Storage = setting("Where the gallery and the log of sightings are kept.", {})
    web: Web = setting("The web page, its API, and health pages for monitoring.", {})
    logging: Logging = setting("What is logged, and how.", {})

    def size_text(self) -> str:
        """How large the household is, e.g. ``2 rooms, 1 camera``."""
        counts = ((len(self.rooms), "room"), (len(self.cameras), "camera"))
        return ", ".join(f"{count} {what}{'' if count == 1 else 's'}" for count, what in counts)

    def room_name(self, slug: str) -> str:
        """The room's name as people see it."""
        return self.rooms[slug].name or slug.replace("_", " ").replace("-", " ").capitalize()

    def secret_values(self) -> frozenset[str]:
        """Passwords in plain text, for a log filter to mask. Never show them."""
        passwords = [self.mqtt.password, *(camera.password for camera in self.cameras.values())]
        found = {password.get_secret_value() for password in passwords if password is not None}
        for url in (camera.full_url() for camera in self.cameras.values()):
            written = urlsplit(url).password if url else None
            if written:
                found |= {written, unquote(written)}
        return frozenset(found)


def json_schema() -> dict[str, Any]:
    """The configuration's JSON schema (draft 2020-12), for editors."""
    schema = Config.model_json_schema(by_alias=True)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "title": "homeface configuration",
    }
