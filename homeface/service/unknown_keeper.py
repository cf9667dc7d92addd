"""Keeps visits that got no name, with their best faces, for a person to settle."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable

import numpy as np

from homeface.adapters.store import Store, UnknownFace, UnknownVisit
from homeface.core.types import Identified, KeptFace, Sighting
from homeface.core.unknown_visits import LikenessScale, likeness, mean_of
from homeface.errors import StoreError
from homeface.service.crops import crop_of
from homeface.service.hub import Hub, Moment

_LOG = logging.getLogger(__name__)
_MOST_WAITING = 32


class UnknownKeeper:
    """Listens to the hub. What it keeps is written in a worker thread, apart from recognition and presence.

    Nothing is kept of paused cameras, of guests (guest mode), and of people who are paused.
    """

    def __init__(self, store: Store, hub: Hub, scale: LikenessScale, model_id: str) -> None:
        self.listeners: list[Callable[[], None]] = []
        """Called in the event loop when a visit was added."""
        self.dropped = 0
        """Visits that came faster than they could be written."""
        self._store = store
        self._hub = hub
        self._scale = scale
        self._model_id = model_id
        self._waiting: deque[Sighting] = deque()
        self._arrived = asyncio.Event()
        self._failing = False
        hub.listeners.append(self._note)

    async def run(self) -> None:
        """Write what the hub tells; runs for ever."""
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            while self._waiting:
                await self._keep(self._waiting.popleft())

    def forget_waiting(self) -> None:
        """Drop what has not been written yet."""
        self._waiting.clear()

    def _note(self, moment: Moment) -> None:
        if self._hub.guest_mode:
            return
        for sighting in moment.sightings:
            if sighting.ended and not isinstance(sighting.decision, Identified):
                if len(self._waiting) >= _MOST_WAITING:
                    self._waiting.popleft()
                    self.dropped += 1
                self._waiting.append(sighting)
                self._arrived.set()

    async def _keep(self, sighting: Sighting) -> None:
        if sighting.camera in self._hub.paused:
            return
        try:
            kept = await asyncio.to_thread(self._write, sighting)
        except StoreError as error:
            _LOG.log(logging.DEBUG if self._failing else logging.WARNING, "%s", error)
            self._failing = True
            return
        self._failing = False
        for listener in self.listeners if kept else ():
            listener()

    def _write(self, sighting: Sighting) -> bool:
        decision = sighting.decision
        if sighting.faces and self._is_paused(sighting.faces):
            return False
        visit = UnknownVisit(
            visit_id=sighting.visit_id,
            room=sighting.room,
            camera=sighting.camera,
            first_seen=sighting.first_seen,
            last_seen=sighting.captured_at,
            votes=decision.votes,
            reasons=() if isinstance(decision, Identified) else tuple(map(str, decision.reasons)),
            faces=tuple(_sealed(face) for face in sighting.faces),
        )
        self._store.add_unknown_visit(visit)
        return True

    def _is_paused(self, faces: tuple[KeptFace, ...]) -> bool:
        """Whether it looks like somebody who is not to be recognised: of them nothing is kept either."""
        if not any(subject.paused for subject in self._store.subjects()):
            return False
        gallery = self._store.gallery(self._model_id)
        own = [t.vector for t in gallery.templates if gallery.subjects[t.subject_id].paused]
        mean = mean_of([(face.embedding.vector, face.quality.score) for face in faces])
        if not own or mean is None:
            return False
        return bool((likeness(mean[None], np.stack(own), self._scale) >= self._scale.threshold).any())


def _sealed(face: KeptFace) -> UnknownFace:
    return UnknownFace(face.embedding, face.quality, face.seen_at, crop_of(face))
