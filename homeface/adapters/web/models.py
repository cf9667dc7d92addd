"""Bodies and answers about the page itself: session, accounts, tokens. Times are epoch seconds."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from homeface.adapters.web.access import Role, Scope


class Body(BaseModel):
    """What comes in: unknown keys are an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, allow_inf_nan=False)


class Said(BaseModel):
    """What goes out."""

    model_config = ConfigDict(frozen=True)


Password = Annotated[str, Field(min_length=1, max_length=1024)]
NewPassword = Annotated[str, Field(min_length=10, max_length=1024)]
ShortName = Annotated[
    str, Field(min_length=1, max_length=80, pattern=r"^[^\x00-\x1f\x7f]*\S[^\x00-\x1f\x7f]*$")
]
Secret = Annotated[str, Field(min_length=1, max_length=200)]
Id = Annotated[str, Field(min_length=1, max_length=80)]


class ErrorDetail(Said):
    """``key`` for programs, ``message`` a sentence for people, ``field`` what of the request is wrong."""

    key: str
    message: str
    field: str | None = None


class ErrorAnswer(Said):
    """Every error looks like this."""

    error: ErrorDetail


class HealthAnswer(Said):
    """How the service is."""

    status: str
    details: dict[str, str]


class Info(Said):
    """What runs here."""

    name: str
    version: str
    node_id: str
    model_id: str
    detector: str
    device: str
    instance_id: str
    cameras_live: bool
    tls: bool = False
    secure_context_hint: str | None = Field(
        default=None, description="Why a browser gives this page no camera; null: it does."
    )


class SessionAnswer(Said):
    """Who asks. Without a log-in ``role`` is null."""

    role: Role | None
    name: str | None
    subject_id: str | None
    scopes: list[Scope]
    csrf: str | None = Field(description="To be sent as X-CSRF-Token with every change.")
    language: str
    setup_needed: bool


class LogIn(Body):
    """``name``: of a family member's account; without it the owner's."""

    password: Password
    name: ShortName | None = None


class SetUp(Body):
    """The owner's first password. ``code``: from the log, needed unless asked on the machine itself."""

    password: NewPassword
    code: Secret | None = None
    name: ShortName = "owner"


class ChangePassword(Body):
    """Every other session of the account ends."""

    old_password: Password
    new_password: NewPassword


class NewMember(Body):
    """A family member with a password of their own; ``person_id``: who of the enrolled they are."""

    name: ShortName
    person_id: Id | None = None
    password: NewPassword


class Account(Said):
    """Somebody with a password."""

    id: str
    role: Literal["owner", "member"]
    name: str
    person_id: str | None
    created_at: float


class Accounts(Said):
    """The owner first."""

    accounts: list[Account]


class NewToken(Body):
    """A token for a program."""

    name: ShortName
    scopes: Annotated[list[Scope], Field(min_length=1, max_length=4)]


class Token(Said):
    """A token, without its secret."""

    id: str
    name: str
    scopes: list[Scope]
    created_at: float
    last_used: float | None


class Tokens(Said):
    """All tokens, by name."""

    tokens: list[Token]


class TokenWithSecret(Token):
    """Shown once: the secret cannot be had again."""

    secret: str
