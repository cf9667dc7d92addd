"""The client of homeface's web API (aiohttp). It raises ``ApiError`` and nothing else."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import re
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, NamedTuple

import aiohttp
from yarl import URL

from .models import (
    Decision,
    Enrolled,
    Enrolment,
    House,
    Info,
    UnexpectedAnswer,
    UnknownVisit,
)

_TIMEOUT = aiohttp.ClientTimeout(total=30, connect=10)
_LONG = aiohttp.ClientTimeout(total=120, connect=10)
_STREAM = aiohttp.ClientTimeout(total=None, connect=10, sock_read=45)
"""A ping comes every 15 seconds: three missing ones mean that nobody is there."""
_MAX_BYTES = 8 << 20
_MAX_AUTHORITY_BYTES = 1 << 16
_MAX_EVENT_BYTES = 2 << 20
_ID = re.compile(r"[A-Za-z0-9_.:-]{1,100}")


class ApiError(Exception):
    """The web API could not do what it was asked; the text is for people."""


class CannotConnect(ApiError):
    """Nobody answers, or not what homeface answers."""


class InvalidAuth(ApiError):
    """The token is not (or no longer) valid."""


class Forbidden(ApiError):
    """The token lacks a scope."""


class CertificateNotTrusted(ApiError):
    """The server's certificate is its own (or another one than the confirmed one)."""


class Refused(ApiError):
    """homeface understood and will not do it. ``key``: machine-readable reason."""

    def __init__(self, key: str, message: str, status: int) -> None:
        """``message`` is a sentence for people."""
        super().__init__(message)
        self.key = key
        self.status = status


class StreamEvent(NamedTuple):
    """One server-sent event."""

    name: str
    data: object


@dataclass(frozen=True, slots=True)
class Trust:
    """What vouches for a server whose certificate nobody else vouches for.

    ``authority``: its own certificate authority (PEM); it signs for nobody else, so names do not matter.
    ``fingerprint``: SHA-256 (hex) of its one certificate.
    """

    authority: str | None = None
    fingerprint: str | None = None

    def ssl(self) -> ssl.SSLContext | aiohttp.Fingerprint | bool:
        """As aiohttp takes it."""
        if self.authority is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname = False
            context.load_verify_locations(cadata=self.authority)
            return context
        return aiohttp.Fingerprint(bytes.fromhex(self.fingerprint)) if self.fingerprint else True


