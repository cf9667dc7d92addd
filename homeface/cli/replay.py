"""``homeface replay``: judge a change on recordings before it is trusted."""

from __future__ import annotations

import asyncio
import json
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from homeface.cli.options import config_option, json_option, print_table, read_config
from homeface.cli.progress import bar

if TYPE_CHECKING:
    from homeface.config import Config
    from homeface.core.presence import PresenceEvent
    from homeface.core.types import Sighting
    from homeface.service.replay import Clip, ReplayReport


@click.command("replay")
@click.argument("clips", nargs=-1, required=True, metavar="CLIP...")
@config_option
@json_option
def replay_command(clips: tuple[str, ...], config_path: Path | None, as_json: bool) -> None:
    """Send recordings through the very same pipeline.

    As fast as the models can, which is faster than real time on a GPU or with a small detector.

    CLIP is CAMERA=FILE, or a file whose name is a camera's (porch.mp4). Several recordings are taken to have
    begun at the same moment. Nothing is published and nothing is stored; the same recordings always give the
    same events. With --json: one object a line, of kind event, visit or (last) summary.
    """
    config = read_config(config_path)
    from homeface.service.replay import assign

    report, names, seconds = asyncio.run(_replay(assign(clips, config), config))
    (_print_json if as_json else _print_tables)(report, names, seconds)


async def _replay(clips: list[Clip], config: Config) -> tuple[ReplayReport, dict[str, str], float]:
    from homeface.service.replay import clip_seconds, replay
    from homeface.service.session import open_session

    total = await asyncio.to_thread(lambda: max(clip_seconds(clip.path) for clip in clips))
    async with open_session(config, os.environ) as session:
        started = time.monotonic()  # loading the models says nothing of a recording's speed
        with bar("Replaying", total) as show:
            report = await replay(clips, config, session.engine, session.recognition, on_progress=show)
        names = {s.subject_id: s.name for s in session.recognition.gallery.subjects.values()}
        return report, names, time.monotonic() - started


def _print_json(report: ReplayReport, names: dict[str, str], seconds: float) -> None:
    for event in report.events:
        click.echo(json.dumps({"kind": "event", **_event(event, names)}, ensure_ascii=False))
    for visit in report.visits:
        click.echo(json.dumps({"kind": "visit", **_visit(visit, names)}, ensure_ascii=False))
    click.echo(json.dumps({"kind": "summary", **_summary(report, seconds)}))


def _print_tables(report: ReplayReport, names: dict[str, str], seconds: float) -> None:
    events = [_event(event, names) for event in report.events]
    print_table(
        ("at", "event", "room", "person", "score", "margin", "votes", "reasons"),
        [
            (f"{e['at']:.1f} s", e["event"], e["room"], e["person"] or "–", _number(e["score"]),
             _number(e["margin"]), e["votes"], _list(e["reasons"]))
            for e in events
        ],
        title="Events",
    )  # fmt: skip
    visits = [_visit(visit, names) for visit in report.visits]
    print_table(
        ("seen", "camera", "person", "score", "margin", "votes", "why not"),
        [
            (f"{v['first_seen']:.1f}–{v['last_seen']:.1f} s", v["camera"], v["person"] or "unknown",
             _number(v["score"]), _number(v["margin"]), v["votes"], _list(v["reasons"]))
            for v in visits
        ],
        title="Visits",
    )  # fmt: skip
    s = _summary(report, seconds)
    click.echo(
        f"{s['frames']} frames of {s['recorded_seconds']:.0f} s in {s['seconds']:.1f} s "
        f"({s['speed']:.1f} × real time). Visits: {s['named_visits']} named, {s['unknown_visits']} unknown."
    )


def _event(event: PresenceEvent, names: dict[str, str]) -> dict[str, object]:
    return {
        "at": round(event.captured_at, 3),
        "event": event.kind.value,
        "room": event.room,
        "person": names.get(event.subject_id or ""),
        "visit": event.visit_id,
        "camera": event.camera,
        "score": None if event.score is None else round(event.score, 4),
        "margin": None if event.margin is None else round(event.margin, 4),
        "votes": event.votes,
        "reasons": [str(reason) for reason in event.reasons],
    }


def _visit(visit: Sighting, names: dict[str, str]) -> dict[str, object]:
    from homeface.core.types import Identified

    decision = visit.decision
    named = isinstance(decision, Identified)
    scores = [candidate.score for candidate in decision.candidates]
    return {
        "visit": visit.visit_id,
        "room": visit.room,
        "camera": visit.camera,
        "first_seen": round(visit.first_seen, 3),
        "last_seen": round(visit.captured_at, 3),
        "person": names.get(decision.subject_id) if isinstance(decision, Identified) else None,
        "score": round(scores[0], 4) if scores else None,
        "margin": None if len(scores) < 2 else round(scores[0] - scores[1], 4),
        "votes": decision.votes,
        "reasons": [] if named else [str(reason) for reason in getattr(decision, "reasons", ())],
    }


def _summary(report: ReplayReport, seconds: float) -> dict[str, float]:
    return {
        "frames": report.frames,
        "looked": report.looked,
        "events": len(report.events),
        "named_visits": len(report.named),
        "unknown_visits": len(report.visits) - len(report.named),
        "recorded_seconds": round(report.recorded_seconds, 2),
        "seconds": round(seconds, 2),
        "speed": round(report.recorded_seconds / seconds, 2) if seconds else 0.0,
    }


def _list(values: object) -> str:
    return "\n".join(values) if isinstance(values, list) else ""


def _number(value: object) -> str:
    return "–" if not isinstance(value, float) else f"{value:.2f}"
