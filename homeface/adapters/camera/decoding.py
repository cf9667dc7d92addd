"""Decodes what is wanted and no more; what it leaves, it can still decode when it suddenly is."""

from __future__ import annotations

import time
from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple

from homeface.adapters.camera.alertness import Alertness
from homeface.adapters.camera.structure import Knowledge, is_needed
from homeface.adapters.camera.timing import Pace

if TYPE_CHECKING:
    from av.packet import Packet
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

BLIND_SECONDS = 1.1
"""Longest group of pictures that may be slept through when nothing else watches the room."""
GUARDED_BLIND_SECONDS = 4.5
"""The same when a substream watches."""
CATCH_UP_SECONDS = 0.4
"""Most work that waking up may take."""
_WAITING_BYTES = 8_000_000
_RECENT = 0.05


class Taken(NamedTuple):
    """A decoded frame and when it was taken, on the clock the packets were dated with."""

    frame: VideoFrame
    captured: float


class _Waiting(NamedTuple):
    packet: Packet[VideoStream]
    captured: float


class Decoder:
    """Packets in, frames out: one stream, from its first key frame on. Belongs to the reader thread.

    *Awake* it decodes every picture, except those that no other builds on where the rest suffices for
    ``analysis_fps``. *Asleep* it decodes key frames alone and keeps the packets since the last one; as soon
    as anything wakes it (``Alertness``, or packets that grow), it decodes what it kept and delivers the
    newest picture. It sleeps only where waking is cheap and the key frames are near enough.
    """

    def __init__(
        self,
        stream: VideoStream,
        alertness: Alertness | None = None,
        analysis_fps: float | None = None,
        longest_sleep_seconds: float = GUARDED_BLIND_SECONDS,
        knowledge: Knowledge | None = None,
    ) -> None:
        self._context = stream.codec_context
        self._time_base = stream.time_base or Fraction(1, 90_000)
        self._codec = self._context.codec.canonical_name
        self._context.thread_count = 1  # cheapest in CPU time, and no picture waits for another thread
        self._alertness = alertness or Alertness()
        self._analysis_fps = analysis_fps
        self._longest = longest_sleep_seconds
        self._pace = Pace(analysis_fps)
        self._known = knowledge or Knowledge()
        self._captured: dict[int, float] = {}
        self._waiting: list[_Waiting] = []
        self._key_at = 0.0
        self.asleep = False

    def feed(self, packet: Packet[VideoStream], captured: float, now: float) -> list[Taken]:
        """Frames that this packet completes; ``captured`` when it was taken, ``now`` for ``Alertness``."""
        key, needed = packet.is_keyframe, is_needed(packet, self._codec)
        self._known.structure.note(captured, key, needed)
        if self._context.codec.intra_only:  # MJPEG and the like: each picture stands for itself
            return self._decode(packet, captured) if self._pace.due(captured) else []
        if key:
            self._key_at = captured
            self._waiting.clear()
        elif self._known.surge.grew(packet.size) and not self._alertness.attention:
            self._alertness.wake(now)
        self.asleep = not self._alertness.awake(now) and self._may_sleep(captured, now)
        if not self.asleep:
            behind = self._catch_up()
            skipped = not needed and self._known.structure.can_skip(self._analysis_fps, self._reorders)
            return behind if skipped else self._decode(packet, captured) or behind
        if key:
            return self._decode_alone(packet, captured)
        if needed:
            self._waiting.append(_Waiting(packet, captured))
        return []

    def finish(self) -> list[Taken]:
        """What the decoder still holds back at the end of a recording."""
        return self._drain(0.0)

    @property
    def _reorders(self) -> bool:
        return bool(self._context.has_b_frames)

    def _may_sleep(self, captured: float, now: float) -> bool:
        guarded = self._alertness.guarded(now)
        longest = min(self._longest, GUARDED_BLIND_SECONDS if guarded else BLIND_SECONDS)
        group = self._known.structure.group_seconds
        return (
            group is not None
            and max(group, captured - self._key_at) <= longest
            and self._known.structure.group_pictures * self._known.decode_seconds <= CATCH_UP_SECONDS
            and sum(waiting.packet.size for waiting in self._waiting) <= _WAITING_BYTES
            and (guarded or self._known.surge.ready)
        )

    def _catch_up(self) -> list[Taken]:
        """Decode what was kept; only the newest picture of it is worth delivering."""
        waiting, self._waiting = self._waiting, []
        newest: list[Taken] = []
        for packet, captured in waiting:
            newest = self._decode(packet, captured)[-1:] or newest
        return newest

    def _decode_alone(self, packet: Packet[VideoStream], captured: float) -> list[Taken]:
        """A key frame at once, also from a decoder that would hold it back until others came."""
        if not self._reorders:
            return self._decode(packet, captured)
        taken = self._decode(packet, captured)
        taken += self._drain(captured)
        self._context.flush_buffers()
        self._captured.clear()
        self._waiting.append(_Waiting(packet, captured))  # the decoder has forgotten it
        return taken[-1:]

    def _decode(self, packet: Packet[VideoStream], captured: float) -> list[Taken]:
        """The frames of one packet; none when it is damaged (lost UDP packets) or its picture is."""
        import av

        if packet.pts is not None:
            self._captured[packet.pts] = captured
            if len(self._captured) > 64:
                del self._captured[next(iter(self._captured))]
        began = time.thread_time()
        try:
            frames = packet.decode()
        except av.error.InvalidDataError:
            return []
        if not packet.is_keyframe:
            spent = time.thread_time() - began
            self._known.decode_seconds += _RECENT * (spent - self._known.decode_seconds)
        return self._take(frames, captured)

    def _drain(self, captured: float) -> list[Taken]:
        frames = self._context.decode(None)
        for frame in frames:
            frame.time_base = self._time_base  # only packets bring it along
        return self._take(frames, captured)

    def _take(self, frames: list[VideoFrame], captured: float) -> list[Taken]:
        taken = []
        for frame in frames:
            at = captured if frame.pts is None else self._captured.pop(frame.pts, captured)
            if not frame.is_corrupt:
                taken.append(Taken(frame, at))
        return taken
