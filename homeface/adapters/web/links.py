"""Links that open the page without a password: invites, and personal ones. Over the store."""

from __future__ import annotations

import asyncio
import io
import secrets
import time
import uuid
from collections.abc import Callable
from typing import Protocol

from homeface.adapters.store import LinkRecord, clean_name
from homeface.adapters.web.access import Who
from homeface.adapters.web.accounts import key_of
from homeface.core.gallery import Subject
from homeface.errors import GalleryError, NotAllowedError, NotThereError

INVITE_SECONDS = 15 * 60.0
CONSENT_VERSION = "1"
"""Of the words on the invite page: a new version of what is stored or why is agreed to anew."""


class LinkStore(Protocol):
    """What is needed of the store; calls block. See ``adapters.store``."""

    def add_link(self, key: bytes, link: LinkRecord) -> None: ...
    def open_link(self, key: bytes, kind: str, now: float, stay_seconds: float) -> LinkRecord | None: ...
    def peek_link(self, key: bytes, kind: str, now: float) -> LinkRecord | None: ...
    def links(self, kind: str, now: float) -> list[LinkRecord]: ...
    def link(self, link_id: str) -> LinkRecord | None: ...
    def give_link(self, link_id: str, subject_id: str) -> bool: ...
    def remove_link(self, link_id: str) -> bool: ...
    def note_consent(self, link_id: str, text: str, now: float) -> None: ...
    def consents(
        self, *, link_id: str | None = None, subject_id: str | None = None
    ) -> list[tuple[str, float]]: ...
    def find_subject(self, text: str) -> Subject | None: ...
    def add_subject(self, name: str) -> Subject: ...


class Links:
    """Lives on the event loop; the store runs in threads."""

    def __init__(self, store: LinkStore, clock: Callable[[], float] = time.time) -> None:
        self._store = store
        self._clock = clock

    async def invite(self, name: str | None, subject_id: str | None) -> tuple[LinkRecord, str]:
        """A new invite and its secret: for somebody new called ``name``, or for an enrolled person.

        Raises GalleryError when the name is taken or no name, NotThereError when there is no such person.
        """
        if subject_id is not None:
            subject = await self._subject(subject_id)
            name = subject.name
        else:
            name = clean_name(name or "")
            other = await asyncio.to_thread(self._store.find_subject, name)
            if other is not None:
                raise GalleryError(
                    f"{other.name} is enrolled already: invite that person, or choose another name."
                )
        return await self._add("invite", name, subject_id, self._clock() + INVITE_SECONDS)

    async def personal(self, subject_id: str) -> tuple[LinkRecord, str]:
        """A link by which a person sees and deletes their own data; an earlier one ends."""
        subject = await self._subject(subject_id)
        return await self._add("personal", subject.name, subject_id, None)

    async def invites(self) -> list[LinkRecord]:
        """Those that are not over, newest first."""
        return await asyncio.to_thread(self._store.links, "invite", self._clock())

    async def remove(self, link_id: str) -> bool:
        """The link and whoever came by it are out; False when there is none."""
        return await asyncio.to_thread(self._store.remove_link, link_id)

    async def look(self, secret: str) -> LinkRecord:
        """What a link is for, without using it up. Raises NotThereError."""
        key, now = key_of(secret), self._clock()
        for kind in ("invite", "personal"):
            found = await asyncio.to_thread(self._store.peek_link, key, kind, now)
            if found is not None:
                return found
        raise _over()

    async def open(self, secret: str) -> LinkRecord:
        """Come in by a link; an invite is used up. Raises NotThereError."""
        key, now = key_of(secret), self._clock()
        for kind in ("invite", "personal"):
            found = await asyncio.to_thread(self._store.open_link, key, kind, now, INVITE_SECONDS)
            if found is not None:
                return found
        raise _over()

    async def of(self, who: Who) -> LinkRecord | None:
        """The link by which a guest came."""
        if who.link_id is None:
            return None
        return await asyncio.to_thread(self._store.link, who.link_id)

    async def consents(self, subject_id: str) -> list[tuple[str, float]]:
        """What a person agreed to: (version and language, when)."""
        return await asyncio.to_thread(lambda: self._store.consents(subject_id=subject_id))

    async def consent(self, who: Who, version: str, language: str) -> str:
        """A guest agrees; somebody new becomes a person. Returns their subject id. Raises NotAllowedError."""
        link = await self.of(who)
        if link is None or link.kind != "invite":
            raise NotAllowedError("Only who was invited is asked to agree.")
        if version != CONSENT_VERSION:
            raise NotAllowedError("The text has changed; read it again.", key="old_consent")
        subject_id = link.subject_id
        if subject_id is None:
            subject_id = (await asyncio.to_thread(self._store.add_subject, link.name)).subject_id
            await asyncio.to_thread(self._store.give_link, link.link_id, subject_id)
        if who.consented:  # once is enough, however often it is sent
            return subject_id
        text = f"{version} {language}"
        await asyncio.to_thread(self._store.note_consent, link.link_id, text, self._clock())
        return subject_id

    async def _subject(self, subject_id: str) -> Subject:
        subject = await asyncio.to_thread(self._store.find_subject, subject_id)
        if subject is None or subject.subject_id != subject_id:
            raise NotThereError("There is no such person (any more).")
        return subject

    async def _add(
        self, kind: str, name: str, subject_id: str | None, expires_at: float | None
    ) -> tuple[LinkRecord, str]:
        secret = secrets.token_urlsafe(32)
        link = LinkRecord(uuid.uuid4().hex[:12], kind, name, subject_id, self._clock(), expires_at, None)
        await asyncio.to_thread(self._store.add_link, key_of(secret), link)
        return link, secret


def qr_svg(url: str) -> str:
    """A QR code as an SVG picture, dark on light whatever the page looks like. Blocks for a moment."""
    import segno

    buffer = io.BytesIO()
    segno.make(url, error="m").save(
        buffer, kind="svg", scale=8, border=4, dark="#000", light="#fff", xmldecl=False, title=None
    )
    return buffer.getvalue().decode()


def _over() -> NotThereError:
    return NotThereError("This link is used up or too old. Ask for a new one.", key="link_over")
