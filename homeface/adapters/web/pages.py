"""The pages for people, as routes: who may see them, where to go instead, and their files."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from aiohttp import web

from homeface.adapters.web.access import ANYBODY, Role
from homeface.adapters.web.context import Context
from homeface.adapters.web.page_files import PageFile, page_files
from homeface.adapters.web.page_texts import chosen_language, texts
from homeface.adapters.web.page_view import N_, PAGES, Page, Reader, render
from homeface.adapters.web.routing import Handler, Route, page
from homeface.errors import NotThereError

_THEMES = ("light", "dark")
_FOREVER = "public, max-age=31536000, immutable"

NOWHERE = N_("The address has a typing error, or what was here is gone.")
_NOT_ALLOWED = N_("You may not do this.")  # said by ``wrapper``; here for the translation

_SETUP = Page("/setup", "setup", ANYBODY, "Make the owner's password")
_LOGIN = Page("/login", "login", ANYBODY, "Log in")
_INVITE = Page("/invite/{secret}", "invite", ANYBODY, "Accept an invite")
_ME = Page("/me/{secret}", "me", ANYBODY, "See or delete one's own data")
_ERROR = Page("/error", "error", ANYBODY, "What went wrong", script=False)


async def shown(context: Context, wanted: Page, *, status: int = 200, **values: str) -> web.Response:
    """The page for whoever asks."""
    html = await asyncio.to_thread(render, wanted, reader_of(context), values)
    return web.Response(text=html, content_type="text/html", status=status)


def reader_of(context: Context) -> Reader:
    """Who looks, in which language and light."""
    cookies, who = context.request.cookies, context.who
    theme = cookies.get("homeface_theme", "")
    return Reader(
        language=chosen_language(
            cookies.get("homeface_language", ""),
            context.services.settings.language,
            context.request.headers.get("Accept-Language", ""),
        ),
        role=who.role if who else None,
        csrf=who.csrf if who else "",
        theme=theme if theme in _THEMES else "",
        subject_id=who.subject_id if who else None,
    )


def _handler(wanted: Page) -> Handler:
    async def show(context: Context) -> web.Response:
        subject = context.request.match_info.get("person_id", "")
        return await shown(context, wanted, subject=subject)

    show.__name__ = f"page_{wanted.name}"
    return show


async def page_setup(context: Context) -> web.Response:
    """Only while nobody owns this homeface."""
    if not await context.services.accounts.setup_needed():
        raise _elsewhere(_SETUP, "login")
    return await shown(context, _SETUP)


async def page_login(context: Context) -> web.Response:
    """Whoever is logged in already goes on."""
    if await context.services.accounts.setup_needed():
        raise _elsewhere(_LOGIN, "setup")
    if context.who is not None and context.who.role in {Role.OWNER, Role.MEMBER}:
        raise _elsewhere(_LOGIN, "")
    return await shown(context, _LOGIN, home=context.services.house.info().name)


async def page_invite(context: Context) -> web.Response:
    """For the guest; whether the link still holds the page finds out."""
    return await shown(context, _INVITE, secret=context.part("secret"))


async def page_me(context: Context) -> web.Response:
    """One's own data, by the personal link."""
    return await shown(context, _ME, secret=context.part("secret"))


async def explained(context: Context, route_path: str, status: int, sentence: str) -> web.StreamResponse:
    """What a browser gets in place of a page it may not have."""
    wanted = replace(_ERROR, path=route_path)
    said = (await asyncio.to_thread(texts, reader_of(context).language)).translations
    headings = {403: said.gettext("This is not for you"), 404: said.gettext("There is nothing here")}
    heading = headings.get(status, said.gettext("That did not work"))
    return await shown(context, wanted, status=status, heading=heading, sentence=said.gettext(sentence))


def _file_route(*folders: str) -> Route:
    """Files so many folders down; their names are looked up in a table and never opened."""
    parts = "/".join(f"{{{name}}}" for name in (*folders, "file"))

    async def page_file(context: Context) -> web.Response:
        files = await asyncio.to_thread(page_files)
        found = files.by_path.get("/".join(context.part(name) for name in (*folders, "file")))
        if found is None:
            raise NotThereError("There is no such file.")
        current = context.part("version") == files.version
        return _sent(found, "gzip" in context.request.headers.get("Accept-Encoding", ""), current)

    page_file.__name__ = f"page_file_{len(folders)}"
    return page(f"/static/{{version}}/{parts}", page_file, ANYBODY, "A file of the pages")


def _sent(file: PageFile, gzip: bool, current: bool) -> web.Response:
    headers = {"Vary": "Accept-Encoding", "Cache-Control": _FOREVER if current else "no-cache"}
    content = file.content
    if gzip and file.packed is not None:
        content, headers["Content-Encoding"] = file.packed, "gzip"
    charset = "utf-8" if file.media.startswith("text/") else None
    return web.Response(body=content, content_type=file.media, charset=charset, headers=headers)


def _elsewhere(wanted: Page, path: str) -> web.HTTPSeeOther:
    """To another of our pages, whatever stands before our paths."""
    return web.HTTPSeeOther(f"{wanted.root}{path}")


ROUTES = (
    *(page(entry.path, _handler(entry), entry.access, entry.summary) for entry in PAGES),
    page(_SETUP.path, page_setup, ANYBODY, _SETUP.summary),
    page(_LOGIN.path, page_login, ANYBODY, _LOGIN.summary),
    page(_INVITE.path, page_invite, ANYBODY, _INVITE.summary),
    page(_ME.path, page_me, ANYBODY, _ME.summary),
    _file_route(),
    _file_route("folder"),
    _file_route("folder", "inner"),
    _file_route("folder", "inner", "innermost"),
)
"""Pages and their files."""
