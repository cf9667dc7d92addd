"""The report for people: tables of texts, as a terminal or Markdown shows them. Computes nothing new."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from homeface.lab.benchmark.comparison import AT_PEERS_RECALL
from homeface.lab.benchmark.whole import PARTS

TARGETS: Mapping[str, tuple[str, float]] = {
    "detect_1080p_mtcnn": ("≥", 10.0),
    "detect_1080p": ("≥", 25.0),
    "detect_in_daemon": ("≥", 60.0),
    "embed_batch8": ("≥", 4.0),
    "embed_batch8_default": ("≥", 15.0),
    "whole_4_faces": ("≥", 15.0),
    "whole_4_faces_face_recognition": ("≥", 1.0),
    "whole_4_faces_opencv_yunet": ("≥", 1.0),
    "decode_floor": ("≤", 1.25),
}
"""What was set out to be reached on two CPU cores: at least so many times faster, or at most the cost."""
CUDA_TARGETS: Mapping[str, tuple[str, float]] = {
    "detect_1080p_batch": ("≥", 20.0),
    "embed_batch8": ("≥", 5.0),
}
_NONE = "–"
_BUSY_SHARE = 0.5
_BUSY = "a busy machine: times are wrong, and ratios flatter us, as torch's threads spin while they wait"


@dataclass(frozen=True, slots=True)
class Table:
    """A title, heads and rows of texts."""

    title: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def markdown(self) -> str:
        """As GitHub renders it."""
        lines = [" | ".join(self.heads), " | ".join("---" for _ in self.heads)]
        lines += [" | ".join(cell.replace("|", "/") for cell in row) for row in self.rows]
        return f"**{self.title}**\n\n" + "\n".join(f"| {line} |" for line in lines)


def tables(report: Mapping[str, Any]) -> Iterator[Table]:
    """All tables that the report has figures for."""
    if report.get("ratios"):
        yield _ratios(report["ratios"], report["models"]["device"])
    if report.get("peak_memory_mib"):
        rows = [(name, f"{mib} MiB") for name, mib in report["peak_memory_mib"].items()]
        title = "Peak memory of a process that detects and embeds frames with four faces"
        yield Table(title, ("what", "peak"), tuple(rows))
    if report.get("cuda"):
        rows = [(name.replace("_", " "), f"{value:.3g}") for name, value in report["cuda"].items()]
        yield Table(
            "FaceNet in a batch of 256 beside the card's own matrix products", ("what", ""), tuple(rows)
        )
    if report.get("whole"):
        yield _parts(report["whole"])
        yield _scenes(report["whole"])
        if any(scene.get("peers") for scene in report["whole"]):
            yield _beside(report["whole"])
    if report.get("daemon"):
        yield _daemon(report["daemon"])
        if report["daemon"]["cameras"]:
            yield _cameras(report["daemon"], int(report["machine"]["cores"]))
    if report.get("latency"):
        yield _latency(report["latency"])
    if report.get("soak"):
        yield _soak(report["soak"])


def headline(report: Mapping[str, Any]) -> list[str]:
    """Machine, models, frames, command and date, a line each."""
    machine, models = report["machine"], report["models"]
    gpu = f", {machine['gpu']}" if machine.get("gpu") else ""
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    load = machine["load_before"][0]
    busy = f" ({_BUSY})" if load > _BUSY_SHARE * machine["cores"] else ""
    return [
        f"Command: {report['command']}",
        f"Date: {report['date']}; {report.get('seconds', 0):.0f} s; load before: {load}{busy}",
        f"Machine: {machine['cpu']}, {machine['cores']} cores, {machine['memory_gib']} GiB{gpu}, "
        + str(machine["system"]),
        f"Versions: {versions}",
        f"Models: {models['detector']} and {models['embedder']} on {models['device']}",
        *(f"Frames: {line}" for line in report["frames"]["told"]),
    ]


def missing(report: Mapping[str, Any]) -> list[str]:
    """What could not be measured, and why."""
    told = [f"{key}: {row['missing']}" for key, row in report.get("ratios", {}).items() if row.get("missing")]
    told += report.get("whole_missing", [])
    told += report.get("daemon", {}).get("missing", [])
    told += [
        f"{name}: {report[name]['missing']}"
        for name in ("latency", "soak")
        if report.get(name, {}).get("missing")
    ]
    return list(dict.fromkeys(told))


def markdown(report: Mapping[str, Any]) -> str:
    """The block for ``docs/performance.md``."""
    parts = ["\n".join(f"- {line}" for line in headline(report))]
    parts += [table.markdown() for table in tables(report)]
    if left_out := missing(report):
        parts.append("Not measured in this run:\n\n" + "\n".join(f"- {line}" for line in left_out))
    return "\n\n".join(parts) + "\n"


def target_of(key: str, device: str) -> tuple[str, float] | None:
    """The target of a ratio on this device: its direction and its figure."""
    base = key.removesuffix(AT_PEERS_RECALL)
    return (CUDA_TARGETS if device.startswith("cuda") else TARGETS).get(base)


def reached(ratio: float | None, target: tuple[str, float] | None) -> bool | None:
    """Whether a target was reached; None when there is no target or no figure."""
    if ratio is None or target is None:
        return None
    return ratio >= target[1] if target[0] == "≥" else ratio <= target[1]


def _ratios(ratios: Mapping[str, Any], device: str) -> Table:
    order = list(TARGETS)
    for key in sorted(set(ratios) - set(TARGETS)):
        base = key.removesuffix(AT_PEERS_RECALL)
        order.insert(order.index(base) + 1 if base != key and base in order else len(order), key)
    rows = [_ratio_row(key, ratios[key], target_of(key, device)) for key in order if key in ratios]
    title = "homeface and others in turns on the same frames (median of the pairs' ratios)"
    heads = ("measurement", "peer", "ratio", "target", "ours", "theirs", "CPU ratio", "recall: ours, theirs")
    return Table(title, heads, tuple(rows))


def _ratio_row(key: str, row: Mapping[str, Any], target: tuple[str, float] | None) -> tuple[str, ...]:
    asked = _NONE if target is None else f"{target[0]} {target[1]:g}"
    if row.get("ratio") is None:
        return (key, str(row["peer"]), "not measured", asked, *(_NONE,) * 4)
    mark = {True: " ✓", False: " ✗", None: ""}[reached(row["ratio"], target)]
    recall = row["recall"]
    pair = f"{_share(recall.get('ours'))}, {_share(recall.get('theirs'))}" if recall else _NONE
    return (
        key,
        str(row["peer"]),
        f"{row['ratio']:.3g} ×{mark}",
        asked,
        seconds_text(row["ours_s"]),
        seconds_text(row["theirs_s"]),
        f"{row['cpu_ratio']:.3g} ×",
        pair,
    )


def _parts(scenes: Sequence[Mapping[str, Any]]) -> Table:
    rows = []
    for scene in scenes:
        cells = [_milliseconds(scene["parts_ms"].get(part)) for part in PARTS]
        rows.append((str(scene["faces"]), *cells))
    heads = ("faces", *(f"{part}" for part in PARTS))
    return Table(
        "Parts, ms a 1080p frame (decode and colour in CPU time, the others on the wall)", heads, tuple(rows)
    )


def _scenes(scenes: Sequence[Mapping[str, Any]]) -> Table:
    rows = [
        (
            str(scene["faces"]),
            f"{scene['found']:.1f}",
            f"{scene['frames_per_second']:.3g}",
            f"{scene['cameras_per_box']:.3g}",
            _milliseconds(scene["latency_ms"]["p50"]),
            _milliseconds(scene["latency_ms"]["p95"]),
            _milliseconds(scene["cpu_ms_per_frame"]),
            f"{scene['peak_memory_mib']} MiB",
        )
        for scene in scenes
    ]
    heads = ("faces", "found", "frames/s", "cameras/box", "p50 ms", "p95 ms", "CPU ms", "peak memory")
    title = "Whole frames, every one looked at and every face embedded (cameras: 15 frames/s, 5 analysed)"
    return Table(title, heads, tuple(rows))


def _beside(scenes: Sequence[Mapping[str, Any]]) -> Table:
    rows = [
        (
            str(scene["faces"]),
            peer,
            f"{row['ratio']:.3g} ×",
            f"{row['cpu_ratio']:.3g} ×",
            seconds_text(row["ours_s"]),
            seconds_text(row["theirs_s"]),
            *(_milliseconds(value) for value in row["parts_ms"].values()),
        )
        for scene in scenes
        for peer, row in scene.get("peers", {}).items()
    ]
    heads = ("faces", "peer", "ratio", "CPU ratio", "ours", "theirs", "its detect", "its align and embed")
    return Table("Whole frames in turns with each peer (its parts in ms)", heads, tuple(rows))


def _daemon(daemon: Mapping[str, Any]) -> Table:
    starts, ready = daemon["ready_seconds"], daemon["ready_median_seconds"]
    floor = daemon["decode_floor_cpu_s_per_minute"]
    line = daemon["per_camera"]
    rows = [
        ("start to READY, compiled models cached (target ≤ 5 s)", _NONE if ready is None else
         f"{ready:.1f} s (of {', '.join(f'{value:.1f}' for value in starts)})"),
        ("empty room, one camera 1080p15", _cpu(daemon["empty_room_cpu_s_per_camera_minute"])),
        *((f"FFmpeg decoding the same, {name}", _cpu(value)) for name, value in floor.items()),
    ]  # fmt: skip
    if line is not None:
        rows.append(
            ("the daemon without cameras (line through those run)", _cpu(line["daemon_cpu_s_per_minute"]))
        )
        rows.append(("each camera, people 30 % of the time", _cpu(line["camera_cpu_s_per_minute"])))
    rows.append(("peak memory of the daemon", f"{daemon['peak_memory_mib']} MiB"))
    return Table("The running daemon", ("what", "measured"), tuple(rows))


def _cameras(daemon: Mapping[str, Any], cores: int) -> Table:
    rows = []
    for number, entry in sorted(daemon["cameras"].items(), key=lambda item: int(item[0])):
        cpu = float(entry["cpu_s_per_minute"])
        share = cpu / 60 / cores
        rows.append(
            (
                number,
                "run" if entry["measured"] else "computed",
                _cpu(cpu),
                f"{cpu / int(number):.1f}",
                f"{share:.0%}" if share <= 1 else f"{share:.0%}: too much for this box",
                _NONE if entry["memory_mib"] is None else f"{entry['memory_mib']} MiB",
            )
        )
    heads = ("cameras", "how", "all together", "CPU s a camera-minute", "of this box", "memory")
    return Table("Cost of cameras (1080p15, people 30 % of the time)", heads, tuple(rows))


def _latency(latency: Mapping[str, Any]) -> Table:
    if latency.get("missing"):
        return Table("Latency", ("what", "measured"), (("not measured", str(latency["missing"])),))
    rows = [
        (
            str(row["what"]),
            str(row["visits"]),
            f"{_milliseconds(row['p50_ms'])} ms",
            f"{_milliseconds(row['p95_ms'])} ms",
        )
        for row in latency["rows"]
    ]
    title = f"Two cameras, {latency['events']} events, {latency['named']} of them with a name"
    return Table(title, ("from … to …", "visits", "p50", "p95"), tuple(rows))


def _soak(soak: Mapping[str, Any]) -> Table:
    if soak.get("missing"):
        return Table("Soak", ("what", "measured"), (("not measured", str(soak["missing"])),))
    verdicts = {True: "above noise", False: "not above noise", None: "too short to tell: soak 10min or more"}
    verdict = verdicts[soak["above_noise"]]
    rows = (
        ("length, cameras", f"{soak['seconds']} s, {soak['cameras']}"),
        ("memory, first and last", f"{soak['first_mib']} MiB, {soak['last_mib']} MiB"),
        (
            "growth projected to 24 h",
            f"{soak['mib_per_24h']:+.1f} ± {soak['standard_error_mib_per_24h']:.1f} MiB ({verdict})",
        ),
    )
    return Table("Soak: memory of the running daemon", ("what", "measured"), rows)


def seconds_text(value: float) -> str:
    """Seconds in the unit that reads well."""
    if value >= 1:
        return f"{value:.3g} s"
    return f"{value * 1000:.3g} ms" if value >= 1e-3 else f"{value * 1e6:.3g} µs"


def _milliseconds(value: float | None) -> str:
    if value is None:
        return _NONE
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def _cpu(value: float | None) -> str:
    return _NONE if value is None else f"{value:.1f} CPU s a minute"


def _share(value: float | None) -> str:
    return _NONE if value is None else f"{value:.3f}"
