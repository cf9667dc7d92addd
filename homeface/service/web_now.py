"""The house now, and what happens in it, as the page shows them."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from pydantic import BaseModel

from homeface.adapters.web.models_house import (
    CameraNow,
    Decision,
    Now,
    PersonInRoom,
    PersonNow,
    RoomNow,
)
from homeface.core.gallery import Subject
from homeface.core.presence import PersonState, PresenceEvent, RoomState
from homeface.core.types import Identified, Sighting, Undecided, Unknown
from homeface.errors import BusyError

if TYPE_CHECKING:
    from homeface.service.hub import Moment
    from homeface.service.life import Life

MOST_LISTENERS = 32
MOST_LISTENERS_OF_ONE = 16
MOST_DECISIONS = 64
"""Decisions that wait for one slow listener; older ones are left out."""
_MOST_VISITS = 512
_SEEN_STEP_SECONDS = 10.0
_SCORE_STEP = 0.05
_GATHER_SECONDS = 0.1


def now_of(life: Life) -> Now:
    """Everything that is known at this moment."""
    state = life.hub.house.snapshot()
    names = {subject.subject_id: subject for subject in life.subjects}
    rooms = [_room(life, slug, state.rooms.get(slug), names, state.people) for slug in life.config.rooms]
    knowable = any(room.available for room in rooms)
    return Now(
        at=state.at,
        guest_mode=life.hub.guest_mode,
        rooms=rooms,
        people=[_person(subject, state.people, knowable) for subject in life.subjects],
        cameras=[_camera(life, slug) for slug in life.watches],
    )


def _room(
    life: Life,
    slug: str,
    state: RoomState | None,
    names: Mapping[str, Subject],
    people: Mapping[str, PersonState],
) -> RoomNow:
    watches = [watch for watch in life.watches.values() if watch.room == slug]
    here = []
    for subject_id in state.names if state is not None else ():
        person, subject = people.get(subject_id), names.get(subject_id)
        if person is not None and subject is not None:
            here.append(
                PersonInRoom(
                    id=subject_id,
                    name=subject.name,
                    since=person.since,
                    score=person.score,
                    last_seen=person.last_seen,
                )
            )
    return RoomNow(
        id=slug,
        name=life.config.room_name(slug),
        occupied=state is not None and state.occupied,
        available=state is not None and state.available,
        paused=bool(watches) and all(watch.paused for watch in watches),
        people=sorted(here, key=lambda person: person.name.casefold()),
        unknown_count=0 if state is None else state.unknown_count,
    )


def _person(subject: Subject, people: Mapping[str, PersonState], knowable: bool) -> PersonNow:
    state = people.get(subject.subject_id)
    return PersonNow(
        id=subject.subject_id,
        name=subject.name,
        room=None if state is None else state.room,
        home=state is not None and state.home,
        since=None if state is None else state.since,
        last_seen=None if state is None else state.last_seen,
        available=state is not None and knowable and not subject.paused,
        paused=subject.paused,
    )


def _camera(life: Life, slug: str) -> CameraNow:
    watch, figures = life.watches[slug], life.camera_figures(slug)
    return CameraNow(
        id=slug,
        name=f"Camera {slug}",
        room=watch.room,
        available=watch.status.available,
        reason=watch.status.trouble,
        analysed_fps=round(figures.analysed_fps, 2),
        dropped=figures.dropped,
        paused=watch.paused,
        picture=life.config.web.camera_pictures and watch.newest is not None,
    )


class Listener:
    """What one open page has not been told yet. Bounded: a slow page misses decisions, never the state."""

    def __init__(self, now: Callable[[], Now], leave: Callable[[Listener], None]) -> None:
        self._now = now
        self._leave = leave
        self._told: object = None
        self._flags: set[str] = {"now"}
        self._decisions: deque[Decision] = deque(maxlen=MOST_DECISIONS)
        self._woken = asyncio.Event()
        self._woken.set()

    async def changes(self) -> list[tuple[str, BaseModel | None]]:
        """The next news, as (event, body) pairs; waits until there is some."""
        while True:
            await self._woken.wait()
            await asyncio.sleep(_GATHER_SECONDS)  # what several cameras say at once is told at once
            self._woken.clear()
            flags, self._flags = self._flags, set()
            news: list[tuple[str, BaseModel | None]] = []
            if "now" in flags:
                now = self._now()
                essence = _essence(now)
                if essence != self._told:
                    self._told = essence
                    news.append(("now", now))
            while self._decisions:
                news.append(("decision", self._decisions.popleft()))
            news += [(flag, None) for flag in sorted(flags - {"now"})]
            if news:
                return news

    def close(self) -> None:
        """Nobody listens any more."""
        self._leave(self)

    def tell(self, *flags: str, decisions: tuple[Decision, ...] = ()) -> None:
        """There may be news."""
        self._flags.update(flags)
        self._decisions.extend(decisions)
        self._woken.set()


class Feed:
    """News of the house for every page that is open."""

    def __init__(self, life: Life) -> None:
        self._life = life
        self._listeners: list[Listener] = []
        self._whose: Counter[str] = Counter()
        self._said: dict[str, str] = {}
        life.hub.listeners.append(self._hear)
        life.gallery_listeners.append(lambda: self.tell("people", "now"))

    def subscribe(self, who: str = "") -> Listener:
        """Listen until ``close``. ``who``: somebody's pages must not keep out those of others. Raises
        BusyError.
        """
        if len(self._listeners) >= MOST_LISTENERS or self._whose[who] >= MOST_LISTENERS_OF_ONE:
            raise BusyError("Too many pages are open; close one.", retry_seconds=30)

        def leave(listener: Listener) -> None:
            self._listeners.remove(listener)
            self._whose[who] -= 1
            self._whose += Counter()  # forget those with none

        listener = Listener(lambda: now_of(self._life), leave)
        self._listeners.append(listener)
        self._whose[who] += 1
        return listener

    def tell(self, *flags: str) -> None:
        """Tell every page that there may be news."""
        for listener in self._listeners:
            listener.tell(*flags)

    def _hear(self, moment: Moment) -> None:
        # always, for what a visit has said must be known when the first page opens
        changed = [sighting for sighting in moment.sightings if self._is_new(sighting)]
        if not self._listeners:
            return
        names = {subject.subject_id: subject.name for subject in self._life.subjects}
        decisions = (
            *(_decided(sighting, names) for sighting in changed),
            *(_happened(event, names) for event in moment.events),
        )
        for listener in self._listeners:
            listener.tell("now", decisions=decisions)

    def _is_new(self, sighting: Sighting) -> bool:
        """Whether a visit's decision is another one than before; undecided is none."""
        word = _word(sighting)
        if sighting.ended:
            return self._said.pop(sighting.visit_id, "") != word
        if not word or self._said.get(sighting.visit_id) == word:
            return False
        self._said[sighting.visit_id] = word
        if len(self._said) > _MOST_VISITS:
            del self._said[next(iter(self._said))]
        return True


