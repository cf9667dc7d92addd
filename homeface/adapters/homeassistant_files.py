"""Files for a Home Assistant configuration folder: what would change, carrying it out, and taking it back.

A list of what was installed, with hashes, lies in the folder. What somebody has changed since is theirs: such
a blueprint, dashboard or sentence stays, and ours is put beside it. Code of the integration cannot be mixed:
there the changed file is set aside.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path, PurePosixPath

from homeface.errors import HomefaceError

LIST = ".homeface-files.json"
ASIDE, BESIDE = ".changed-by-you", ".new-from-homeface"
_PACKAGE = Path(__file__).resolve().parents[1]
_CODE = "custom_components/"
_TOPS = ("blueprints", "custom_components/homeface", "custom_sentences", "dashboards")
_SUFFIXES = {".py", ".json", ".yaml", ".png"}


class Act(StrEnum):
    """What happens to one file."""

    ADD = "new"
    UPDATE = "updated"
    SAME = "unchanged"
    KEEP = "kept, since you changed it"
    SET_ASIDE = "replaced; your version is kept beside it"
    REMOVE = "removed"
    GONE = "gone already"


@dataclass(frozen=True, slots=True)
class Step:
    """One file, by its path in the folder. ``content`` None: nothing is written there.

    ``beside``: where the new content goes instead, or the old one is set aside.
    """

    act: Act
    path: str
    content: bytes | None = None
    beside: str | None = None


def source_files() -> dict[str, bytes]:
    """Path in the folder to content of everything that is installed. Raises HomefaceError."""
    for place in (_PACKAGE / "_homeassistant", _PACKAGE.parent / "homeassistant"):
        if (place / "custom_components" / "homeface" / "manifest.json").is_file():
            inside = (path for top in _TOPS for path in sorted((place / top).rglob("*")))
            found = (path for path in inside if path.suffix in _SUFFIXES)
            return {str(PurePosixPath(path.relative_to(place))): path.read_bytes() for path in found}
    raise HomefaceError("This installation of homeface holds no files for Home Assistant; install it again.")


def check_folder(folder: Path) -> Path:
    """The folder, when it is one of Home Assistant. Raises HomefaceError."""
    if not folder.is_dir():
        raise HomefaceError(f"There is no folder {folder}.")
    if not any((folder / name).exists() for name in ("configuration.yaml", ".storage", ".HA_VERSION")):
        raise HomefaceError(
            f"{folder} is no configuration folder of Home Assistant: there is no configuration.yaml in it. "
            "With Home Assistant OS it is /config (or /homeassistant), in a container what is mounted there."
        )
    return folder


def plan_install(folder: Path, wanted: Mapping[str, bytes]) -> list[Step]:
    """What installing or updating does. Reads only. Raises HomefaceError."""
    known = _known(folder)
    steps = [_step(folder, path, content, known.get(path)) for path, content in wanted.items()]
    old = [path for path in known if path not in wanted]
    return steps + [_removal(folder, path, known[path]) for path in old]


def plan_undo(folder: Path) -> list[Step]:
    """What taking everything back does; what somebody changed stays. Reads only. Raises HomefaceError."""
    return [_removal(folder, path, digest) for path, digest in _known(folder).items()]


def carry_out(folder: Path, steps: list[Step], wanted: Mapping[str, bytes]) -> None:
    """Do it, and remember what is installed: ``wanted``, nothing after an undo. Raises HomefaceError."""
    if os.geteuid() == 0:
        _refuse_ways_out(folder, steps)
    try:
        for step in steps:
            _do(folder, step)
        kept = {step.path for step in steps if step.act is Act.KEEP}
        listed = {path: _digest(content) for path, content in wanted.items() if path not in kept}
        if listed:
            text = json.dumps({"files": listed}, indent=1, sort_keys=True) + "\n"
            _write(folder / LIST, text.encode())
        else:
            (folder / LIST).unlink(missing_ok=True)
        for path in sorted({parent for step in steps for parent in _parents(step.path)}, reverse=True):
            _remove_when_empty(folder / path)
    except OSError as error:
        raise HomefaceError(
            f"{error.filename or folder} cannot be changed ({error.strerror or error}); "
            "run the command as the user whose folder this is. What was done so far stays done."
        ) from error


def _step(folder: Path, path: str, content: bytes, installed: str | None) -> Step:
    there = _read(folder / path)
    if there is None:
        return Step(Act.ADD, path, content)
    if there == content:
        return Step(Act.SAME, path)
    if installed == _digest(there):
        return Step(Act.UPDATE, path, content)
    if path.startswith(_CODE):
        return Step(Act.SET_ASIDE, path, content, path + ASIDE)
    return Step(Act.KEEP, path, content, path + BESIDE)


def _removal(folder: Path, path: str, digest: str) -> Step:
    there = _read(folder / path)
    if there is None:
        return Step(Act.GONE, path)
    return Step(Act.REMOVE if _digest(there) == digest else Act.KEEP, path)


def _refuse_ways_out(folder: Path, steps: list[Step]) -> None:
    """The folder may be somebody else's: a link in it must not lead root to files that are not theirs."""
    inside = folder.resolve()
    for step in steps:
        if not (folder / step.path).parent.resolve().is_relative_to(inside):
            raise HomefaceError(
                f"{(folder / step.path).parent} leads out of {folder}; run the command as the user whose "
                "folder this is, not as root."
            )


