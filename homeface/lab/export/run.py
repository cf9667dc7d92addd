"""``homeface lab export``: a model in another form, and what that form is worth."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

from homeface.errors import ModelError, StoreError
from homeface.inference.manifest import Artefact, Family, Kind, ModelSpec
from homeface.inference.models import Placement
from homeface.lab.evaluation.running import Work
from homeface.lab.evaluation.street import Protocol
from homeface.lab.export.forms import FORMATS, as_onnx, write
from homeface.lab.export.judging import Accuracy, accuracy, calibration_rows, milliseconds
from homeface.lab.export.quantising import in_eight_bits, in_half
from homeface.lab.training.entry import entry_of
from homeface.lab.training.files import replace_file

PRECISIONS = ("float32", "fp16", "int8")


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportRequest:
    """``faces``: a folder of people, for ranges and for judging; None: neither. ``calibration``: how many."""

    spec: ModelSpec
    detector: ModelSpec
    form: str
    precision: str
    out: Path
    faces: Path | None = None
    calibration: int = 100
    protocol: Protocol = Protocol()  # noqa: RUF009 - frozen


@dataclass(frozen=True, slots=True)
class Exported:
    """``sizes`` in bytes, ``milliseconds`` of processor time a face, before and after. ``entry``: lines for
    ``models`` in the configuration; empty for forms that the daemon does not take."""

    files: tuple[Path, ...]
    sizes: tuple[int, int]
    milliseconds: tuple[float, float] | None
    accuracy: Accuracy | None
    entry: str


def export(request: ExportRequest, place: Placement, work: Work) -> Exported:
    """Make the files, then judge them. Raises the ``ModelError`` tree, ImageError, ``StoreError``."""
    spec = request.spec
    _check(request)
    plain = as_onnx(spec, place)
    content = plain
    if request.precision == "int8":
        assert request.faces is not None  # noqa: S101 - _check saw it
        content = in_eight_bits(
            plain,
            calibration_rows(request.faces, spec, request.detector, place, request.calibration),
            spec.name,
        )
    elif request.precision == "fp16" and request.form == "onnx":
        content = in_half(plain)
    name = spec.name if request.precision == "float32" else f"{spec.name}_{request.precision}"
    try:
        request.out.mkdir(parents=True, exist_ok=True)
        files = write(content, request.form, request.out / name, spec, half=request.precision != "float32")
    except OSError as error:
        raise StoreError(f"{request.out} cannot be written to: {error.strerror or error}.") from error
    sizes = (len(plain), sum(file.stat().st_size for file in files))
    if spec.kind is not Kind.EMBEDDER or request.form != "onnx":
        return Exported(tuple(files), sizes, None, None, "")
    made = _product(spec, name, files[0])
    replace_file(request.out / f"{name}.yaml", f"models:\n{entry_of(made)}\n".encode())
    here = replace(place, folders=(request.out, *place.folders), precision="float32", runtime="auto")
    before, after = milliseconds([spec, made], here)
    judged = None
    if request.faces is not None:
        looking = replace(work, recipe=replace(work.recipe, folders=tuple(here.folders)))
        judged = accuracy(request.faces, (spec, made), request.detector, looking, request.protocol)
    return Exported(tuple(files), sizes, (before, after), judged, entry_of(made))


def _product(spec: ModelSpec, name: str, file: Path) -> ModelSpec:
    """The entry of the made file: a model of its own, whose vectors are not compared with the other's."""
    content = file.read_bytes()
    return replace(
        spec,
        name=name,
        family=Family.ONNX_EMBEDDER,
        artefacts=(Artefact(file.name, hashlib.sha256(content).hexdigest(), size_bytes=len(content)),),
        bfloat16=type(spec.bfloat16).NOTHING,
    )


def _check(request: ExportRequest) -> None:
    if request.form not in FORMATS or request.precision not in PRECISIONS:
        raise ModelError(f"There is no export as {request.form} in {request.precision}.")
    if request.precision != "int8":
        return
    if request.spec.kind is not Kind.EMBEDDER:
        raise ModelError(
            f"{request.spec.name} finds faces: in eight bits its boxes and landmarks move, which recognition "
            "pays for. Use --fp16, or none."
        )
    if request.form == "torchscript":
        raise ModelError("TorchScript has no eight-bit form here: take --format onnx or openvino.")
    if request.faces is None:
        raise ModelError(
            "Eight bits need --faces DIR, a folder of people: half of them teach the ranges, the others "
            "judge."
        )
