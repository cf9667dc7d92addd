"""Scenes with a known truth: who is in which room, when, and where in the picture.

People are cut out of the test pictures (``HOMEFACE_TEST_DATA``) and walk through procedural rooms. A scene is
a plan first (frozen, the same for the same seed), from which one recording per room is rendered:

    plan = household_scene(seed=1)
    photos = enrolment_photos(plan.enrolled[0])
    render(plan, "kitchen", Path("kitchen.mp4"))

``python -m tests.support.scene --out DIR --seed N`` writes the recordings and ``truth.json``.
Times are seconds from the start of the scene, boxes pixels of a 1920×1080 picture.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from homeface.core.types import Box
from tests.support.scene_judge import Record, Verdict, judge
from tests.support.scene_people import MIN_PICTURES, acting_portraits, enrolment_photos, people, portraits
from tests.support.scene_rooms import LIGHTS, NORMAL, PILLAR, Light

__all__ = [
    "Record",
    "Scene",
    "Verdict",
    "Visit",
    "acting_portraits",
    "enrolment_photos",
    "household_scene",
    "judge",
    "render",
    "write_scene",
]

WIDTH, HEIGHT = 1920, 1080
_FACE_ASPECT = 0.74
_WALK_SECONDS = 1.6
_STRANGER_PICTURES = 3


@dataclass(frozen=True, slots=True)
class Visit:
    """One person in one room from ``start`` to ``end``: behind the wall, in, about, and out again.

    ``face_px`` face height; ``door`` −1 enters from the left wall, +1 from the right; ``stand_x`` and
    ``stand_y`` where the face is while the person is about; ``pictures`` (from time, picture name) in order.
    """

    person: str
    enrolled: bool
    room: str
    start: float
    end: float
    face_px: float
    door: int
    stand_x: float
    stand_y: float
    sway_px: float
    pictures: tuple[tuple[float, str], ...]

    def centre_at(self, time: float) -> tuple[float, float] | None:
        """Centre of the face at this time, also while it is still behind the wall; None when not here."""
        if not self.start <= time < self.end:
            return None
        outside = WIDTH * (0.5 + self.door * (0.5 - PILLAR)) + self.door * self.face_px * 0.6
        way_in = _smooth((time - self.start) / _WALK_SECONDS)
        way_out = _smooth((self.end - time) / _WALK_SECONDS)
        share = min(way_in, way_out)
        sway = self.sway_px * math.sin(0.9 * (time - self.start))
        step = 0.03 * self.face_px * math.sin(9.0 * (time - self.start)) * (1 - share)
        return outside + (self.stand_x - outside) * share + sway * share, self.stand_y + step + 0.2 * sway

    def box_at(self, time: float) -> Box | None:
        """The face in pixels at this time; None when the person is not here or half behind the wall."""
        centre = self.centre_at(time)
        if centre is None:
            return None
        half_w, half_h = self.face_px * _FACE_ASPECT / 2, self.face_px / 2
        left, right = WIDTH * PILLAR, WIDTH * (1 - PILLAR)
        x1, x2 = max(centre[0] - half_w, left), min(centre[0] + half_w, right)
        if x2 - x1 < 1.2 * half_w:
            return None
        return Box(x1, centre[1] - half_h, x2, centre[1] + half_h)

    def picture_at(self, time: float) -> str:
        """Name of the picture shown at this time."""
        names = [name for since, name in self.pictures if since <= time]
        return names[-1] if names else self.pictures[0][1]


@dataclass(frozen=True, slots=True)
class Scene:
    """A plan: rooms, how light they are from when on, and all visits by start."""

    seed: int
    rooms: tuple[str, ...]
    duration: float
    visits: tuple[Visit, ...]
    lights: tuple[tuple[str, float, str], ...] = ()

    @property
    def enrolled(self) -> tuple[str, ...]:
        """Who is to be enrolled, by name."""
        return tuple(sorted({visit.person for visit in self.visits if visit.enrolled}))

    @property
    def strangers(self) -> tuple[str, ...]:
        """Who is not."""
        return tuple(sorted({visit.person for visit in self.visits if not visit.enrolled}))

    def visits_in(self, room: str, time: float | None = None) -> list[Visit]:
        """The visits to a room, at one time or at all."""
        here = (visit for visit in self.visits if visit.room == room)
        return [visit for visit in here if time is None or visit.start <= time < visit.end]

    def light_at(self, room: str, time: float) -> Light:
        """The light in a room at this time."""
        names = [name for where, since, name in self.lights if where == room and since <= time]
        return LIGHTS[names[-1]] if names else NORMAL

    def to_json(self) -> str:
        """The whole truth, with a box of every visit each half second."""
        visits = []
        for visit in self.visits:
            times = np.arange(visit.start, visit.end, 0.5).tolist()
            boxes = [(round(t, 2), [round(v, 1) for v in box]) for t in times if (box := visit.box_at(t))]
            visits.append({**asdict(visit), "boxes": boxes})
        head = {"seed": self.seed, "rooms": self.rooms, "duration": self.duration, "lights": self.lights}
        names = {"enrolled": self.enrolled, "strangers": self.strangers}
        return json.dumps({**head, **names, "size": [WIDTH, HEIGHT], "visits": visits}, indent=1)


def _smooth(share: float) -> float:
    """Ease from 0 to 1 without a jerk (cubic Hermite)."""
    share = min(1.0, max(0.0, share))
    return share * share * (3 - 2 * share)


def household_scene(
    seed: int,
    enrolled: int = 4,
    strangers: int = 3,
    rooms: Sequence[str] = ("kitchen", "porch"),
    seconds: float = 60,
    lights: Sequence[str] = ("normal", "dim", "bright"),
    face_px: tuple[float, float] = (80, 250),
) -> Scene:
    """A scene in which everybody comes at least once, alone or with another person, in each kind of light.

    Raises ValueError when the scene is too short for everybody to come, or the data has too few people.
    """
    random = np.random.default_rng(seed)
    cast = _cast(random, enrolled, strangers)
    slots = _slots(random, rooms, seconds)
    places = _placing(random, slots, cast, enrolled)
    visits: list[Visit] = []
    brightness: list[tuple[str, float, str]] = []
    for index, (room, start, end) in enumerate(slots):
        turn = sum(where == room for where, _, _ in brightness) + rooms.index(room) + seed
        brightness.append((room, max(0.0, start - 0.5), lights[turn % len(lights)]))
        visits += _visits(random, room, (start, end), places[index], face_px)
    ordered = tuple(sorted(visits, key=lambda visit: (visit.start, visit.room, visit.person)))
    return Scene(seed, tuple(rooms), float(seconds), ordered, tuple(brightness))


def _cast(random: np.random.Generator, enrolled: int, strangers: int) -> list[tuple[str, bool]]:
    """Whom the scene shows: (person, enrolled), enrolled first."""
    names = [name for name, count in people().items() if count >= MIN_PICTURES]
    order = [names[index] for index in random.permutation(len(names))]
    family = list(islice((name for name in order if len(portraits(name)) >= MIN_PICTURES), enrolled))
    others = (name for name in order if name not in family)
    fit = (name for name in others if len(acting_portraits(name)) >= _STRANGER_PICTURES)
    guests = list(islice(fit, strangers))
    if len(family) < enrolled or len(guests) < strangers:
        raise ValueError("the test data has too few people with enough usable pictures for this scene")
    return [(name, True) for name in family] + [(name, False) for name in guests]


Slot = tuple[str, float, float]
Guest = tuple[str, bool]


def _slots(random: np.random.Generator, rooms: Sequence[str], seconds: float) -> list[Slot]:
    """Times (room, start, end) in which something happens in a room; between them nobody is there."""
    slots: list[Slot] = []
    for index, room in enumerate(rooms):
        start = 1.5 + 2.0 * index
        while True:
            end = start + float(random.uniform(8.0, 11.0))
            if end > seconds - 0.5:
                break
            slots.append((room, round(start, 2), round(end, 2)))
            start = end + float(random.uniform(2.0, 3.5))
    return sorted(slots, key=lambda slot: slot[1])


def _placing(
    random: np.random.Generator, slots: list[Slot], cast: list[Guest], enrolled: int
) -> list[list[Guest]]:
    """Who comes in which slot: one or two people, each at least once, nobody in two rooms within 3 s."""
    waiting = [cast[index] for index in random.permutation(len(cast))]
    placed: list[list[Guest]] = []
    last_seen: dict[str, tuple[str, float]] = {}
    for index, (room, start, end) in enumerate(slots):
        together = 2 if index % 3 == 1 or len(waiting) > len(slots) - index else 1

        def free(guest: Guest, room: str = room, start: float = start) -> bool:
            where, until = last_seen.get(guest[0], ("", -math.inf))
            return until <= start - (3.0 if where != room else 1.0)

        come: list[Guest] = []
        pool = waiting + [cast[i] for i in random.permutation(len(cast))]
        for guest in pool:
            if len(come) < together and guest not in come and free(guest):
                come.append(guest)
        for guest in come:
            last_seen[guest[0]] = (room, end)
            if guest in waiting:
                waiting.remove(guest)
        placed.append(come)
    if waiting:
        raise ValueError(f"the scene is too short for {len(cast)} people: {len(waiting)} never come")
    return placed


def _visits(
    random: np.random.Generator,
    room: str,
    times: tuple[float, float],
    guests: list[Guest],
    face: tuple[float, float],
) -> list[Visit]:
    """The visits of one slot; two people keep to their own half of the picture."""
    visits = []
    doors = [-1, 1] if random.random() < 0.5 else [1, -1]
    for (person, known), door in zip(guests, doors, strict=False):
        start, end = times
        if len(guests) == 2 and door == doors[1]:
            start += float(random.uniform(0.5, 1.5))
        size = float(np.exp(random.uniform(math.log(face[0]), math.log(face[1]))))
        reach = (0.14, 0.20) if len(guests) == 2 else (0.02, 0.20)
        stand_x = WIDTH * (0.5 + door * float(random.uniform(*reach)))
        stand_y = HEIGHT * float(random.uniform(0.34, 0.42))
        pictures = _pictures(random, person, start, end)
        visits.append(
            Visit(person, known, room, round(start, 2), end, round(size, 1), door, round(stand_x, 1),
                  round(stand_y, 1), round(float(random.uniform(0.05, 0.2)) * size, 1), pictures)
        )  # fmt: skip
    return visits


def _pictures(
    random: np.random.Generator, person: str, start: float, end: float
) -> tuple[tuple[float, str], ...]:
    """Which picture from when on: a hard change each one to two seconds, never the same twice in a row."""
    names = [portrait.path.name for portrait in acting_portraits(person)]
    shown: list[tuple[float, str]] = []
    order: list[str] = []
    time = start
    while time < end:
        if not order:
            order = [names[index] for index in random.permutation(len(names))]
            if shown and len(order) > 1 and order[-1] == shown[-1][1]:
                order.insert(0, order.pop())
        shown.append((round(time, 2), order.pop()))
        time += float(random.uniform(1.0, 2.0))
    return tuple(shown)


def render(
    plan: Scene, room: str, path: Path, size: tuple[int, int] = (WIDTH, HEIGHT), fps: int = 15
) -> Path:
    """Write one room of the scene as H.264 in a file; see ``scene_render``."""
    from tests.support import scene_render

    return scene_render.render(plan, room, path, size, fps)


def write_scene(
    plan: Scene, folder: Path, size: tuple[int, int] = (WIDTH, HEIGHT), fps: int = 15
) -> dict[str, Path]:
    """Write every room's recording, ``truth.json`` and ``enrolment.json``; returns room → recording."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "truth.json").write_text(plan.to_json() + "\n", encoding="utf-8")
    photos = {name: [str(photo) for photo in enrolment_photos(name)] for name in plan.enrolled}
    (folder / "enrolment.json").write_text(json.dumps(photos, indent=1) + "\n", encoding="utf-8")
    return {room: render(plan, room, folder / f"{room}.mp4", size, fps) for room in plan.rooms}


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Render a household scene with known truth.")
    parser.add_argument(
        "--out", type=Path, required=True, help="folder for recordings, truth and photo lists"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--enrolled", type=int, default=4)
    parser.add_argument("--strangers", type=int, default=3)
    parser.add_argument("--rooms", default="kitchen,porch", help="names, separated by commas")
    parser.add_argument("--size", default="1920x1080")
    parser.add_argument("--fps", type=int, default=15)
    asked = parser.parse_args(arguments)
    width, height = (int(part) for part in asked.size.split("x"))
    rooms = tuple(asked.rooms.split(","))
    plan = household_scene(asked.seed, asked.enrolled, asked.strangers, rooms, asked.seconds)
    for room, path in write_scene(plan, asked.out, (width, height), asked.fps).items():
        print(f"{room}: {path}")


if __name__ == "__main__":
    main()
