"""Install, update and uninstall the system service: first a plan that can be read, then its steps.

A plan is made by looking only. Each step says what it will do; nothing is done that is right already, and
what a person has written (configuration, passwords, faces) is never changed.
"""

from __future__ import annotations

import grp
import os
import pwd
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import chain, count
from pathlib import Path

from homeface.adapters.credentials import SEALED_FOLDER
from homeface.adapters.system_files import (
    CACHE,
    CONFIG,
    STATE,
    UNITS,
    SystemFile,
    example_config,
    system_files,
    unit_of,
)
from homeface.errors import HomefaceError, StoreError

USER = "homeface"
SERVICE = unit_of(None)
_NODES = "homeface@*.service"
_SPARE_BYTES = 16 << 20
_SECONDS = 300
_HIDDEN = ("/home", "/root", "/tmp", "/run/user", "/var/tmp")  # noqa: S108 - what the unit cannot see


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that will be done: a sentence for a person, and the doing. Raises HomefaceError, OSError."""

    sentence: str
    do: Callable[[], None]
    undo: Step | None = None
    """What takes it back when it, or a step after it, is not finished."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where to install. ``root``: a folder that stands for / (then no commands are run: for packages)."""

    root: Path = Path("/")

    @property
    def live(self) -> bool:
        """This very system."""
        return self.root == Path("/")

    def at(self, place: Path) -> Path:
        """The place below the root."""
        return self.root / place.relative_to("/")


def obstacles(command: Path, target: Target) -> list[str]:
    """What stands against installing, in sentences; empty: nothing."""
    found = []
    if target.live and os.geteuid() != 0:
        found.append("Only root can install a service: run it with sudo.")
    if target.live and not Path("/run/systemd/system").is_dir():
        found.append("systemd does not run here. Use the container (docs/container.md) or start it by hand.")
    if sys.prefix == sys.base_prefix:
        found.append(
            "homeface runs outside of a virtual environment; make one: python3 -m venv /opt/homeface"
        )
    if not command.is_file():
        found.append(f"{command} is not there: install homeface into its environment with pip.")
    needed = {"The environment": command}
    if target.live:
        needed["Its Python"] = Path(sys.executable)
        needed["homeface's own code"] = Path(__file__)
    for what, path in needed.items():
        found += _out_of_reach(what, path)
    return found + (_no_room() + _unfit() if target.live else [])


def running_units() -> list[str]:
    """The service and the nodes that run now (or are just starting)."""
    program = shutil.which("systemctl")
    if program is None:
        return []
    states = "--state=active,activating,reloading"
    done = subprocess.run(  # noqa: S603 - found in PATH, arguments are ours
        [program, "list-units", "--plain", "--no-legend", states, SERVICE, _NODES],
        capture_output=True,
        text=True,
        check=False,
    )
    return sorted(line.split()[0] for line in done.stdout.splitlines() if line.strip())


def config_of(unit: str) -> Path:
    """The configuration that the service, or one of the nodes, reads."""
    node = unit.removesuffix(".service").partition("@")[2]
    return CONFIG.with_name(f"{node}.yaml") if node else CONFIG


def plan_install(command: Path, target: Target, *, enable: bool) -> list[Step]:
    """What installing, or updating, will do; running it again does nothing new. Raises HomefaceError."""
    steps: list[Step] = []
    running = running_units() if target.live else []
    databases = _databases() if target.live else []
    if running and databases:
        stop = _command("Stop what runs for the update", "systemctl", "stop", *running)
        start = _command("Start again what ran", "systemctl", "start", *running)
        steps.append(replace(stop, undo=start))
    steps += [_write(file, target) for file in system_files(command) if _differs(file, target)]
    if target.live:
        steps.append(_command(f"Make the user {USER}", "systemd-sysusers", "/etc/sysusers.d/homeface.conf"))
    if not target.at(CONFIG).exists():
        steps.append(_write_config(target))
    if target.live:
        steps.append(
            _command("Make its folders", "systemd-tmpfiles", "--create", "/etc/tmpfiles.d/homeface.conf")
        )
        steps += [_migrate(database) for database in databases]
        steps.append(_command("Tell systemd", "systemctl", "daemon-reload"))
        if enable:
            steps.append(
                _command("Start it now and with the system", "systemctl", "enable", "--now", SERVICE)
            )
        again = [unit for unit in running if not enable or unit != SERVICE]
        if again:
            steps.append(_command("Start again what ran", "systemctl", "start", *again))
    return steps


