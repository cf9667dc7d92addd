"""Runtimes: which is chosen, what the cache forgives, and that all compute the same."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from homeface.core.types import ImageRGB
from homeface.errors import BackendUnavailableError, ModelError
from homeface.inference.embedders.facenet import facenet
from homeface.inference.manifest import Kind, find_spec
from homeface.inference.models import Placement, load_detector, load_embedder, pixels_of
from homeface.inference.runtimes import choice as choice_module
from homeface.inference.runtimes.cache import ModelCache
from homeface.inference.runtimes.choice import Choice, Runtime, choose
from homeface.inference.runtimes.conversion import onnx_session
from homeface.inference.runtimes.openvino import OpenVinoOptions
from homeface.inference.weights import read_weights
from tests.support.data import data_dir, requires_data, weights_dir

T, OV, ORT = Runtime.TORCH, Runtime.OPENVINO, Runtime.ONNXRUNTIME
ALL = frozenset(Runtime)


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    """Pretend to have some runtimes, some of them with CUDA."""

    def pretend(have: frozenset[Runtime], cuda: frozenset[Runtime]) -> None:
        monkeypatch.setattr(choice_module, "installed", lambda runtime: runtime in have)
        monkeypatch.setattr(choice_module, "_has_cuda", lambda runtime: runtime in cuda)
        monkeypatch.setattr(choice_module, "cuda_devices", lambda: 1 if cuda else 0)
        choice_module._warn_once.cache_clear()

    return pretend


@pytest.mark.parametrize(
    ("have", "cuda", "wish", "chosen", "warned"),
    [
        (ALL, frozenset(), ("auto", "auto", True), Choice(OV, "cpu"), False),
        (ALL, frozenset(), ("auto", "cpu", False), Choice(OV, "cpu"), False),
        (ALL, frozenset({T, ORT}), ("auto", "cpu", False), Choice(OV, "cpu"), False),
        (ALL, frozenset({T, ORT}), ("auto", "auto", False), Choice(T, "cuda:0"), False),
        (ALL, frozenset({T, ORT}), ("auto", "cuda", True), Choice(T, "cuda:0"), False),
        (ALL, frozenset({T}), ("auto", "auto", True), Choice(T, "cuda:0"), False),
        (ALL, frozenset({ORT}), ("auto", "auto", True), Choice(ORT, "cuda:0"), False),
        (ALL, frozenset({ORT}), ("auto", "auto", False), Choice(OV, "cpu"), True),
        (frozenset({T, ORT}), frozenset(), ("auto", "auto", True), Choice(ORT, "cpu"), True),
        (frozenset({T, ORT}), frozenset(), ("auto", "auto", False), Choice(T, "cpu"), True),
        (ALL, frozenset(), ("onnxruntime", "auto", True), Choice(ORT, "cpu"), False),
        (ALL, frozenset({T}), ("torch", "auto", False), Choice(T, "cuda:0"), False),
        (ALL, frozenset(), ("torch", "auto", True), Choice(T, "cpu"), False),
        (ALL, frozenset({T}), ("openvino", "auto", False), Choice(OV, "cpu"), False),
    ],
)
def test_the_choice(machine, caplog, have, cuda, wish, chosen, warned) -> None:  # type: ignore[no-untyped-def]
    machine(have, cuda)
    for _ in range(3):
        assert choose(*wish[:2], "m", onnx_only=wish[2]) == chosen
    assert len([r for r in caplog.records if r.levelno >= logging.WARNING]) == int(warned)


@pytest.mark.parametrize(
    ("have", "cuda", "runtime", "device", "onnx_only", "told"),
    [
        (frozenset({OV}), frozenset(), "torch", "auto", True, "recognition.runtime: torch"),
        (frozenset({T}), frozenset(), "openvino", "auto", False, "recognition.runtime: openvino"),
        (frozenset({T}), frozenset(), "auto", "auto", True, "install openvino"),
        (ALL, frozenset({T}), "openvino", "cuda", False, "recognition.device is cuda"),
        (ALL, frozenset({ORT}), "auto", "cuda", False, "recognition.device: cuda"),
        (ALL, frozenset(), "auto", "cuda:3", True, "no CUDA device"),
        (ALL, frozenset(), "tensorflow", "auto", True, "recognition.runtime: there is no 'tensorflow'"),
    ],
)
def test_a_wish_that_cannot_be_met(machine, have, cuda, runtime, device, onnx_only, told) -> None:  # type: ignore[no-untyped-def]
    machine(have, cuda)
    with pytest.raises(BackendUnavailableError, match=told):
        choose(runtime, device, "m", onnx_only=onnx_only)


class TestCache:
    def test_keeps_what_it_was_given_by_key(self, tmp_path: Path) -> None:
        cache = ModelCache(tmp_path / "deep" / "down")
        cache.store("net", "a", b"first")
        cache.store("net", "b", b"second")
        assert ModelCache(tmp_path / "deep" / "down").load("net", "a") == b"first"
        assert cache.load("net", "b") == b"second"
        assert cache.load("net", "c") is None

    def test_what_was_damaged_is_not_used_and_told_once(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        cache = ModelCache(tmp_path)
        cache.store("net", "a", b"some content")
        (path,) = tmp_path.iterdir()
        for content in (path.read_bytes()[:-1], b"", b"\0" * 100):
            path.write_bytes(content)
            assert cache.load("net", "a") is None
        assert [r.levelno for r in caplog.records if r.levelno >= logging.WARNING] == [logging.WARNING]

    def test_a_folder_that_cannot_be_written_to_is_no_reason_to_fail(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        (tmp_path / "file").write_bytes(b"")
        cache = ModelCache(tmp_path / "file" / "folder")
        cache.store("net", "a", b"content")
        assert cache.load("net", "a") is None
        assert "cannot be" in caplog.text

    def test_old_files_make_room(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("homeface.inference.runtimes.cache.KEPT_BYTES", 250)
        cache = ModelCache(tmp_path)
        for key in "abc":
            cache.store("net", key, bytes(100))
        assert len(list(tmp_path.iterdir())) == 1  # each has a digest of 32 bytes besides
        assert cache.load("net", "c") == bytes(100)


@requires_data
@pytest.mark.accuracy
class TestOpenVino:
    MODEL = find_spec("mobilefacenet", Kind.EMBEDDER)

    def content(self) -> bytes:
        return read_weights(self.MODEL, [weights_dir()])

    def rows(self, count: int) -> np.ndarray:
        return np.random.default_rng(1).integers(0, 256, (count, 112, 112, 3)).astype(np.uint8)

    def test_a_second_start_compiles_nothing(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        from homeface.inference.runtimes import openvino

        options = OpenVinoOptions(threads=1, cache=tmp_path, pixels=pixels_of(self.MODEL), free=(0,))
        first = onnx_session(self.content(), "mobilefacenet", options)
        assert first.fixed_batch is None  # although the file says 1
        expected = first.run({"input0": self.rows(3)})["output0"]
        again = onnx_session(self.content(), "mobilefacenet", options)
        core = openvino.core()
        monkeypatch.setattr(openvino, "core", lambda: type("C", (), {"import_model": core.import_model}))
        np.testing.assert_allclose(again.run({"input0": self.rows(3)})["output0"], expected, atol=1e-5)

    def test_compiled_models_that_are_no_good_are_made_again(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        options = OpenVinoOptions(threads=1, cache=tmp_path)
        row = np.zeros((1, 3, 112, 112), np.float32)
        expected = onnx_session(self.content(), "mobilefacenet", options).run({"input0": row})["output0"]
        cache = ModelCache(tmp_path)
        for path in tmp_path.iterdir():  # well kept, but not what it should be
            path.write_bytes(b"")
            cache._path = lambda what, key, path=path: path  # type: ignore[method-assign]
            cache.store("", "", b"\x08\0\0\0\0\0\0\0not a network at all")
        caplog.clear()
        found = onnx_session(self.content(), "mobilefacenet", options).run({"input0": row})["output0"]
        np.testing.assert_allclose(found, expected, atol=1e-5)
        assert "cannot be used" in caplog.text

    def test_rows_side_by_side_are_rows_alone(self, tmp_path: Path) -> None:
        pixels = pixels_of(self.MODEL)
        apart = onnx_session(self.content(), "m", OpenVinoOptions(cache=tmp_path, pixels=pixels, apart=True))
        rows = self.rows(5)
        together = apart.run({"input0": rows})["output0"]
        alone = [apart.run({"input0": rows[i : i + 1]})["output0"][0] for i in range(5)]
        np.testing.assert_allclose(together, alone, atol=1e-4)

    def test_what_it_does_not_take_is_told(self, tmp_path: Path) -> None:
        session = onnx_session(self.content(), "mobilefacenet", OpenVinoOptions(cache=tmp_path))
        with pytest.raises(ModelError, match="mobilefacenet does not take"):
            session.run({"input0": np.zeros((1, 3, 8, 8), np.float32)})
        with pytest.raises(ModelError, match="ONNX"):
            onnx_session(b"not a network", "mine", OpenVinoOptions())
        session.close()
        session.close()
        with pytest.raises(ModelError, match="closed"):
            session.run({"input0": np.zeros((1, 3, 112, 112), np.float32)})


def real_crops(size: int) -> list[ImageRGB]:
    """Middles of pictures of LFW, where the faces are."""
    paths = sorted((data_dir() / "lfw" / "images").glob("*/*.jpg"))[::500]
    images = [cv2.imread(str(path))[60:190, 60:190, ::-1] for path in paths]
    return [cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA) for image in images]  # type: ignore[misc]


@requires_data
@pytest.mark.accuracy
@pytest.mark.parametrize("name", ["mobilefacenet", "facenet_vggface2"])
def test_every_runtime_computes_the_same_vectors(name: str, pytestconfig: pytest.Config) -> None:
    """Against torch in float32 where the model exists there, else against ONNX Runtime."""
    spec = find_spec(name, Kind.EMBEDDER)
    kept = Path(pytestconfig.cache.mkdir("compiled-models"))  # type: ignore[union-attr]
    crops = real_crops(spec.input_px)
    runtimes = ["openvino", "onnxruntime" if name == "mobilefacenet" else "torch"]
    vectors = []
    for runtime in runtimes:
        embedder = load_embedder(spec, Placement([weights_dir()], "cpu", 0, runtime, kept))
        assert embedder.runtime == runtime
        vectors.append(embedder.embed(crops))
        embedder.close()
    assert (vectors[0] * vectors[1]).sum(axis=1).min() > 0.999


@requires_data
@pytest.mark.accuracy
def test_facenet_through_onnxruntime(pytestconfig: pytest.Config, tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    spec = find_spec("facenet_vggface2", Kind.EMBEDDER)
    place = Placement([weights_dir()], "cpu", 0, "onnxruntime", tmp_path)
    crops = real_crops(spec.input_px)
    found = load_embedder(spec, place).embed(crops)
    expected = load_embedder(spec, Placement([weights_dir()], "cpu", 0, "torch")).embed(crops)
    assert (found * expected).sum(axis=1).min() > 0.999


def test_facenet_without_what_exports_it(monkeypatch: pytest.MonkeyPatch) -> None:
    from homeface.inference.runtimes import export

    monkeypatch.setattr(export, "find_spec", lambda name: None)
    spec = find_spec("facenet_vggface2", Kind.EMBEDDER)
    with pytest.raises(BackendUnavailableError, match="package onnx"):
        export.exported(facenet(spec, b""), "facenet_vggface2", None)


@requires_data
@pytest.mark.accuracy
@pytest.mark.parametrize("runtime", ["openvino", "onnxruntime"])
def test_the_default_detector_sees_the_same_in_both(runtime: str) -> None:
    spec = find_spec("yunet_n", Kind.DETECTOR)
    image = cv2.imread(str(data_dir() / "gallery" / "obama" / "1.jpg"))
    found = load_detector(spec, Placement([weights_dir()], "cpu", 0, runtime), 40).detect([image])[0]
    expected = load_detector(spec, Placement([weights_dir()], "cpu", 0, "onnxruntime"), 40).detect([image])[0]
    assert len(found) == len(expected) == 1
    np.testing.assert_allclose(found[0].box, expected[0].box, atol=1)
    np.testing.assert_allclose(found[0].landmarks, expected[0].landmarks, atol=1)


@requires_data
def test_the_default_models_need_no_torch(tmp_path: Path) -> None:
    code = f"""
