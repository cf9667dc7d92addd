"""One network in the forms that runtimes take."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from pathlib import Path

from homeface.errors import BackendUnavailableError, ModelError
from homeface.inference.manifest import Family, Kind, ModelSpec
from homeface.inference.runtimes.opening import Placement
from homeface.inference.weights import read_weights
from homeface.lab.training.files import replace_file

FORMATS = ("onnx", "openvino", "torchscript", "tensorrt")


def as_onnx(spec: ModelSpec, place: Placement) -> bytes:
    """The network in float32. Raises the ``ModelError`` tree; MTCNN is three networks and is refused."""
    if spec.family is Family.MTCNN:
        raise ModelError(
            "mtcnn is three networks inside facenet-pytorch: it has no file of its own to export."
        )
    content = read_weights(spec, place.folders)
    if spec.family is not Family.FACENET:
        return content
    from homeface.inference.embedders.facenet import facenet
    from homeface.inference.runtimes.export import exported

    return exported(facenet(spec, content), spec.name, place.cache)


def write(content: bytes, form: str, path: Path, spec: ModelSpec, *, half: bool) -> list[Path]:
    """Write an ONNX ``content`` as ``form`` beside ``path`` (without suffix); the files, the main one first.

    Raises ``BackendUnavailableError`` when what makes the form is not installed.
    """
    return _WRITERS[form](content, path, spec, half)


def _onnx(content: bytes, path: Path, _spec: ModelSpec, _half: bool) -> list[Path]:
    file = path.with_name(path.name + ".onnx")
    replace_file(file, content)
    return [file]


def _openvino(content: bytes, path: Path, _spec: ModelSpec, half: bool) -> list[Path]:
    from homeface.inference.runtimes.openvino import core, openvino

    model = core().read_model(content, b"")
    graph, weights = (path.with_name(path.name + suffix) for suffix in (".xml", ".bin"))
    openvino().save_model(model, str(graph), compress_to_fp16=half)
    return [graph, weights]


def _torchscript(content: bytes, path: Path, spec: ModelSpec, half: bool) -> list[Path]:
    import torch

    from homeface.inference.runtimes.onnx_modules import OnnxModule

    module = OnnxModule(content, spec.name).eval()
    example = torch.zeros([size or _example(spec, axis) for axis, size in enumerate(module.input_shape)])
    if half:
        module, example = module.half(), example.half()
    file = path.with_name(path.name + ".torchscript.pt")
    with warnings.catch_warnings(), torch.inference_mode():
        warnings.simplefilter("ignore")  # that tracing is to be replaced one day
        torch.jit.trace(module, example, check_trace=False).save(str(file))  # type: ignore[no-untyped-call]
    return [file]


def _tensorrt(content: bytes, path: Path, spec: ModelSpec, half: bool) -> list[Path]:
    """An engine for the GPU of this machine and no other."""
    try:
        import tensorrt
    except ImportError as error:
        raise BackendUnavailableError(
            "A TensorRT engine is built on the machine that runs it: install the package tensorrt there (on "
            "a Jetson it comes with JetPack), or take --format onnx."
        ) from error
    log = tensorrt.Logger(tensorrt.Logger.WARNING)
    builder = tensorrt.Builder(log)
    network = builder.create_network(0)
    parser = tensorrt.OnnxParser(network, log)
    if not parser.parse(content):
        raise ModelError(f"TensorRT does not take {spec.name}: {parser.get_error(0)}")
    settings = builder.create_builder_config()
    if half:
        settings.set_flag(tensorrt.BuilderFlag.FP16)
    entry = network.get_input(0)
    sizes = [size if size > 0 else _example(spec, axis) for axis, size in enumerate(entry.shape)]
    if -1 in tuple(entry.shape):
        profile = builder.create_optimization_profile()
        profile.set_shape(entry.name, [1, *sizes[1:]], [8, *sizes[1:]], [16, *sizes[1:]])
        settings.add_optimization_profile(profile)
    engine = builder.build_serialized_network(network, settings)
    if engine is None:
        raise ModelError(f"TensorRT could not build an engine of {spec.name}.")
    file = path.with_name(path.name + ".engine")
    replace_file(file, bytes(engine))
    return [file]


def _example(spec: ModelSpec, axis: int) -> int:
    """A size for an axis that takes any."""
    if axis == 0:
        return 1
    return spec.input_px or (640 if spec.kind is Kind.DETECTOR else 112)


_WRITERS: Mapping[str, Callable[[bytes, Path, ModelSpec, bool], list[Path]]] = {
    "onnx": _onnx,
    "openvino": _openvino,
    "torchscript": _torchscript,
    "tensorrt": _tensorrt,
}
