"""Who may come in: passwords, sessions and tokens over the store, with brakes against guessing."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import logging
import secrets
import time
import uuid
from collections.abc import Callable, Sequence
from functools import cache
from typing import Protocol, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from homeface.adapters.store import AccountRecord, Act, LinkRecord, SessionRecord, TokenRecord
from homeface.adapters.web import brakes
from homeface.adapters.web.access import Role, Scope, Who
from homeface.core.gallery import Subject
from homeface.errors import BusyError, InvalidRequestError, NotAllowedError, NotLoggedInError

_LOG = logging.getLogger(__name__)

SESSION_IDLE_SECONDS = 30 * 86400.0
SESSION_LONGEST_SECONDS = 180 * 86400.0
_SEEN_STEP_SECONDS = 600.0
_HASHES_WAITING = 8
_T = TypeVar("_T")
_TOKEN_MARK = "hf_"  # noqa: S105 - lets people and secret scanners recognise one


class AccountStore(Protocol):
    """What is needed of the store; calls block. See ``adapters.store``."""

    def owner(self) -> AccountRecord | None: ...
    def accounts(self) -> list[AccountRecord]: ...
    def account_named(self, name: str) -> AccountRecord | None: ...
    def add_account(self, account: AccountRecord) -> None: ...
    def set_password(self, account_id: str, password: str, *, keep_session: bytes | None = None) -> None: ...
    def remove_account(self, account_id: str) -> bool: ...
    def add_session(
        self, key: bytes, *, account_id: str | None, link_id: str | None, now: float, expires_at: float
    ) -> None: ...
    def session(self, key: bytes, now: float) -> SessionRecord | None: ...
    def prolong_session(self, key: bytes, now: float, expires_at: float) -> None: ...
    def end_session(self, key: bytes) -> None: ...
    def end_sessions(self, account_id: str) -> None: ...
    def add_token(self, key: bytes, token: TokenRecord) -> None: ...
    def tokens(self) -> list[TokenRecord]: ...
    def token(self, key: bytes) -> TokenRecord | None: ...
    def note_token_used(self, token_id: str, now: float) -> None: ...
    def remove_token(self, token_id: str) -> bool: ...
    def note_failure(self, source: str, now: float, keep_seconds: float) -> None: ...
    def failures(self, since: float) -> list[tuple[str, float]]: ...
    def forget_failures(self, source: str | None = None) -> None: ...
    def consents(
        self, *, link_id: str | None = None, subject_id: str | None = None
    ) -> list[tuple[str, float]]: ...
    def acts(
        self, *, since: float = 0.0, subject: str | None = None, before: float | None = None, limit: int = 100
    ) -> list[Act]: ...
    def subjects(self) -> list[Subject]: ...
    def note_act(self, who: str, what: str, subject: str = "", at: float | None = None) -> None: ...


class Accounts:
    """Lives on the event loop; hashing and the store run in threads."""

    def __init__(
        self,
        store: AccountStore,
        clock: Callable[[], float] = time.time,
        hasher: PasswordHasher | None = None,
    ) -> None:
        self._store = store
        self._clock = clock
        self._hasher = hasher or PasswordHasher()
        self._hashing = asyncio.Lock()
        self._waiting = 0
        self._door = asyncio.Lock()
        self._has_owner = False
        self.setup_code = "-".join(secrets.token_hex(2) for _ in range(3))
        """Proves, while there is no owner, that somebody can read the daemon's log."""

    # set-up and passwords

    async def setup_needed(self) -> bool:
        """True until there is an owner."""
        if not self._has_owner:
            self._has_owner = await asyncio.to_thread(self._store.owner) is not None
        return not self._has_owner

    def look_again(self) -> None:
        """The store was replaced: there may be no owner any more."""
        self._has_owner = False

    async def set_up(
        self, password: str, name: str, code: str | None, source: str, *, local: bool
    ) -> AccountRecord:
        """Make the owner. Raises NotAllowedError without the code from elsewhere, or when there is one."""
        if not await self.setup_needed():
            raise NotAllowedError("There is an owner already; log in.", key="already_set_up")
        if not local:
            await self._attempt(source)
            if not hmac.compare_digest((code or "").strip().lower().encode(), self.setup_code.encode()):
                raise NotAllowedError(
                    "Type the code that homeface has written to its log (journalctl -u homeface), or open "
                    "this page on the machine itself.",
                    key="code_needed",
                )
            await asyncio.to_thread(self._store.forget_failures, source)
        return await self.add_account("owner", name, password, None)

    async def add_account(self, role: str, name: str, password: str, subject_id: str | None) -> AccountRecord:
        """Raises GalleryError when the name is taken, InvalidRequestError for a weak password."""
        _refuse_weak(password)
        hashed = await self._hash(password)
        account = AccountRecord(uuid.uuid4().hex[:12], role, name, subject_id, hashed, self._clock())
        await asyncio.to_thread(self._store.add_account, account)
        return account

    async def reset_owner(self, password: str) -> None:
        """Make the owner, or give the owner another password: every session of theirs ends, no brake holds.

        For whoever can write to the database anyway. Raises InvalidRequestError for a weak password.
        """
        owner = await asyncio.to_thread(self._store.owner)
        if owner is None:
            await self.add_account("owner", "owner", password, None)
        else:
            _refuse_weak(password)
            hashed = await self._hash(password)
            await asyncio.to_thread(self._store.set_password, owner.account_id, hashed)
        await asyncio.to_thread(self._store.forget_failures)

    async def change_password(self, who: Who, old: str, new: str, session: str, source: str) -> None:
        """Raises NotAllowedError when ``old`` is wrong; the account's other sessions end."""
        account = await self._account(who)
        guessing = _guessing(source, account, None)
        await self._attempt(guessing)
        if not await self._verify(account.password, old):
            _LOG.warning("A wrong password came from %s.", source)
            raise NotAllowedError("The old password is not right.", key="wrong_password")
        await asyncio.to_thread(self._store.forget_failures, guessing)
        _refuse_weak(new)
        await asyncio.to_thread(
            self._store.set_password, account.account_id, await self._hash(new), keep_session=key_of(session)
        )

    async def log_in(self, name: str | None, password: str, source: str) -> str:
        """The secret of a new session. Raises NotLoggedInError, and BusyError after too many tries."""
        find = self._store.owner if name is None else lambda: self._store.account_named(name)
        account = await asyncio.to_thread(find)
        guessing = _guessing(source, account, name)
        await self._attempt(guessing)
        good = await self._verify(account.password if account else None, password)
        if account is None or not good:
            _LOG.warning("A wrong password came from %s.", source)
            raise NotLoggedInError("This is not the right password.", key="wrong_password")
        await asyncio.to_thread(self._store.forget_failures, guessing)
        if self._hasher.check_needs_rehash(account.password):
            await asyncio.to_thread(self._store.set_password, account.account_id, await self._hash(password))
        return await self.open_session(account_id=account.account_id)

    async def everybody(self) -> list[AccountRecord]:
        """All accounts, the owner first."""
        return await asyncio.to_thread(self._store.accounts)

    async def remove_account(self, account_id: str) -> bool:
        """False when there is no such member."""
        return await asyncio.to_thread(self._store.remove_account, account_id)

    # sessions

    async def open_session(self, *, account_id: str | None = None, link_id: str | None = None) -> str:
        """The secret of a new session of an account or of a link."""
        secret, now = secrets.token_urlsafe(32), self._clock()
        await asyncio.to_thread(
            lambda: self._store.add_session(
                key_of(secret), account_id=account_id, link_id=link_id, now=now,
                expires_at=now + SESSION_IDLE_SECONDS,
            )
        )  # fmt: skip
        return secret

    async def by_session(self, secret: str) -> Who | None:
        """Who has that session, if it is still good."""
        now, key = self._clock(), key_of(secret)
        found = await asyncio.to_thread(self._store.session, key, now)
        if found is None:
            return None
        if not 0 <= now - found.seen_at <= _SEEN_STEP_SECONDS:
            ends = min(now + SESSION_IDLE_SECONDS, found.created_at + SESSION_LONGEST_SECONDS)
            await asyncio.to_thread(self._store.prolong_session, key, now, ends)
        csrf = csrf_of(secret)
        if found.account is not None:
            account = found.account
            name = account.role if account.role == "owner" else f"member {account.account_id}"
            return Who(
                Role(account.role),
                name,
                account.subject_id,
                csrf=csrf,
                account_id=account.account_id,
                title=account.name,
            )
        return await self._guest(found.link, csrf)

    async def end_session(self, secret: str) -> None:
        """Log out."""
        await asyncio.to_thread(self._store.end_session, key_of(secret))

    async def end_all_sessions(self, who: Who) -> None:
        """Log out everywhere. Raises NotAllowedError for those who have no account."""
        account = await self._account(who)
        await asyncio.to_thread(self._store.end_sessions, account.account_id)

    async def _guest(self, link: LinkRecord | None, csrf: str) -> Who | None:
        if link is None:
            return None
        consented = link.kind == "personal" or bool(
            await asyncio.to_thread(lambda: self._store.consents(link_id=link.link_id))
        )
        name = f"{link.kind} {link.link_id}"
        return Who(
            Role.GUEST,
            name,
            link.subject_id,
            csrf=csrf,
            link_id=link.link_id,
            consented=consented,
            title=link.name,
        )

    # tokens

    async def add_token(self, name: str, scopes: Sequence[Scope]) -> tuple[TokenRecord, str]:
        """The new token and its secret, which is shown this once."""
        secret = _TOKEN_MARK + secrets.token_urlsafe(32)
        kept = tuple(sorted({str(scope) for scope in scopes}))
        token = TokenRecord(uuid.uuid4().hex[:12], name.strip(), kept, self._clock(), None)
        await asyncio.to_thread(self._store.add_token, key_of(secret), token)
        return token, secret

    async def tokens(self) -> list[TokenRecord]:
        """All tokens, by name."""
        return await asyncio.to_thread(self._store.tokens)

    async def remove_token(self, token_id: str) -> bool:
        """False when there is none."""
        return await asyncio.to_thread(self._store.remove_token, token_id)

    async def by_token(self, secret: str) -> Who | None:
        """Who has that token."""
        found = await asyncio.to_thread(self._store.token, key_of(secret))
        if found is None:
            return None
        now = self._clock()
        if found.last_used is None or not 0 <= now - found.last_used <= _SEEN_STEP_SECONDS:
            await asyncio.to_thread(self._store.note_token_used, found.token_id, now)
        known = {str(scope) for scope in Scope}
        scopes = frozenset(Scope(scope) for scope in found.scopes if scope in known)
        return Who(Role.TOKEN, f"token {found.name}", scopes=scopes, title=found.name)

    # the log

    async def note(self, who: Who | None, what: str, subject: str = "") -> None:
        """Write an act to the log."""
        name = f"web:{who.name}" if who is not None else "web"
        await asyncio.to_thread(self._store.note_act, name, what, subject)

    async def acts(self, before: float | None, limit: int) -> tuple[list[Act], dict[str, str]]:
        """Acts, newest first, and the names of those who are still enrolled by their id."""

        def read() -> tuple[list[Act], dict[str, str]]:
            names = {subject.subject_id: subject.name for subject in self._store.subjects()}
            return self._store.acts(before=before, limit=limit), names

        return await asyncio.to_thread(read)

    # brakes

    async def _attempt(self, source: str) -> None:
        """Count a try as failed until it has succeeded: many at once must not slip through together.

        Raises BusyError while the source has to wait.
        """
        async with self._door:
            now = self._clock()
            failures = await asyncio.to_thread(self._store.failures, now - brakes.REMEMBERED_SECONDS)
            wait = brakes.wait_seconds(failures, source, now)
            if wait > 0:
                raise BusyError(
                    f"Too many wrong passwords; try again in {_words(wait)}.",
                    key="locked",
                    retry_seconds=wait,
                )
            await asyncio.to_thread(self._store.note_failure, source, now, brakes.REMEMBERED_SECONDS)

    async def _account(self, who: Who) -> AccountRecord:
        for account in await asyncio.to_thread(self._store.accounts):
            if account.account_id == who.account_id:
                return account
        raise NotAllowedError("Only who logged in with a password can do this.")

    async def _hash(self, password: str) -> str:
        return await self._one_at_a_time(lambda: self._hasher.hash(password))

    async def _verify(self, hashed: str | None, password: str) -> bool:
        """``hashed`` None: there is no such account, which must take as long to find out."""

        def check() -> bool:
            try:
                return self._hasher.verify(hashed or _nobody(self._hasher), password)
            except (VerificationError, InvalidHashError):
                return False

        return await self._one_at_a_time(check)

    async def _one_at_a_time(self, work: Callable[[], _T]) -> _T:
        """Each takes 64 MB and a processor for a moment: one at a time, and not a long queue."""
        if self._waiting >= _HASHES_WAITING:
            raise BusyError("Too many log-ins at once; try again in a moment.", retry_seconds=5)
        self._waiting += 1
        try:
            async with self._hashing:
                return await asyncio.to_thread(work)
        finally:
            self._waiting -= 1


