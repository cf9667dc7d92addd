"""Two small scenes, one person and one stranger in a kitchen, for tests of what happens around them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from tests.support.scene import Scene, Visit, household_scene, render

KITCHEN = "kitchen"
SIZE = (1280, 720)
FPS = 10
_BY_HEART_SECONDS = 5.0
"""How long after somebody began to come in the name (or ``unknown``) must be known."""
_SLACK_SECONDS = 1.5


@dataclass(frozen=True, slots=True)
class Turns:
    """When who is in sight, in a scene that runs in a loop from ``started()`` on (epoch)."""

    plan: Scene
    started: Callable[[], float | None]
    hold_seconds: float

    def offset(self, now: float) -> float:
        """Seconds since the present run of the scene began."""
        started = self.started()
        assert started is not None, "the scene has not begun"
        return (now - started) % self.plan.duration

    def coming(self, person: str, now: float) -> bool:
        """Whether this person has just come: time enough to be named, and to stay for a while."""
        since = next(visit.start for visit in self.plan.visits if visit.person == person)
        return since + 2 <= self.offset(now) < since + 3

    def certainly(self, person: str, now: float) -> bool | None:
        """Whether the house must say that this person is here; None near a change."""
        offset, length = self.offset(now), self.plan.duration
        for visit in self.plan.visits:
            if visit.person != person:
                continue
            since, gone = visit.start, visit.end + self.hold_seconds + _SLACK_SECONDS
            if since + _BY_HEART_SECONDS <= offset <= visit.end:
                return True
            if any(since <= moment <= gone for moment in (offset, offset + length)):
                return None
        return False


def taking_turns(seed: int = 7) -> Scene:
    """24 s: the person comes for eight seconds, then the stranger as long; meant to run in a loop.

    Between them lies a hold time of four seconds, so that who left is told before who came.
    """
    friend, stranger = _cast(seed)
    visits = (_moved(friend, 1.0, 9.0), _moved(stranger, 13.0, 21.0))
    return Scene(seed, (KITCHEN,), 24.0, visits)


def staying(seed: int = 7) -> Scene:
    """8 s in which the person and the stranger are in sight all the time; meant to run in a loop."""
    friend, stranger = _cast(seed)
    left, right = (replace(visit, sway_px=0.0) for visit in (friend, stranger))
    visits = (
        replace(_moved(left, -9.0, 20.0), stand_x=560.0),
        replace(_moved(right, -9.0, 20.0), stand_x=1360.0),
    )
    return Scene(seed, (KITCHEN,), 8.0, visits)


def record(plan: Scene, path: Path) -> Path:
    """Write the kitchen's recording."""
    return render(plan, KITCHEN, path, SIZE, FPS)


def _cast(seed: int) -> tuple[Visit, Visit]:
    """One visit of one enrolled person and one of a stranger, both near the camera."""
    plan = household_scene(seed, enrolled=1, strangers=1, rooms=(KITCHEN,), seconds=30, face_px=(190, 240))
    friend = next(visit for visit in plan.visits if visit.enrolled)
    stranger = next(visit for visit in plan.visits if not visit.enrolled)
    return friend, stranger


def _moved(visit: Visit, start: float, end: float) -> Visit:
    """The same visit at another time, its pictures over and over."""
    shift, length = start - visit.start, visit.end - visit.start
    pictures = []
    while start + shift < end + length:
        pictures += [(since + shift, name) for since, name in visit.pictures if since + shift < end]
        shift += length
    return replace(visit, start=start, end=end, pictures=tuple(pictures))