class HomefaceClient:
    """Speaks to one homeface with one token. Stateless; the session belongs to Home Assistant."""

    def __init__(
        self, session: aiohttp.ClientSession, url: str, token: str, trust: Trust | None = None
    ) -> None:
        """``url``: where the web page is. ``trust``: what a person has confirmed."""
        self._session = session
        self._base = URL(url.rstrip("/") + "/api/v1/")
        self._token = token
        self._ssl = True if trust is None else trust.ssl()

    @property
    def host(self) -> str:
        """Host and port, for messages."""
        return self._base.authority

    # -- questions ------------------------------------------------------------------------------------

    async def info(self) -> Info:
        """Which homeface this is."""
        return _read(Info.read, await self._json("GET", "info"))

    async def now(self) -> House:
        """Who is where now."""
        return _read(House.read, await self._json("GET", "now"))

    async def people(self) -> tuple[Enrolled, ...]:
        """Who is enrolled."""
        return _read(Enrolled.read_all, await self._json("GET", "people"))

    async def unknown_visits(self) -> tuple[UnknownVisit, ...]:
        """Finished visits of unknown people, newest first."""
        return _read(UnknownVisit.read_all, await self._json("GET", "visits/unknown"))

    async def visit_picture(self, visit_id: str) -> bytes:
        """The best picture of an unknown visit, a JPEG."""
        async with self._request("GET", f"visits/unknown/{_checked(visit_id)}/picture") as answer:
            if answer.content_type != "image/jpeg":
                raise CannotConnect(f"a picture was expected, not {answer.content_type}")
            return await _limited(answer)

    async def events(self) -> AsyncGenerator[StreamEvent]:
        """Server-sent events until the connection ends. The first is ``now``."""
        async with self._request(
            "GET", "events", timeout=_STREAM, headers={"Accept": "text/event-stream"}
        ) as answer:
            if answer.content_type != "text/event-stream":
                raise CannotConnect(f"events were expected, not {answer.content_type}")
            parser = EventParser()
            async for chunk in answer.content.iter_any():
                for event in parser.feed(chunk):
                    yield event

    # -- changes --------------------------------------------------------------------------------------

    async def create_person(self, name: str) -> str:
        """Make a person without photos; returns the id."""
        answer = await self._json("POST", "people", json={"name": name})
        if not isinstance(answer, Mapping) or not isinstance(answer.get("id"), str):
            raise CannotConnect("the answer has no id")
        return str(answer["id"])

    async def delete_person(self, person_id: str) -> None:
        """Forget a person wholly."""
        await self._json("DELETE", f"people/{_checked(person_id)}")

    async def enrol_from_camera(self, person_id: str, camera: str, seconds: float) -> Enrolment:
        """Take faces of the one person before a camera for some seconds."""
        body = {"camera": camera, "seconds": seconds}
        path = f"people/{_checked(person_id)}/photos/from-camera"
        return _read(Enrolment.read, await self._json("POST", path, json=body, timeout=_LONG))

    async def add_photos(self, person_id: str, photos: list[tuple[str, bytes]]) -> Enrolment:
        """Add photos, each with a label."""
        form = aiohttp.FormData()
        for label, content in photos:
            form.add_field("photos", content, filename=label, content_type="application/octet-stream")
        path = f"people/{_checked(person_id)}/photos"
        return _read(Enrolment.read, await self._json("POST", path, data=form, timeout=_LONG))

    async def name_visit(
        self, visit_id: str, *, person_id: str | None = None, name: str | None = None, group: bool = False
    ) -> Enrolment:
        """Say who an unknown visit was: somebody enrolled, or somebody new."""
        body: dict[str, object] = {"group": group}
        body |= {"person_id": person_id} if person_id is not None else {"name": name}
        path = f"visits/unknown/{_checked(visit_id)}/name"
        return _read(Enrolment.read, await self._json("POST", path, json=body, timeout=_LONG))

    async def dismiss_visit(self, visit_id: str) -> None:
        """Forget an unknown visit."""
        await self._json("DELETE", f"visits/unknown/{_checked(visit_id)}")

    async def pause_room(self, room: str, paused: bool) -> None:
        """Stop looking into a room, or look again."""
        await self._json("POST", f"rooms/{_checked(room)}/pause", json={"paused": paused})

    # -- inside ---------------------------------------------------------------------------------------

    async def _json(self, method: str, path: str, **options: Any) -> object:
        async with self._request(method, path, **options) as answer:
            body = await _limited(answer)
        if not body:
            return None
        try:
            return json.loads(body)
        except ValueError as error:
            raise CannotConnect("the answer is not JSON: something else answers there") from error

    @contextlib.asynccontextmanager
    async def _request(
        self,
        method: str,
        path: str,
        *,
        timeout: aiohttp.ClientTimeout = _TIMEOUT,
        headers: Mapping[str, str] | None = None,
        **options: Any,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """One request; every failure on the way or in the answer is an ``ApiError``."""
        try:
            async with self._session.request(
                method,
                self._base.join(URL(path)),
                headers={"Authorization": f"Bearer {self._token}", **(headers or {})},
                timeout=timeout,
                ssl=self._ssl,
                allow_redirects=False,  # a redirect could carry the token elsewhere
                **options,
            ) as answer:
                await _raise_for(answer)
                yield answer
        except (aiohttp.ClientConnectorCertificateError, aiohttp.ServerFingerprintMismatch) as error:
            raise CertificateNotTrusted(f"the certificate of {self.host} is not trusted") from error
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            reason = str(error) or type(error).__name__
            raise CannotConnect(f"{self.host}: {reason}") from error


class EventParser:
    """Server-sent events out of chunks of bytes."""

    def __init__(self) -> None:
        """Nothing was received yet."""
        self._rest = b""

    def feed(self, chunk: bytes) -> list[StreamEvent]:
        """The events that are complete now. Raises ``CannotConnect`` for what cannot be an event."""
        *blocks, self._rest = (self._rest + chunk).replace(b"\r\n", b"\n").split(b"\n\n")
        if len(self._rest) > _MAX_EVENT_BYTES:
            raise CannotConnect("an event is too long")
        return [event for block in blocks if (event := _parse(block)) is not None]


def _parse(block: bytes) -> StreamEvent | None:
    name, lines = "message", []
    for line in block.decode("utf-8", "replace").split("\n"):
        key, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if key == "event":
            name = value
        elif key == "data":
            lines.append(value)
    if not lines:
        return None if name == "message" else StreamEvent(name, None)
    try:
        return StreamEvent(name, json.loads("\n".join(lines)))
    except ValueError as error:
        raise CannotConnect(f"the event {name} is not JSON") from error


def decision_of(event: StreamEvent) -> Decision:
    """The decision in an event. Raises ``CannotConnect``."""
    return _read(Decision.read, event.data)


def house_of(event: StreamEvent) -> House:
    """The house in an event ``now``. Raises ``CannotConnect``."""
    return _read(House.read, event.data)


async def own_authority(session: aiohttp.ClientSession, url: str) -> str | None:
    """The certificate authority (PEM) that the server offers as its own. Nothing is believed yet."""
    address = f"{url.rstrip('/')}/api/v1/ca.crt"
    try:
        async with session.get(address, ssl=False, timeout=_TIMEOUT, allow_redirects=False) as answer:
            if answer.status != HTTPStatus.OK:
                return None
            text = (await answer.content.read(_MAX_AUTHORITY_BYTES)).decode("ascii")
    except (TimeoutError, aiohttp.ClientError, OSError, ValueError):
        return None
    try:
        Trust(authority=text).ssl()
    except (ssl.SSLError, ValueError):
        return None
    return text


def authority_fingerprint(authority: str) -> str:
    """SHA-256 (hex) of a certificate in PEM."""
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(authority.strip())).hexdigest()


