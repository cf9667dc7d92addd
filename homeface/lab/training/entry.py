"""How a made model is named in a configuration."""

from __future__ import annotations

import json

from homeface.inference.manifest import ModelSpec


def entry_of(spec: ModelSpec) -> str:
    """YAML of a made model, by its first file: an item of ``models``."""
    artefact = spec.artefacts[0]
    lines = {
        "name": spec.name,
        "family": spec.family.value,
        "file": artefact.file,
        "sha256": artefact.sha256,
        "licence": json.dumps(spec.licence, ensure_ascii=False),
        "input_px": spec.input_px,
        "colour": spec.colour,
        "mean": list(spec.mean),
        "std": list(spec.std),
    }
    if spec.template:
        lines["template"] = spec.template
    return "\n".join(
        f"{'    ' if number else '  - '}{key}: {value}" for number, (key, value) in enumerate(lines.items())
    )
