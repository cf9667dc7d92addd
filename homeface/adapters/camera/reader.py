"""One camera: its reader thread, its newest frame, its status."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Callable

from homeface.adapters.camera.alertness import Alertness
from homeface.adapters.camera.settings import CameraSettings, CameraStats, CameraStatus
from homeface.adapters.camera.slot import NewestFrameSlot, Pending
from homeface.adapters.camera.source import Source, open_source
from homeface.adapters.camera.substream import Substream
from homeface.adapters.camera.timing import Backoff, Pace
from homeface.adapters.telemetry import OutageLog
from homeface.core.types import Frame
from homeface.errors import CameraAuthError, CameraError

_LOG = logging.getLogger(__name__)
_WATCH_SECONDS = 1.0
_WATCH_GRACE_SECONDS = 2.0
_CONNECTING, _STOPPED, _OVER = "connecting", "stopped", "the recording is over"
_NO_OUTAGE = frozenset({_CONNECTING, _STOPPED, _OVER})

OpenSource = Callable[[CameraSettings, threading.Event, Alertness], Source]


class Reader:
    """The thread's side: opens, reads, delivers, waits, opens again. One thread for one ``start()``."""

    def __init__(
        self,
        settings: CameraSettings,
        slot: NewestFrameSlot,
        report: Callable[[Reader, bool, str], None],
        wake: Callable[[Reader], None],
        make_source: OpenSource,
        alertness: Alertness,
    ) -> None:
        self.stopping = threading.Event()
        self.decoded = 0
        self.connections = 0
        self.size = (0, 0)
        self.lag_seconds = 0.0
        self.last_frame_at: float | None = None
        self.last_picture = time.monotonic()
        self.ended = False
        self.crash: BaseException | None = None
        self._settings, self._slot = settings, slot
        self._report, self._wake = report, wake
        self._source = make_source(settings, self.stopping, alertness)
        self._substream = (
            None if settings.substream is None else Substream(settings, alertness, self.stopping, make_source)
        )
        self._backoff = Backoff(longest_seconds=settings.backoff_max_seconds)
        self._auth_backoff = Backoff(settings.auth_backoff_seconds, settings.auth_backoff_seconds)
        self._arrivals: deque[tuple[float, int]] = deque(maxlen=60)
        self._thread = threading.Thread(target=self._run, name=f"camera-{settings.name}", daemon=True)

    def start(self) -> None:
        """Start reading."""
        self._thread.start()
        if self._substream is not None:
            self._substream.thread.start()

    @property
    def alive(self) -> bool:
        """True while a thread runs."""
        return self._thread.is_alive() or (self._substream is not None and self._substream.thread.is_alive())

    def join(self, seconds: float) -> None:
        """Wait for the threads, at most so long for each."""
        self._thread.join(seconds)
        if self._substream is not None:
            self._substream.thread.join(seconds)

    @property
    def fps(self) -> float:
        """Frames a second that the camera sends, lately; 0 when the last one is long gone."""
        counts = list(self._arrivals)
        if len(counts) < 2 or time.monotonic() - counts[-1][0] > 5.0 or counts[-1][0] <= counts[0][0]:
            return 0.0
        return (counts[-1][1] - counts[0][1]) / (counts[-1][0] - counts[0][0])

    @property
    def received(self) -> int:
        """Pictures that arrived, decoded or not."""
        return self._source.received

    def _run(self) -> None:
        try:
            while not self.stopping.is_set():
                wait = self._attempt()
                if wait is None:
                    break
                self.stopping.wait(wait)
        except BaseException as error:  # a bug: told to the event loop, and shown by threading's hook
            self.crash = error
            raise
        finally:
            self.ended = True
            self._wake(self)

    def _attempt(self) -> float | None:
        """One connection, from opening to its end. Seconds to wait before the next; None: no next."""
        try:
            self._source.open()
            self._read()
        except CameraAuthError as error:
            self._lost(str(error))
            return self._auth_backoff.next()
        except CameraError as error:
            self._lost(str(error))
            return self._backoff.next()
        finally:
            self._source.close()
        return None

    def _lost(self, reason: str) -> None:
        self._slot.discard()  # it would be stale by the time anybody takes it
        if not self.stopping.is_set():
            self._report(self, False, reason)

    def _read(self) -> None:
        """Deliver what is due until stopped, the file's end, or a ``CameraError``."""
        source, pace = self._source, Pace(self._settings.analysis_fps)
        first = True
        while not self.stopping.is_set():
            captured_at = source.grab()
            if captured_at is None:
                self._lost(_OVER)
                return
            self._note(captured_at)
            if first:
                first = False
                self.connections += 1
                self._backoff.reset()
                self._report(self, True, "")
            if self.lag_seconds > self._settings.max_lag_seconds:
                raise CameraError(
                    f"camera {self._settings.name} runs {self.lag_seconds:.0f} s late and is opened afresh",
                    camera=self._settings.name,
                )
            if pace.due(captured_at):
                self._slot.put(Pending(self.decoded - 1, captured_at, source.retrieve()))
                self._wake(self)

    def _note(self, captured_at: float) -> None:
        self.decoded += 1
        self.size = self._source.size
        self.last_picture = time.monotonic()
        self.last_frame_at = captured_at
        self.lag_seconds = max(0.0, time.time() - captured_at)
        self._arrivals.append((self.last_picture, self._source.received))


