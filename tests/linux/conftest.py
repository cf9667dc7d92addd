"""One booted container for all tests of the unit; homeface is not installed in it yet."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.nspawn import Container

CONFIG = """
home: {node_id: box}
rooms:
  hall: {}
cameras:
  hall: {room: hall, url: "rtsp://127.0.0.1:9/hall"}
mqtt: {host: 127.0.0.1}
recognition: {detector: yunet_n, embedder: mobilefacenet, device: cpu, threads: 1}
web: {enabled: true}
"""


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Container]:
    """Booted, with a configuration that somebody has written."""
    with Container(tmp_path_factory.mktemp("box")) as container:
        container.write("/etc/homeface/config.yaml", CONFIG)
        yield container