def plan_uninstall(target: Target, *, purge: bool) -> list[Step]:
    """What uninstalling will do. Configuration and faces stay unless ``purge``."""
    steps: list[Step] = []
    units = [unit for unit in (SERVICE, "homeface.target") if target.at(UNITS / unit).exists()]
    if target.live and units:
        steps.append(_command("Stop the service", "systemctl", "disable", "--now", *units))
        steps.append(_command("Stop all nodes", "systemctl", "stop", _NODES))
    ours = [(target.at(file.place), file.what) for file in system_files(Path("/opt/homeface/bin/homeface"))]
    ours += [(old, "from before an update") for place, _ in ours for old in _kept(place)]
    steps += [Step(f"Delete {place} ({what})", place.unlink) for place, what in ours if place.exists()]
    wanted = target.at(UNITS / "homeface.target.wants")
    steps += [
        Step(f"Delete {link} (a node)", link.unlink) for link in sorted(wanted.glob("homeface@*.service"))
    ]
    if target.live and units:
        steps.append(_command("Tell systemd", "systemctl", "daemon-reload"))
    if purge:
        for folder in (STATE, CACHE, CONFIG.parent):
            if target.at(folder).exists():
                steps.append(_delete_folder(target.at(folder)))
        steps += [
            _delete_folder(place) if place.is_dir() else Step(f"Delete {place}, for ever", place.unlink)
            for place in _beside_the_units(target)
        ]
        if target.live and _user_exists():
            steps.append(_command(f"Delete the user {USER}", "userdel", USER))
    return steps


def left_behind(target: Target) -> list[Path]:
    """What an uninstallation without purge leaves."""
    places = [place for folder in (CONFIG.parent, STATE, CACHE) if (place := target.at(folder)).exists()]
    return places + _beside_the_units(target)


def _beside_the_units(target: Target) -> list[Path]:
    """Sealed keys, and what a person has added to the units (``systemctl edit``)."""
    units, sealed = target.at(UNITS), target.at(SEALED_FOLDER)
    found = [*sealed.glob("homeface.key"), *sealed.glob("homeface.*.key")]
    return (
        sorted(found) + sorted(units.glob("homeface.service.d")) + sorted(units.glob("homeface@*.service.d"))
    )


def _databases() -> list[Path]:
    """Of the service and of every node that has a configuration; other folders there are no nodes'."""
    nodes = sorted(place.stem for place in CONFIG.parent.glob("*.yaml") if place.name[0] != ".")
    places = [STATE / "homeface.db", *(STATE / node / "homeface.db" for node in nodes)]
    return [place for place in places if os.path.exists(place)]  # noqa: PTH110 - False where one may not look


def _no_room() -> list[str]:
    """An update copies the databases before it changes them, or changes nothing at all."""
    databases = _databases()
    needed = sum(path.stat().st_size for path in databases) * 2 + _SPARE_BYTES
    if not databases or (free := shutil.disk_usage(STATE).free) >= needed:
        return []
    sizes = f"{free >> 20} MiB left, and a copy of the database may need {needed >> 20} MiB"
    return [f"The disk with {STATE} has {sizes}: make room first."]


def _unfit() -> list[str]:
    """Databases that this version would refuse once everything is stopped: newer, damaged, another's."""
    from homeface.adapters.store.database import examine

    found = []
    for database in _databases():
        try:
            examine(database, 5.0)
        except StoreError as error:
            found.append(str(error))
    return found


def _differs(file: SystemFile, target: Target) -> bool:
    place = target.at(file.place)
    try:
        return place.read_text(encoding="utf-8") != file.content
    except (OSError, UnicodeDecodeError):
        return True


