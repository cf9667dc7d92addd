"""What the environment says, apart from ``${NAME}`` in the file: folders, and what systemd passes on."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

SYSTEM_MODELS = Path("/var/lib/homeface/models")
SYSTEM_STATE = Path("/var/lib/homeface")
SYSTEM_CACHE = Path("/var/cache")
SYSTEM_CONFIG = Path("/etc/homeface")
KEY_CREDENTIAL = "homeface.key"


@dataclass(frozen=True, slots=True)
class SystemdEnvironment:
    """What systemd passes on; None: not asked for.

    ``notify_socket``: where to tell the state; ``watchdog_seconds``: how often at least;
    ``journal_stream``: device and inode of the stream that journald reads.
    """

    notify_socket: str | None
    watchdog_seconds: float | None
    journal_stream: str | None


def systemd_environment(environ: Mapping[str, str], pid: int) -> SystemdEnvironment:
    """Read NOTIFY_SOCKET, WATCHDOG_USEC (when WATCHDOG_PID is ``pid`` or absent) and JOURNAL_STREAM."""
    usec = environ.get("WATCHDOG_USEC", "")
    ours = environ.get("WATCHDOG_PID", str(pid)) == str(pid)
    watchdog = int(usec) / 1e6 if ours and usec.isascii() and usec.isdigit() and int(usec) > 0 else None
    return SystemdEnvironment(
        environ.get("NOTIFY_SOCKET") or None, watchdog, environ.get("JOURNAL_STREAM") or None
    )


def home_folder(environ: Mapping[str, str]) -> Path | None:
    """HOME, when it is set."""
    return Path(environ["HOME"]) if environ.get("HOME") else None


def _xdg(environ: Mapping[str, str], name: str, below_home: str) -> Path | None:
    """An XDG base folder; relative ones are void, as its specification says."""
    text = environ.get(name, "")
    if text.startswith("/"):
        return Path(text)
    home = home_folder(environ)
    return home / below_home if home else None


def _cache(environ: Mapping[str, str]) -> Path | None:
    """The XDG cache folder; for the service's own user the one that the service uses."""
    if not environ.get("XDG_CACHE_HOME") and home_folder(environ) == SYSTEM_STATE:
        return SYSTEM_CACHE
    return _xdg(environ, "XDG_CACHE_HOME", ".cache")


def default_state_folder(environ: Mapping[str, str], config: Path | None = None, *, root: bool) -> Path:
    """systemd's STATE_DIRECTORY; /var/lib/homeface for root and the service's own user; else below
    XDG_STATE_HOME.

    A command must find what the service has: ``/etc/homeface/NAME.yaml`` belongs to the service's node NAME.
    """
    if given := environ.get("STATE_DIRECTORY", "").partition(":")[0]:
        return Path(given)
    state = _xdg(environ, "XDG_STATE_HOME", ".local/state")
    if root or state is None or home_folder(environ) == SYSTEM_STATE:
        return SYSTEM_STATE / (service_node(config) or "")
    return state / "homeface"


def service_node(config: Path | None) -> str | None:
    """Which of several nodes on this machine a configuration belongs to: the attic of ``homeface@attic`` for
    ``/etc/homeface/attic.yaml``. None: the one service, or no service at all.
    """
    here = config is not None and config.parent == SYSTEM_CONFIG
    return config.stem if config is not None and here and config.stem != "config" else None


def credential_key_file(environ: Mapping[str, str]) -> Path | None:
    """The gallery's key, when systemd passes it on: ``homeface.key`` in CREDENTIALS_DIRECTORY."""
    folder = environ.get("CREDENTIALS_DIRECTORY", "")
    path = Path(folder, KEY_CREDENTIAL)
    return path if folder.startswith("/") and path.is_file() else None


def default_compiled_folder(environ: Mapping[str, str]) -> Path | None:
    """Where compiled models are kept: below systemd's CACHE_DIRECTORY or the XDG cache; None: nowhere."""
    if given := environ.get("CACHE_DIRECTORY", "").partition(":")[0]:
        return Path(given) / "compiled"
    cache = _cache(environ)
    return None if cache is None else cache / "homeface" / "compiled"


def default_model_folders(configured: Path | None, environ: Mapping[str, str]) -> list[Path]:
    """Where model files are looked for, in order; the first that can be written takes downloads.

    HOMEFACE_MODELS (one or several, with ``:`` between), the configured folder, the XDG cache,
    /var/lib/homeface/models, the torch hub cache.
    """
    return list(dict.fromkeys(_model_folders(configured, environ)))


def _model_folders(configured: Path | None, environ: Mapping[str, str]) -> Iterator[Path]:
    home = home_folder(environ)
    for text in environ.get("HOMEFACE_MODELS", "").split(os.pathsep):
        if text.strip():
            yield home / text[2:] if home and text.startswith("~/") else Path(text)
    if configured is not None:
        yield configured
    cache = _cache(environ)
    if cache is not None:
        yield cache / "homeface" / "models"
    yield SYSTEM_MODELS
    if environ.get("TORCH_HOME"):
        yield Path(environ["TORCH_HOME"]) / "hub" / "checkpoints"
    elif cache is not None:
        yield cache / "torch" / "hub" / "checkpoints"
