"""Accounts of the family, and tokens of programs."""

from __future__ import annotations

from homeface.adapters.store import AccountRecord, TokenRecord
from homeface.adapters.web import models
from homeface.adapters.web.access import OWNER, Scope
from homeface.adapters.web.context import Context
from homeface.adapters.web.models import NewMember, NewToken, Token, Tokens, TokenWithSecret
from homeface.adapters.web.routing import api
from homeface.errors import NotThereError


async def get_tokens(context: Context) -> Tokens:
    """All tokens, without their secrets."""
    return Tokens(tokens=[_token(token) for token in await context.services.accounts.tokens()])


async def add_token(context: Context) -> TokenWithSecret:
    """A token for a program."""
    wanted = context.taken(NewToken)
    token, secret = await context.services.accounts.add_token(wanted.name, wanted.scopes)
    await context.note("add token", token.token_id)
    return TokenWithSecret(**_token(token).model_dump(), secret=secret)


async def remove_token(context: Context) -> None:
    """It opens nothing any more."""
    if not await context.services.accounts.remove_token(context.part("token_id")):
        raise NotThereError("There is no such token.")
    await context.note("remove token", context.part("token_id"))


async def get_accounts(context: Context) -> models.Accounts:
    """Everybody with a password."""
    return models.Accounts(accounts=[_account(a) for a in await context.services.accounts.everybody()])


async def add_member(context: Context) -> models.Account:
    """A family member with a password of their own."""
    wanted = context.taken(NewMember)
    account = await context.services.accounts.add_account(
        "member", wanted.name, wanted.password, wanted.person_id
    )
    await context.note("add member", account.account_id)
    return _account(account)


async def remove_member(context: Context) -> None:
    """The account and its sessions end; the person stays enrolled."""
    if not await context.services.accounts.remove_account(context.part("account_id")):
        raise NotThereError("There is no such member.")
    await context.note("remove member", context.part("account_id"))


def _token(token: TokenRecord) -> Token:
    scopes = [Scope(scope) for scope in token.scopes if scope in set(Scope)]
    return Token(
        id=token.token_id,
        name=token.name,
        scopes=scopes,
        created_at=token.created_at,
        last_used=token.last_used,
    )


def _account(account: AccountRecord) -> models.Account:
    return models.Account(
        id=account.account_id,
        role="owner" if account.role == "owner" else "member",
        name=account.name,
        person_id=account.subject_id,
        created_at=account.created_at,
    )


ROUTES = (
    api("GET", "/tokens", get_tokens, OWNER, "All tokens", answer=Tokens),
    api("POST", "/tokens", add_token, OWNER, "Make a token", body=NewToken, answer=TokenWithSecret,
        status=201),
    api("DELETE", "/tokens/{token_id}", remove_token, OWNER, "Remove a token"),
    api("GET", "/accounts", get_accounts, OWNER, "Everybody with a password", answer=models.Accounts),
    api("POST", "/accounts", add_member, OWNER, "Add a family member's account", body=NewMember,
        answer=models.Account, status=201),
    api("DELETE", "/accounts/{account_id}", remove_member, OWNER, "Remove a family member's account"),
)  # fmt: skip
