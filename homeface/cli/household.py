"""``homeface people health``, ``report``, ``adapted`` and ``remove-photo``: how well everybody is known."""

from __future__ import annotations

import os
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import click

from homeface.cli.options import config_option, json_option, print_json, print_table, read_config, who_acts
from homeface.errors import GalleryError, HomefaceError

if TYPE_CHECKING:
    from homeface.core.health import Health, PersonHealth
    from homeface.core.health_findings import Finding
    from homeface.service.health import HouseholdHealth


@click.command("health")
@config_option
@json_option
def health_command(config_path: Path | None, as_json: bool) -> None:
    """What can be promised for each person.

    What cannot, and what would help, by name. Photos by day and infra-red, how well they fit, the nearest
    look-alike, and expected shares of strangers' visits that get this name and of own visits, though seen
    well, that go without one. Always ends with exit code 0.
    """
    found = _examine(config_path)
    if as_json:
        from homeface.service.health import as_data

        print_json(as_data(found))
        return
    health = found.health
    if health.people:
        print_table(
            (
                "person",
                "day",
                "infra-red",
                "spread",
                "nearest look-alike",
                "stranger gets the name",
                "missed if seen well",
            ),
            [_row(person, health) for person in health.people],
        )
        from homeface.core.health_findings import in_one

        click.echo(
            f"Asked for: a wrong name in at most {in_one(health.asked)} visits of strangers. Expected, all "
            f"people together: {in_one(health.false_names)}."
        )
    _print_findings(found.findings)


def _print_findings(findings: tuple[Finding, ...]) -> None:
    for title, kept in (("What cannot be promised:", False), ("What would help:", True)):
        chosen = [finding for finding in findings if finding.promise is kept]
        if chosen:
            click.echo(f"\n{title}")
        for finding in chosen:
            click.echo(f"  - {finding.text}")
            if finding.help:
                click.echo(f"    {finding.help}")
    if not findings:
        click.echo("Everybody can be named as promised.")


def _row(person: PersonHealth, health: Health) -> tuple[object, ...]:
    from homeface.core.health_findings import in_one, miss_words

    near = person.nearest
    return (
        person.name,
        person.day,
        person.infrared,
        f"{person.spread:.2f}" if person.photos else "–",
        "–" if near is None else f"{health.name(near.subject_id)} {near.score:.2f}",
        in_one(person.false_names),
        miss_words(person),
    )


@click.command("report")
@config_option
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    default=Path("report.html"),
    show_default=True,
    help="The page; an earlier report there is replaced, any other file is not.",
)
@click.option("--png", type=click.Path(path_type=Path), help="Also write the pictures into this folder.")
def report_command(config_path: Path | None, output: Path, png: Path | None) -> None:
    """Draw who is like whom.

    Which photos stand apart, and the figures of everybody. One HTML page with everything in it (no faces,
    but names), readable by you alone. Needs the extra "report": uv sync --extra report
    """
    found = _examine(config_path)
    from homeface.lab.report.page import MARK, report_of

    try:
        report = report_of(found.gallery, found.health, found.findings, found.model_id, time.time())
    except ImportError as error:
        raise HomefaceError(
            f"The report is drawn with {error.name}, which is not installed: uv sync --extra report "
            "(or: pip install matplotlib jinja2)."
        ) from error
    _refuse_foreign(output, MARK)
    write_private(output, report.html.encode())
    click.echo(f"{output}, readable by you alone.")
    if png is not None:
        for name, _, picture in report.pictures:
            write_private(png / f"homeface-{name}.png", picture)
        click.echo(f"{len(report.pictures)} pictures in {png}.")


def _refuse_foreign(path: Path, mark: str) -> None:
    """Raises HomefaceError for a file that is not a report of ours."""
    try:
        with path.open("rb") as file:
            ours = mark.encode() in file.read(200)
    except FileNotFoundError:
        return
    except OSError as error:
        raise HomefaceError(f"{path} cannot be written ({error.strerror}): choose another file.") from error
    if not ours:
        raise HomefaceError(f"{path} is not a report of homeface and stays as it is: choose another file.")


def write_private(path: Path, content: bytes) -> None:
    """Whole or not at all, with mode 0600, over what is there. Raises HomefaceError."""
    import tempfile

    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, partial = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
            Path(partial).replace(path)
        except BaseException:
            Path(partial).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise HomefaceError(f"{path} cannot be written ({error.strerror}): choose another place.") from error


@click.command("remove-photo")
@click.argument("name")
@click.argument("photo")
@config_option
def remove_photo(name: str, photo: str, config_path: Path | None) -> None:
    """Forget one photo of a person, for good.

    PHOTO is its id, as shown by: homeface people show NAME
    """
    from homeface.service.session import open_store

    with closing(open_store(read_config(config_path))) as store:
        subject = store.require_subject(name)
        mine = [template.template_id for template in store.templates(subject_id=subject.subject_id)]
        if photo not in mine:
            raise GalleryError(
                f"{subject.name} has no photo {photo}; homeface people show {subject.name!r} lists them."
            )
        store.remove_template(photo)
        store.note_act(who_acts(), "remove photo", subject.subject_id)
    click.echo(f"Photo {photo} of {subject.name} is forgotten; {len(mine) - 1} are left.")


@click.group("adapted")
def adapted_command() -> None:
    """What very sure visits taught.

    With recognition.adapt; list it, or forget it.
    """


@adapted_command.command("list")
@config_option
@json_option
def list_adapted(config_path: Path | None, as_json: bool) -> None:
    """Whose, when, from which visit."""
    from homeface.service.session import open_store

    with closing(open_store(read_config(config_path))) as store:
        names = {subject.subject_id: subject.name for subject in store.subjects()}
        rows = [
            {
                "id": item.template_id,
                "name": names.get(item.subject_id, item.subject_id),
                "seen_at": item.seen_at,
                "visit": item.visit_id,
                "infrared": item.infrared,
                "quality": round(item.quality, 3),
                "model": item.model_id,
            }
            for item in store.learned()
        ]
    if as_json:
        print_json(rows)
    elif rows:
        print_table(
            ("person", "learned", "visit", "light", "quality"),
            [
                (
                    row["name"],
                    time.strftime("%Y-%m-%d %H:%M", time.localtime(float(str(row["seen_at"])))),
                    row["visit"],
                    "infra-red" if row["infrared"] else "day",
                    row["quality"],
                )
                for row in rows
            ],
        )
    else:
        click.echo("Nothing was learned from visits.")


@adapted_command.command("drop")
@click.argument("name", required=False)
@click.option("--all", "everybody", is_flag=True, help="Of everybody.")
@config_option
def drop_adapted(name: str | None, everybody: bool, config_path: Path | None) -> None:
    """Forget what visits taught.

    About NAME, or with --all about everybody; photos stay. A running daemon notices by itself.
    """
    if (name is None) is not everybody:
        raise click.UsageError("Give a NAME, or --all.")
    from homeface.service.session import open_store

    with closing(open_store(read_config(config_path))) as store:
        subject_id = None if name is None else store.require_subject(name).subject_id
        count = store.forget_learned(subject_id)
        store.note_act(who_acts(), "forget learned", subject_id or "")
    click.echo(f"{count} learned templates of {name or 'everybody'} are forgotten.")


def _examine(config_path: Path | None) -> HouseholdHealth:
    config = read_config(config_path)
    from homeface.service.health import household_health
    from homeface.service.session import open_store

    with closing(open_store(config)) as store:
        return household_health(store, config, time.time())
