"""Where weights lie on disk, whether they are what they claim to be, and how to get them.

A file is used only when its SHA-256 is one that the manifest knows. Nothing here is downloaded unless
``fetch`` is called.
"""

from __future__ import annotations

import fcntl
import hashlib
import http.client
import os
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from homeface.errors import ModelError, ModelIntegrityError, WeightsUnavailableError
from homeface.inference.manifest import MANIFEST, Artefact, Family, Kind, ModelSpec, custom_model, find_spec

__all__ = [
    "MANIFEST",
    "Artefact",
    "Family",
    "Kind",
    "ModelSpec",
    "custom_model",
    "fetch",
    "find_spec",
    "locate",
    "read_weights",
]

SUBFOLDERS = ("", "embed", "detect")
TIMEOUT_SECONDS = 30.0
CHUNK_BYTES = 1 << 20

Progress = Callable[[int, int], None]
"""Called with bytes received and bytes in all (0: not known)."""


def locate(spec: ModelSpec, folders: Sequence[Path]) -> Path:
    """The first known artefact of ``spec`` in ``folders`` and their ``embed`` and ``detect`` subfolders.

    Raises ``WeightsUnavailableError`` when there is none, ``ModelIntegrityError`` on a wrong hash.
    """
    return _find(spec, folders)[0]


def read_weights(spec: ModelSpec, folders: Sequence[Path]) -> bytes:
    """The verified content of the artefact ``locate`` finds: the very bytes that were hashed."""
    return _find(spec, folders)[1]


def fetch(spec: ModelSpec, folders: Sequence[Path], progress: Progress | None = None) -> Path:
    """Find ``spec``, or download it into the first writable folder. Blocks: call it in a thread.

    A broken download is continued next time. Raises ``WeightsUnavailableError`` for whatever goes wrong on
    the way, ``ModelIntegrityError`` when a file already there has a wrong hash.
    """
    try:
        return locate(spec, folders)
    except WeightsUnavailableError as nowhere:
        artefact = next((a for a in spec.artefacts if a.url and a.sha256), None)
        if artefact is None:
            raise
        folder = _writable_folder(folders)
        if folder is None:
            raise WeightsUnavailableError(f"{nowhere} None of the folders can be written to.") from nowhere
        return _download(artefact, folder, folders, progress or _no_progress)


def _no_progress(received: int, total: int) -> None:
    """Nobody wants to know."""


def _find(spec: ModelSpec, folders: Sequence[Path]) -> tuple[Path, bytes]:
    for path, artefact in _candidates(spec, folders):
        try:
            content = path.read_bytes()
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            continue
        except PermissionError as error:
            if not _is_visible(path):
                continue
            raise WeightsUnavailableError(f"{path} cannot be read: {error.strerror}.") from error
        except OSError as error:
            raise WeightsUnavailableError(f"{path} cannot be read: {error.strerror or error}.") from error
        _verify(path, artefact, hashlib.sha256(content).hexdigest())
        return path, content
    raise WeightsUnavailableError(
        _nowhere(spec.artefacts, folders, f"The weights of {spec.name} are missing")
    )


def _candidates(spec: ModelSpec, folders: Sequence[Path]) -> Iterator[tuple[Path, Artefact]]:
    for folder in folders:
        for subfolder in SUBFOLDERS:
            for artefact in spec.artefacts:
                yield folder / subfolder / artefact.file, artefact


def _is_visible(path: Path) -> bool:
    """False when the folder itself is closed to us: then there is no saying that the file is there."""
    return os.access(path.parent, os.X_OK)


def _verify(path: Path, artefact: Artefact, found: str) -> None:
    if artefact.sha256 is None:
        raise ModelIntegrityError(
            f"No SHA-256 is known for {path}, so it is not loaded. The file has {found}; if you trust its "
            f"source, name this hash in the configuration: vouched, with file {artefact.file} and sha256."
        )
    if found != artefact.sha256:
        raise ModelIntegrityError(
            f"{path} is not the known file: its SHA-256 is {found}, expected {artefact.sha256}. "
            "Remove it and fetch it again."
        )


