"""The models homeface knows: files, hashes, licences and what each network wants to be fed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from homeface.errors import ModelError
from homeface.inference.runtimes.precision import Low


class Kind(StrEnum):
    """What a model does."""

    DETECTOR = "detector"
    EMBEDDER = "embedder"


class Family(StrEnum):
    """Which code runs it: the layout of its inputs and outputs."""

    MTCNN = "mtcnn"
    YUNET = "yunet"
    SCRFD = "scrfd"
    FASTER_RCNN = "faster_rcnn"
    FACENET = "facenet"
    ONNX_EMBEDDER = "onnx_embedder"


KIND_OF_FAMILY = {
    Family.MTCNN: Kind.DETECTOR,
    Family.YUNET: Kind.DETECTOR,
    Family.SCRFD: Kind.DETECTOR,
    Family.FASTER_RCNN: Kind.DETECTOR,
    Family.FACENET: Kind.EMBEDDER,
    Family.ONNX_EMBEDDER: Kind.EMBEDDER,
}
_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Artefact:
    """One file that carries a model's weights.

    ``sha256`` None: nobody has told us the hash, and the file is neither downloaded nor loaded until somebody
    does (``with_hash``). ``url`` None: not offered for download. ``size_bytes`` 0: not known.
    """

    file: str
    sha256: str | None
    url: str | None = None
    size_bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSpec:
    """One model. Several artefacts of one model give the same vectors and share its id.

    ``input_px``: side of the square input (0: any size). A pixel x in 0..255 of ``colour`` order enters the
    network as (x - mean) / std, per channel in that order. ``template``: how a face is cut for an embedder,
    a key of ``alignment.TEMPLATES``; ``revision`` is raised when that cut changes. ``packaged``: the weights
    come inside a Python package, there is no file to look for. ``bfloat16``: what of it may be computed so
    on a processor with units for it, as was measured.
    """

    name: str
    family: Family
    licence: str
    artefacts: tuple[Artefact, ...] = ()
    packaged: bool = False
    input_px: int = 0
    colour: str = "bgr"
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)
    template: str = ""
    revision: int = 1
    bfloat16: Low = Low.NOTHING

    @property
    def kind(self) -> Kind:
        """Detector or embedder."""
        return KIND_OF_FAMILY[self.family]

    @property
    def model_id(self) -> str:
        """What vectors are marked with: a changed cut makes another id, another artefact does not."""
        return f"{self.name}/{self.template}-{self.revision}" if self.template else self.name


_FACENET_PYTORCH = "https://github.com/timesler/facenet-pytorch/releases/download/v2.2.9/"
_OPENCV_ZOO = "https://github.com/opencv/opencv_zoo/raw/main/models/"
_LIBFACEDETECTION = "https://github.com/ShiqiYu/libfacedetection.train/raw/0047ac24a/onnx/"
_MOBILEFACENET = "https://github.com/foamliu/MobileFaceNet/raw/a6cc903/weights/"
_INSIGHTFACE_LICENCE = "InsightFace: non-commercial research only"

MANIFEST: tuple[ModelSpec, ...] = (
    ModelSpec(
        name="mtcnn",
        family=Family.MTCNN,
        licence="MIT (facenet-pytorch)",
        packaged=True,
        colour="rgb",
        mean=(127.5, 127.5, 127.5),
        std=(128.0, 128.0, 128.0),
    ),
    ModelSpec(
        name="yunet_n",
        family=Family.YUNET,
        licence="BSD-3-Clause (libfacedetection.train)",
        artefacts=(
            Artefact(
                "yunet_n_dynamic.onnx",
                "104ee26c71d5c270ce79a6b3dced91c91013260d29a6bf18f9296c5b8c4c2b12",
                _LIBFACEDETECTION + "yunet_n_dynamic.onnx",
                322_906,
            ),
        ),
    ),
    ModelSpec(
        name="yunet_s",
        family=Family.YUNET,
        licence="BSD-3-Clause (libfacedetection.train)",
        artefacts=(Artefact("yunet_s_640_640.onnx", None, _LIBFACEDETECTION + "yunet_s_640_640.onnx"),),
        input_px=640,
    ),
    ModelSpec(
        name="yunet_2023mar",
        family=Family.YUNET,
        licence="MIT (OpenCV Zoo)",
        artefacts=(
            Artefact(
                "face_detection_yunet_2023mar.onnx",
                "8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4",
                _OPENCV_ZOO + "face_detection_yunet/face_detection_yunet_2023mar.onnx",
                232_589,
            ),
        ),
        input_px=640,
    ),
    ModelSpec(
        name="scrfd_500m",
        family=Family.SCRFD,
        licence=_INSIGHTFACE_LICENCE,
        artefacts=(
            Artefact(
                "scrfd_500m_kps.onnx",
                "517cb1980c72422e676738fc45431700fb7cbee56d0f825b623ee427b3e5ce58",
                size_bytes=2_524_095,
            ),
        ),
        input_px=640,
        colour="rgb",
        mean=(127.5, 127.5, 127.5),
        std=(128.0, 128.0, 128.0),
    ),
    ModelSpec(
        name="scrfd_2.5g",
        family=Family.SCRFD,
        licence=_INSIGHTFACE_LICENCE,
        artefacts=(
            Artefact(
                "scrfd_2.5g_kps.onnx",
                "32d20c77b9e2dc1d07e94c2ab9d25bdd5cd05eddbe0b46e7b38e7a1eca22e99a",
                size_bytes=3_291_017,
            ),
        ),
        input_px=640,
        colour="rgb",
        mean=(127.5, 127.5, 127.5),
        std=(128.0, 128.0, 128.0),
    ),
    ModelSpec(
        name="facenet_vggface2",
        family=Family.FACENET,
        licence="MIT (facenet-pytorch); the terms of VGGFace2 apply to what it was trained on",
        artefacts=(
            Artefact(
                "20180402-114759-vggface2.pt",
                "281cebca8662831adb987a874bdcb36e73f5b1c6dc5ee5878f305e985625d99b",
                _FACENET_PYTORCH + "20180402-114759-vggface2.pt",
                111_898_327,
            ),
            Artefact(  # the same network in half precision, without the classifier
                "inception_resnet_v1_vggface2_fp16.pt",
                "d0865d7b51ab53d6e81b4dbddf358195da8173fd127f28966a4d16f6e1870a64",
                size_bytes=47_261_515,
            ),
        ),
        input_px=160,
        colour="rgb",
        mean=(127.5, 127.5, 127.5),
        std=(128.0, 128.0, 128.0),
        template="stretched",
        bfloat16=Low.ALL,
    ),
    ModelSpec(
        name="facenet_casia",
        family=Family.FACENET,
        licence="MIT (facenet-pytorch); the terms of CASIA-WebFace apply to what it was trained on",
        artefacts=(
            Artefact(
                "20180408-102900-casia-webface.pt",
                None,
                _FACENET_PYTORCH + "20180408-102900-casia-webface.pt",
            ),
        ),
        input_px=160,
        colour="rgb",
        mean=(127.5, 127.5, 127.5),
        std=(128.0, 128.0, 128.0),
        template="stretched",
        bfloat16=Low.ALL,
    ),
    ModelSpec(
        name="mobilefacenet",
        family=Family.ONNX_EMBEDDER,
        licence="Apache-2.0 (foamliu/MobileFaceNet; trained on MS-Celeb-1M)",
        artefacts=(
            Artefact(
                "MobileFaceNet_foamliu.onnx",
                "b7120c095d60094f28a4a54ba6a8bf51b297a6273fb40ef6350dfec1f63d9507",
                _MOBILEFACENET + "MobileFaceNet.onnx",
                3_998_070,
            ),
        ),
        input_px=112,
        colour="rgb",
        mean=(123.675, 116.28, 103.53),
        std=(58.395, 57.12, 57.375),
        template="arcface_112",
        bfloat16=Low.PRODUCTS,
    ),
)


def find_spec(name: str, kind: Kind, extra: Sequence[ModelSpec] = ()) -> ModelSpec:
    """The model of that name and kind; ``extra`` come first. Raises ``ModelError`` naming the known ones."""
    known = [spec for spec in (*extra, *MANIFEST) if spec.kind is kind]
    for spec in known:
        if spec.name == name:
            return spec
    names = ", ".join(sorted({spec.name for spec in known}))
    raise ModelError(f"There is no {kind} called {name!r}. Known: {names}.")


def with_hash(spec: ModelSpec, file: str, sha256: str) -> ModelSpec:
    """The spec with a hash that the user vouches for, for an artefact whose hash the manifest lacks."""
    _require(any(a.file == file for a in spec.artefacts), f"The model {spec.name} has no file {file!r}.")
    _require(_SHA256.fullmatch(sha256) is not None, f"{sha256!r} is not a SHA-256 in lower-case hexadecimal.")
    return replace(
        spec,
        artefacts=tuple(replace(a, sha256=sha256) if a.file == file else a for a in spec.artefacts),
    )


def custom_model(spec: ModelSpec) -> ModelSpec:
    """Check a spec that was made from a user's configuration. Raises ``ModelError`` with what is wrong."""
    what = f"The model {spec.name!r}"
    _require(
        _NAME.fullmatch(spec.name) is not None, f"{what}: a name is lower-case letters, digits and _ . -"
    )
    _require(
        spec.family in {Family.YUNET, Family.SCRFD, Family.FASTER_RCNN, Family.ONNX_EMBEDDER},
        f"{what}: only ONNX files can be added (family yunet, scrfd, faster_rcnn or onnx_embedder).",
    )
    _require(len(spec.artefacts) > 0, f"{what} names no file.")
    for artefact in spec.artefacts:
        _require(
            "/" not in artefact.file and artefact.file not in {"", ".", ".."},
            f"{what}: {artefact.file!r} must be a bare file name in one of the model folders.",
        )
        _require(
            artefact.sha256 is None or _SHA256.fullmatch(artefact.sha256) is not None,
            f"{what}: {artefact.sha256!r} is not a SHA-256 in lower-case hexadecimal.",
        )
    _require(spec.colour in {"rgb", "bgr"}, f"{what}: colour must be rgb or bgr, not {spec.colour!r}.")
    _require(min(spec.std) > 0, f"{what}: std must be above 0.")
    _require(spec.input_px >= 0, f"{what}: input_px must not be negative.")
    if spec.kind is Kind.EMBEDDER:
        _require(spec.input_px > 0, f"{what}: an embedder needs its input_px, e.g. 112.")
        _require(spec.template != "", f"{what}: an embedder needs a template, e.g. arcface_112.")
    return spec


def _require(condition: bool, sentence: str) -> None:
    if not condition:
        raise ModelError(sentence)