class Camera:
    """The event loop's side of one camera. Reconnects for ever; the newest frame wins.

    ``on_status`` is called in the event loop, on changes only, and first with what the first attempt gave.
    """

    def __init__(
        self,
        settings: CameraSettings,
        on_status: Callable[[CameraStatus], None] | None = None,
        make_source: OpenSource = open_source,
    ) -> None:
        self.settings = settings
        self._on_status = on_status
        self._make_source = make_source
        self._slot = NewestFrameSlot()
        self._alertness = Alertness()
        self._status = CameraStatus(False, "not started", time.time())
        self._woken = asyncio.Event()
        self._reader: Reader | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._watch: asyncio.TimerHandle | None = None
        self._stalled = False
        self._outage = OutageLog(_LOG, f"camera {settings.name}", fields={"camera": settings.name})

    @property
    def status(self) -> CameraStatus:
        """Whether pictures come, why not, and since when."""
        return self._status

    @property
    def stats(self) -> CameraStats:
        """Counters since ``start()``."""
        reader = self._reader
        if reader is None:
            return CameraStats()
        return CameraStats(
            received=reader.received,
            decoded=reader.decoded,
            analysed=self._slot.taken,
            dropped=self._slot.dropped,
            fps=reader.fps,
            lag_seconds=reader.lag_seconds,
            reconnects=max(0, reader.connections - 1),
            width=reader.size[0],
            height=reader.size[1],
            last_frame_at=reader.last_frame_at,
        )

    def start(self) -> None:
        """Start the reader thread; call it in the event loop. A stopped camera may be started again."""
        if self._running:
            raise RuntimeError(f"camera {self.settings.name} is already started")
        self._loop = asyncio.get_running_loop()
        self._slot = NewestFrameSlot()
        self._reader = Reader(
            self.settings, self._slot, self._report, self._wake, self._make_source, self._alertness
        )
        self._set_status(False, _CONNECTING)
        self._watch = self._loop.call_later(_WATCH_SECONDS, self._look_after)
        self._reader.start()

    async def ready(self) -> bool:
        """Wait until a frame is in the slot. False when none will ever come: stopped, or the file is over."""
        while not self._slot.full:
            reader = self._reader
            if reader is None or reader.stopping.is_set() or reader.ended:
                if reader is not None and reader.crash is not None:
                    raise RuntimeError(f"the reader of camera {self.settings.name} failed") from reader.crash
                return self._slot.full
            self._woken.clear()
            if not self._slot.full and not reader.ended:
                await self._woken.wait()
        return True

    def take(self) -> Frame | None:
        """The newest frame, or None; the slot is empty afterwards. Nothing is converted here."""
        pending = self._slot.take()
        if pending is None:
            return None
        return Frame(self.settings.name, pending.index, pending.captured_at, pending.picture)

    def set_attention(self, active: bool) -> None:
        """Say whether this room deserves every picture; call it as often as you like, it costs nothing.

        True (the beginning): the camera decodes all it must for ``analysis_fps``. False: nobody is there and
        nothing has moved for a while (say 10 s); then it may deliver key frames alone, which is at least one
        a second, or one in 4.5 s where a substream watches. It wakes by itself, for two seconds at a time,
        when the substream shows motion or the packets grow; the pipeline then sees pictures at the full rate
        and says True if they show anything. True takes effect with the next packet: what was left
        undecoded since the last key frame is caught up (at most 0.4 s of work), and the first picture
        delivered is the newest. Streams whose key frames are farther apart stay fully decoded.
        """
        self._alertness.attention = active

    async def stop(self, grace_seconds: float = 2.0) -> bool:
        """End the reader thread; True when it has ended, False when it still hangs in a read.

        A thread that hangs ends by itself at its timeout, touches nothing any more, and does not keep
        the process alive.
        """
        reader = self._reader
        if reader is None:
            return True
        reader.stopping.set()
        self._slot.discard()
        if self._watch is not None:
            self._watch.cancel()
        self._woken.set()
        self._set_status(False, _STOPPED)
        deadline = time.monotonic() + grace_seconds
        while reader.alive and (left := deadline - time.monotonic()) > 0:
            await asyncio.to_thread(reader.join, min(left, 0.5))
        return not reader.alive

    @property
    def _running(self) -> bool:
        return self._reader is not None and not self._reader.stopping.is_set()

    # ---- called in the reader thread

    def _post(self, callback: Callable[..., None], *arguments: object) -> None:
        loop = self._loop
        if loop is None or loop.is_closed():
            return
        try:
            loop.call_soon_threadsafe(callback, *arguments)
        except RuntimeError:
            if not loop.is_closed():  # closed between the question and the call
                raise

    def _report(self, reader: Reader, available: bool, reason: str) -> None:
        self._post(self._reported, reader, available, reason)

    def _wake(self, reader: Reader) -> None:
        if reader is self._reader:
            self._post(self._woken.set)

    # ---- called in the event loop

    def _reported(self, reader: Reader, available: bool, reason: str) -> None:
        if reader is self._reader and not reader.stopping.is_set():
            self._stalled = False
            self._set_status(available, reason)

    def _look_after(self) -> None:
        """Notice a reader that hangs where no timeout reaches (a driver, a name server)."""
        reader, loop = self._reader, self._loop
        if reader is None or loop is None or reader.stopping.is_set() or reader.ended:
            return
        self._watch = loop.call_later(_WATCH_SECONDS, self._look_after)
        limit = self.settings.read_timeout_seconds + _WATCH_GRACE_SECONDS
        silent = time.monotonic() - reader.last_picture > limit
        if silent and self._status.available:
            self._stalled = True
            self._set_status(False, f"camera {self.settings.name} sent no picture for {limit:g} s")
        elif self._stalled and not silent:
            self._stalled = False
            self._set_status(True, "")

    def _set_status(self, available: bool, reason: str) -> None:
        before = self._status
        if (before.available, before.reason) == (available, reason):
            return
        self._status = CameraStatus(available, reason, time.time())
        if available and self._outage.lasting:
            self._outage.worked()
        elif available:
            _LOG.info("camera %s: pictures come (%s)", self.settings.name, self.settings.address)
        elif reason not in _NO_OUTAGE:
            self._outage.failed(reason)
        if self._on_status is not None:
            self._on_status(self._status)
