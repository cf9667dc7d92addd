"""YAML and environment to one frozen ``Config``: the only reader of either.

Imports pydantic and yaml alone.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from pydantic import ValidationError

from homeface.config import document as documents
from homeface.config.environment import (
    SystemdEnvironment,
    credential_key_file,
    default_compiled_folder,
    default_model_folders,
    default_state_folder,
    home_folder,
    service_node,
    systemd_environment,
)
from homeface.config.explain import explain
from homeface.config.household import Camera, Home, OccupancySensor, Person, Presence, Room
from homeface.config.rules import KnownModels, check
from homeface.config.schema import Config, json_schema
from homeface.config.technical import Logging, Model, Mqtt, Recognition, Storage, Tls
from homeface.config.web import Web
from homeface.errors import ConfigError

__all__ = [
    "Camera",
    "Config",
    "Home",
    "KnownModels",
    "Logging",
    "Model",
    "Mqtt",
    "OccupancySensor",
    "Person",
    "Presence",
    "Recognition",
    "Room",
    "Storage",
    "SystemdEnvironment",
    "Tls",
    "Web",
    "default_compiled_folder",
    "default_model_folders",
    "default_state_folder",
    "json_schema",
    "load",
    "service_node",
    "systemd_environment",
]


def load(path: Path, environ: Mapping[str, str], known: KnownModels | None = None) -> Config:
    """Read and check a configuration file. Raises ConfigError with every problem, in order of lines.

    ``known``: names of the built-in models; without it, names of models are checked for their form alone.
    """
    document = documents.read(path, environ)
    context = {
        "folder": path.parent.absolute(),
        "home": home_folder(environ),
        "state_folder": default_state_folder(environ, path.absolute(), root=os.geteuid() == 0),
        "key_file": credential_key_file(environ),
    }
    config: Config | None = None
    try:
        config = Config.model_validate(document.data, context=context)
    except ValidationError as error:
        explain(error, document)
    check(document, known or KnownModels())
    if config is None or document.problems:
        raise ConfigError(
            sorted(document.problems, key=lambda problem: (problem.file != str(path), problem.line or 0))
        )
    return config
