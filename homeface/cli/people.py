"""``homeface enrol``, ``homeface people`` and ``homeface identify``."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import click

from homeface.cli.household import adapted_command, health_command, remove_photo, report_command
from homeface.cli.options import config_option, json_option, print_json, print_table, read_config, who_acts
from homeface.cli.people_sheet import sheet_command
from homeface.cli.progress import bar

if TYPE_CHECKING:
    from homeface.adapters.store import Store
    from homeface.config import Config
    from homeface.core.gallery import Subject
    from homeface.service.answers import FaceAnswer
    from homeface.service.enrolment import EnrolmentReport, PhotoVerdict, ReembedReport


@click.command("enrol")
@click.argument("name")
@click.argument("photos", nargs=-1, required=True, type=click.Path(path_type=Path))
@config_option
@json_option
@click.option(
    "--allow-lookalikes",
    is_flag=True,
    help="Store photos that look like somebody else enrolled (twins). They may be taken for each other.",
)
def enrol_command(
    name: str, photos: tuple[Path, ...], config_path: Path | None, as_json: bool, allow_lookalikes: bool
) -> int:
    """Enrol NAME from PHOTOS, or add photos to NAME.

    JPEG, PNG, WebP and HEIC, straight from a phone. Five photos are good: different days, light and angles,
    one person in each, the whole head and some room around it. Each photo gets a verdict; bad ones are
    refused and harm nothing. A running daemon notices by itself. Exit code 1 when no photo was accepted,
    0 when all were there already.
    """
    config = read_config(config_path)
    report = asyncio.run(_enrol(config, name, photos, allow_lookalikes))
    if as_json:
        print_json(
            {
                "name": name,
                "subject_id": report.subject.subject_id if report.subject else None,
                "created": report.created,
                "accepted": report.accepted,
                "photos": [
                    {"photo": p.label, "key": p.key, "message": p.message, "used": p.used}
                    for p in report.photos
                ],
                "notes": list(report.notes),
            }
        )
    else:
        print_table(("photo", "verdict", ""), [_verdict(photo) for photo in report.photos])
        called = report.subject.name if report.subject else name
        click.echo(f"{called}: {report.accepted} of {len(report.photos)} photos accepted.")
        for note in report.notes:
            click.echo(note)
    return 0 if report.accepted or all(p.key == "duplicate" for p in report.photos) else 1


def _verdict(photo: PhotoVerdict) -> tuple[str, str, str]:
    return photo.label, photo.key, "" if photo.used else photo.message


async def _enrol(
    config: Config, name: str, photos: Sequence[Path], allow_lookalikes: bool
) -> EnrolmentReport:
    from homeface.core.enrolment import policy_for_enrolment
    from homeface.inference.calibration import calibration_for
    from homeface.service.enrolment import Enrolment
    from homeface.service.session import apply_aliases, open_session

    async with open_session(config, os.environ) as session:
        calibration = await asyncio.to_thread(calibration_for, session.engine.model_id, config.models_dir)
        policy = policy_for_enrolment(calibration, allow_lookalikes=allow_lookalikes)
        enrolment = Enrolment(session.engine, session.store, policy, keep_crops=config.storage.keep_crops)
        with bar(f"Enrolling {name}", len(photos)) as show:
            report = await enrolment.enrol(
                name, [(str(path), path) for path in photos], lambda done, _total, _label: show(done)
            )
        await asyncio.to_thread(apply_aliases, session.store, config)
        if report.subject is not None:
            await asyncio.to_thread(session.store.note_act, who_acts(), "enrol", report.subject.subject_id)
        return report


@click.command("identify")
@click.argument("images", nargs=-1, required=True, type=click.Path(path_type=Path))
@config_option
@json_option
def identify_command(images: tuple[Path, ...], config_path: Path | None, as_json: bool) -> int:
    """Who is in these pictures, and why not?

    Shows each face's box, the best candidates with score (cosine similarity) and margin, and the reasons when
    no name is given. One picture needs a higher score than a visit, in which many faces agree.
    Exit code 1 when a picture could not be read.
    """
    config = read_config(config_path)
    rows = asyncio.run(_identify(config, images))
    if as_json:
        print_json(rows)
    else:
        for image in dict.fromkeys(str(row["image"]) for row in rows):
            _print_faces(image, [row for row in rows if row["image"] == image])
    return 1 if any("error" in row for row in rows) else 0


def _print_faces(image: str, rows: list[dict[str, object]]) -> None:
    """One picture: a line a face, or a sentence when there is none."""
    if "error" in rows[0]:
        click.echo(rows[0]["error"])
        return
    if "box" not in rows[0]:
        click.echo(f"{image}: no face was found.")
        return
    print_table(
        ("person", "best candidates", "margin", "face at (px)", "why not"),
        [
            (row["person"] or "unknown", row["candidates_text"], _number(row["margin"]),
             _list(row["box"], " "), _list(row["reasons"], "\n"))
            for row in rows
        ],
        title=image,
    )  # fmt: skip


async def _identify(config: Config, images: Sequence[Path]) -> list[dict[str, object]]:
    from homeface.adapters.photos import load_photo
    from homeface.errors import ImageError
    from homeface.service.answers import identify_photo
    from homeface.service.session import open_session

    rows: list[dict[str, object]] = []
    async with open_session(config, os.environ) as session:
        gallery, policy = session.recognition.gallery, session.recognition.policy
        names = {subject.subject_id: subject.name for subject in gallery.subjects.values()}
        for path in images:
            try:
                image = await asyncio.to_thread(load_photo, path, str(path))
            except ImageError as error:
                rows.append({"image": str(path), "person": None, "reasons": [], "error": str(error)})
                continue
            answers = await identify_photo(session.engine, image, gallery, policy)
            rows += [_answer(str(path), answer, names) for answer in answers]
            if not answers:
                rows.append({"image": str(path), "person": None, "reasons": ["no_face"]})
    return rows


def _answer(image: str, answer: FaceAnswer, names: dict[str, str]) -> dict[str, object]:
    from homeface.core.types import Identified

    decision = answer.decision
    candidates = [
        {"person": names.get(c.subject_id, c.subject_id), "score": round(c.score, 4)}
        for c in decision.candidates
    ]
    scores = [candidate.score for candidate in decision.candidates]
    margin = scores[0] - scores[1] if len(scores) > 1 else None
    return {
        "image": image,
        "box": [round(value) for value in answer.face.detection.box],
        "person": names.get(decision.subject_id) if isinstance(decision, Identified) else None,
        "score": round(scores[0], 4) if scores else None,
        "margin": None if margin is None else round(margin, 4),
        "candidates": candidates,
        "candidates_text": ", ".join(f"{c['person']} {c['score']:.2f}" for c in candidates[:3]),
        "reasons": [] if isinstance(decision, Identified) else [str(reason) for reason in decision.reasons],
        "quality": {
            "interocular_px": round(answer.face.quality.interocular_px, 1),
            "score": round(answer.face.quality.score, 3),
        },
    }


@click.group("people")
def people_command() -> None:
    """List, show, rename, remove and export enrolled people; see how well they are known.

    People are named by name, alias or id.
    """


for _command in (health_command, report_command, sheet_command, adapted_command, remove_photo):
    people_command.add_command(_command)


@people_command.command("list")
@config_option
@json_option
def list_people(config_path: Path | None, as_json: bool) -> None:
    """Everybody who is enrolled."""
    with closing(_store(config_path)) as store:
        rows = [_person(store, subject) for subject in store.subjects()]
    if as_json:
        print_json(rows)
    elif rows:
        print_table(
            ("name", "id", "photos", "models", "last seen"),
            [(r["name"], r["id"], r["templates"], _list(r["models"]), _ago(r["last_seen"])) for r in rows],
        )
    else:
        click.echo("Nobody is enrolled yet: homeface enrol NAME photos/*.jpg")


@people_command.command("show")
@click.argument("name")
@config_option
@json_option
def show_person(name: str, config_path: Path | None, as_json: bool) -> None:
    """One person: photos with their quality, and the last visits."""
    with closing(_store(config_path)) as store:
        subject = store.require_subject(name)
        person = _person(store, subject)
        templates = [
            {
                "id": t.template_id,
                "model": t.model_id,
                "quality": round(t.quality, 3),
                "infrared": t.infrared,
                "source": "adapted" if t.adapted else "photo",
                "created_at": t.created_at,
            }
            for t in store.templates(subject_id=subject.subject_id)
        ]
        visits = [
            {"room": s.room, "camera": s.camera, "from": s.first_seen, "to": s.last_seen, "score": s.score}
            for s in store.sightings(subject_id=subject.subject_id, limit=20)
        ]
    if as_json:
        print_json({**person, "photos": templates, "visits": visits})
        return
    also = f", also called {', '.join(subject.aliases)}" if subject.aliases else ""
    click.echo(f"{subject.name} ({subject.subject_id}){also}")
    print_table(
        ("photo", "model", "quality", "infra-red", "from", "added"),
        [
            (
                t["id"],
                t["model"],
                _number(t["quality"]),
                "yes" if t["infrared"] else "no",
                "a visit" if t["source"] == "adapted" else "a photo",
                _when(t["created_at"]),
            )
            for t in templates
        ],
        title="Photos",
    )
    if not visits:
        click.echo("Last visits: none yet")
        return
    print_table(
        ("room", "camera", "from", "to", "score"),
        [(v["room"], v["camera"], _when(v["from"]), _when(v["to"]), _number(v["score"])) for v in visits],
        title="Last visits",
    )


@people_command.command("rename")
@click.argument("name")
@click.argument("new_name")
@config_option
def rename_person(name: str, new_name: str, config_path: Path | None) -> None:
    """Give a person another name.

    The history and Home Assistant's entities stay.
    """
    from homeface.service.renaming import change_person

    config = read_config(config_path)
    with closing(_store(config_path)) as store:
        subject = change_person(store, store.require_subject(name).subject_id, config, name=new_name)
        store.note_act(who_acts(), "rename", subject.subject_id)
    click.echo(f"{name} is now called {subject.name}.")


@people_command.command("remove")
@click.argument("name")
@config_option
@click.option("--yes", is_flag=True, help="Do not ask.")
def remove_person(name: str, config_path: Path | None, yes: bool) -> None:
    """Forget a person: photos, templates and visits. This cannot be undone."""
    from homeface.service.forgetting import forget_person

    config = read_config(config_path)
    with closing(_store(config_path)) as store:
        subject = store.require_subject(name)
        if not yes:
            click.confirm(f"Forget {subject.name} with all photos and visits, for ever?", abort=True)
        forget_person(store, subject.subject_id, config)
        store.note_act(who_acts(), "remove", subject.subject_id)
    click.echo(f"{subject.name} is forgotten.")


@people_command.command("export")
@click.argument("name")
@click.argument("folder", type=click.Path(path_type=Path))
@config_option
def export_person(name: str, folder: Path, config_path: Path | None) -> None:
    """Write all that is known of a person into a folder.

    FOLDER is new or empty; it gets the face pictures and subject.json, readable by you alone.
    """
    with closing(_store(config_path)) as store:
        subject = store.require_subject(name)
        files = store.export(subject.subject_id, folder)
        store.note_act(who_acts(), "export", subject.subject_id)
    click.echo(f"{subject.name}: {len(files)} files in {folder}, readable by you alone.")


@people_command.command("reembed")
@config_option
@json_option
def reembed(config_path: Path | None, as_json: bool) -> int:
    """Adapt everybody to another embedder.

    Makes the templates of another model anew from the kept face pictures; no new photos are needed.
    """
    config = read_config(config_path)
    report = asyncio.run(_reembed(config))
    if as_json:
        print_json(
            {
                "done": report.done,
                "failed": {k: list(v) for k, v in report.failed.items()},
                "forgotten": report.forgotten,
            }
        )
    else:
        for template_id, (_, sentence) in report.failed.items():
            click.echo(f"{template_id}: {sentence}")
        click.echo(f"{report.done} templates were made anew, {len(report.failed)} could not be.")
        if report.forgotten:
            click.echo(f"{report.forgotten} learned from visits were forgotten: no picture of them was kept.")
    return 1 if report.failed else 0


async def _reembed(config: Config) -> ReembedReport:
    from homeface.service.enrolment import Enrolment
    from homeface.service.session import open_session

    async with open_session(config, os.environ) as session:
        with bar("Embedding", session.store.counts().templates) as show:
            report = await Enrolment(session.engine, session.store).reembed(
                lambda done, _total, _label: show(done)
            )
        await asyncio.to_thread(session.store.note_act, who_acts(), "reembed")
    return report


def _store(config_path: Path | None) -> Store:
    from homeface.service.session import open_store

    return open_store(read_config(config_path))


def _person(store: Store, subject: Subject) -> dict[str, object]:
    templates = store.templates(subject_id=subject.subject_id)
    last = store.sightings(subject_id=subject.subject_id, limit=1)
    return {
        "id": subject.subject_id,
        "name": subject.name,
        "aliases": list(subject.aliases),
        "templates": len(templates),
        "models": sorted({template.model_id for template in templates}),
        "last_seen": last[0].last_seen if last else None,
    }


def _list(values: object, between: str = ", ") -> str:
    return between.join(str(value) for value in values) if isinstance(values, list) else ""


def _number(value: object) -> str:
    return "–" if not isinstance(value, float) else f"{value:.2f}"


def _when(seconds: object) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds)) if isinstance(seconds, float) else "–"


def _ago(seconds: object) -> str:
    return _when(seconds) if seconds else "never"
