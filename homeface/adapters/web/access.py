"""Who asks, and what they may do. Pure: no request, no store."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """What lets somebody in."""

    OWNER = "owner"
    """Password: may do everything."""
    MEMBER = "member"
    """Password of a family member: sees the house, settles what is about themselves."""
    GUEST = "guest"
    """A link (invite or personal): settles what is about themselves, sees nothing else."""
    TOKEN = "token"  # noqa: S105 - a role, not a secret
    """A program, with scopes."""


class Scope(StrEnum):
    """What a token may do; ``admin`` includes the others."""

    READ = "read"
    CONTROL = "control"
    ENROL = "enrol"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Who:
    """Somebody who was let in.

    ``name``: for the log of acts; no name of an enrolled person. ``title``: what they are called.
    ``subject_id``: the person they are, for members and guests. ``csrf``: what a browser must send with every
    change; empty for programs. ``link_id``: the link a guest came by. ``consented``: whether that guest has
    agreed already.
    """

    role: Role
    name: str
    subject_id: str | None = None
    scopes: frozenset[Scope] = frozenset()
    csrf: str = ""
    account_id: str | None = None
    link_id: str | None = None
    consented: bool = True
    title: str = ""

    def owns(self, subject_id: str | None) -> bool:
        """True when this is about themselves."""
        return subject_id is not None and self.consented and self.subject_id == subject_id


@dataclass(frozen=True, slots=True)
class Access:
    """Who may use a route. The owner may use all of them.

    ``scope``: tokens with it. ``member``: any family member. ``own``: members and guests, for what is about
    themselves (``person_id`` in the path; where there is none the handler asks ``Context.require_own``).
    ``anybody``: no log-in at all. ``local``: no log-in on the machine itself, else as ``scope`` says.
    """

    scope: Scope | None = None
    member: bool = False
    own: bool = False
    guest: bool = False
    anybody: bool = False
    local: bool = False

    def allows(self, who: Who, about: str | None = None) -> bool:
        """``about``: the subject that the request is about, if the path names one."""
        if self.anybody or who.role is Role.OWNER:
            return True
        if who.role is Role.TOKEN:
            return self.scope is not None and bool({self.scope, Scope.ADMIN} & who.scopes)
        if self.guest and who.role is Role.GUEST:
            return True
        if self.member and who.role is Role.MEMBER:
            return True
        return self.own and (who.owns(about) if about is not None else who.consented)


ANYBODY = Access(anybody=True)
READ = Access(scope=Scope.READ, member=True)
CONTROL = Access(scope=Scope.CONTROL)
ENROL = Access(scope=Scope.ENROL)
ENROL_OWN = Access(scope=Scope.ENROL, own=True)
ADMIN = Access(scope=Scope.ADMIN)
ADMIN_OWN = Access(scope=Scope.ADMIN, own=True)
OWNER = Access()
MONITOR = Access(scope=Scope.READ, local=True)
ME = Access(own=True, guest=True, member=True)
