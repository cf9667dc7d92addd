"""``homeface people sheet``: the gallery as one picture."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import click

from homeface.cli.household import write_private
from homeface.cli.options import check_output, config_option, read_config
from homeface.errors import GalleryError

if TYPE_CHECKING:
    from homeface.adapters.drawing import Cell
    from homeface.adapters.store import Store
    from homeface.core.gallery import Template


@click.command("sheet")
@click.option(
    "-o", "--out", type=click.Path(path_type=Path), required=True, help="Picture to write, FILE.png."
)
@click.option("--force", is_flag=True, help="Write over a file that is there.")
@config_option
def sheet_command(out: Path, force: bool, config_path: Path | None) -> None:
    """Everybody's face pictures on one contact sheet.

    Below each: its quality (0 to 1), when it was added, and what it is: infra-red, learned, or of another
    model. It shows faces and names, and is readable by you alone.
    """
    from homeface.adapters.drawing import Row, contact_sheet
    from homeface.service.session import open_store

    check_output(out, force=force, picture=True)
    with closing(open_store(read_config(config_path))) as store:
        subjects = sorted(store.subjects(), key=lambda subject: subject.name.casefold())
        if not subjects:
            raise GalleryError("Nobody is enrolled: homeface enrol NAME PHOTOS.")
        rows = [
            Row(subject.name, _cells(store, store.templates(subject_id=subject.subject_id)))
            for subject in subjects
        ]
    write_private(out, contact_sheet("Gallery", rows))
    click.echo(f"{out}: {sum(len(row.cells) for row in rows)} pictures of {len(rows)} people.")


def _cells(store: Store, templates: Sequence[Template]) -> list[Cell]:
    """The kept picture of each photo, best first. A photo may have templates of several models."""
    from homeface.adapters.drawing import Cell
    from homeface.adapters.photos import load_photo

    cells = []
    for template in sorted(templates, key=lambda each: (-each.quality, each.template_id)):
        crop = store.crop(template.template_id)
        if crop is None:
            continue
        day = time.strftime("%Y-%m-%d", time.localtime(template.created_at))
        kinds = [word for word, so in (("infra-red", template.infrared), ("learned", template.adapted)) if so]
        lines = [f"{template.quality:.2f}  {day}", ", ".join(kinds)]
        cells.append(Cell(load_photo(crop.jpeg), lines))
    return cells
