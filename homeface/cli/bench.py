"""``homeface bench``: what homeface costs on this machine, beside what one would pick instead."""

from __future__ import annotations

import os
import shlex
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from homeface.cli.options import print_json, print_table
from homeface.cli.progress import fetch_with_progress, saying

if TYPE_CHECKING:
    from homeface.lab.benchmark.frames import Material
    from homeface.lab.benchmark.setting import Setting

_SECTIONS = ("ratios", "parts", "daemon", "latency")
_QUICK = ("ratios", "daemon")
_PRECISIONS = ("auto", "float32", "bfloat16")


class Cameras(click.ParamType[list[int]]):
    """Numbers of cameras, with commas between them."""

    name = "N,N,…"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> list[int]:
        """A list of numbers from 1 to 16."""
        try:
            numbers = [int(text) for text in str(value).split(",")]
        except ValueError:
            numbers = []
        if not numbers or min(numbers) < 1 or max(numbers) > 16:
            self.fail(f"{value!r} is no list of numbers from 1 to 16, such as 1,2,4.", param, ctx)
        return sorted(set(numbers))


class Duration(click.ParamType[float]):
    """A duration with its unit, as in the configuration."""

    name = "DURATION"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Seconds."""
        from homeface.config.values import parse_duration

        try:
            return parse_duration(str(value))
        except ValueError as error:
            self.fail(f"{value!r} is not {error}.", param, ctx)


@click.command("bench")
@click.option(
    "--quick", is_flag=True, help="About a minute: few frames, short looks, ratios and daemon only."
)
@click.option(
    "--device",
    type=click.Choice(["cpu", "cuda"]),
    default="cpu",
    show_default=True,
    help="Where our models and facenet-pytorch's run; dlib and OpenCV stay on the CPU.",
)
@click.option(
    "--frames",
    metavar="PATH",
    multiple=True,
    type=click.Path(exists=True, path_type=Path),
    help="Your own pictures or recordings, or a folder of them. May be given several times; the "
    "first recording is also what the pipeline and the cameras play.",
)
@click.option(
    "--data",
    metavar="DIR",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Annotated faces: a folder with wider/ (annotations.json, images/), lfw/ and clips/, any "
    "of them. Without --frames and --data everything is drawn.",
)
@click.option(
    "--only",
    "sections",
    multiple=True,
    type=click.Choice(_SECTIONS),
    help="Measure only this; may be given several times.",
)
@click.option(
    "--seconds",
    type=click.FloatRange(0.05, 600),
    help="About so long for each comparison (default 6, with --quick 0.5). Longer means less noise.",
)
@click.option(
    "--cameras",
    type=Cameras(),
    help="How many cameras are run at once "
    "(default 1,2,4, with --quick 1); the others up to 16 are computed from these.",
)
@click.option(
    "--soak",
    type=Duration(),
    help="Watch the running daemon's memory for so long (30min) and "
    "project a day; nothing else is measured unless --only names it.",
)
@click.option("--detector", default="", help="Measure another detector than the default.")
@click.option("--embedder", default="", help="Measure another embedder than the default.")
@click.option(
    "--precision",
    type=click.Choice(_PRECISIONS),
    default="auto",
    show_default=True,
    help="What our models compute in, as recognition.precision says it.",
)
@click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object: ratios with their pairs, and all else."
)
@click.option("--markdown", "as_markdown", is_flag=True, help="Print the block of docs/performance.md.")
@click.option("--plot", "plot_file", metavar="FILE.png", type=click.Path(path_type=Path),
              help="Draw the ratios (needs matplotlib: the report extra).")  # fmt: skip
def bench_command(  # noqa: PLR0913, PLR0917 - one argument for each option
    quick: bool,
    device: str,
    frames: tuple[Path, ...],
    data: Path | None,
    sections: tuple[str, ...],
    seconds: float | None,
    cameras: list[int] | None,
    soak: float | None,
    detector: str,
    embedder: str,
    precision: str,
    as_json: bool,
    as_markdown: bool,
    plot_file: Path | None,
) -> None:
    """What homeface costs on this machine, beside what you would pick instead.

    Everything is measured in this run, on the same frames, each program in a process of its own, and the two
    sides of a ratio in turns. Let the machine do nothing else meanwhile. Peers that are not installed are
    left out and named (uv sync --group peers brings face_recognition's models).

    \b
    ratios    one frame, a batch, a whole frame: ours and facenet-pytorch's, face_recognition's, OpenCV's
    parts     decode, motion, detect, align, embed, match, publish, for 0 to 16 faces (not with --quick)
    daemon    start to READY, an empty room beside FFmpeg's decoding, what each camera costs
    latency   two cameras, from the first usable face to the MQTT message (not with --quick)

    \b
    homeface bench --quick                     a first impression
    homeface bench --frames kitchen.mp4        on your own recording
    homeface bench --soak 30min                does its memory grow?
    homeface bench --json > bench.json         keep it, compare after an update
    """
    from homeface.inference.engine import EngineSettings
    from homeface.lab.benchmark.frames import Wish
    from homeface.lab.benchmark.plot import plot, require_plotting
    from homeface.lab.benchmark.run import Order, bench
    from homeface.lab.benchmark.setting import Setting
    from homeface.service.wiring import engine_settings, model_folders

    if plot_file is not None:
        require_plotting()
    defaults = EngineSettings()
    chosen = sections or (() if soak else _QUICK if quick else _SECTIONS)
    with saying() as tell, tempfile.TemporaryDirectory(prefix="homeface-bench-") as folder:
        setting = Setting(
            detector=detector or defaults.detector,
            embedder=embedder or defaults.embedder,
            device=device,
            folders=tuple(model_folders(None, os.environ)),
            cache=engine_settings(None, os.environ).cache,
            precision=precision,
            seconds=seconds or (0.5 if quick else 6.0),
            quick=quick,
            tell=tell,
        )
        _fetch(setting)
        order = Order(
            sections=(*chosen, *(("soak",) if soak else ())),
            cameras=cameras or ([1] if quick else [1, 2, 4]),
            watch_seconds=min(20.0, 8 * setting.seconds),
            soak_seconds=soak or 0.0,
            command=shlex.join(["homeface", *sys.argv[1:]]),
            soak_progress=lambda done: tell(
                f"soak: {int(10 * done / (soak or 1))} tenths of {soak or 0:.0f} s"
            ),
        )
        wish = Wish(frames=frames, data=data, quick=quick)
        report = bench(wish, order, setting, Path(folder), _measure_latency)
    if as_json:
        print_json(report)
    elif as_markdown:
        from homeface.lab.benchmark.rendering import markdown

        click.echo(markdown(report))
    else:
        _print(report)
    if plot_file is not None:
        plot(report, plot_file)
        click.echo(f"Plot: {plot_file}", err=True)


def _fetch(setting: Setting) -> None:
    """Our models' weights. Raises ``WeightsUnavailableError`` when they cannot be had."""
    from homeface.inference.manifest import Kind, find_spec

    for name, kind in ((setting.detector, Kind.DETECTOR), (setting.embedder, Kind.EMBEDDER)):
        fetch_with_progress(find_spec(name, kind), setting.folders)


def _measure_latency(
    material: Material, folder: Path, setting: Setting, seconds: float
) -> Mapping[str, object]:
    """Two rooms in which somebody is by turns, at once and in full sight."""
    import asyncio

    from homeface.lab.benchmark.broker import broker
    from homeface.lab.benchmark.visits import taking_turns
    from homeface.service.latency import measure_latency

    turns = taking_turns(material.portraits[0], folder)
    with broker() as port:
        config = turns.write_config(folder, setting, port)
        found = asyncio.run(measure_latency(config, turns.photos, _environment(setting), seconds))
    return found.as_json()


def _environment(setting: Setting) -> dict[str, str]:
    return {**os.environ, "HOMEFACE_MODELS": os.pathsep.join(str(path) for path in setting.folders)}


def _print(report: Mapping[str, object]) -> None:
    from homeface.lab.benchmark.rendering import headline, missing, tables

    for line in headline(report):
        click.echo(line)
    click.echo()
    for table in tables(report):
        print_table(table.heads, table.rows, title=table.title)
    for line in missing(report):
        click.echo(f"Not measured: {line}")
