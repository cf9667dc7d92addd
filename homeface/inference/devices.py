"""What this machine can compute on, for a person who checks an installation."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version

from homeface.inference.manifest import Family, ModelSpec
from homeface.inference.runtimes.choice import Choice, Runtime, choose, cuda_devices, installed, pick_device
from homeface.inference.runtimes.precision import cpu_flags


def runtime_of(spec: ModelSpec, runtime: str = "auto", device: str = "auto") -> Choice:
    """What would run this model. Loads none. Raises ``BackendUnavailableError``."""
    in_torch = spec.family in {Family.MTCNN, Family.FACENET}
    return choose(runtime, device, spec.name, onnx_only=not in_torch)


def device_report(device: str = "auto", runtime: str = "auto", specs: Sequence[ModelSpec] = ()) -> list[str]:
    """Lines about devices and runtimes: the chosen device first, then what runs each of ``specs``.

    Loads no model, and torch only where it would run one on CUDA. Raises ``BackendUnavailableError`` when
    ``device`` or ``runtime`` is not to be had.
    """
    chosen = pick_device(device)
    lines = [f"{chosen} ({device} was asked for)" if chosen != device else chosen]
    lines += [f"{spec.name} in {runtime_of(spec, runtime, device)}" for spec in specs]
    count = cuda_devices()
    lines.append(f"{count} CUDA device(s)" if count else "no CUDA device")
    if "amx_bf16" in cpu_flags():
        lines.append("a processor with AMX, which computes in bfloat16 where recognition.precision lets it")
    lines += [_version(each) for each in (Runtime.OPENVINO, Runtime.ONNXRUNTIME, Runtime.TORCH)]
    return lines


def _version(runtime: Runtime) -> str:
    if not installed(runtime):
        return f"{runtime} is not installed"
    try:
        text = version(runtime)
    except PackageNotFoundError:  # onnxruntime-gpu and others bring the same module
        text = ""
    if runtime is not Runtime.ONNXRUNTIME:
        return f"{runtime} {text}".rstrip()
    import onnxruntime

    providers = [name.removesuffix("ExecutionProvider") for name in onnxruntime.get_available_providers()]
    return f"onnxruntime {onnxruntime.__version__} with {', '.join(providers)}"