async def certificate_fingerprint(url: str) -> str:
    """SHA-256 (hex) of the certificate that the server shows, trusted or not. Raises ``CannotConnect``."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    target = URL(url)
    try:
        async with asyncio.timeout(10):
            _, writer = await asyncio.open_connection(target.host, target.port, ssl=context)
        try:
            certificate = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        finally:
            writer.close()
    except (OSError, TimeoutError) as error:
        raise CannotConnect(f"{target.authority}: {error}") from error
    return hashlib.sha256(certificate).hexdigest()


def _read[T](reader: Callable[[object], T], data: object) -> T:
    try:
        return reader(data)
    except UnexpectedAnswer as error:
        raise CannotConnect(f"the answer is not understood ({error}): is this homeface?") from error


def _checked(item: str) -> str:
    """An id that may stand in a path."""
    if not _ID.fullmatch(item) or item in {".", ".."}:
        raise Refused("bad_id", f"{item[:100]!r} is no id of homeface's", HTTPStatus.BAD_REQUEST)
    return item


async def _limited(answer: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for chunk in answer.content.iter_chunked(1 << 16):
        body += chunk
        if len(body) > _MAX_BYTES:
            raise CannotConnect("the answer is too long")
    return bytes(body)


async def _raise_for(answer: aiohttp.ClientResponse) -> None:
    if answer.status < HTTPStatus.MULTIPLE_CHOICES:
        return
    key, message = "", ""
    if answer.content_type == "application/json":
        with contextlib.suppress(ValueError, AttributeError, TypeError):
            error = json.loads(await _limited(answer))["error"]
            key, message = str(error["key"])[:100], str(error["message"])[:500]
    if answer.status == HTTPStatus.UNAUTHORIZED:
        raise InvalidAuth(message or "the token is not valid")
    if answer.status == HTTPStatus.FORBIDDEN:
        raise Forbidden(message or "the token may not do this")
    if not key or answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        raise CannotConnect(message or f"unexpected answer {answer.status}")
    raise Refused(key, message, answer.status)
