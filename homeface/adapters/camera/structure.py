"""How a stream is built, learned from its packets: what of it can be left undecoded."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from av.packet import Packet
    from av.video.stream import VideoStream

_HEAD_BYTES = 1024
"""Parameter sets and messages before a picture fit in here; what lies behind is taken for needed."""
_TRIFLE_BYTES = 64
"""Of a drawn picture without any noise nothing is sent but headers; their growth means nothing."""
_H265_NOT_NEEDED = frozenset({0, 2, 4, 6, 8})
"""TRAIL_N, TSA_N, STSA_N, RADL_N, RASL_N: H.265, table 7-1."""


class Structure:
    """Length of the last group of pictures (from key frame to key frame), and its rates."""

    def __init__(self) -> None:
        self.group_seconds: float | None = None
        self.group_pictures = 0
        self.fps = 0.0
        self.needed_fps = 0.0
        self._began: float | None = None
        self._pictures = self._needed = 0

    def note(self, seconds: float, key: bool, needed: bool) -> None:
        """One packet: its time on any clock, whether it is a key frame, whether others build on it."""
        if key:
            if self._began is not None and seconds > self._began:
                length = seconds - self._began
                self.group_seconds, self.group_pictures = length, self._pictures
                self.fps, self.needed_fps = self._pictures / length, self._needed / length
            self._began = seconds
            self._pictures = self._needed = 0
        self._pictures += 1
        self._needed += needed

    def can_skip(self, wanted_fps: float | None, reorders: bool) -> bool:
        """True when the pictures that others build on are enough for ``wanted_fps``.

        ``reorders``: the decoder holds two pictures back, which must not make a picture later by more than a
        tenth of a second.
        """
        if wanted_fps is None or not wanted_fps <= self.needed_fps < self.fps:
            return False
        return not reorders or 2 / self.needed_fps - 2 / self.fps <= 0.1


class Surge:
    """Notices that packets grew: a hint, without decoding anything, that the picture changes.

    A still picture costs few bytes, a moving one many. Two of three packets a quarter above nearly all of the
    last four seconds' count as growth; single large ones (noise, a new exposure) do not. Key frames are
    not counted. A rate control that keeps all packets alike hides a change from it: it is only a hint.
    """

    def __init__(self, factor: float = 1.25, memory: int = 60, least: int = 20) -> None:
        self._factor, self._least = factor, least
        self._sizes: deque[int] = deque(maxlen=memory)
        self._large: deque[bool] = deque(maxlen=3)

    @property
    def ready(self) -> bool:
        """True when it has seen enough to compare with."""
        return len(self._sizes) >= self._least

    def grew(self, size: int) -> bool:
        """Feed the size in bytes of each packet that is no key frame."""
        ordered = sorted(self._sizes)
        self._large.append(
            self.ready and size > self._factor * ordered[len(ordered) * 9 // 10] + _TRIFLE_BYTES
        )
        self._sizes.append(size)
        return sum(self._large) >= 2


@dataclass(slots=True)
class Knowledge:
    """What was learned of a stream; a recording that runs again is known already.

    ``decode_seconds``: mean CPU time of a picture that is no key frame.
    """

    structure: Structure = field(default_factory=Structure)
    surge: Surge = field(default_factory=Surge)
    decode_seconds: float = 0.0


def is_needed(packet: Packet[VideoStream], codec: str) -> bool:
    """False when no other picture builds on this one.

    H.264: nal_ref_idc, 7.4.1. H.265: sub-layer non-reference pictures, 7.4.2.2.
    """
    if packet.is_keyframe or codec not in {"h264", "hevc"}:
        return True
    head = bytes(memoryview(packet)[:_HEAD_BYTES])
    for start in _units(head):
        byte = head[start]
        if codec == "h264" and 1 <= byte & 0x1F <= 5:
            return byte & 0x60 != 0
        if codec == "hevc" and (byte >> 1) & 0x3F < 32:
            return (byte >> 1) & 0x3F not in _H265_NOT_NEEDED
    return True


def _units(head: bytes) -> list[int]:
    """Where the units begin whose headers lie in ``head``: after start codes, or after four-byte lengths."""
    starts = []
    if head.startswith((b"\0\0\1", b"\0\0\0\1")):
        found = head.find(b"\0\0\1")
        while 0 <= found < len(head) - 3:
            starts.append(found + 3)
            found = head.find(b"\0\0\1", found + 3)
    else:
        position = 0
        while position + 4 < len(head):
            starts.append(position + 4)
            position += 4 + int.from_bytes(head[position : position + 4], "big")
    return starts