def _do(folder: Path, step: Step) -> None:
    place = folder / step.path
    if step.act is Act.REMOVE:
        place.unlink(missing_ok=True)
    elif step.act is Act.KEEP and step.beside is not None and step.content is not None:
        _write(folder / step.beside, step.content)
    elif step.content is not None:
        if step.act is Act.SET_ASIDE and step.beside is not None:
            place.replace(folder / step.beside)
        _write(place, step.content)


def _known(folder: Path) -> dict[str, str]:
    """What an earlier run installed. Raises HomefaceError for a list that is none."""
    text = _read(folder / LIST)
    if text is None:
        return {}
    try:
        files = json.loads(text)["files"]
        known = {str(path): str(digest) for path, digest in files.items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise HomefaceError(f"{folder / LIST} cannot be understood; delete it and install again.") from error
    if not all(_is_inside(path) for path in known):
        raise HomefaceError(f"{folder / LIST} names files outside of the folder; delete it.")
    return known


def _is_inside(path: str) -> bool:
    parts = PurePosixPath(path).parts
    return bool(parts) and not path.startswith("/") and ".." not in parts


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise HomefaceError(f"{path} cannot be read ({error.strerror}).") from error


def _write(path: Path, content: bytes) -> None:
    """The whole file or nothing; it belongs to whom the folder above belongs to."""
    _make_folder(path.parent)
    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with partial.open("xb") as file:
            file.write(content)
            if os.geteuid() == 0:
                owner = path.parent.stat()
                os.fchown(file.fileno(), owner.st_uid, owner.st_gid)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _make_folder(folder: Path) -> None:
    if folder.is_dir():
        return
    _make_folder(folder.parent)
    folder.mkdir()
    if os.geteuid() == 0:
        owner = folder.parent.stat()
        os.chown(folder, owner.st_uid, owner.st_gid)


def _parents(path: str) -> Iterator[str]:
    for parent in PurePosixPath(path).parents:
        if str(parent) != ".":
            yield str(parent)


def _remove_when_empty(folder: Path) -> None:
    """Compiled Python of the integration does not count."""
    if not folder.is_dir() or folder.is_symlink():
        return
    cache = folder / "__pycache__"
    if [item for item in folder.iterdir() if item != cache]:
        return
    if cache.is_dir() and not cache.is_symlink():
        for item in cache.iterdir():
            item.unlink()
        cache.rmdir()
    folder.rmdir()


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
