"""Bodies and answers about settings, the log of acts, and backups. Times are epoch seconds."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from homeface.adapters.web.models import Body, NewPassword, Said

Value = str | int | float | bool | list[str] | None
Key = Annotated[str, Field(max_length=200)]
Given = Annotated[str, Field(max_length=200)] | bool | int | float | None


class Place(Said):
    """Where a setting stands, or would stand. ``line``: null when it is not in the file."""

    file: str
    line: int | None


class Setting(Said):
    """One setting as one would write it in the file: ``30s``, ``1 in 1000 visits``, ``true``.

    ``source``: page (changed here, above the file until it is reset), file or default. ``file_value``: what
    would hold without the page. ``live``: it can be changed here. ``least`` and ``most``: limits, inclusive.
    """

    key: str
    kind: Literal["duration", "rate", "choice", "switch", "number", "text"]
    value: Value
    file_value: Value
    default: Value
    source: Literal["page", "file", "default"]
    choices: list[str]
    least: float | str | None
    most: float | str | None
    help: str
    live: bool
    place: Place


class Settings(Said):
    """Every setting, in the order of the file's sections. Secrets are not shown."""

    settings: list[Setting]


class ChangeSettings(Body):
    """Values by key, as one would write them in the file; null resets one to what the file says."""

    changes: Annotated[dict[Key, Given], Field(min_length=1, max_length=100)]


class ActAnswer(Said):
    """Who did what to whom or what. ``subject_name``: of a person who is still enrolled."""

    at: float
    who: str
    what: str
    subject: str
    subject_name: str | None


class Audit(Said):
    """Newest first. ``next_before``: ask for acts before that time; null: there are no more."""

    acts: list[ActAnswer]
    next_before: float | None


class AuditQuery(Body):
    """Which acts."""

    limit: Annotated[int, Field(ge=1, le=500)] = 100
    before: Annotated[float, Field(allow_inf_nan=False)] | None = None


class BackupWanted(Body):
    """The password that the file will open with; nobody can recover it."""

    password: NewPassword


class RestoredAnswer(Said):
    """What a restore did: who is there now, and how many were left out (removed here since)."""

    people: list[str]
    left_out: int
    broken: int
    created_at: float
    version: str
