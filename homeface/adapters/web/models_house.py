"""Answers about the house now, its visits and its health. Times are seconds since the epoch."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, RootModel

from homeface.adapters.web.models import Body, Said


class PersonInRoom(Said):
    """Somebody known who is in a room, since when, and how sure that is."""

    id: str
    name: str
    since: float
    score: float | None
    last_seen: float | None


class RoomNow(Said):
    """``available`` false: nobody can know; the rest is then the last honest knowledge.

    ``paused``: recognition is switched off for all of its cameras.
    """

    id: str
    name: str
    occupied: bool
    available: bool
    paused: bool
    people: list[PersonInRoom]
    unknown_count: int


class PersonNow(Said):
    """``room`` null and ``home`` true: at home, room not known. ``available`` false: nobody can know."""

    id: str
    name: str
    room: str | None
    home: bool
    since: float | None
    last_seen: float | None
    available: bool
    paused: bool


class CameraNow(Said):
    """``dropped``: frames left out since the start. ``picture``: whether its last picture can be had."""

    id: str
    name: str
    room: str
    available: bool
    reason: str
    analysed_fps: float
    dropped: int
    paused: bool
    picture: bool


class Now(Said):
    """The house at ``at``."""

    at: float
    guest_mode: bool
    rooms: list[RoomNow]
    people: list[PersonNow]
    cameras: list[CameraNow]


DecisionKind = Literal["arrived", "left", "unknown", "seen_again", "decision"]


class Decision(Said):
    """Something that was decided: about presence, or (``decision``) about one visit."""

    visit_id: str
    room: str
    camera: str
    at: float
    kind: DecisionKind
    name: str | None
    score: float | None
    margin: float | None
    votes: int
    reasons: list[str]


class Pause(Body):
    """Look away, or look again."""

    paused: bool


class GuestMode(Body):
    """Guests are here, or have left: strangers make no events, and nothing is kept of them."""

    enabled: bool


class VisitsAsked(Body):
    """``before``: only visits that ended before then, for the next page."""

    limit: int = Field(default=50, ge=1, le=500)
    before: float | None = Field(default=None, ge=0, le=1e12)


class Visit(Said):
    """A visit that is over. ``person_id`` null: unknown, and ``reasons`` say why."""

    id: str
    room: str
    camera: str
    first_seen: float
    last_seen: float
    decision: Literal["identified", "unknown"]
    person_id: str | None
    name: str | None
    score: float | None
    margin: float | None
    votes: int
    reasons: list[str]


class Visits(RootModel[list[Visit]]):
    """Newest first."""


class Outlier(Said):
    """A photo that hardly shows its person."""

    photo: str
    fit: float
    needed: float
    like: str | None
    used: bool


class Nearest(Said):
    """The other person somebody is most like."""

    name: str
    score: float
    expected_mistaken: float
    expected_undecided: float
    promise_kept: bool


class PersonFigures(Said):
    """What can be promised for one person; the figures of ``homeface people health --json``."""

    id: str
    name: str
    photos_day: int
    photos_infrared: int
    photos_resting: int
    photos_of_other_model: int
    learned: int
    spread: float
    fit: float | None
    score_needed: float
    expected_false_names: float
    expected_misses: float | None
    photos_disagree: bool
    outliers: list[Outlier]
    nearest: Nearest | None


class HouseholdFinding(Said):
    """One thing to know. ``promise_kept`` false: here the promise cannot be kept. ``figures`` and ``people``
    are what ``text`` is made of.
    """

    topic: str
    promise_kept: bool
    text: str
    help: str
    people: list[str]
    photos: list[str]
    figures: dict[str, float | str] = Field(default_factory=dict)


class PhotoPoint(Said):
    """A photo on the map. ``aside``: it is not compared with."""

    name: str
    x: float
    y: float
    aside: bool


class Distances(Said):
    """``scores``: mean cosine of the photos of each two people, in the order of ``names``."""

    names: list[str]
    scores: list[list[float]]


class HouseholdHealth(Said):
    """The whole household. ``pca`` and ``distances`` null: too few photos to draw."""

    model: str
    asked_false_names: float
    expected_false_names: float
    promise_kept: bool
    people: list[PersonFigures]
    findings: list[HouseholdFinding]
    pca: list[PhotoPoint] | None = None
    explained: list[float] | None = None
    distances: Distances | None = None
