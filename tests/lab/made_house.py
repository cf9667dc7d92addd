"""A house of one room that recognises with a model that was made."""

from __future__ import annotations

from pathlib import Path

import yaml

from tests.support.daemon import write_config


def house_with(embedder: str, product: Path, folder: Path) -> Path:
    """Its configuration in ``folder``, with the entry of ``product/<embedder>.yaml`` as it was printed."""
    config = write_config(
        folder / "config.yaml",
        rooms={"hall": {"name": "Hall"}},
        cameras={"hall": {"url": "rtsp://127.0.0.1:9/none", "room": "hall"}},
        mqtt_port=9,
        storage=folder / "state",
        recognition={
            "detector": "yunet_n",
            "embedder": embedder,
            "device": "cpu",
            "false_names": "1 in 100 visits",
        },
    )
    entry = yaml.safe_load((product / f"{embedder}.yaml").read_text())
    document = yaml.safe_load(config.read_text()) | entry | {"models_dir": str(product)}
    config.write_text(yaml.safe_dump(document))
    return config
