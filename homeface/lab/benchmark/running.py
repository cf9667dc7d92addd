"""The running daemon: start to READY, an empty room beside the decode floor, what each camera costs."""

from __future__ import annotations

import math
import os
import resource
import shutil
import statistics
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from homeface.errors import BackendUnavailableError, HomefaceError
from homeface.lab.benchmark.broker import broker
from homeface.lab.benchmark.daemon import Daemon, Spent
from homeface.lab.benchmark.frames import Material
from homeface.lab.benchmark.pairs import Pair, Ratio, rounded
from homeface.lab.benchmark.process import Run
from homeface.lab.benchmark.setting import Setting

CAMERAS = (1, 2, 4, 8, 16)
FLOOR = "ffmpeg -f null"
_SETTLE_SECONDS = 3.0
_FLOOR_SECONDS = {False: 30.0, True: 15.0}
"""Of video to decode, by whether it is a quick run."""
_REST_SECONDS = 13.0
"""After so long without motion cameras decode less where their streams allow it (``core.attention``)."""
FULL_BOX = 0.85
"""Share of the cores from which on frames are late: more cameras are not run but computed."""

LATE = 0.6
"""A camera that costs less than this share of FFmpeg's decoding was not decoded in time."""


@dataclass(slots=True)
class Running:
    """``ready_seconds``: each start with models that were compiled before. ``empty``: what one camera on an
    empty room uses. ``floor``: CPU seconds of FFmpeg for a minute of that recording, by what it decodes.
    ``cost``: by number of cameras; ``modelled``: CPU seconds a minute for those that were not run."""

    ready_seconds: list[float] = field(default_factory=list)
    empty: Spent | None = None
    floor: dict[str, float] = field(default_factory=dict)
    decode_floor: Ratio | None = None
    cost: dict[int, Spent] = field(default_factory=dict)
    modelled: dict[int, float] = field(default_factory=dict)
    peak_memory_mib: float = 0.0
    missing: list[str] = field(default_factory=list)
    _warm: bool = False

    def note_start(self, daemon: Daemon) -> None:
        """Count a start; the first one may have had to compile models, and is not counted."""
        if self._warm:
            self.ready_seconds.append(daemon.ready_seconds)
        self._warm = True

    @property
    def base_and_slope(self) -> tuple[float, float] | None:
        """CPU seconds a minute of the daemon alone and of each camera: a line through what was run."""
        points = [(cameras, spent.cpu_per_minute) for cameras, spent in self.cost.items()]
        if len(points) < 2:
            return None
        (slope, base) = statistics.linear_regression(*zip(*points, strict=True))
        return base, slope

    def as_json(self) -> dict[str, object]:
        """For ``--json``."""
        line = self.base_and_slope
        return {
            "ready_seconds": [round(value, 2) for value in self.ready_seconds],
            "ready_median_seconds": round(statistics.median(self.ready_seconds), 2)
            if self.ready_seconds
            else None,
            "empty_room_cpu_s_per_camera_minute": _per_minute(self.empty),
            "decode_floor_cpu_s_per_minute": {name: rounded(value) for name, value in self.floor.items()},
            "peak_memory_mib": round(self.peak_memory_mib),
            "cameras": {
                str(cameras): {
                    "cpu_s_per_minute": _per_minute(self.cost.get(cameras)) or rounded(modelled),
                    "measured": cameras in self.cost,
                    "memory_mib": round(self.cost[cameras].memory_mib) if cameras in self.cost else None,
                }
                for cameras, modelled in {**dict.fromkeys(self.cost, 0.0), **self.modelled}.items()
            },
            "per_camera": None
            if line is None
            else {"daemon_cpu_s_per_minute": rounded(line[0]), "camera_cpu_s_per_minute": rounded(line[1])},
            "missing": self.missing,
        }


def _per_minute(spent: Spent | None) -> float | None:
    return None if spent is None else rounded(spent.cpu_per_minute)


def measure_running(
    material: Material, folder: Path, setting: Setting, seconds: float, cameras: Sequence[int]
) -> Running:
    """``seconds`` of watching for each number of ``cameras``, and for the empty room."""
    running = Running()
    try:
        with broker() as port:
            _empty_room(running, material, folder, setting, (port, seconds))
            _starts(running, material, folder, setting, port)
            _cameras(running, material, folder, setting, (port, seconds, cameras))
    except HomefaceError as error:
        running.missing.append(str(error))
    return running


