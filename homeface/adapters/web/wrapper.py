"""Between HTTP and handlers, in one place: who asks, may they, what they sent, and errors to answers."""

from __future__ import annotations

import asyncio
import hmac
import json
import logging
from collections.abc import Awaitable, Callable
from urllib.parse import quote

from aiohttp import web
from pydantic import BaseModel, ValidationError

from homeface.adapters.web import pages
from homeface.adapters.web.access import Who
from homeface.adapters.web.accounts import bytes_of
from homeface.adapters.web.context import SERVICES, Context
from homeface.adapters.web.models import ErrorAnswer, ErrorDetail
from homeface.adapters.web.ports import Services
from homeface.adapters.web.routing import JSON_MAX_BYTES, Answer, Raw, Route
from homeface.adapters.web.source import Source, is_known_host, source_of
from homeface.errors import (
    BackupError,
    BusyError,
    EnrolmentError,
    GalleryError,
    HomefaceError,
    ImageError,
    InvalidRequestError,
    NotAllowedError,
    NotLoggedInError,
    NotThereError,
    RequestError,
    StoreError,
)

_LOG = logging.getLogger(__name__)
HttpHandler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_STATUS: tuple[tuple[type[HomefaceError], int, str], ...] = (
    (NotLoggedInError, 401, ""),
    (NotAllowedError, 403, ""),
    (NotThereError, 404, ""),
    (BusyError, 429, ""),
    (InvalidRequestError, 422, ""),
    (RequestError, 400, ""),
    (EnrolmentError, 422, ""),
    (ImageError, 422, "picture"),
    (GalleryError, 409, "gallery"),
    (BackupError, 422, "backup"),
    (StoreError, 503, "storage"),
    (HomefaceError, 500, "failed"),
)
"""The first that fits; the key is the error's own where none stands here."""

_SPECIAL_STATUS = {
    "too_large": 413,
    "too_slow": 408,
    "not_a_form": 415,
    "not_json": 415,
    "not_json_text": 415,
}


def endpoint(route: Route) -> HttpHandler:
    """The route as aiohttp calls it."""

    async def handle(request: web.Request) -> web.StreamResponse:
        services = request.app[SERVICES]
        source = source_of(request, services.settings)
        try:
            context = await _admitted(route, request, services, source)
            await _read(route, context)
            answer = await route.handler(context)
            return _respond(route, context, answer)
        except NotLoggedInError as error:
            if not route.page:
                return told(error)
            raise await _to_the_door(route, request, services) from error
        except HomefaceError as error:
            answer = told(error)
            if not route.page:
                return answer
            return await _explained(route.path, request, answer.status, str(error))

    return handle


async def _explained(path: str, request: web.Request, status: int, sentence: str) -> web.StreamResponse:
    """A page for people in place of the one they may not have, or that is not there."""
    services = request.app[SERVICES]
    try:
        who, session = await _who(request, services)
    except NotLoggedInError:
        who, session = None, ""
    source = source_of(request, services.settings)
    return await pages.explained(
        Context(request, services, source, who, session=session), path, status, sentence
    )


async def _nowhere(request: web.Request) -> web.StreamResponse:
    """What people see who typed an address that is none of ours."""
    base = request.app[SERVICES].settings.base_path
    if base and request.path == base:
        raise web.HTTPSeeOther(f"{base.rpartition('/')[2]}/")
    path = request.path.removeprefix(base) if request.path.startswith(f"{base}/") else request.path
    return await _explained(path, request, 404, pages.NOWHERE)


@web.middleware
async def guard(request: web.Request, handler: HttpHandler) -> web.StreamResponse:
    """Refuse foreign host names; make every error, even an unexpected one, an answer of our form."""
    services = request.app[SERVICES]
    if not is_known_host(source_of(request, services.settings), services.settings):
        return error_answer(421, "unknown_host", "This machine does not know that name (web.allowed_hosts).")
    try:
        return await handler(request)
    except web.HTTPRedirection:
        raise
    except web.HTTPException as error:
        if error.status == 404 and _is_of_a_browser(request):
            return await _nowhere(request)
        headers = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else {}
        return error_answer(error.status, f"http_{error.status}", f"{error.reason}.", headers)
    except (asyncio.CancelledError, ConnectionResetError):
        raise
    except Exception:  # noqa: BLE001 - the one place where a bug becomes an answer
        resource = request.match_info.route.resource  # not the path itself: a link's secret stands in it
        _LOG.exception("%s %s failed.", request.method, resource.canonical if resource else "of no route")
        return error_answer(500, "bug", "This went wrong in homeface itself; its log tells more.")


def _is_of_a_browser(request: web.Request) -> bool:
    """Somebody looks for a page; programs get JSON."""
    return (
        request.method == "GET"
        and "text/html" in request.headers.get("Accept", "")
        and "/api/" not in request.path
    )


def told(error: HomefaceError) -> web.Response:
    """The answer to an expected failure."""
    status, key = next((status, key) for kind, status, key in _STATUS if isinstance(error, kind))
    key = key or str(getattr(error, "key", "failed"))
    if status >= 500:
        _LOG.warning("%s", error)
    headers = {}
    if isinstance(error, BusyError):
        headers["Retry-After"] = str(max(1, round(error.retry_seconds)))
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    field = getattr(error, "field", None)
    return error_answer(_SPECIAL_STATUS.get(key, status), key, str(error), headers, field)


