"""What goes into the store and comes out of it, besides the core's own types."""

from __future__ import annotations

from dataclasses import dataclass

from homeface.core.types import Box, Embedding, Landmarks, Quality, Vector


@dataclass(frozen=True, slots=True, eq=False)
class FaceCrop:
    """A face with enough of its surroundings to be found and embedded again by another model.

    ``jpeg``: the encoded picture; ``box`` and ``landmarks`` in its pixels.
    """

    jpeg: bytes
    box: Box
    landmarks: Landmarks


@dataclass(frozen=True, slots=True, eq=False)
class NewTemplate:
    """An embedding to be stored. ``vector`` (D,) float32 of unit length, made by ``model_id``."""

    vector: Vector
    model_id: str
    quality: Quality
    crop: FaceCrop | None = None


@dataclass(frozen=True, slots=True)
class TemplateFacts:
    """What a page tells of a template without opening it. ``adapted``: a visit taught it."""

    template_id: str
    subject_id: str
    quality: Quality
    has_crop: bool
    adapted: bool
    created_at: float


@dataclass(frozen=True, slots=True)
class LearnedRecord:
    """A template that a visit taught: whose, when, and from which visit."""

    template_id: str
    subject_id: str
    model_id: str
    infrared: bool
    quality: float
    seen_at: float
    visit_id: str


@dataclass(frozen=True, slots=True)
class SightingRecord:
    """One visit as it was logged. ``subject_id`` None: unknown, and ``reasons`` say why."""

    visit_id: str
    room: str
    camera: str
    subject_id: str | None
    first_seen: float
    last_seen: float
    score: float | None
    margin: float | None
    votes: int
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class UnknownFace:
    """A face of a visit that got no name. ``crop`` None: not fetched."""

    embedding: Embedding
    quality: Quality
    seen_at: float
    crop: FaceCrop | None


@dataclass(frozen=True, slots=True, eq=False)
class UnknownVisit:
    """A visit that got no name, and why. ``faces``: the best first; empty when none was usable."""

    visit_id: str
    room: str
    camera: str
    first_seen: float
    last_seen: float
    votes: int
    reasons: tuple[str, ...]
    faces: tuple[UnknownFace, ...] = ()


@dataclass(frozen=True, slots=True)
class Act:
    """One administrative act: who did what to whom or what, and when (seconds since the epoch).

    ``who``: ``cli:ada``, ``web:ada``, ``daemon``; ``what``: a lower-case word or two (``enrol``, ``key
    rotate``); ``subject``: the id of a person, or a camera, a file; never the name of an enrolled person,
    which deletion would have to find.
    """

    at: float
    who: str
    what: str
    subject: str


@dataclass(frozen=True, slots=True)
class Counts:
    """How many rows there are."""

    subjects: int
    templates: int
    crops: int
    sightings: int


@dataclass(frozen=True, slots=True)
class AccountRecord:
    """Somebody with a password. ``role``: owner or member; a member belongs to a subject."""

    account_id: str
    role: str
    name: str
    subject_id: str | None
    password: str
    created_at: float


@dataclass(frozen=True, slots=True)
class LinkRecord:
    """A link that opens a page without a password: an ``invite`` (once, soon over) or a ``personal`` one.

    ``subject_id`` None: an invite of somebody new, until the first photo is there.
    """

    link_id: str
    kind: str
    name: str
    subject_id: str | None
    created_at: float
    expires_at: float | None
    opened_at: float | None


@dataclass(frozen=True, slots=True)
class SessionRecord:
    """A browser that was let in, by an account or by a link."""

    account: AccountRecord | None
    link: LinkRecord | None
    created_at: float
    seen_at: float
    expires_at: float


@dataclass(frozen=True, slots=True)
class TokenRecord:
    """A token of a program. The secret itself is nowhere."""

    token_id: str
    name: str
    scopes: tuple[str, ...]
    created_at: float
    last_used: float | None
