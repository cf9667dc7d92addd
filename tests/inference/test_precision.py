"""Fewer bits: where they are taken, and that results stay what they were."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from homeface.core.geometry import iou_matrix
from homeface.core.types import ImageBGR, ImageRGB
from homeface.errors import BackendUnavailableError
from homeface.inference.manifest import Kind, find_spec
from homeface.inference.models import Placement, load_detector, load_embedder
from homeface.inference.runtimes import precision as precision_module
from homeface.inference.runtimes.precision import Low, cpu_flags, low_on_cpu
from homeface.inference.runtimes.torch import dtype_on
from tests.support.data import data_dir, requires_data, weights_dir

NOTHING, PRODUCTS, ALL = Low
AMX, AVX, OLD = {"amx_bf16", "avx512_bf16"}, {"avx512_bf16"}, {"avx2"}
needs_amx = pytest.mark.skipif("amx_bf16" not in cpu_flags(), reason="this processor has no AMX")
"""No machine can be given it: not a lack that `needs` tells of."""


@pytest.mark.parametrize(
    ("flags", "wish", "measured", "taken"),
    [
        (AMX, "auto", PRODUCTS, PRODUCTS),
        (AMX, "auto", NOTHING, NOTHING),
        (AMX, "float32", ALL, NOTHING),
        (AMX, "bfloat16", NOTHING, ALL),
        (AVX, "auto", ALL, NOTHING),
        (AVX, "bfloat16", PRODUCTS, PRODUCTS),
        (OLD, "auto", ALL, NOTHING),
        (set(), "float32", ALL, NOTHING),
    ],
)
def test_what_is_computed_in_bfloat16(
    monkeypatch: pytest.MonkeyPatch, flags: set[str], wish: str, measured: Low, taken: Low
) -> None:
    monkeypatch.setattr(precision_module, "cpu_flags", lambda: frozenset(flags))
    assert low_on_cpu(wish, measured, "mine") is taken


@pytest.mark.parametrize(("wish", "told"), [("bfloat16", "no unit for it"), ("int8", "there is no 'int8'")])
def test_wishes_that_cannot_be_met(monkeypatch: pytest.MonkeyPatch, wish: str, told: str) -> None:
    monkeypatch.setattr(precision_module, "cpu_flags", lambda: frozenset(OLD))
    with pytest.raises(BackendUnavailableError, match=f"recognition.precision.*{told}"):
        low_on_cpu(wish, ALL, "mine")


def test_what_the_processor_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    info = tmp_path / "cpuinfo"
    monkeypatch.setattr(precision_module, "_CPU_INFO", info)
    cpu_flags.cache_clear()
    assert cpu_flags() == frozenset()
    cpu_flags.cache_clear()
    info.write_text("processor : 0\nmodel name : x\nflags\t\t: fpu amx_bf16\n\nprocessor : 1\nflags : fpu\n")
    assert cpu_flags() == {"fpu", "amx_bf16"}
    cpu_flags.cache_clear()


def test_on_a_gpu() -> None:
    import torch

    assert dtype_on("cpu", "bfloat16") is torch.float32
    assert [dtype_on("cuda:0", wish) for wish in ("auto", "float32", "bfloat16")] == [
        torch.float16,
        torch.float32,
        torch.bfloat16,
    ]


def faces(count: int) -> list[tuple[ImageBGR, ImageRGB]]:
    paths = sorted((data_dir() / "lfw" / "images").glob("*/*.jpg"))[:: 3941 // count]
    pictures = [cv2.imread(str(path)) for path in paths]
    return [(picture, picture[60:190, 60:190, ::-1]) for picture in pictures]  # type: ignore[misc]


def place(precision: str, cache: Path) -> Placement:
    return Placement([weights_dir()], "cpu", 0, "openvino", cache, precision)


@requires_data
@needs_amx
@pytest.mark.accuracy
class TestParity:
    @pytest.mark.parametrize(
        ("name", "exact"), [("facenet_vggface2", "torch"), ("mobilefacenet", "onnxruntime")]
    )
    def test_vectors_are_those_of_float32(
        self, name: str, exact: str, pytestconfig: pytest.Config, tmp_path: Path
    ) -> None:
        spec = find_spec(name, Kind.EMBEDDER)
        kept = Path(pytestconfig.cache.mkdir("compiled-models"))  # type: ignore[union-attr]
        crops = [cv2.resize(crop, (spec.input_px,) * 2) for _, crop in faces(40)]
        low = load_embedder(spec, place("auto", kept)).embed(crops)  # type: ignore[arg-type]
        full = load_embedder(spec, Placement([weights_dir()], "cpu", 0, exact)).embed(crops)  # type: ignore[arg-type]
        assert not np.array_equal(low, full)
        assert (low * full).sum(axis=1).min() >= 0.999
        assert np.abs(low @ low.T - full @ full.T).max() < 0.03

    @pytest.mark.parametrize("name", ["yunet_n", "mtcnn"])
    def test_faces_are_those_of_float32(self, name: str, pytestconfig: pytest.Config) -> None:
        spec = find_spec(name, Kind.DETECTOR)
        kept = Path(pytestconfig.cache.mkdir("compiled-models"))  # type: ignore[union-attr]
        wishes = ("auto", "bfloat16", "float32")
        default, low, full = (load_detector(spec, place(wish, kept), 40) for wish in wishes)
        pictures = [picture for picture, _ in faces(40)]
        overlaps = []
        results = (detector.detect(pictures) for detector in (default, low, full))
        for usual, found, expected in zip(*results, strict=True):
            assert [face.box for face in usual] == [face.box for face in expected]
            assert len(found) == len(expected)
            boxes = [np.array([face.box for face in each]).reshape(-1, 4) for each in (expected, found)]
            overlaps += iou_matrix(*boxes).max(axis=1).tolist()
        assert min(overlaps) > 0.85
        assert np.median(overlaps) >= 0.99

    def test_both_kinds_lie_in_one_cache(self, tmp_path: Path) -> None:
        spec = find_spec("mobilefacenet", Kind.EMBEDDER)
        crops = [np.full((112, 112, 3), 90, np.uint8)]
        first = [load_embedder(spec, place(wish, tmp_path)).embed(crops) for wish in ("float32", "auto")]
        again = [load_embedder(spec, place(wish, tmp_path)).embed(crops) for wish in ("float32", "auto")]
        assert not np.array_equal(*first)
        assert np.array_equal(first, again)