import sys
from pathlib import Path
import numpy as np
from homeface.inference.engine import EngineSettings, load_models
settings = EngineSettings(device="cpu", folders=[Path({str(weights_dir())!r})], cache=Path({str(tmp_path)!r}))
models = load_models(settings)
assert models.embedder.runtime == "openvino"
assert models.detector.detect([np.zeros((360, 640, 3), np.uint8)]) == [[]]
loaded = {{"torch", "torchvision", "facenet_pytorch", "onnxruntime", "openvino_telemetry"}} & set(
    name for name, module in sys.modules.items() if module is not None
)
assert not loaded, loaded
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120, capture_output=True)


@requires_data
def test_no_runtime_reports_to_its_maker(tmp_path: Path) -> None:
    """ONNX Runtime would keep a device id and events in its cache; openvino would load what sends its own."""
    code = f"""
import sys
from pathlib import Path
from homeface.inference.manifest import Kind, find_spec
from homeface.inference.models import Placement, load_embedder
for runtime in ("openvino", "onnxruntime"):
    place = Placement([Path({str(weights_dir())!r})], "cpu", 1, runtime)
    load_embedder(find_spec("mobilefacenet", Kind.EMBEDDER), place).close()
assert sys.modules["openvino_telemetry"] is None
"""
    environ = {k: v for k, v in os.environ.items() if not k.startswith(("XDG_", "ORT_"))}
    environ["HOME"] = str(tmp_path)
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120, capture_output=True, env=environ)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
