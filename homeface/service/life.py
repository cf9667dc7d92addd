"""Everything that lives between two configurations: house, hub, broker link, cameras, and their tasks."""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections.abc import Callable, Coroutine, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from homeface.adapters.camera import CameraStats
from homeface.adapters.homeassistant import CameraFigures, HubFigures
from homeface.adapters.memory import give_back_memory
from homeface.adapters.mqtt import MqttLink
from homeface.adapters.status_socket import serve_status
from homeface.adapters.store import Store
from homeface.adapters.web.report import HealthReport
from homeface.config import Config
from homeface.core.motion import MotionGate
from homeface.core.presence import House, PresencePolicy, RoomPolicy
from homeface.core.tracking import Tracker
from homeface.errors import GalleryError, StoreDamagedError, StoreError
from homeface.service import wiring
from homeface.service.housekeeping import keep_house
from homeface.service.hub import Hub
from homeface.service.inbox import Inbox
from homeface.service.pipeline import CountingEngine, Pipeline, Recognition
from homeface.service.publisher import Publisher
from homeface.service.readings import Disk, Tally, look_at_disk, status_document
from homeface.service.recognition import likeness_scale, recognition_of
from homeface.service.settings import effective
from homeface.service.unknown_keeper import UnknownKeeper
from homeface.service.watch import CameraWatch

if TYPE_CHECKING:
    from homeface.adapters.web.server import WebServer
    from homeface.core.gallery import Subject

_LOG = logging.getLogger(__name__)
_GALLERY_INTERVAL_SECONDS = 1.0
_DIAGNOSTICS_INTERVAL_SECONDS = 10.0
_PURGE_INTERVAL_SECONDS = 3600.0
_HUNG_SECONDS = 30.0
_NOTED_SECONDS = 60.0
_MEMORY_INTERVAL_SECONDS = 120.0


class Diagnostics:
    """Figures that are told at intervals only: each change is a row in somebody's database."""

    def __init__(self) -> None:
        self._analysed: dict[str, int] = {}
        self._fps: dict[str, float] = {}
        self._dropped: dict[str, int] = {}

    def measure(self, stats: Mapping[str, CameraStats], seconds: float) -> None:
        """Take the figures of the last ``seconds``."""
        for name, figures in stats.items():
            self._fps[name] = max(0, figures.analysed - self._analysed.get(name, 0)) / seconds
            self._analysed[name] = figures.analysed
            self._dropped[name] = figures.dropped

    def of(self, name: str) -> tuple[float, int]:
        """Analysed frames a second, and frames dropped so far."""
        return self._fps.get(name, 0.0), self._dropped.get(name, 0)


