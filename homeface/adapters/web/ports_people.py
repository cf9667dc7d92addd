"""What the page needs of the house's people, visits and present state. See ``ports``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from pydantic import BaseModel

if TYPE_CHECKING:
    from homeface.adapters.web.models_house import HouseholdHealth, Now, Visits
    from homeface.adapters.web.models_people import (
        NameVisit,
        People,
        PersonChange,
        PersonDetails,
        PhotosAnswer,
        RoundBegun,
        RoundFeedback,
        VisitGroups,
    )


class News(Protocol):
    """What one open page has not been told yet."""

    async def changes(self) -> Sequence[tuple[str, BaseModel | None]]:
        """The next (event, body) pairs; waits until there are some. Bodies of None are empty objects."""

    def close(self) -> None:
        """Nobody listens any more."""


class LiveView(Protocol):
    """What is true now, and what a person may switch."""

    def now(self) -> Now:
        """Everything at this moment."""

    def subscribe(self, who: str) -> News:
        """Hear of changes until ``close``; ``who`` asks. Raises BusyError."""

    async def pause_room(self, room_id: str, paused: bool) -> None:
        """All cameras of a room. Raises NotThereError."""

    async def pause_camera(self, camera_id: str, paused: bool) -> None:
        """One camera. Raises NotThereError."""

    async def set_guest_mode(self, enabled: bool) -> None:
        """Strangers make no events, and nothing is kept of them."""

    async def picture(self, camera_id: str) -> bytes:
        """A camera's last picture as JPEG. Raises NotThereError and NotAllowedError."""

    async def visits(self, limit: int, before: float | None) -> Visits:
        """Finished visits, newest first."""

    async def health(self) -> HouseholdHealth:
        """What can be promised, by person, with what is to be drawn."""


class PhotoBatch(Protocol):
    """Photos of one person, looked at as they come and compared at the end."""

    async def add(self, label: str, data: bytes) -> None:
        """One more photo."""

    async def finish(self, *, allow_lookalikes: bool = False) -> PhotosAnswer:
        """Store the good ones, and tell what became of each."""


class PeopleDesk(Protocol):
    """Everybody enrolled. ``person_id`` that nobody has (any more) raises NotThereError everywhere."""

    async def people(self) -> People:
        """Everybody, by name."""

    async def person(self, person_id: str) -> PersonDetails:
        """One person with all photos."""

    async def add(self, name: str) -> PersonDetails:
        """Somebody without photos yet. Raises InvalidRequestError for a bad or taken name."""

    async def change(self, person_id: str, change: PersonChange) -> PersonDetails:
        """Raises InvalidRequestError for a bad or taken name."""

    async def remove(self, person_id: str) -> None:
        """Gone from the database, its copies and journals, from presence and from the broker."""

    async def batch(self, person_id: str) -> PhotoBatch:
        """To add photos."""

    async def from_camera(
        self, person_id: str, camera_id: str, seconds: float, *, allow_lookalikes: bool
    ) -> PhotosAnswer:
        """Photos from a camera of the house. Raises InvalidRequestError and BusyError."""

    async def picture(self, person_id: str, template_id: str) -> bytes:
        """The picture of a photo as JPEG. Raises NotThereError."""

    async def remove_photo(self, person_id: str, template_id: str) -> None:
        """Forget one photo. Raises NotThereError."""

    async def export(self, person_id: str) -> bytes:
        """Everything that is kept about a person, as a ZIP file."""


class RoundDesk(Protocol):
    """Guided rounds. A round that is over raises NotThereError."""

    async def begin(self, person_id: str) -> RoundBegun:
        """A new round. Raises NotThereError and BusyError."""

    def person_of(self, round_id: str) -> str:
        """Whose round it is."""

    async def frame(self, round_id: str, data: bytes) -> RoundFeedback:
        """What to say about this frame. Raises ImageError."""

    async def skip(self, round_id: str) -> RoundFeedback:
        """Go on without a picture of this step."""

    def end(self, round_id: str) -> None:
        """Stop; nothing is stored."""


class VisitDesk(Protocol):
    """Visits that got no name. A ``visit_id`` that is not there (any more) raises NotThereError."""

    async def groups(self) -> VisitGroups:
        """Visits by likeness."""

    async def picture(self, visit_id: str) -> bytes:
        """The best face of a visit as JPEG."""

    async def name(self, visit_id: str, who: NameVisit) -> PhotosAnswer:
        """Teach good faces of a visit, or of all that look like it, after the same checks as photos."""

    async def dismiss(self, visit_id: str) -> None:
        """Not interesting: forget it."""

    async def dismiss_all(self) -> None:
        """Forget all of them."""
