"""Bodies and answers about invites and personal links. Times are epoch seconds."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from homeface.adapters.web.models import Body, Id, Said, Secret, ShortName

Version = Annotated[str, Field(min_length=1, max_length=20)]
Reach = Annotated[
    Literal["network", "machine"],
    Field(description="machine: the page listens on this machine alone, a phone cannot open the link."),
]
Language = Annotated[str, Field(pattern="^[a-z]{2}$")]


class NewInvite(Body):
    """For somebody new (``name``) or for an enrolled person (``person_id``); exactly one of them."""

    name: ShortName | None = None
    person_id: Id | None = None

    @model_validator(mode="after")
    def _one_of_them(self) -> NewInvite:
        if (self.name is None) is (self.person_id is None):
            raise ValueError("say either name or person_id")
        return self


class Invite(Said):
    """``opened_at``: when somebody came in by it; it cannot be opened again."""

    id: str
    name: str
    person_id: str | None
    created_at: float
    expires_at: float
    opened_at: float | None


class Invites(Said):
    """Those that are not over, newest first."""

    invites: list[Invite]


class InviteWithLink(Invite):
    """Shown once: the link cannot be had again. ``browser_warns``: of a certificate that it cannot know."""

    url: str
    qr_svg: str
    reach: Reach
    browser_warns: bool


class PersonalLink(Said):
    """Shown once: the link cannot be had again, but be replaced by a new one."""

    url: str
    qr_svg: str
    reach: Reach
    browser_warns: bool


class LinkSecret(Body):
    """What stands at the end of a link."""

    secret: Secret


class LinkAnswer(Said):
    """What a link is for."""

    kind: Literal["invite", "personal"]
    name: str
    expires_at: float | None
    consent_version: str


class Consent(Body):
    """``version``: of the text that was shown, ``language``: it was shown in."""

    version: Version
    language: Language


class Agreed(Said):
    """What somebody agreed to, and when."""

    version: str
    language: str
    at: float


class Me(Said):
    """Who looks at their own data. ``person_id`` is null until somebody new has agreed."""

    kind: Literal["invite", "personal", "account"]
    name: str
    person_id: str | None
    consented: bool
    consents: list[Agreed]
    consent_version: str
    expires_at: float | None
