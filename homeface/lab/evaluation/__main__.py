"""``python -m homeface.lab.evaluation``: measure a calibration, and see whether it keeps its promise."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

import click
import numpy as np

from homeface.core.calibration import Calibration, calibration_file, calibration_from
from homeface.lab.evaluation.faces import FaceSet, Sampling

_MIN_FACE_PX = 30
_ASKED = ("1/100", "1/1000", "1/10000")

_folder = click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
_common = (
    click.option("--embedder", default="facenet_vggface2", show_default=True, help="Name in the manifest."),
    click.option(
        "--models",
        type=click.Path(path_type=Path),
        multiple=True,
        help="Folder with weights; may be repeated.",
    ),
    click.option(
        "--cache",
        type=click.Path(path_type=Path),
        default=Path("~/.cache/homeface/evaluation"),
        show_default=True,
        help="Embeddings are kept here and taken up again.",
    ),
    click.option("--looks", default=1, show_default=True, help="Degraded looks of every picture."),
    click.option("--least", default=3, show_default=True, help="Leave out people with fewer pictures."),
    click.option("--most", default=9, show_default=True, help="Pictures used of one person."),
)


@click.group()
def main() -> None:
    """Measure recognition on a folder of people, DIR/<person>/<picture>.jpg."""


def _with_common(command: Any) -> Any:
    for option in reversed(_common):
        command = option(command)
    return _folder(command)


@main.command()
@_with_common
@click.option("--out", type=click.Path(path_type=Path), help="Folder for the calibration file.")
@click.option("--everybody", is_flag=True, help="Use all people, not only the tuning half.")
def calibrate(folder: Path, out: Path | None, everybody: bool, **options: Any) -> None:
    """Measure how like a subject strangers look; writes figures only."""
    from homeface.lab.evaluation.measuring import measure

    faces = load_faces(folder, options)
    inside = np.ones(len(faces.person), bool) if everybody else faces.part(0)
    provenance = {
        "people": str(len(np.unique(faces.person[inside]))),
        "pictures": str(len(np.unique(faces.picture[inside]))),
        "looks": str(int(inside.sum())),
        "set": folder.resolve().parent.name + "/" + folder.resolve().name,
        "part": "everybody" if everybody else "the tuning half, drawn by a hash of the name",
        "command": f"homeface evaluate calibrate DIR --embedder {options['embedder']} "
        f"--looks {options['looks']} --least {options['least']} --most {options['most']}"
        + (" --everybody" if everybody else ""),
        "date": dt.datetime.now(tz=dt.UTC).date().isoformat(),
    }
    calibration, twins = measure(faces, inside, provenance)
    text = json.dumps(as_json(calibration), indent=2) + "\n"
    if out is not None:
        path = out / calibration_file(calibration.model_id)
        path.write_text(text, encoding="utf-8")
        click.echo(f"Written: {path}")
    click.echo(text)
    click.echo(f"Left out, likely one person under two names: {len(twins)} pairs of folders.", err=True)


@main.command()
@_with_common
@click.option("--calibration", "file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--ask", multiple=True, default=_ASKED, show_default=True, help="Asked rate, such as 1/1000.")
@click.option("--subjects", default=4, show_default=True, help="People in a household.")
@click.option("--photos", default=5, show_default=True, help="Enrolment photos of each.")
@click.option("--households", default=100, show_default=True, help="Random households.")
@click.option("--json", "as_lines", is_flag=True, help="One JSON object.")
def household(
    folder: Path,
    file: Path | None,
    ask: tuple[str, ...],
    subjects: int,
    photos: int,
    households: int,
    as_lines: bool,
    **options: Any,
) -> None:
    """Random households of the held-out half: false names and misses at each asked rate.

    Without --calibration the figures are measured on the tuning half first.
    """
    from homeface.lab.evaluation.measuring import measure
    from homeface.lab.evaluation.promise import Protocol, keep_promise

    faces = load_faces(folder, options)
    if file is None:
        calibration, _ = measure(faces, faces.part(0), {})
    else:
        calibration = calibration_from(json.loads(file.read_text(encoding="utf-8")))
    protocol = Protocol(households=households, subjects=subjects, photos=photos)
    results = [
        keep_promise(faces, faces.part(1), calibration, _rate(asked), protocol=protocol) for asked in ask
    ]
    if as_lines:
        click.echo(json.dumps({"model_id": faces.model_id, "asked": [r.as_dict() for r in results]}))
        return
    click.echo(f"{faces.model_id}: {households} households of {subjects} with {photos} photos each")
    for result in results:
        for what in ("fpir_visit", "fpir_probe", "fnir_visit", "fnir_probe"):
            rate = getattr(result, what)
            click.echo(
                f"  asked {result.asked:g}  {what} {rate.value:.5f}  [{rate.low:.5f}, {rate.high:.5f}]  "
                f"{rate.hits} of {rate.total}"
            )
        click.echo(
            f"  asked {result.asked:g}  threshold {result.threshold:.3f} visit, "
            f"{result.single_threshold:.3f} single; wrong names of members {result.wrong_member_visits}; "
            f"looks to a name {result.looks_to_name:g}"
        )


def as_json(calibration: Calibration) -> dict[str, Any]:
    """The form ``calibration_from`` reads."""
    return {
        "model_id": calibration.model_id,
        "visit": [list(row) for row in calibration.visit],
        "single": [list(row) for row in calibration.single],
        "support": calibration.support,
        "margin": calibration.margin,
        "few_templates_extra": list(calibration.few_templates_extra),
        "small_px": calibration.small_px,
        "small_extra": calibration.small_extra,
        "infrared_extra": calibration.infrared_extra,
        "provenance": dict(calibration.provenance),
    }


def load_faces(folder: Path, options: dict[str, Any]) -> FaceSet:
    """Embed the folder with the wished embedder and facenet-pytorch's MTCNN, on this machine's CPU."""
    from homeface.inference.manifest import Kind, find_spec
    from homeface.inference.models import Placement, load_detector, load_embedder
    from homeface.lab.evaluation.faces import collect

    place = Placement(list(options["models"]), "cpu")
    detector = load_detector(find_spec("mtcnn", Kind.DETECTOR), place, _MIN_FACE_PX)
    embedder = load_embedder(find_spec(options["embedder"], Kind.EMBEDDER), place)
    sampling = Sampling(looks=options["looks"], least=options["least"], most=options["most"])
    with click.progressbar(length=100, label="Faces") as bar:

        def progress(done: int, total: int) -> None:
            bar.update(round(100 * done / total) - bar.pos)

        faces = collect(folder, detector, [embedder], sampling, options["cache"].expanduser(), progress)
    detector.close()
    return faces[0]


def _rate(text: str) -> float:
    """``1/1000`` or ``0.001`` as a number."""
    top, _, bottom = text.partition("/")
    try:
        rate = float(top) / float(bottom) if bottom else float(top)
    except (ValueError, ZeroDivisionError):
        rate = 0.0
    if not 0 < rate < 1:
        raise click.BadParameter(f"{text!r} is not a rate such as 1/1000")
    return rate


if __name__ == "__main__":
    main()