def error_answer(
    status: int, key: str, message: str, headers: dict[str, str] | None = None, field: str | None = None
) -> web.Response:
    """An error in the one form that all of them have."""
    body = ErrorAnswer(error=ErrorDetail(key=key, message=message, field=field))
    response = web.json_response(text=body.model_dump_json(), status=status, headers=headers)
    if status in {408, 413}:
        response.force_close()  # what is still coming will not be read
    return response


async def _to_the_door(route: Route, request: web.Request, services: Services) -> web.HTTPSeeOther:
    """Who is not logged in goes to the log-in page; relative, whatever stands before our paths."""
    root = "../" * (route.path.count("/") - 1) or "./"
    if await services.accounts.setup_needed():
        return web.HTTPSeeOther(f"{root}setup")
    path = route.path.format(**request.match_info).lstrip("/")
    return web.HTTPSeeOther(f"{root}login?next={quote(path, safe='/')}")


async def _admitted(route: Route, request: web.Request, services: Services, source: Source) -> Context:
    """Who asks, and whether they may. Raises NotLoggedInError and NotAllowedError."""
    who, session = await _who(request, services)
    context = Context(request, services, source, who, session=session)
    if route.changes:
        _check_origin(request, source)
        if who is not None and session:
            _check_csrf(request, who)
    access = route.access
    if access.anybody or (access.local and source.local):
        return context
    if who is None:
        raise NotLoggedInError("Log in first, or send a token (Authorization: Bearer …).")
    if not access.allows(who, request.match_info.get("person_id")):
        raise NotAllowedError("You may not do this.")
    return context


async def _who(request: web.Request, services: Services) -> tuple[Who | None, str]:
    """(who asks, secret of their session). Somebody who sends a wrong token is nobody."""
    kind, _, secret = request.headers.get("Authorization", "").partition(" ")
    if kind:
        if kind.lower() != "bearer":
            raise NotLoggedInError("Only Bearer tokens are understood.")
        who = await services.accounts.by_token(secret.strip())
        if who is None:
            raise NotLoggedInError("This token is not known (any more).", key="unknown_token")
        return who, ""
    session = request.cookies.get(services.settings.cookie, "")
    if not session:
        return None, ""
    who = await services.accounts.by_session(session)
    return who, session if who is not None else ""


def _check_origin(request: web.Request, source: Source) -> None:
    """A browser says whose page makes it ask; programs say nothing."""
    origin = request.headers.get("Origin")
    site = request.headers.get("Sec-Fetch-Site", "same-origin")
    if (origin is not None and origin.lower() != source.origin) or site not in {"same-origin", "none"}:
        raise NotAllowedError("Another web page asked for this; only homeface's own may.", key="foreign_page")


def _check_csrf(request: web.Request, who: Who) -> None:
    given = request.headers.get("X-CSRF-Token", "")
    if not hmac.compare_digest(bytes_of(given), bytes_of(who.csrf)):
        raise NotAllowedError("Send the session's csrf as X-CSRF-Token.", key="csrf")


async def _read(route: Route, context: Context) -> None:
    request, uploads = context.request, context.services.uploads
    if route.query is not None:
        context.query = _validated(route.query, dict(request.query))
    body = route.body
    if isinstance(body, Raw):
        if request.content_type != body.media:
            raise InvalidRequestError(f"Send {body.media}.", key="not_a_form")
        context.raw = await uploads.read(request, body.max_bytes)
    elif isinstance(body, type):
        if request.content_type != "application/json":  # also keeps forms of foreign pages out
            raise InvalidRequestError("Send JSON (Content-Type: application/json).", key="not_json")
        context.body = _validated(body, _json(await uploads.read(request, JSON_MAX_BYTES)))


def _json(data: bytes) -> object:
    try:
        return json.loads(data, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise InvalidRequestError("The body is not valid JSON.", key="not_json_text") from error


def _no_number(text: str) -> object:
    raise ValueError(f"{text} is no number in JSON")


def _validated(model: type[BaseModel], data: object) -> BaseModel:
    try:
        return model.model_validate(data)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        field = ".".join(str(part) for part in first["loc"]) or None
        message = f"{field}: {first['msg']}." if field else f"{first['msg']}."
        raise InvalidRequestError(message, field=field) from error


def _respond(route: Route, context: Context, answer: Answer) -> web.StreamResponse:
    if isinstance(answer, web.StreamResponse):
        response = answer
    elif answer is None:
        response = web.Response(status=204)
    else:
        response = web.json_response(text=answer.model_dump_json(by_alias=True), status=route.status)
    if not response.prepared:
        response.headers.update(context.headers)
        response.headers.setdefault("Cache-Control", "no-store")
        if isinstance(response, web.Response):
            _set_cookie(response, context)
    return response


def _set_cookie(response: web.Response, context: Context) -> None:
    if context.new_session is None:
        return
    settings, source = context.services.settings, context.source
    path = f"{source.base}/"
    if context.new_session:
        response.set_cookie(
            settings.cookie, context.new_session, path=path, httponly=True, samesite="Lax",
            secure=source.secure, max_age=180 * 86400,
        )  # fmt: skip
    else:
        response.del_cookie(settings.cookie, path=path, httponly=True, samesite="Lax", secure=source.secure)