def _nowhere(artefacts: Sequence[Artefact], folders: Sequence[Path], what: str) -> str:
    files = " or ".join(f"{a.file} (sha256 {a.sha256 or 'not known'})" for a in artefacts)
    places = ", ".join(str(folder) for folder in folders) or "no folder at all"
    unknown = [a for a in artefacts if a.sha256 is None]
    vouch = (
        ""
        if len(unknown) < len(artefacts) or not unknown
        else (
            " homeface knows no hash of it and does not download it: "
            + (f"fetch it from {unknown[0].url}, " if unknown[0].url else "")
            + "and name the SHA-256 of a copy that you trust under vouched in the configuration."
        )
    )
    return (
        f"{what}: put {files} into one of the folders looked in: {places}; "
        f"or name its folder in HOMEFACE_MODELS.{vouch}"
    )


def _writable_folder(folders: Sequence[Path]) -> Path | None:
    for folder in folders:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError:
            continue
        if os.access(folder, os.W_OK | os.X_OK):
            return folder
    return None


def _download(artefact: Artefact, folder: Path, folders: Sequence[Path], progress: Progress) -> Path:
    """Download to a part file beside the target, verify, rename. Every failure is one sentence."""
    target = folder / artefact.file
    part = folder / f".{artefact.file}.part"

    def unavailable(reason: str) -> WeightsUnavailableError:
        return WeightsUnavailableError(
            _nowhere([artefact], folders, f"{artefact.file} could not be downloaded ({reason})")
        )

    try:
        with _open_part(part) as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _receive(artefact, file, progress)
            found = _digest(file)
            if found != artefact.sha256:
                part.unlink()
                raise unavailable(f"what {artefact.url} sent has the SHA-256 {found}")
            os.fsync(file.fileno())
            part.replace(target)
    except BlockingIOError as error:
        raise unavailable("another process is downloading it just now") from error
    except urllib.error.HTTPError as error:
        error.close()
        raise unavailable(f"{artefact.url} answered {error.code} {error.reason}") from error
    except urllib.error.URLError as error:
        raise unavailable(f"{artefact.url} cannot be reached: {error.reason}") from error
    except http.client.HTTPException as error:
        raise unavailable(f"the connection broke: {error!r}") from error
    except OSError as error:
        raise unavailable(error.strerror or repr(error)) from error
    return target


def _open_part(part: Path) -> BinaryIO:
    """The part file, to read and append; never somebody else's file that a link in its place leads to."""
    flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
    return os.fdopen(os.open(part, flags, 0o644), "a+b")


def _receive(artefact: Artefact, file: BinaryIO, progress: Progress) -> None:
    """Append what is missing to ``file``; start over when the server does not continue."""
    if not (artefact.url or "").startswith(("http://", "https://")):
        raise ModelError(
            f"{artefact.file}: only http and https addresses are downloaded, not {artefact.url}."
        )
    have = file.seek(0, os.SEEK_END)
    if have and have == artefact.size_bytes:
        return
    request = urllib.request.Request(str(artefact.url), headers={"User-Agent": "homeface"})  # noqa: S310
    if have:
        request.add_header("Range", f"bytes={have}-")
    try:
        response = urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS)  # noqa: S310
    except urllib.error.HTTPError as error:
        if error.code != http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            raise
        error.close()
        file.truncate(0)
        request.remove_header("Range")
        response = urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS)  # noqa: S310
        have = 0
    with response:
        if response.status != http.HTTPStatus.PARTIAL_CONTENT:
            file.truncate(0)
            have = 0
        length = _content_length(response.headers.get("Content-Length"))
        total = have + length if length else 0
        _require_expected_size(artefact, total)
        received = have
        progress(received, total)
        while chunk := response.read(CHUNK_BYTES):
            file.write(chunk)
            received += len(chunk)
            if artefact.size_bytes and received > artefact.size_bytes:
                file.truncate(0)
                raise http.client.HTTPException(f"more than the expected {artefact.size_bytes} bytes came")
            progress(received, total)
        file.flush()
    if total and received < total:
        raise http.client.IncompleteRead(b"", total - received)


def _content_length(header: str | None) -> int:
    """Bytes that are announced; 0 when that is not known."""
    return int(header) if header and header.isascii() and header.isdigit() else 0


def _require_expected_size(artefact: Artefact, total: int) -> None:
    """Refuse early what cannot be the file: a login page, or something that would fill the disk."""
    if artefact.size_bytes and total and total != artefact.size_bytes:
        raise http.client.HTTPException(f"{total} bytes were offered, {artefact.size_bytes} expected")


def _digest(file: BinaryIO) -> str:
    file.seek(0)
    digest = hashlib.sha256()
    while chunk := file.read(CHUNK_BYTES):
        digest.update(chunk)
    return digest.hexdigest()
