"""Log in, log out, set up, and who am I."""

from __future__ import annotations

from homeface.adapters.web.access import ANYBODY, Access
from homeface.adapters.web.context import Context
from homeface.adapters.web.models import ChangePassword, LogIn, SessionAnswer, SetUp
from homeface.adapters.web.routing import api
from homeface.errors import NotThereError


async def get_session(context: Context) -> SessionAnswer:
    """Who asks; also for those who are nobody yet."""
    who = context.who
    return SessionAnswer(
        role=who.role if who else None,
        name=who.title if who else None,
        subject_id=who.subject_id if who else None,
        scopes=sorted(who.scopes) if who else [],
        csrf=(who.csrf or None) if who else None,
        language=context.services.settings.language,
        setup_needed=await context.services.accounts.setup_needed(),
    )


async def log_in(context: Context) -> SessionAnswer:
    """A new session, and the cookie for it."""
    wanted = context.taken(LogIn)
    secret = await context.services.accounts.log_in(wanted.name, wanted.password, context.brake_source)
    return await entered(context, secret, "log in")


async def log_out(context: Context) -> None:
    """The session ends here and now."""
    if context.session:
        await context.services.accounts.end_session(context.session)
    context.new_session = ""


async def log_out_everywhere(context: Context) -> None:
    """Every session of the own account ends, on every device."""
    await context.services.accounts.end_all_sessions(context.me())
    await context.note("log out everywhere")
    context.new_session = ""


async def set_up(context: Context) -> SessionAnswer:
    """Make the owner, and log in."""
    accounts, wanted = context.services.accounts, context.taken(SetUp)
    account = await accounts.set_up(
        wanted.password, wanted.name, wanted.code, context.brake_source, local=context.source.local
    )
    secret = await accounts.open_session(account_id=account.account_id)
    return await entered(context, secret, "set up")


async def change_password(context: Context) -> None:
    """Of the account that is logged in."""
    wanted = context.taken(ChangePassword)
    await context.services.accounts.change_password(
        context.me(), wanted.old_password, wanted.new_password, context.session, context.brake_source
    )
    await context.note("change password")


async def entered(context: Context, secret: str, what: str) -> SessionAnswer:
    """A browser was let in: its session before ends, it gets the cookie, and the log says so."""
    if context.session:
        await context.services.accounts.end_session(context.session)
    context.who = await context.services.accounts.by_session(secret)
    if context.who is None:
        raise NotThereError("The account is gone.")
    context.session, context.new_session = secret, secret
    await context.note(what)
    return await get_session(context)


ROUTES = (
    api("GET", "/session", get_session, ANYBODY, "Who asks", answer=SessionAnswer),
    api("POST", "/session", log_in, ANYBODY, "Log in", body=LogIn, answer=SessionAnswer),
    api("DELETE", "/session", log_out, ANYBODY, "Log out"),
    api("DELETE", "/sessions", log_out_everywhere, Access(member=True), "Log out on every device"),
    api("POST", "/setup", set_up, ANYBODY, "Make the owner's password", body=SetUp, answer=SessionAnswer),
    api("POST", "/session/password", change_password, Access(member=True), "Change the own password",
        body=ChangePassword),
)  # fmt: skip
