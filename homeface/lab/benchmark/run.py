"""One run of ``homeface bench``: prepares the frames, measures what was asked for, and gives one report."""

from __future__ import annotations

import datetime as dt
import os
import platform
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path

from homeface.errors import HomefaceError
from homeface.lab.benchmark.comparison import Ratios, compare, subjects
from homeface.lab.benchmark.drawing import FPS
from homeface.lab.benchmark.frames import CROPS, Material, Wish, describe_counts, prepare
from homeface.lab.benchmark.running import measure_running
from homeface.lab.benchmark.setting import Crew, Setting
from homeface.lab.benchmark.soak import soak
from homeface.lab.benchmark.whole import measure_whole

SECTIONS = ("ratios", "parts", "daemon", "latency", "soak")
PACKAGES = (
    "homeface", "torch", "openvino", "onnxruntime", "opencv-python", "facenet-pytorch", "dlib-bin", "av",
)  # fmt: skip

Report = dict[str, object]
MeasureLatency = Callable[[Material, Path, Setting, float], Mapping[str, object]]
"""The one measurement that needs the service's own parts in this process; the command line brings it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What to measure. ``sections`` of ``SECTIONS``; ``cameras`` that are run; ``watch_seconds`` of each look
    at the running daemon; ``soak_seconds``; ``command`` as it was typed."""

    sections: Sequence[str]
    cameras: Sequence[int]
    watch_seconds: float
    soak_seconds: float
    command: str
    soak_progress: Callable[[float], None] = field(default=lambda _done: None)


def bench(wish: Wish, order: Order, setting: Setting, folder: Path, latency: MeasureLatency) -> Report:
    """Measure. Everything in the report was measured now; what could not be says why."""
    begun = time.monotonic()
    with Crew(setting, folder / CROPS) as crew:
        if setting.quick and "ratios" in order.sections:
            crew.begin(subjects(setting))
        setting.tell("Drawing and reading frames")
        material = prepare(wish, folder)
        crew.wait()
        ratios = compare(material, setting, crew) if "ratios" in order.sections else None
    report: Report = {
        "kind": "bench",
        "date": dt.datetime.now(tz=dt.UTC).isoformat(timespec="seconds"),
        "command": order.command,
        "machine": machine(setting.device),
        "models": {"detector": setting.detector, "embedder": setting.embedder, "device": setting.device},
        "frames": describe_counts(material),
    }
    if ratios is not None:
        report["ratios"] = ratios.as_json()
        report["gating"] = ratios.gating
        report["cuda"] = ratios.cuda
        report["peak_memory_mib"] = {name: round(value) for name, value in ratios.memory_mib.items()}
    if "parts" in order.sections:
        _parts(report, material, setting)
    if "daemon" in order.sections:
        _daemon(report, material, folder, setting, order)
    if "latency" in order.sections:
        setting.tell("latency: two cameras, from the first usable face to the message")
        report["latency"] = _or_missing(lambda: latency(material, folder, setting, order.watch_seconds * 3))
    if "soak" in order.sections:
        setting.tell(f"soak: {order.soak_seconds:.0f} s")
        clips = [material.people] * max(1, min(2, len(order.cameras)))
        report["soak"] = _or_missing(
            lambda: soak(clips, folder, setting, order.soak_seconds, order.soak_progress).as_json()
        )
    report["seconds"] = round(time.monotonic() - begun, 1)
    times = os.times()
    report["cpu_seconds"] = round(sum(times[:4]), 1)
    return report


def _parts(report: Report, material: Material, setting: Setting) -> None:
    try:
        whole = measure_whole(material, setting, 0.15 if setting.quick else min(2.0, setting.seconds))
    except HomefaceError as error:
        report["whole"], report["whole_missing"] = [], [str(error)]
        return
    report["whole"] = whole.as_json(cores(), FPS)
    report["whole_missing"] = whole.notes


def _daemon(report: Report, material: Material, folder: Path, setting: Setting, order: Order) -> None:
    running = measure_running(material, folder, setting, order.watch_seconds, order.cameras)
    report["daemon"] = running.as_json()
    ratios = report.setdefault("ratios", {})
    assert isinstance(ratios, dict)  # noqa: S101 - made here or by compare
    if running.decode_floor is not None:
        ratios["decode_floor"] = running.decode_floor.as_json()
    else:
        missing = Ratios()
        missing.missing["decode_floor"] = ("ffmpeg -f null", "; ".join(running.missing))
        ratios |= missing.as_json()


def _or_missing(measure: Callable[[], Mapping[str, object]]) -> Mapping[str, object]:
    try:
        return measure()
    except (HomefaceError, ValueError) as error:
        return {"missing": str(error)}


def cores() -> int:
    """CPUs this process may use."""
    return len(os.sched_getaffinity(0))


def machine(device: str) -> dict[str, object]:
    """What it was measured on: CPU, cores, memory, load before, versions; the GPU when one is used."""
    cpu = platform.processor() or platform.machine()
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
        if line.startswith("model name"):
            cpu = line.partition(":")[2].strip()
            break
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return {
        "cpu": cpu,
        "cores": cores(),
        "memory_gib": round(pages / 2**30, 1),
        "load_before": [round(value, 2) for value in os.getloadavg()],
        "system": f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
        "gpu": _gpu() if device.startswith("cuda") else None,
        "versions": {name: version for name in PACKAGES if (version := _version(name))},
    }


def _gpu() -> str | None:
    import torch

    return str(torch.cuda.get_device_name(0)) if torch.cuda.is_available() else None


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