def key_of(secret: str) -> bytes:
    """What is kept of a random secret: its SHA-256 (guessing 256 random bits needs no slow hash)."""
    return hashlib.sha256(bytes_of(secret)).digest()


def csrf_of(secret: str) -> str:
    """What a browser with this session must send along: nobody without the session can know it."""
    return hashlib.sha256(b"csrf:" + bytes_of(secret)).hexdigest()[:32]


def bytes_of(text: str) -> bytes:
    """Of a header: what came may be no UTF-8 at all."""
    return text.encode("utf-8", "surrogateescape")


def _guessing(source: str, account: AccountRecord | None, name: str | None) -> str:
    """What the brakes count as one: a source and the account whose password it tries. Who logs in to their
    own in between must not win new tries at another's; a name that is none is counted just the same.
    """
    tried = account.account_id if account else hashlib.sha256(bytes_of(name or "")).hexdigest()[:12]
    return f"{source} {tried}"


def _refuse_weak(password: str) -> None:
    if len(password) < 10 or len(set(password)) < 4:
        raise InvalidRequestError(
            "Choose a longer password: at least 10 characters, four of them different.",
            key="weak_password",
            field="password",
        )


@cache
def _nobody(hasher: PasswordHasher) -> str:
    """A hash of nothing known: an unknown name must take as long as a known one."""
    return hasher.hash(secrets.token_hex(16))


def _words(seconds: float) -> str:
    return f"{seconds:.0f} seconds" if seconds < 90 else f"{seconds / 60:.0f} minutes"
