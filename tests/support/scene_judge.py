"""Judges what a system said about a scene against the truth of the scene."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.support.scene import Scene, Visit


@dataclass(frozen=True, slots=True)
class Record:
    """One statement: in this room at this time (seconds from the start of the scene) was this person.

    ``subject`` is a person's name as in the scene, None for an unknown person. Records of one track carry the
    same ``visit_id``; a record without one stands for itself.
    """

    room: str
    subject: str | None
    captured_at: float
    visit_id: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was right and wrong. Visits are the truth's, records the system's.

    ``wrong_names`` name somebody who was not there; ``stranger_named`` those among them in whose place a
    stranger was; ``unknown_for_enrolled`` say unknown where only enrolled people were; ``out_of_nothing`` say
    unknown where nobody was. ``missed_visits`` enrolled visits never named and stranger visits never unknown.
    """

    named_visits: tuple[Visit, ...]
    unknown_visits: tuple[Visit, ...]
    missed_visits: tuple[Visit, ...]
    wrong_names: tuple[Record, ...]
    stranger_named: tuple[Record, ...]
    unknown_for_enrolled: tuple[Record, ...]
    out_of_nothing: tuple[Record, ...]

    @property
    def perfect(self) -> bool:
        """No wrong name, every enrolled visit named, every stranger's unknown."""
        return not self.wrong_names and not self.missed_visits

    def __str__(self) -> str:
        """A few lines for a test's message."""
        lines = [
            f"{len(self.named_visits)} visits named, {len(self.unknown_visits)} unknown",
            f"{len(self.missed_visits)} missed, {len(self.wrong_names)} wrong names",
            f"{len(self.stranger_named)} strangers named",
            f"{len(self.unknown_for_enrolled)} unknown for enrolled",
        ]
        lines += [
            f"missed: {'' if v.enrolled else 'stranger '}{v.person} in {v.room} {v.start:.1f}-{v.end:.1f} s, "
            f"face {v.face_px:.0f} px"
            for v in self.missed_visits
        ]
        lines += [f"wrong: {record}" for record in self.wrong_names]
        return "\n".join(lines)


def judge(plan: Scene, records: Iterable[Record], tolerance_seconds: float = 1.0) -> Verdict:
    """Compare records with the truth.

    A name is right when that person was in that room within the tolerance. An unknown is right when a
    stranger was; the records of one ``visit_id`` vouch for one stranger visit only, so that two strangers at
    once need two tracks.
    """
    said = sorted(records, key=lambda record: record.captured_at)
    here = {id(record): _present(plan, record, tolerance_seconds) for record in said}
    names = [record for record in said if record.subject is not None]
    unknowns = [record for record in said if record.subject is None]
    wrong = [r for r in names if all(visit.person != r.subject for visit in here[id(r)])]
    named = {v for r in names for v in here[id(r)] if v.person == r.subject and v.enrolled}
    unknown = _match_strangers([(r, here[id(r)]) for r in unknowns])
    seen = named | unknown
    return Verdict(
        named_visits=tuple(v for v in plan.visits if v in named),
        unknown_visits=tuple(v for v in plan.visits if v in unknown),
        missed_visits=tuple(v for v in plan.visits if v not in seen),
        wrong_names=tuple(wrong),
        stranger_named=tuple(r for r in wrong if any(not v.enrolled for v in here[id(r)])),
        unknown_for_enrolled=tuple(
            r for r in unknowns if here[id(r)] and all(v.enrolled for v in here[id(r)])
        ),
        out_of_nothing=tuple(r for r in unknowns if not here[id(r)]),
    )


def _present(plan: Scene, record: Record, tolerance: float) -> list[Visit]:
    """The visits a record can be about."""
    return [
        visit
        for visit in plan.visits_in(record.room)
        if visit.start - tolerance <= record.captured_at <= visit.end + tolerance
    ]


def _match_strangers(unknowns: Sequence[tuple[Record, list[Visit]]]) -> set[Visit]:
    """As many stranger visits as tracks can vouch for (bipartite matching by augmenting paths)."""
    reach: dict[str, set[Visit]] = {}
    for index, (record, present) in enumerate(unknowns):
        track = record.visit_id or f"record {index}"
        strangers = {visit for visit in present if not visit.enrolled}
        reach[track] = reach.get(track, set()) | strangers
    vouched: dict[Visit, str] = {}

    def place(track: str, tried: set[Visit]) -> bool:
        for visit in sorted(reach[track] - tried, key=lambda visit: visit.start):
            tried.add(visit)
            if visit not in vouched or place(vouched[visit], tried):
                vouched[visit] = track
                return True
        return False

    for track in reach:
        place(track, set())
    return set(vouched)
