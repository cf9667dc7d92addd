"""Bodies and answers about people and their photos. Times are seconds since the epoch."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, RootModel

from homeface.adapters.web.models import Body, Id, Said, ShortName

Level = Literal["good", "fair", "poor"]


class PersonFinding(Said):
    """Something about this person: a key for programs, a sentence, and what would help (may be empty).

    ``serious`` false: worth knowing, nothing is wrong. ``people`` (by name, this person among them) and
    ``figures`` are what the sentence is made of.
    """

    key: str
    sentence: str
    help: str
    serious: bool = True
    people: list[str] = Field(default_factory=list)
    figures: dict[str, float | str] = Field(default_factory=dict)


class PersonHealth(Said):
    """How well somebody is known."""

    level: Level
    findings: list[PersonFinding]


class Person(Said):
    """Somebody enrolled. ``room``: where they are now; ``picture_url``: below the page's root."""

    id: str
    name: str
    aliases: list[str]
    photos: int
    infrared_photos: int
    paused: bool
    room: str | None
    last_seen: float | None
    health: PersonHealth
    picture_url: str | None


class People(RootModel[list[Person]]):
    """Everybody, by name."""


class FaceQuality(Said):
    """What a face measured; see ``homeface.core.types.Quality``."""

    interocular_px: float
    sharpness: float
    yaw: float
    pitch: float
    roll: float
    brightness: float
    contrast: float
    infrared: bool
    score: float
    reasons: list[str]


class Template(Said):
    """One photo, or (``source`` adapted) something that a sure visit taught.

    ``used``: recognition compares with it. ``finding``: it does not fit the person's other photos, or looks
    like somebody else (``looks_like`` is that name).
    """

    id: str
    picture_url: str | None
    quality: FaceQuality | None
    kind: Literal["day", "infrared"]
    used: bool
    finding: Literal["outlier", "looks_like"] | None
    looks_like: str | None
    source: Literal["photo", "adapted"]
    created_at: float


class PersonDetails(Person):
    """With every photo, oldest first."""

    templates: list[Template]


class NewPerson(Body):
    """Somebody without photos yet."""

    name: ShortName


class PersonChange(Body):
    """What is left out stays. ``paused``: nobody is recognised as this person for now."""

    name: ShortName | None = None
    aliases: Annotated[list[ShortName], Field(max_length=20)] | None = None
    paused: bool | None = None


class PhotoVerdict(Said):
    """What became of one photo. ``key``: accepted, duplicate, or what was wrong.

    ``used``: recognition compares with it from now on. ``reasons``, ``figures`` and ``other`` (whom it looks
    like) are what ``message`` is made of, for those who say it in another language.
    """

    label: str
    key: str
    message: str
    accepted: bool
    used: bool
    template_id: str | None
    reasons: list[str] = Field(default_factory=list)
    figures: dict[str, float] = Field(default_factory=dict)
    other: str | None = None


class PhotosAnswer(Said):
    """A verdict for each photo, in the order in which they came; ``notes`` about earlier photos."""

    person_id: str | None
    photos: list[PhotoVerdict]
    notes: list[str]


class FromCamera(Body):
    """``seconds``: how long to look."""

    camera: Id
    seconds: Annotated[float, Field(ge=1, le=30)] = 8.0
    allow_lookalikes: bool = False


class RoundBegun(Said):
    """A guided round: send frames to ``/rounds/{id}/frame``. It ends by itself after ``seconds``."""

    id: str
    steps: list[str]
    seconds: float


class RoundFeedback(Said):
    """What to tell the person, several times a second. ``feedback``: a key, ``sentence``: the same in words.

    ``wanted``: what comes next; ``done``: the round is over, and ``result`` says what was stored (null: there
    were no pictures). ``taken``: this frame was kept.
    """

    feedback: str
    sentence: str
    wanted: str
    progress: float
    taken: bool
    box: tuple[float, float, float, float] | None
    result: PhotosAnswer | None = None


class UnknownVisit(Said):
    """A visit that got no name, and why. ``faces``: how many good faces are kept of it; ``score``: with the
    person most like it, ``votes``: good looks at it.
    """

    id: str
    room: str
    camera: str
    first_seen: float
    last_seen: float
    reasons: list[str]
    picture_url: str | None
    faces: int
    score: float | None
    votes: int


class VisitGroup(Said):
    """Visits that look like one person, newest first."""

    group_id: str
    visits: list[UnknownVisit]


class VisitGroups(RootModel[list[VisitGroup]]):
    """The group with the newest visit first."""


class NameVisit(Body):
    """Who it was: somebody enrolled (``person_id``), or somebody new (``name``).

    ``group``: all visits that look like this one; of them those in ``visits`` only, where that is given: a
    person names what was shown, not what has come since.
    """

    person_id: Id | None = None
    name: ShortName | None = None
    group: bool = False
    visits: Annotated[list[Id], Field(max_length=1000)] | None = None
    allow_lookalikes: bool = False
