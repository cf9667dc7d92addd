"""``homeface demo``: see the main job without a camera or a broker."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from homeface.cli.options import latency_text, print_table

if TYPE_CHECKING:
    from homeface.service.demo import Story, Tell

_LIMIT_SECONDS = 100.0
_PAGE_SECONDS = 3600.0


@click.command("demo")
@click.option(
    "--camera", metavar="URL|NUMBER", help="Use a real camera: rtsp://… or the number of a USB camera."
)
@click.option(
    "--video",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Use a recording as the camera, again and again.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line; the last is of kind summary.")
@click.option(
    "--web", is_flag=True, help="Show the page as well, and keep it until Ctrl+C or --seconds (then 3600)."
)
@click.option("--seconds", type=float, help="End at the latest after so long.  [default: 100]")
def demo_command(
    camera: str | None, video: Path | None, as_json: bool, web: bool, seconds: float | None
) -> int:
    """See homeface at work: no camera, no broker and no configuration needed.

    A visitor (a public-domain portrait) walks through a drawn room and is unknown; the demo enrols that
    visitor, who goes, comes back, and is named. Detection, recognition, database and MQTT are the real
    ones; the broker is embedded and all lies in a temporary folder. Ends by itself within two minutes.
    With --camera or --video you are the visitor: come, go away for some seconds, and come back.
    With --web there is the page, too: its first visitor makes a password.
    """
    if camera and video:
        raise click.UsageError("Give --camera or --video, not both.")
    if video and not video.is_file():
        raise click.UsageError(f"There is no file {video}.")
    import logging

    logging.basicConfig(level=logging.ERROR, format="%(levelname)s %(name)s: %(message)s")
    logging.getLogger("amqtt").setLevel(logging.CRITICAL)  # it calls a client that looks in and goes an error
    _fetch_weights()
    with tempfile.TemporaryDirectory(prefix="homeface-demo-") as folder:
        source = _source(camera, video, Path(folder), as_json)
        if web and "file" in source:
            source["loop"] = True
        tell = _tell_json if as_json else _tell_text
        limit = seconds if seconds is not None else _PAGE_SECONDS if web else _LIMIT_SECONDS
        story = asyncio.run(_run(Path(folder), source, tell, limit, web))
    truth_known = not camera and not video
    summary = story.summary(truth_known=truth_known)
    if as_json:
        click.echo(json.dumps(summary))
    else:
        _print_end(story, summary)
    good = story.named and story.unknown and not story.wrong_names()
    return 0 if good or not truth_known else 1


def _fetch_weights() -> None:
    """First of all: without weights there is nothing to see."""
    from homeface.cli.progress import fetch_with_progress
    from homeface.service import wiring

    for spec in wiring.wanted_models(None):
        fetch_with_progress(spec, wiring.model_folders(None, os.environ))


def _source(camera: str | None, video: Path | None, folder: Path, as_json: bool) -> dict[str, object]:
    if camera:
        if "://" in camera:
            return {"url": camera}
        if camera.isdigit() or camera.startswith("/dev/"):
            return {"device": int(camera) if camera.isdigit() else camera}
        raise click.UsageError("--camera takes a URL (rtsp://…), the number of a USB camera or /dev/video0.")
    if video:
        return {"file": str(video.absolute()), "loop": True}
    from homeface.service.demo_clip import write_clip

    if not as_json:
        click.echo("Drawing the demo's recording …")
    clip = folder / "clip.mp4"
    write_clip(clip)
    return {"file": str(clip)}


async def _run(folder: Path, source: Mapping[str, object], tell: Tell, seconds: float, web: bool) -> Story:
    from homeface.adapters.camera import probe
    from homeface.inference.engine import Engine
    from homeface.service import wiring
    from homeface.service.demo import Demo, RememberingEngine, demo_config, embedded_broker
    from homeface.service.life import Life
    from homeface.service.session import open_store

    async with embedded_broker() as port:
        config = demo_config(folder, source, port, os.environ, with_page=web)
        (camera,) = config.cameras.values()
        await asyncio.to_thread(probe, wiring.camera_settings("camera", camera))  # told now, not at the end
        store = open_store(config)
        engine = Engine(wiring.engine_settings(config, os.environ))
        await engine.start()
        try:
            remembering = RememberingEngine(engine)
            life = Life(config, remembering, store)
            await life.begin()
            tell(
                {
                    "kind": "start",
                    "device": engine.device,
                    "model": engine.model_id,
                    "camera": source.get("url", ""),
                }
            )
            if web:
                tell({"kind": "page", "url": f"http://127.0.0.1:{config.web.port}/"})
            return await Demo(life, remembering, tell).run(seconds, stay=web)
        finally:
            await engine.aclose()
            store.close()


def _tell_json(thing: Mapping[str, object]) -> None:
    click.echo(json.dumps(thing, ensure_ascii=False))


def _tell_text(thing: Mapping[str, object]) -> None:
    match thing["kind"]:
        case "start":
            click.echo(f"Models run on {thing['device']} ({thing['model']}). The camera starts.\n")
        case "page":
            click.secho(f"The page: {thing['url']} (make any password; all goes with the demo)\n", bold=True)
        case "visit":
            click.echo(f"{thing['at']:>6} s  living room: {_answer(thing)}")
        case "event":
            person = thing["person"] or "somebody unknown"
            click.secho(
                f"{thing['at']:>6} s  MQTT event: {person} {_VERBS.get(str(thing['event']), thing['event'])} "
                f"(heard {thing['latency_ms']} ms after the picture)",
                bold=True,
            )
        case "enrolment":
            click.secho(
                f"{thing['at']:>6} s  → enrolled {thing['name']} from {_count(thing['accepted'], 'face')}",
                fg="green",
            )
        case _:
            click.echo(str(thing.get("text", thing)))


_WHY = {"empty_gallery": "nobody is enrolled yet"}
_VERBS = {"arrived": "arrived", "left": "left", "unknown": "is here", "seen_again": "was seen again"}


def _answer(thing: Mapping[str, object]) -> str:
    score = "" if thing["score"] is None else f", best score {thing['score']}"
    margin = "" if thing["margin"] is None else f", margin {thing['margin']}"
    reasons = ", ".join(_WHY.get(str(reason), str(reason)) for reason in thing["reasons"])  # type: ignore[attr-defined]
    why = f" ({reasons})" if reasons else ""
    who = {"undecided": "somebody, not decided yet", "unknown": "unknown"}.get(
        str(thing["answer"]), str(thing["person"])
    )
    verb = "the visit ended as" if thing["ended"] else "sees"
    return (
        f"{verb} {who}{why}{score}{margin}, {_count(thing['votes'], 'face')}, "
        f"{thing['age_ms']} ms old, {_count(thing['frames'], 'frame')} looked at, {thing['dropped']} dropped"
    )


def _print_end(story: Story, summary: Mapping[str, object]) -> None:
    topics: dict[str, tuple[bytes, bool]] = {}
    counts: Counter[str] = Counter()
    for topic, payload, retained in story.messages:
        counts[topic] += 1
        topics[topic] = (payload, retained)
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else 160
    room = max(12, width - max(map(len, topics), default=0) - 12)  # one line for each
    rows = [
        (topic, counts[topic], _cut(topics[topic][0].decode(errors="replace"), room))
        for topic in sorted(topics)
    ]
    click.echo()
    print_table(
        ("topic", "n", "last payload"),
        rows,
        title="What a broker got (n messages, and the last payload, of each topic)",
    )
    named, unknown, wrong = summary["named_visits"], summary["unknown_visits"], summary["wrong_names"]
    told = "not known for your own camera" if wrong is None else wrong
    click.echo(
        f"{_count(named, 'visit')} named, {unknown} unknown, wrong names: {told}; "
        f"{_count(summary['mqtt_messages'], 'MQTT message')}"
        + (f"; from picture to message {latency}." if (latency := latency_text(summary)) else ".")
    )
    if not named:
        click.echo(_NOBODY_NAMED)


_NOBODY_NAMED = (
    "Nobody was named: a visitor is enrolled when an unknown visit ends, and named when they come back. Stay "
    "before the camera for some seconds, go away for ten, come back; --seconds 300 gives more time."
)


def _cut(text: str, room: int) -> str:
    return text if len(text) <= room else text[: room - 1] + "…"


def _count(number: object, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