class Life:
    """Built from one configuration; ``jobs`` are the tasks to run, ``close`` says goodbye."""

    def __init__(self, config: Config, engine: CountingEngine, store: Store) -> None:
        self.config = config
        self.file_config = config
        self.config_path: Path | None = None
        """Where ``file_config`` was read; what was changed while running stands above it, in ``config``."""
        self.engine = engine
        self.store = store
        self.link = MqttLink(wiring.mqtt_settings(config), config.home.node_id)
        self.publisher = Publisher(config, self.link, self._figures)
        house = House(wiring.room_policies(config), wiring.presence_policy(config))
        self.hub = Hub(house, store, self.publisher, time.time)
        self.watches: dict[str, CameraWatch] = {}
        self.recognition: Recognition | None = None
        self.subjects: Sequence[Subject] = ()
        """Everybody enrolled, by name."""
        self.gallery_listeners: list[Callable[[], None]] = []
        """Called in the event loop when people or photos have changed."""
        self.unknown: UnknownKeeper | None = None
        self._inbox: Inbox | None = None
        self._web: WebServer | None = None
        self._gallery_version = -1
        self._loading = asyncio.Lock()
        self._diagnostics = Diagnostics()
        self.tally = Tally()
        self.hub.listeners.append(self.tally.note)
        self.disk = Disk()
        self._noted: dict[tuple[str, str], float] = {}

    async def begin(self) -> None:
        """Restore the last state, load the gallery, build the cameras, open the page.

        Raises ``StoreError``, ``ModelError``, and ``HomefaceError`` when the page cannot be served.
        """
        self.config = await asyncio.to_thread(effective, self.config, self.store)
        self.hub.house.set_policies(*self._policies(), time.time())
        self.disk = await asyncio.to_thread(look_at_disk, self.store)
        await self.hub.restore()
        await self.reload_gallery()
        assert self.recognition is not None  # noqa: S101 - set by reload_gallery
        prefix = uuid.uuid4().hex[:8]
        for slug, camera in wiring.enabled_cameras(self.config).items():
            pipeline = Pipeline(
                camera=slug,
                room=camera.room,
                engine=self.engine,
                tracker=Tracker(slug, camera.room, visit_prefix=prefix),
                motion=MotionGate(),
                recognition=self.recognition,
                keeps_faces=wiring.keeps_unknown_visits(self.config),
            )
            watch = CameraWatch(wiring.camera_settings(slug, camera), pipeline, self.hub)
            watch.keeps_newest = self.config.web.enabled and self.config.web.camera_pictures
            self.watches[slug] = watch
        if wiring.keeps_unknown_visits(self.config):
            scale = await asyncio.to_thread(likeness_scale, self.engine.model_id, self.config)
            self.unknown = UnknownKeeper(self.store, self.hub, scale, self.engine.model_id)
        self._inbox = Inbox(
            self.config, self.link, self.hub, self.watches, lambda: self.publisher.view, self._note
        )
        self.publisher.publish_states()  # a paused camera must not show as switched on, not even for a moment
        if self.config.web.enabled:
            from homeface.service.web import open_web

            self._web = await open_web(self)

    def jobs(self) -> list[tuple[str, Coroutine[object, object, None]]]:
        """The tasks of this life, each with its name, the broker link first."""
        assert self._inbox is not None  # noqa: S101 - ``begin`` comes first
        return [
            ("mqtt", self.link.run()),
            ("clock", self.hub.keep_time()),
            ("inbox", self._inbox.run()),
            ("clean-up", self.publisher.clean_up()),
            ("greeter", self.publisher.greet_newborns()),
            ("gallery", self._follow_gallery()),
            ("diagnostics", self._diagnose()),
            ("purge", self._purge()),
            ("memory", self._give_back_memory()),
            ("web", self._serve_web()),
            ("status", self._serve_status()),
            ("unknown visits", self._keep_unknown()),
            ("companion", self._tell_companion()),
            *((f"camera {slug}", watch.run()) for slug, watch in self.watches.items()),
        ]

    async def close(self) -> None:
        """Keep the state and leave the broker politely; the camera tasks have ended before."""
        try:
            await self.reload_gallery()  # who was removed just now must be in no state that stays behind
        except (StoreError, GalleryError) as error:
            _LOG.warning("The gallery cannot be read at the end (%s).", error)
        # at once: a locked database must not keep us from saying goodbye
        await asyncio.gather(self.hub.save(), self.link.aclose())

    def one_line(self) -> str:
        """For ``systemctl status``."""
        available = sum(watch.status.available for watch in self.watches.values())
        broker = "connected" if self.link.connected else "not connected"
        return f"{available} of {len(self.watches)} cameras, broker {broker}"

    def health(self) -> HealthReport:
        """Ready: every camera and the broker are there, and what happens can be kept. Healthy: the device
        makes progress (the loop does: it answers). Names no people.
        """
        silent = time.monotonic() - self.engine.heartbeat()
        healthy = silent < _HUNG_SECONDS
        details = {"device": "works" if healthy else f"no progress for {silent:.0f} s"}
        details["storage"] = "cannot be written" if self.hub.saving_failed else "works"
        details |= {"broker": "connected" if self.link.connected else str(self.link.error or "connecting")}
        for slug, watch in self.watches.items():
            details[f"camera {slug}"] = "pictures come" if watch.status.available else watch.status.reason
        cameras = all(watch.status.available for watch in self.watches.values())
        ready = healthy and cameras and self.link.connected and not self.hub.saving_failed
        return HealthReport(ready=ready, healthy=healthy, details=details)

    async def _serve_status(self) -> None:
        """A status that cannot be asked for is no reason to stop recognising."""
        try:
            await serve_status(self.store.path.parent, lambda: status_document(self))
        except OSError as error:
            _LOG.warning("homeface status will not work: %s", error)

    async def _serve_web(self) -> None:
        if self._web is None:
            return
        try:
            await self._web.run()
        finally:
            await self._web.aclose()

    async def _tell_companion(self) -> None:
        if self._web is not None:
            from homeface.service import companion

            await companion.tell(self.config, self._web, self.store, self.publisher)

    async def _note(self, what: str, about: str) -> None:
        """For the log of acts: the broker does not say who sent a command.

        The same again within a minute is not noted: whoever floods the broker must not fill the disk.
        """
        now = time.monotonic()
        if now - self._noted.get((what, about), -_NOTED_SECONDS) < _NOTED_SECONDS:
            return
        self._noted[what, about] = now
        try:
            await asyncio.to_thread(self.store.note_act, "mqtt", what, about)
        except StoreError as error:
            _LOG.warning("%s", error)

    async def _keep_unknown(self) -> None:
        if self.unknown is not None:
            await self.unknown.run()

    async def _follow_gallery(self) -> None:
        """Notice what other processes (``homeface enrol``) change in the store."""
        while True:
            await asyncio.sleep(_GALLERY_INTERVAL_SECONDS)
            try:
                await self.reload_gallery()
            except (StoreError, GalleryError) as error:
                if isinstance(error, StoreDamagedError) and self.store.has_whole_copy():
                    raise  # the next start sets the file aside and takes the copy
                _LOG.warning("The gallery cannot be read (%s); the one in memory stays in use.", error)
                await asyncio.sleep(_PURGE_INTERVAL_SECONDS / 60)

    async def apply(self, config: Config) -> None:
        """Use other settings (``config.live``) from now on. Raises StoreError, GalleryError, ModelError."""
        self.config = config
        await self.hub.set_policies(*self._policies())
        async with self._loading:  # a load that is going on has the old settings, and ends first
            self._gallery_version = -1
            await self._load_changed_gallery()

    def _policies(self) -> tuple[dict[str, RoomPolicy], PresencePolicy]:
        return wiring.room_policies(self.config), wiring.presence_policy(self.config)

    async def reload_gallery(self) -> None:
        """Use what the store holds now, if it has changed. Raises StoreError and GalleryError."""
        async with self._loading:  # the last one to begin must be the last one to end
            await self._load_changed_gallery()

    async def _load_changed_gallery(self) -> None:
        version = await asyncio.to_thread(self.store.gallery_version)
        if version == self._gallery_version:
            return
        subjects: list[Subject] = await asyncio.to_thread(self.store.subjects)
        gallery = await asyncio.to_thread(self.store.gallery, self.engine.model_id)
        self.recognition = await asyncio.to_thread(recognition_of, gallery, self.config)
        if gallery.mismatched:
            _LOG.warning(
                "%d templates are of another model than %s and not used: run homeface people reembed.",
                len(gallery.mismatched),
                self.engine.model_id,
            )
        gone = {one.subject_id for one in self.subjects} - {one.subject_id for one in subjects}
        self.subjects = subjects
        self.publisher.set_subjects(subjects)
        await self.hub.set_subjects([subject.subject_id for subject in subjects if not subject.paused])
        for watch in self.watches.values():
            await watch.learn(self.recognition)
            if gone:  # whose visit goes on now is a stranger, of whom nothing from before may stay
                watch.forget_faces()
        if gone and self.unknown is not None:
            self.unknown.forget_waiting()
        self._gallery_version = version  # last: what failed or was cancelled on the way is tried again
        _LOG.info("The gallery has %d people with %d templates.", len(subjects), len(gallery.templates))
        for listener in self.gallery_listeners:
            listener()

    def camera_figures(self, slug: str) -> CameraFigures:
        """How a camera does."""
        watch = self.watches[slug]
        fps, dropped = self._diagnostics.of(slug)
        return CameraFigures(
            online=watch.status.available,
            recognition=not watch.paused,
            analysed_fps=fps,
            dropped=dropped,
            last_error=watch.status.trouble,
        )

    async def _diagnose(self) -> None:
        while True:
            await asyncio.sleep(_DIAGNOSTICS_INTERVAL_SECONDS)
            stats = {slug: watch.stats for slug, watch in self.watches.items()}
            self._diagnostics.measure(stats, _DIAGNOSTICS_INTERVAL_SECONDS)
            self.disk = await asyncio.to_thread(look_at_disk, self.store)
            self.publisher.publish_states()

    def _figures(self) -> tuple[Mapping[str, CameraFigures], HubFigures]:
        cameras = {slug: self.camera_figures(slug) for slug in self.watches}
        recognition = not self.watches or not all(watch.paused for watch in self.watches.values())
        dropped = self.link.stats.events_dropped, self.engine.stats.dropped
        return cameras, HubFigures(recognition, *dropped, guest_mode=self.hub.guest_mode)

    async def _give_back_memory(self) -> None:
        """Cameras that come and go leave holes in the heap, which glibc keeps."""
        while True:
            await asyncio.sleep(_MEMORY_INTERVAL_SECONDS)
            await asyncio.to_thread(give_back_memory)

    async def _purge(self) -> None:
        while True:
            now = time.time()
            oldest = wiring.oldest_unknown_visit(self.config, now)
            await asyncio.to_thread(keep_house, self.store, self.config.storage, now, oldest)
            await asyncio.sleep(_PURGE_INTERVAL_SECONDS)
