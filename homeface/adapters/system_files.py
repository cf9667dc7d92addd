"""The files that make homeface a system service: where they come from, and where they go."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from homeface.errors import HomefaceError

_PACKAGE = Path(__file__).resolve().parents[1]
_WRITTEN_FOR = "/opt/homeface/bin/homeface"
CONFIG = Path("/etc/homeface/config.yaml")
STATE = Path("/var/lib/homeface")
UNITS = Path("/etc/systemd/system")
CACHE = Path("/var/cache/homeface")


@dataclass(frozen=True, slots=True)
class SystemFile:
    """One file of ours: where it goes (absolute), its content, and what it is."""

    place: Path
    content: str
    what: str


def unit_of(node: str | None) -> str:
    """The service of a node; None: of the only one."""
    return "homeface.service" if node is None else f"homeface@{node}.service"


def program() -> Path:
    """The ``homeface`` command of the environment that runs now."""
    return Path(sys.prefix) / "bin" / "homeface"


def system_files(command: Path) -> list[SystemFile]:
    """Everything that is installed besides the configuration; ``command`` is what the units start."""
    places = {
        "homeface.sysusers.conf": ("/etc/sysusers.d/homeface.conf", "the user homeface"),
        "homeface.tmpfiles.conf": ("/etc/tmpfiles.d/homeface.conf", "its folders"),
        "homeface.service": ("/etc/systemd/system/homeface.service", "the service"),
        "homeface@.service": ("/etc/systemd/system/homeface@.service", "the same for several nodes"),
        "homeface.target": ("/etc/systemd/system/homeface.target", "all nodes together"),
    }
    return [
        SystemFile(Path(place), _shipped(name).replace(_WRITTEN_FOR, str(command)), what)
        for name, (place, what) in places.items()
    ]


def example_config() -> str:
    """The configuration that a new installation begins with. Raises HomefaceError."""
    return _read("config.example.yaml", _PACKAGE / "_system", _PACKAGE.parent)


def _shipped(name: str) -> str:
    return _read(name, _PACKAGE / "_system", _PACKAGE.parent / "systemd")


def _read(name: str, *folders: Path) -> str:
    """From the installed package, or from a checkout."""
    for folder in folders:
        if (folder / name).is_file():
            return (folder / name).read_text(encoding="utf-8")
    raise HomefaceError(f"{name} did not come with this installation of homeface; install it again.")
