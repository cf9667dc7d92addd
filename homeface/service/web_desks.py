"""What stands behind the page of a life, built together: they share one enrolment and one feed of news."""

from __future__ import annotations

import asyncio
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from homeface.service.enrolment import Enrolment
from homeface.service.guided import Rounds
from homeface.service.recognition import enrolment_policy, likeness_scale
from homeface.service.web_health import Figures
from homeface.service.web_live import WebLive, WebRounds
from homeface.service.web_now import Feed
from homeface.service.web_people import WebPeople
from homeface.service.web_visits import WebVisits

if TYPE_CHECKING:
    from homeface.service.life import Life

PHOTO_SIDE_PX = 1600
"""Photos are looked at in this size: looking takes time by the pixel, and cameras wait for it."""
_NICENESS = 10


@dataclass(frozen=True, slots=True)
class Desks:
    """See ``adapters.web.ports_people``."""

    live: WebLive
    people: WebPeople
    rounds: WebRounds
    visits: WebVisits


async def open_desks(life: Life) -> Desks:
    """Raises ModelError for an uncalibrated embedder."""
    model_id, config = life.engine.model_id, life.config
    policy = await asyncio.to_thread(enrolment_policy, model_id, config)
    scale = await asyncio.to_thread(likeness_scale, model_id, config)
    enrolment = Enrolment(
        life.engine,
        life.store,
        policy,
        keep_crops=config.storage.keep_crops,
        max_side_px=PHOTO_SIDE_PX,
        decoder=ThreadPoolExecutor(1, "homeface-photos", initializer=_be_nice),
    )
    rounds, figures, feed = Rounds(life.engine, enrolment), Figures(life), Feed(life)
    people = WebPeople(life, enrolment, rounds, figures)
    visits = WebVisits(life, people, enrolment, scale, lambda: feed.tell("visits"))
    if life.unknown is not None:
        life.unknown.listeners.append(lambda: feed.tell("visits"))
    return Desks(WebLive(life, feed, figures), people, WebRounds(life, people, rounds), visits)


def _be_nice() -> None:
    """Decoding a photo takes a processor for a moment: cameras go first."""
    os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)
