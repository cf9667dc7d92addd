"""``homeface annotate``: recognition drawn into a recording."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from homeface.cli.household import write_private
from homeface.cli.options import check_output, config_option, read_config
from homeface.cli.progress import bar
from homeface.core.types import Identified

if TYPE_CHECKING:
    from homeface.config import Config
    from homeface.service.annotation import Annotated
    from homeface.service.replay import Clip


@click.command("annotate")
@click.argument("clip", metavar="CLIP")
@click.option("-o", "--out", type=click.Path(path_type=Path), required=True, help="Video to write, OUT.mp4.")
@click.option("--sheet", type=click.Path(path_type=Path), help="Also the best face of each visit, SHEET.png.")
@click.option("--force", is_flag=True, help="Write over files that are there.")
@config_option
def annotate_command(clip: str, out: Path, sheet: Path | None, force: bool, config_path: Path | None) -> None:
    """Draw recognition into a recording: a box and a colour for each visit, its name and score.

    CLIP is CAMERA=FILE, or a file whose name is a camera's. It goes through the very pipeline of the daemon,
    and shows what was known at each moment: dots and the faces counted so far until there is a name, a thin
    box where a face was not seen in the newest look. The sound is left out. What is written is readable by
    you alone: it shows faces and names.
    """
    config = read_config(config_path)
    from homeface.service.replay import assign

    check_output(out, force=force)
    if sheet is not None:
        check_output(sheet, force=force, picture=True)
    (recording,) = assign([clip], config)
    report = asyncio.run(_annotate(recording, out, sheet, config))
    named = sum(isinstance(visit.decision, Identified) for visit in report.visits)
    click.echo(
        f"{out}: {report.frames} frames of {report.seconds:.0f} s. "
        f"Visits: {named} named, {len(report.visits) - named} unknown."
    )


async def _annotate(recording: Clip, out: Path, sheet: Path | None, config: Config) -> Annotated:
    from homeface.service.annotation import annotate, visit_sheet
    from homeface.service.replay import clip_seconds
    from homeface.service.session import open_session

    total = await asyncio.to_thread(clip_seconds, recording.path)
    async with open_session(config, os.environ) as session:
        with bar("Drawing", total) as show:
            report = await annotate(recording, out, config, session.engine, session.recognition, show)
        if sheet is not None:
            title = f"Visits in {recording.path.name}"
            picture = await asyncio.to_thread(visit_sheet, report, session.recognition.gallery, title)
            await asyncio.to_thread(write_private, sheet, picture)
        return report
