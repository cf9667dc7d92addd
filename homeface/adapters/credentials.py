"""systemd's credentials: a secret sealed by this machine (its TPM, when it has one), opened for one service.

Asks ``systemd-creds`` (systemd 250 or newer). The sealed file is useless on any other machine.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Literal

from homeface.errors import HomefaceError

SEALED_FOLDER = Path("/etc/credstore.encrypted")
LEAST_SYSTEMD = 250
KEY = "homeface.key"
"""The credential by which a service hears its gallery's key."""
SealedBy = Literal["auto", "host", "tpm2", "host+tpm2"]
_SECONDS = 60


def sealed_key(node: str | None) -> Path:
    """Where the key of a node's gallery lies when it is sealed; each node has a file of its own."""
    return SEALED_FOLDER / (KEY if node is None else f"homeface.{node}.key")


def check_place(target: Path, plain: bytes) -> None:
    """A sealed secret is never replaced by another one: it may be all that opens somebody's faces.

    Raises HomefaceError.
    """
    if not target.exists():
        return
    try:
        same = unseal(KEY, target) == plain
    except HomefaceError as error:
        raise HomefaceError(
            f"{target} is there already, and does not open here; move it away. {error}"
        ) from error
    if not same:
        raise HomefaceError(
            f"{target} holds another key already; move it away when nothing needs it any more."
        )


def seal(name: str, plain: bytes, target: Path, by: SealedBy) -> None:
    """Write ``plain`` sealed into ``target`` (replacing it), and make sure that it opens again.

    Raises HomefaceError.
    """
    try:
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise HomefaceError(f"{target.parent} cannot be made: {error.strerror}.") from error
    partial = target.with_name(f".{target.name}.part")
    partial.unlink(missing_ok=True)
    try:
        _systemd_creds("encrypt", f"--name={name}", f"--with-key={by}", "-", str(partial), content=plain)
        if unseal(name, partial) != plain:
            raise HomefaceError(f"What systemd-creds sealed for {target} does not open; nothing changed.")
        partial.chmod(0o600)
        partial.replace(target)
    except OSError as error:
        raise HomefaceError(f"{target} cannot be written: {error.strerror}.") from error
    finally:
        partial.unlink(missing_ok=True)


def unseal(name: str, sealed: Path) -> bytes:
    """What ``seal`` wrote. Raises HomefaceError."""
    return _systemd_creds("decrypt", f"--name={name}", str(sealed), "-")


def _systemd_creds(*arguments: str, content: bytes = b"") -> bytes:
    program = shutil.which("systemd-creds")
    if program is None:
        raise HomefaceError(f"systemd-creds is not there: sealing needs systemd {LEAST_SYSTEMD} or newer.")
    try:
        done = subprocess.run(  # noqa: S603 - found in PATH, arguments are ours
            [program, *arguments], input=content, capture_output=True, check=False, timeout=_SECONDS
        )
    except subprocess.TimeoutExpired as error:
        raise HomefaceError(f"systemd-creds {arguments[0]} did not end within {_SECONDS} s.") from error
    if done.returncode:
        reason = done.stderr.decode(errors="replace").strip() or f"exit code {done.returncode}"
        raise HomefaceError(f"systemd-creds {arguments[0]} failed: {reason}")
    return done.stdout
