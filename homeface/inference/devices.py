"""What this machine can compute on, for a person who checks an installation."""

from __future__ import annotations


def device_report(wish: str = "auto") -> list[str]:
    """Lines about runtimes and devices, the chosen one first. Loads no model.

    Raises ``BackendUnavailableError`` when ``wish`` is not to be had.
    """
    import onnxruntime
    import torch

    from homeface.inference.runtimes.torch import pick_device

    device = pick_device(wish)
    lines = [f"{device} ({wish} was asked for)" if device != wish else device, f"torch {torch.__version__}"]
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    lines += [f"cuda:{index} is {torch.cuda.get_device_name(index)}" for index in range(count)]
    if not count:
        lines.append("no CUDA device")
    providers = [name.removesuffix("ExecutionProvider") for name in onnxruntime.get_available_providers()]
    lines.append(f"onnxruntime {onnxruntime.__version__} with {', '.join(providers)}")
    return lines
