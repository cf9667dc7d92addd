"""One file under a password: scrypt makes the key, AES-256-GCM seals it piece by piece.

Layout: a line that names the format, the scrypt parameters and the salt, then pieces of at most a mebibyte,
each with its length and tag. The nonce counts the pieces and marks the last one, so that pieces that are
changed, moved, missing or added do not open (the STREAM construction; Hoang et al., 2015). The head is
authenticated with each piece. Memory stays small however large the content is.
"""

from __future__ import annotations

import secrets
import struct
from collections.abc import Iterable, Iterator
from typing import BinaryIO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from homeface.errors import BackupError

PIECE_BYTES = 1 << 20
LEAST_PASSWORD_CHARACTERS = 8
SCRYPT_LOG_N = 17
"""128 MiB and about half a second for each guess (OWASP's first recommendation, with r = 8 and p = 1)."""
_MAGIC = b"homeface backup 1\n"
_HEAD = struct.Struct(">BBB16s7s")
_LENGTH = struct.Struct(">I")
_TAG_BYTES = 16
_MOST_LOG_N = 20


def seal_file(target: BinaryIO, pieces: Iterable[bytes], password: str) -> None:
    """Write all of ``pieces``, sealed. Raises BackupError for a password that is too short, OSError."""
    if len(password) < LEAST_PASSWORD_CHARACTERS:
        raise BackupError(
            f"The password of a backup needs at least {LEAST_PASSWORD_CHARACTERS} characters: whoever has "
            "the file can try as many as they like."
        )
    salt, prefix = secrets.token_bytes(16), secrets.token_bytes(7)
    head = _MAGIC + _HEAD.pack(SCRYPT_LOG_N, 8, 1, salt, prefix)
    cipher = _cipher(password, salt, SCRYPT_LOG_N, 8, 1)
    target.write(head)
    for number, (piece, last) in enumerate(_marked(_cut(pieces))):
        sealed = cipher.encrypt(_nonce(prefix, number, last), piece, head)
        target.write(_LENGTH.pack(len(sealed)) + sealed)


def open_file(source: BinaryIO, password: str) -> Iterator[bytes]:
    """The pieces of a sealed file. Raises BackupError at the first that does not open; OSError.

    What was yielded before is genuine, but only the end tells that nothing is missing: use nothing before.
    """
    head = _read(source, len(_MAGIC) + _HEAD.size)
    if not head.startswith(_MAGIC):
        raise BackupError("This is no backup of homeface, or one made by a newer version.")
    log_n, r, p, salt, prefix = _HEAD.unpack(head[len(_MAGIC) :])
    if not (10 <= log_n <= _MOST_LOG_N and r == 8 and p == 1):
        raise BackupError("The backup is damaged: its head makes no sense.")
    cipher = _cipher(password, salt, log_n, r, p)
    number, sealed = 0, _piece(source)
    while sealed is not None:
        following = _piece(source)
        try:
            yield cipher.decrypt(_nonce(prefix, number, following is None), sealed, head)
        except InvalidTag:
            what = "The password is wrong, or the backup is damaged." if number == 0 else _DAMAGED
            raise BackupError(what) from None
        number, sealed = number + 1, following
    if number == 0:
        raise BackupError(_DAMAGED)


_DAMAGED = "The backup is damaged or not whole. Take another copy of it."


def _cipher(password: str, salt: bytes, log_n: int, r: int, p: int) -> AESGCM:
    return AESGCM(Scrypt(salt=salt, length=32, n=1 << log_n, r=r, p=p).derive(password.encode()))


def _nonce(prefix: bytes, number: int, last: bool) -> bytes:
    return prefix + struct.pack(">IB", number, last)


def _cut(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes in full pieces; at least one, which may be empty."""
    waiting = bytearray()
    for piece in pieces:
        waiting += piece
        while len(waiting) > PIECE_BYTES:
            yield bytes(waiting[:PIECE_BYTES])
            del waiting[:PIECE_BYTES]
    yield bytes(waiting)


def _marked(pieces: Iterator[bytes]) -> Iterator[tuple[bytes, bool]]:
    """Each piece, and whether it is the last."""
    before = next(pieces)
    for piece in pieces:
        yield before, False
        before = piece
    yield before, True


def _piece(source: BinaryIO) -> bytes | None:
    """The next sealed piece; None at the end."""
    first = source.read(_LENGTH.size)
    if not first:
        return None
    length = _LENGTH.unpack(first)[0] if len(first) == _LENGTH.size else 0
    if not _TAG_BYTES <= length <= PIECE_BYTES + _TAG_BYTES:
        raise BackupError(_DAMAGED)
    return _read(source, length)


def _read(source: BinaryIO, count: int) -> bytes:
    content = source.read(count)
    if len(content) != count:
        raise BackupError("This is no whole backup of homeface: the file ends too early.")
    return content
