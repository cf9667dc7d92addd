"""The figures of ``core.health`` in plain words: what cannot be promised, by name, and what would help."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from homeface.core.health import LEAST_RATE, Health, PersonHealth
from homeface.core.templates import Outlier
from homeface.core.types import Reason

GOOD_PHOTOS = 5
"""With so many photos by day more of the same kind change little (docs/recognition-figures.md)."""
GOOD_INFRARED = 2
ENOUGH_PHOTOS = 3
SMALL_EYES_PX = 32.0
"""Photos with less between the eyes teach less than they could."""
MISSED_OFTEN = 0.02
UNNAMED_OFTEN = 0.2
_LEAST_VISITS = 10
_LARGE_SHARE = 0.5


Figures = dict[str, float | str]
"""The figures of a sentence by name: shares, counts, and keys of other texts."""


class Topic(StrEnum):
    """What a finding is about; the keys are part of ``--json``."""

    NOBODY = "nobody_enrolled"
    NO_PHOTOS = "no_photos"
    OTHER_MODEL = "other_model"
    FEW_PHOTOS = "too_few_photos"
    NO_INFRARED = "no_infrared_photos"
    OUTLIER = "outlier"
    MIXED = "photos_disagree"
    COPY = "same_picture"
    ALIKE = "too_alike"
    SMALL_PHOTOS = "small_photos"
    MISSED = "often_missed"
    RESTING = "resting_photos"
    CAMERA_SMALL = "camera_faces_too_small"
    CAMERA_POOR = "camera_faces_unusable"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to know. ``promise`` False: here the promise cannot be kept, or somebody cannot be named.

    ``text`` says what is, ``help`` what would change it (may be empty). ``figures``: what ``text`` is made of
    besides the subjects (in the order in which it names them), for those who say it in another language.
    """

    topic: Topic
    text: str
    help: str = ""
    promise: bool = True
    subjects: tuple[str, ...] = ()
    templates: tuple[str, ...] = ()
    figures: Mapping[str, float | str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CameraRecord:
    """What one camera's visits came to: how many, how many without a name, and why (by reason)."""

    camera: str
    visits: int
    unnamed: int
    reasons: dict[str, int]


def findings(health: Health, cameras: Sequence[CameraRecord] = ()) -> tuple[Finding, ...]:
    """Everything worth telling, the most serious first."""
    if not health.people:
        nobody = Finding(
            Topic.NOBODY, "Nobody is enrolled yet.", "homeface enrol NAME photos/*.jpg", promise=False
        )
        return (nobody,)
    found = [finding for person in health.people for finding in _about(person, health)]
    found += [*_pairs(health), *_copies(health), *_without_infrared(health)]
    found += [finding for camera in cameras for finding in _camera(camera)]
    return tuple(sorted(found, key=lambda finding: finding.promise))


def in_one(rate: float | None) -> str:
    """A rate as people say it: ``1 in 500``."""
    if rate is None:
        return "not known"
    if rate <= 0:
        return "never"
    if rate >= 0.5:
        return f"{rate:.0%}"
    count = 1.0 / rate
    digits = 10 ** max(0, len(str(int(count))) - 2)
    rounded = round(count / digits) * digits
    return f"1 in {rounded:,}" if rounded >= 10_000 else f"1 in {rounded}"


def share(rate: float | None, what: str) -> str:
    """``1 in 500 visits``, ``60% of visits``."""
    words = in_one(rate)
    return f"{words} of {what}" if words.endswith("%") else f"{words} {what}"


def miss_words(person: PersonHealth) -> str:
    """How often somebody is missed in good visits: no less than a few photos can show."""
    if person.photos < ENOUGH_PHOTOS:
        return "too few photos"
    rate = person.misses
    return f"{in_one(LEAST_RATE)} or fewer" if rate is not None and rate <= LEAST_RATE else in_one(rate)


def listed(names: Iterable[str]) -> str:
    """``Ada, Bob and Eve``."""
    parts = list(names)
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def _about(person: PersonHealth, health: Health) -> list[Finding]:
    name, who = person.name, (person.subject_id,)
    found: list[Finding] = []
    if person.other_model:
        found.append(
            Finding(
                Topic.OTHER_MODEL,
                f"{person.other_model} photos of {name} were embedded by another model and are not used.",
                "homeface people reembed",
                promise=person.photos > 0,
                subjects=who,
                figures={"photos": person.other_model},
            )
        )
    if not person.photos and not person.outliers:
        if not person.other_model:
            text = f"{name} has no photos and can never be named."
            found.append(Finding(Topic.NO_PHOTOS, text, f"homeface enrol {name!r} photos/*.jpg", False, who))
        return found
    found += _photos(person, who, health)
    found += _few(person, who)
    missed = person.misses or 0.0
    alike = person.nearest is not None and person.nearest.undecided > MISSED_OFTEN
    if missed > MISSED_OFTEN and person.photos >= ENOUGH_PHOTOS and not alike:
        text = (
            f"{name} will go without a name in about {share(missed, 'good visits')}, at the strictness asked "
            f"for ({share(health.asked, 'visits of strangers')})."
        )
        help_text = f"More photos of {name} that differ (light, glasses, beard), or a lower strictness."
        figures = {"missed": missed, "asked": health.asked}
        found.append(Finding(Topic.MISSED, text, help_text, subjects=who, figures=figures))
    return found


def _photos(person: PersonHealth, who: tuple[str, ...], health: Health) -> list[Finding]:
    name = person.name
    found = [_outlier(person, outlier, health) for outlier in person.outliers]
    if person.mixed:
        text = f"{name}'s photos differ so much that nobody can tell which ones show {name}."
        help_text = f"Remove the wrong ones (homeface people show {name!r}), or add more good photos."
        found.append(Finding(Topic.MIXED, text, help_text, False, who))
    if person.eyes_px is not None and person.eyes_px < SMALL_EYES_PX:
        text = f"The faces in {name}'s photos are small ({person.eyes_px:.0f} px between the eyes)."
        help_text, figures = "Photos taken from nearer, not cropped.", {"eyes_px": person.eyes_px}
        found.append(Finding(Topic.SMALL_PHOTOS, text, help_text, subjects=who, figures=figures))
    waiting = person.resting - sum(outlier.aside for outlier in person.outliers)
    if waiting > 0:
        text = (
            f"{waiting} photos of {name} rest: the {person.photos} in use differ more from each other. "
            "Nothing is lost."
        )
        figures = {"resting": waiting, "used": person.photos}
        found.append(Finding(Topic.RESTING, text, subjects=who, figures=figures))
    return found


def _few(person: PersonHealth, who: tuple[str, ...]) -> list[Finding]:
    if person.photos >= ENOUGH_PHOTOS or not person.photos:
        return []
    name, count = person.name, person.photos
    lacking = GOOD_PHOTOS - count
    photos = "one photo" if count == 1 else f"{count} photos"
    return [
        Finding(
            Topic.FEW_PHOTOS,
            f"{name} has only {photos}, too little to promise how often {name} will be named.",
            f"{_number(lacking)} more photos of {name}: other days, other light, with and without glasses.",
            promise=False,
            subjects=who,
            figures={"photos": count, "lacking": lacking},
        )
    ]


def _pairs(health: Health) -> list[Finding]:
    """Two who are taken for each other, or keep each other from being named; each pair once."""
    found: dict[frozenset[str], Finding] = {}
    for person in health.people:
        near = person.nearest
        if near is None or (near.kept and near.undecided <= MISSED_OFTEN):
            continue
        pair = frozenset((person.subject_id, near.subject_id))
        other = health.name(near.subject_id)
        a, alike = person.name, f"{person.name} and {other} look so alike (score {near.score:.2f}) that"
        named = near.kept and near.undecided < UNNAMED_OFTEN
        if named:
            text = (
                f"{a} and {other} look alike (score {near.score:.2f}): in about "
                f"{share(near.undecided, f'visits of {a}')} the answer will be unknown."
            )
        elif near.kept:
            text = (
                f"{alike} they are kept apart only by saying unknown: in about "
                f"{share(near.undecided, f'visits of {a}')}."
            )
        else:
            text = (
                f"{alike} the promise cannot be kept between them: {a} may be called {other} in about "
                f"{share(near.mistaken, 'visits')}, and stay unknown in {share(near.undecided, 'visits')}."
            )
        help_text = f"More photos of both in the same light. Automate nothing on telling {a} from {other}."
        figures = {"score": near.score, "undecided": near.undecided, "kept": near.kept}
        if not near.kept:
            figures["mistaken"] = near.mistaken
        if pair not in found or (found[pair].promise and not named):
            both = (person.subject_id, near.subject_id)
            found[pair] = Finding(Topic.ALIKE, text, help_text, named, both, figures=figures)
    return list(found.values())


def _outlier(person: PersonHealth, outlier: Outlier, health: Health) -> Finding:
    photo, name = outlier.template_id, person.name
    subjects: tuple[str, ...] = (person.subject_id,)
    figures: Figures = {"fit": outlier.fit, "needed": outlier.needed, "used": not outlier.aside}
    used = "It is not used." if outlier.aside else "It is used, since it fits both."
    if outlier.like is None:
        text = (
            f"Photo {photo} of {name} does not look like {name}'s others (fit {outlier.fit:.2f}, "
            f"{outlier.needed:.2f} is needed). {used}"
        )
    else:
        subjects = (person.subject_id, outlier.like)
        figures["like_score"] = outlier.like_score
        text = (
            f"Photo {photo} of {name} looks more like {health.name(outlier.like)} (score "
            f"{outlier.like_score:.2f}) than like {name}'s others (fit {outlier.fit:.2f}). {used}"
        )
    help_text = f"If it is not {name}: homeface people remove-photo {name!r} {photo}"
    return Finding(Topic.OUTLIER, text, help_text, subjects=subjects, templates=(photo,), figures=figures)


def _copies(health: Health) -> list[Finding]:
    """One picture stored twice."""
    told = {outlier.template_id for person in health.people for outlier in person.outliers if outlier.aside}
    found = []
    for first, second in health.copies:
        if first.adapted or second.adapted or {first.template_id, second.template_id} & told:
            continue
        a, b = health.name(first.subject_id), health.name(second.subject_id)
        one, two = first.template_id, second.template_id
        same = first.subject_id == second.subject_id
        if same:
            text = f"Photos {one} and {two} of {a} are one and the same picture."
            help_text = f"homeface people remove-photo {b!r} {two}"
        else:
            text = (
                f"Photo {one} of {a} and photo {two} of {b} are one picture: {a} and {b} will be "
                "taken for each other."
            )
            help_text = "Remove it from whom it does not show: homeface people remove-photo"
        subjects = (first.subject_id,) if same else (first.subject_id, second.subject_id)
        found.append(Finding(Topic.COPY, text, help_text, same, subjects, (one, two)))
    return found


def _without_infrared(health: Health) -> list[Finding]:
    lacking = [person for person in health.people if person.photos and person.infrared < GOOD_INFRARED]
    return [lacks_infrared(lacking)] if lacking else []


def lacks_infrared(lacking: Sequence[PersonHealth]) -> Finding:
    """These have too few infra-red photos."""
    names = listed(person.name for person in lacking)
    each = lacking[0].name if len(lacking) == 1 else "each of them"
    count = "Two" if all(person.infrared == 0 for person in lacking) else "One or two"
    return Finding(
        Topic.NO_INFRARED,
        f"No or few infra-red photos of {names}: under a camera's night light they are named less often "
        "(never more wrongly).",
        f"{count} more infra-red photos of {each}: pictures saved from a camera at night.",
        subjects=tuple(person.subject_id for person in lacking),
    )


def _camera(record: CameraRecord) -> list[Finding]:
    """A camera most of whose visits cannot be named for one and the same reason."""
    if record.visits < _LEAST_VISITS:
        return []
    small = record.reasons.get(Reason.TOO_SMALL, 0)
    poor = record.reasons.get(Reason.NO_USABLE_FACE, 0)
    if small >= _LARGE_SHARE * record.visits:
        text = (
            f"Camera {record.camera}: in {small} of {record.visits} visits the faces were too small to name "
            "anybody."
        )
        help_text = "Place it nearer to where people pass, at head height, or use a stream of more pixels."
        figures: Figures = {"camera": record.camera, "poor": small, "visits": record.visits}
        return [Finding(Topic.CAMERA_SMALL, text, help_text, promise=False, figures=figures)]
    if poor >= _LARGE_SHARE * record.visits:
        why = {key: count for key, count in record.reasons.items() if key != Reason.NO_USABLE_FACE}
        most = max(why, key=lambda key: why[key]) if why else str(Reason.TURNED_AWAY)
        text = (
            f"Camera {record.camera}: in {poor} of {record.visits} visits no face was good enough "
            f"(mostly: {most.replace('_', ' ')})."
        )
        help_text = "More light, a lower place, or another angle."
        figures = {"camera": record.camera, "poor": poor, "visits": record.visits, "mostly": most}
        return [Finding(Topic.CAMERA_POOR, text, help_text, promise=False, figures=figures)]
    return []


def _number(count: int) -> str:
    return {1: "One", 2: "Two", 3: "Three", 4: "Four"}.get(count, str(count))