def _write(file: SystemFile, target: Target) -> Step:
    place = target.at(file.place)
    if not place.exists():
        return Step(f"Write {place} ({file.what})", lambda: _replace(place, file.content, 0o644))

    def do() -> None:
        old = _old(place)  # anew: somebody may have edited it while the plan was read
        if not old.exists():
            shutil.copy2(place, old)
        _replace(place, file.content, 0o644)

    kept = f"what is there now, with what you changed in it, is kept as {_old(place)}"
    return Step(f"Update {place} ({file.what}); {kept}", do)


def _old(place: Path) -> Path:
    """Where the file from before an update will lie, or lies already; none from an earlier update is lost.

    systemd looks at no file of such a name.
    """
    there = place.read_bytes()
    same = [old for old in _kept(place) if old.read_bytes() == there]
    names = (f"{place.name}.old{number}" for number in chain([""], count(2)))
    free = (old for name in names if not (old := place.with_name(name)).exists())
    return same[0] if same else next(free)


def _kept(place: Path) -> list[Path]:
    """What updates have kept of a file."""
    found = sorted(old for old in place.parent.glob(f"{place.name}.old*") if old.is_file())
    return [old for old in found if re.fullmatch(r"\.old\d*", old.name.removeprefix(place.name))]


def _write_config(target: Target) -> Step:
    place = target.at(CONFIG)

    def do() -> None:
        place.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
        _replace(place, example_config(), 0o640)
        if target.live:
            group = grp.getgrnam(USER).gr_gid
            os.chown(place.parent, 0, group)
            os.chown(place, 0, group)

    return Step(f"Write {place} (the example, for you to edit; readable by root and {USER} alone)", do)


def _replace(place: Path, content: str, mode: int) -> None:
    """Whole or not at all."""
    place.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    partial = place.with_name(f".{place.name}.part")
    partial.unlink(missing_ok=True)
    handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        os.fchmod(file.fileno(), mode)
        file.write(content)
    partial.replace(place)


def _delete_folder(folder: Path) -> Step:
    what = (
        "faces, templates and visits"
        if folder.name == "homeface" and "lib" in folder.parts
        else "its content"
    )
    return Step(f"Delete {folder} with {what}, for ever", lambda: shutil.rmtree(folder))


def _migrate(database: Path) -> Step:
    """Needs no key: a sealed one is not to be had here."""

    def do() -> None:
        from homeface.adapters.store.database import Database

        Database(database, 5.0).close()

    return Step(f"Bring {database} up to date (a copy is made before it changes)", do)


def _command(sentence: str, *arguments: str) -> Step:
    def do() -> None:
        program = shutil.which(arguments[0])
        if program is None:
            raise HomefaceError(f"{arguments[0]} is not there; it comes with systemd.")
        done = subprocess.run(  # noqa: S603 - found in PATH, arguments are ours
            [program, *arguments[1:]], capture_output=True, check=False, timeout=_SECONDS
        )
        if done.returncode:
            reason = done.stderr.decode(errors="replace").strip() or f"exit code {done.returncode}"
            raise HomefaceError(f"{' '.join(arguments)} failed: {reason}")

    return Step(f"{sentence}: {' '.join(arguments)}", do)


def _user_exists() -> bool:
    try:
        pwd.getpwnam(USER)
    except KeyError:
        return False
    return True


def _out_of_reach(what: str, path: Path) -> Sequence[str]:
    """Why the service's user cannot get there; every folder on the way must be open to others."""
    real = path.resolve()
    for hidden in _HIDDEN:
        if real.is_relative_to(hidden) or path.is_relative_to(hidden):
            sentence = (
                f"{what} ({real}) lies in {hidden}, which the service cannot see. Make the environment in "
            )
            return [
                sentence + "/opt, with a Python of the system or in /opt (UV_PYTHON_INSTALL_DIR=/opt/python)."
            ]
    for folder in reversed(real.parents):
        if folder.is_dir() and not folder.stat().st_mode & 0o001:
            return [f"Other users cannot enter {folder}, so the service cannot either: chmod o+x {folder}"]
    return []