def _word(sighting: Sighting) -> str:
    match sighting.decision:
        case Identified(subject_id=subject_id):
            return subject_id
        case Unknown():
            return "?"
        case Undecided():
            return ""


def _decided(sighting: Sighting, names: Mapping[str, str]) -> Decision:
    decision = sighting.decision
    return Decision(
        visit_id=sighting.visit_id,
        room=sighting.room,
        camera=sighting.camera,
        at=sighting.captured_at,
        kind="decision",
        name=names.get(decision.subject_id) if isinstance(decision, Identified) else None,
        score=decision.score if isinstance(decision, Identified | Unknown) else None,
        margin=decision.margin if isinstance(decision, Identified) else None,
        votes=decision.votes,
        reasons=[] if isinstance(decision, Identified) else [str(reason) for reason in decision.reasons],
    )


def _happened(event: PresenceEvent, names: Mapping[str, str]) -> Decision:
    return Decision(
        visit_id=event.visit_id,
        room=event.room,
        camera=event.camera,
        at=event.captured_at,
        kind=event.kind.value,
        name=names.get(event.subject_id) if event.subject_id else None,
        score=event.score,
        margin=event.margin,
        votes=event.votes,
        reasons=list(event.reasons),
    )


def _essence(now: Now) -> object:
    """What is worth telling at once: last sights and scores move with every frame, and are told in steps."""
    data = now.model_dump(exclude={"at"})
    for person in data["people"]:
        person["last_seen"] = _stepped(person["last_seen"])
    for room in data["rooms"]:
        for person in room["people"]:
            person["last_seen"] = _stepped(person["last_seen"])
            person["score"] = None if person["score"] is None else person["score"] // _SCORE_STEP
    return data


def _stepped(at: float | None) -> float | None:
    return None if at is None else at // _SEEN_STEP_SECONDS
