"""Whether memory grows: the daemon on recordings in a loop, its memory sampled, a line through it."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from homeface.lab.benchmark.broker import broker
from homeface.lab.benchmark.daemon import Daemon
from homeface.lab.benchmark.setting import Setting

DAY_SECONDS = 86400.0
LEAST_SECONDS = 590.0
"""A daemon's buffers and caches fill for minutes: what is shorter says nothing of a day."""
_BLOCKS = 8
_SETTLING = 0.25
"""Share of the time at the beginning that is not counted: buffers and caches fill."""


@dataclass(frozen=True, slots=True)
class Growth:
    """Megabytes a day by a line through the samples, and its standard error from the means of blocks.

    Samples follow each other closely and are no independent witnesses, hence blocks.
    """

    seconds: float
    samples: int
    first_mib: float
    last_mib: float
    mib_per_day: float
    error_mib_per_day: float
    cameras: int

    @property
    def above_noise(self) -> bool | None:
        """Whether the growth is more than twice its standard error; None: watched too shortly to tell."""
        if self.seconds < LEAST_SECONDS:
            return None
        return self.mib_per_day > 2 * self.error_mib_per_day

    def as_json(self) -> dict[str, object]:
        """For ``--json``."""
        return {
            "seconds": round(self.seconds),
            "samples": self.samples,
            "cameras": self.cameras,
            "first_mib": round(self.first_mib, 1),
            "last_mib": round(self.last_mib, 1),
            "mib_per_24h": round(self.mib_per_day, 1),
            "standard_error_mib_per_24h": round(self.error_mib_per_day, 1),
            "above_noise": self.above_noise,
        }


def soak(
    clips: Sequence[Path], folder: Path, setting: Setting, seconds: float, progress: Callable[[float], None]
) -> Growth:
    """Run the daemon so long; ``progress`` hears the seconds done. Raises ``HomefaceError`` if it dies."""
    pause = max(0.5, min(10.0, seconds / 240))
    times: list[float] = []
    memory: list[float] = []
    with broker() as port, Daemon(folder / "soak", clips, setting, port) as daemon:
        begun = time.monotonic()
        while (now := time.monotonic() - begun) < seconds:
            times.append(now)
            memory.append(daemon.memory_mib())
            progress(now)
            time.sleep(min(pause, max(0.05, seconds - now)))
    return growth(times, memory, len(clips))


def growth(times: Sequence[float], memory: Sequence[float], cameras: int = 1) -> Growth:
    """The line through what was sampled after settling. Raises ``ValueError`` for fewer than 16 samples."""
    skipped = int(len(times) * _SETTLING)
    at, mib = list(times[skipped:]), list(memory[skipped:])
    if len(at) < 2 * _BLOCKS:
        raise ValueError(f"{len(times)} samples of memory are too few for a line: soak for longer")
    size = len(at) // _BLOCKS
    centres = [statistics.fmean(at[n * size : (n + 1) * size]) for n in range(_BLOCKS)]
    means = [statistics.fmean(mib[n * size : (n + 1) * size]) for n in range(_BLOCKS)]
    slope, base = statistics.linear_regression(centres, means)
    left = sum((mean - base - slope * x) ** 2 for x, mean in zip(centres, means, strict=True))
    middle = statistics.fmean(centres)
    spread = sum((x - middle) ** 2 for x in centres)
    error = (left / (_BLOCKS - 2) / spread) ** 0.5
    return Growth(
        times[-1] - times[0], len(times), mib[0], mib[-1], slope * DAY_SECONDS, error * DAY_SECONDS, cameras
    )
