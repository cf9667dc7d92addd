"""Invites, personal links, and what somebody who came by one may do."""

from __future__ import annotations

import asyncio

from homeface.adapters.store import LinkRecord
from homeface.adapters.web.access import ANYBODY, ME, OWNER, Access
from homeface.adapters.web.api_session import entered
from homeface.adapters.web.context import Context
from homeface.adapters.web.links import CONSENT_VERSION, qr_svg
from homeface.adapters.web.models import SessionAnswer
from homeface.adapters.web.models_links import (
    Agreed,
    Consent,
    Invite,
    Invites,
    InviteWithLink,
    LinkAnswer,
    LinkSecret,
    Me,
    NewInvite,
    PersonalLink,
)
from homeface.adapters.web.routing import api
from homeface.errors import NotThereError


async def get_invites(context: Context) -> Invites:
    """Those that are not over."""
    return Invites(invites=[_invite(link) for link in await context.services.links.invites()])


async def add_invite(context: Context) -> InviteWithLink:
    """A link for one person, good once and for 15 minutes."""
    wanted = context.taken(NewInvite)
    link, secret = await context.services.links.invite(wanted.name, wanted.person_id)
    url = context.link(f"/invite/{secret}")
    await context.note("invite", link.link_id)
    picture = await asyncio.to_thread(qr_svg, url)
    settings = context.services.settings
    return InviteWithLink(
        **_invite(link).model_dump(),
        url=url,
        qr_svg=picture,
        reach=settings.reach,
        browser_warns=settings.browser_warns,
    )


async def remove_invite(context: Context) -> None:
    """Take it back, and whoever came by it is out."""
    if not await context.services.links.remove(context.part("invite_id")):
        raise NotThereError("There is no such invite.")
    await context.note("remove invite", context.part("invite_id"))


async def look_at_link(context: Context) -> LinkAnswer:
    """What a link is for, without using it up (programs that preview links must not)."""
    link = await context.services.links.look(context.taken(LinkSecret).secret)
    return LinkAnswer(
        kind="invite" if link.kind == "invite" else "personal",
        name=link.name,
        expires_at=link.expires_at,
        consent_version=CONSENT_VERSION,
    )


async def open_link(context: Context) -> SessionAnswer:
    """Come in by a link: an invite is used up by that."""
    link = await context.services.links.open(context.taken(LinkSecret).secret)
    secret = await context.services.accounts.open_session(link_id=link.link_id)
    return await entered(context, secret, f"open {link.kind} link")


async def get_me(context: Context) -> Me:
    """What somebody may know about themselves before they look at the details."""
    who, links = context.me(), context.services.links
    link = await links.of(who)
    agreed = await links.consents(who.subject_id) if who.subject_id is not None else []
    return Me(
        kind="account" if link is None else "invite" if link.kind == "invite" else "personal",
        name=who.title if link is None else link.name,
        person_id=who.subject_id,
        consented=who.consented,
        consents=[_agreed(text, at) for text, at in agreed],
        consent_version=CONSENT_VERSION,
        expires_at=None if link is None else link.expires_at,
    )


async def give_consent(context: Context) -> Me:
    """A guest agrees; it is written down."""
    wanted = context.taken(Consent)
    agreed = context.me().consented
    person_id = await context.services.links.consent(context.me(), wanted.version, wanted.language)
    if not agreed:
        await context.note("consent", person_id)
    context.who = await context.services.accounts.by_session(context.session)
    return await get_me(context)


async def add_personal_link(context: Context) -> PersonalLink:
    """A link by which this person can come back to see or delete their data; an earlier one ends."""
    person_id = context.part("person_id")
    _, secret = await context.services.links.personal(person_id)
    url = context.link(f"/me/{secret}")
    await context.note("personal link", person_id)
    picture = await asyncio.to_thread(qr_svg, url)
    settings = context.services.settings
    return PersonalLink(url=url, qr_svg=picture, reach=settings.reach, browser_warns=settings.browser_warns)


def _invite(link: LinkRecord) -> Invite:
    return Invite(
        id=link.link_id,
        name=link.name,
        person_id=link.subject_id,
        created_at=link.created_at,
        expires_at=link.expires_at or link.created_at,
        opened_at=link.opened_at,
    )


def _agreed(text: str, at: float) -> Agreed:
    version, _, language = text.partition(" ")
    return Agreed(version=version, language=language, at=at)


ROUTES = (
    api("GET", "/invites", get_invites, OWNER, "Open invites", answer=Invites),
    api("POST", "/invites", add_invite, OWNER, "Invite somebody", body=NewInvite, answer=InviteWithLink,
        status=201),
    api("DELETE", "/invites/{invite_id}", remove_invite, OWNER, "Take an invite back"),
    api("POST", "/links/look", look_at_link, ANYBODY, "What a link is for", body=LinkSecret,
        answer=LinkAnswer),
    api("POST", "/links/open", open_link, ANYBODY, "Come in by a link", body=LinkSecret,
        answer=SessionAnswer),
    api("GET", "/me", get_me, ME, "Who looks at their own data", answer=Me),
    api("POST", "/me/consent", give_consent, Access(guest=True), "Agree", body=Consent, answer=Me),
    api("POST", "/people/{person_id}/link", add_personal_link, Access(own=True), "Make a personal link",
        answer=PersonalLink, status=201),
)  # fmt: skip
