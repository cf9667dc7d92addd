"""What Home Assistant is to know about the house: the parts that change seldom, and their figures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from homeface.core.presence import HouseState


@dataclass(frozen=True, slots=True)
class RoomView:
    """A room: its id (config key), its name for people, the Home Assistant area suggested for it."""

    room_id: str
    name: str
    area: str | None = None


@dataclass(frozen=True, slots=True)
class PersonView:
    """An enrolled subject. Two of them may have the same name; ids are what counts.

    ``paused``: not to be recognised for now, so nobody can say where they are.
    """

    subject_id: str
    name: str
    paused: bool = False


@dataclass(frozen=True, slots=True)
class CameraView:
    """A camera and the room it looks at."""

    camera_id: str
    name: str
    room_id: str


@dataclass(frozen=True, slots=True)
class HouseView:
    """Everything that gets a device in Home Assistant, and where its messages go.

    ``node_id`` differs between two installations on one broker. ``configuration_url`` (http or https) is
    where homeface's own pages are as others reach them, ``support_url`` where help is. ``instance_id`` tells
    this installation from every other one for ever; without it nothing is announced to the companion.
    """

    node_id: str
    version: str
    name: str = "homeface"
    rooms: tuple[RoomView, ...] = ()
    people: tuple[PersonView, ...] = ()
    cameras: tuple[CameraView, ...] = ()
    base_topic: str = "homeface"
    discovery_prefix: str = "homeassistant"
    configuration_url: str | None = None
    support_url: str | None = None
    instance_id: str | None = None

    def room(self, room_id: str | None) -> RoomView | None:
        """The room of this id, if there still is one."""
        return next((room for room in self.rooms if room.room_id == room_id), None)

    def person(self, subject_id: str | None) -> PersonView | None:
        """The person of this id, if there still is one."""
        return next((person for person in self.people if person.subject_id == subject_id), None)

    def camera(self, camera_id: str | None) -> CameraView | None:
        """The camera of this id, if there still is one."""
        return next((camera for camera in self.cameras if camera.camera_id == camera_id), None)


@dataclass(frozen=True, slots=True)
class CameraFigures:
    """How a camera does. ``recognition`` False: paused for privacy. ``dropped`` frames since the start."""

    online: bool = False
    recognition: bool = True
    analysed_fps: float = 0.0
    dropped: int = 0
    last_error: str = ""


@dataclass(frozen=True, slots=True)
class HubFigures:
    """How the daemon does. ``recognition`` False: paused in the whole house.

    ``guest_mode``: unknown people are no news.
    ``dropped_faces``: gave way to newer ones before they were recognised, because the device is too slow.
    """

    recognition: bool = True
    dropped_events: int = 0
    dropped_faces: int = 0
    guest_mode: bool = False


@dataclass(frozen=True, slots=True)
class Moment:
    """All that state payloads are made of, at one time."""

    view: HouseView
    state: HouseState
    cameras: Mapping[str, CameraFigures] = field(default_factory=dict)
    hub: HubFigures = field(default_factory=HubFigures)

    def figures(self, camera_id: str) -> CameraFigures:
        """Figures of a camera; offline when nothing was heard of it yet."""
        return self.cameras.get(camera_id, CameraFigures())
