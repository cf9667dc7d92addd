"""AES-256-GCM for face templates and crops, and the key file that opens them.

Each sealed value is bound to a context (table, row and owner), so that a value moved to another row does
not open. Layout: one version byte, 12 bytes nonce, ciphertext with tag.
"""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import stat
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from homeface.errors import StoreError, StoreKeyError

_log = logging.getLogger(__name__)

KEY_BYTES = 32
_VERSION = b"\x01"
_NONCE_BYTES = 12


class SealBrokenError(StoreError):
    """A sealed value does not open: wrong key, damaged, or moved from another row."""


class Vault:
    """Seals and opens bytes with one key. Thread-safe."""

    def __init__(self, key: bytes) -> None:
        self.rekey(key)

    def rekey(self, key: bytes) -> None:
        """Use another key from now on. Raises StoreError for one of the wrong length."""
        if len(key) != KEY_BYTES:
            raise StoreError(f"An encryption key must have {KEY_BYTES} bytes, this one has {len(key)}.")
        self._cipher = AESGCM(key)

    def seal(self, plain: bytes, context: str) -> bytes:
        """Encrypt ``plain``; it opens only with the same ``context``."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return _VERSION + nonce + self._cipher.encrypt(nonce, plain, context.encode())

    def open(self, sealed: bytes, context: str) -> bytes:
        """The plain bytes. Raises SealBrokenError."""
        start = len(_VERSION) + _NONCE_BYTES
        if sealed[:1] != _VERSION or len(sealed) < start:
            raise SealBrokenError(f"The encrypted value {context} has an unknown form.")
        try:
            return self._cipher.decrypt(sealed[1:start], sealed[start:], context.encode())
        except InvalidTag as error:
            raise SealBrokenError(f"The encrypted value {context} does not open with this key.") from error


def read_key(path: Path) -> bytes:
    """The key in ``path``: 64 hexadecimal digits. Raises StoreError; FileNotFoundError when there is none."""
    try:
        text = path.read_text(encoding="ascii").strip()
        key = bytes.fromhex(text)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise StoreError(f"The key file {path} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise StoreKeyError(_not_a_key(path)) from error
    if len(key) != KEY_BYTES:
        raise StoreKeyError(_not_a_key(path))
    _keep_private(path)
    return key


def create_key(path: Path) -> bytes:
    """Make a new key file (mode 0600, synced). Never overwrites one: returns its key. Raises StoreError."""
    key = secrets.token_bytes(KEY_BYTES)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_private(path, key.hex().encode() + b"\n")
    except FileExistsError:
        return read_key(path)
    except OSError as error:
        raise StoreError(
            f"The key file {path} cannot be written: {error.strerror}. Check the folder and its free space."
        ) from error
    return key


def write_private(path: Path, content: bytes) -> None:
    """A new file with mode 0600, complete and synced or not there at all. Raises FileExistsError, OSError."""
    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            own_as(handle, path.parent)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.link(partial, path)  # unlike a rename, this never replaces a file
    finally:
        partial.unlink(missing_ok=True)
    sync_folder(path.parent)


def own_as(handle: int, folder: Path) -> None:
    """What root writes into the service's folder belongs to the service, which has to read it."""
    if os.geteuid() == 0:
        owner = folder.stat()
        os.fchown(handle, owner.st_uid, owner.st_gid)


def sync_folder(folder: Path) -> None:
    """Make new names in ``folder`` survive a power loss."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _not_a_key(path: Path) -> str:
    return (
        f"{path} is not a homeface key file: it should hold {2 * KEY_BYTES} hexadecimal digits. "
        "Put the right file back, for example from a backup."
    )


def _keep_private(path: Path) -> None:
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        _log.warning("The key file %s could be read by others; its mode is now 0600.", path)
        with contextlib.suppress(PermissionError):
            path.chmod(0o600)