def _starts(running: Running, material: Material, folder: Path, setting: Setting, port: int) -> None:
    """Some starts more than the measurements need anyway."""
    for number in range(0 if setting.quick else 2):
        setting.tell(f"daemon: start to READY ({number + 1})")
        with Daemon(folder / "start", [material.empty], setting, port) as daemon:
            running.note_start(daemon)


def _empty_room(
    running: Running, material: Material, folder: Path, setting: Setting, how: tuple[int, float]
) -> None:
    """The daemon on an empty room, with FFmpeg before and after it: the mean of both is its partner."""
    port, seconds = how
    setting.tell(f"daemon: an empty room for {seconds:.0f} s, and FFmpeg decoding the same")
    pairs: list[Pair] = []
    try:
        with Daemon(folder / "empty", [material.empty], setting, port) as daemon:
            running.note_start(daemon)
            time.sleep(_SETTLE_SECONDS if setting.quick else _REST_SECONDS)
            for _ in range(1 if setting.quick else 3):
                spent = daemon.spend(seconds)
                floor = floor_cpu(material.empty, seconds=_FLOOR_SECONDS[setting.quick])
                pairs.append(Pair(Run(spent.seconds, spent.cpu_s, None), floor, spent.seconds, floor.result))
                running.empty = spent
        running.floor["all frames"] = statistics.median(pair.cpu_seconds[1] for pair in pairs) * 60
        for name, skip in (("reference frames only", "noref"), ("key frames only", "nokey")):
            run = floor_cpu(material.empty, skip, _FLOOR_SECONDS[setting.quick])
            running.floor[name] = run.cpu_s / run.result * 60
    except HomefaceError as error:
        running.missing.append(f"{FLOOR}: {error}")
        return
    what = "CPU seconds a second of an empty room, 1080p15: the whole daemon / FFmpeg decoding every frame"
    running.decode_floor = Ratio(FLOOR, tuple(pairs), what, cost=True)


def _cameras(
    running: Running,
    material: Material,
    folder: Path,
    setting: Setting,
    how: tuple[int, float, Sequence[int]],
) -> None:
    port, seconds, cameras = how
    cores = len(os.sched_getaffinity(0))
    for number in cameras:
        setting.tell(f"daemon: {number} cameras for {seconds:.0f} s")
        try:
            with Daemon(folder / f"cameras{number}", [material.people] * number, setting, port) as daemon:
                running.note_start(daemon)
                time.sleep(_SETTLE_SECONDS)
                running.cost[number] = daemon.spend(seconds)
                running.peak_memory_mib = max(running.peak_memory_mib, daemon.peak_memory_mib())
        except HomefaceError as error:
            running.missing.append(f"{number} cameras: {error}")
            break
        if running.cost[number].cpu_per_minute > FULL_BOX * cores * 60:
            running.missing.append(f"more than {number} cameras were not run: {number} fill this box")
            break
    line, floor = running.base_and_slope, running.floor.get("all frames", 0.0)
    if line is not None and line[1] < LATE * floor:
        running.missing.append(
            f"more cameras than were run: each cost {line[1]:.1f} CPU s a minute, less than decoding "
            f"alone ({floor:.1f}), so recordings did not keep their pace; measure on a quiet machine"
        )
    elif line is not None:
        running.modelled = {n: line[0] + n * line[1] for n in CAMERAS if n not in running.cost}


def floor_cpu(clip: Path, skip: str = "default", seconds: float = 30.0) -> Run:
    """FFmpeg decoding at least ``seconds`` of a recording on one thread; ``result``: seconds it decoded.

    Long enough that what FFmpeg takes to start, which a camera pays once, does not count.

    Raises ``BackendUnavailableError`` when there is no ffmpeg.
    """
    program = shutil.which("ffmpeg")
    if program is None:
        raise BackendUnavailableError("ffmpeg is not installed: apt install ffmpeg.")
    length = _length(clip)
    again = math.ceil(seconds / length) - 1
    command = [program, "-nostdin", "-v", "error", "-threads", "1", "-skip_frame", skip]
    command += ["-stream_loop", str(again), "-i", str(clip)]
    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(  # noqa: S603 - ffmpeg found on this machine
        [*command, "-map", "0:v:0", "-f", "null", "-"], capture_output=True, check=False
    )
    if done.returncode:
        raise HomefaceError(f"ffmpeg could not decode {clip}: {done.stderr.decode(errors='replace')[-300:]}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Run(time.perf_counter() - begun, cpu, length * (again + 1))


def _length(clip: Path) -> float:
    import av

    with av.open(str(clip)) as container:
        return float(container.duration or 0) / av.time_base or 1.0
