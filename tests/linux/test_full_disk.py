"""A disk that is really full, while somebody is enrolled: nothing is lost, and it is told."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from homeface.adapters.store import Store
from homeface.errors import StoreError
from tests.adapters.test_store_backup import PASSWORD
from tests.adapters.test_store_failures import MODEL, new

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("mount") is None, reason="needs root, to mount a small disk"
)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 2,000 KiB."""
    place = tmp_path / "disk"
    place.mkdir()
    options = ["-t", "tmpfs", "-o", "size=2000k,mode=0700", "tmpfs", str(place)]
    done = subprocess.run(["mount", *options], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"needs root that may mount: {done.stderr}")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


def test_enrolment_backup_and_key_on_a_full_disk(disk: Path, tmp_path: Path) -> None:
    with Store(disk / "homeface.db") as store:
        store.enrol("Anna", [new(1, 5000)])
        filler = disk / "filler"
        filler.write_bytes(b"x" * (shutil.disk_usage(disk).free - 60_000))
        version = store.gallery_version()
        with pytest.raises(StoreError, match="is full"):
            store.enrol("Bert", [new(seed, 50_000) for seed in range(10)])
        assert [subject.name for subject in store.subjects()] == ["Anna"]
        assert store.gallery_version() == version
        key = (disk / "homeface.key").read_bytes()
        filler.write_bytes(b"x" * (filler.stat().st_size + shutil.disk_usage(disk).free))
        for work in (
            store.rotate_key,
            lambda: store.make_daily_copy(1e12),
            lambda: store.back_up(disk / "kept", PASSWORD),
            lambda: store.back_up(tmp_path / "elsewhere", PASSWORD),
        ):
            with pytest.raises(StoreError):
                work()
        assert (disk / "homeface.key").read_bytes() == key
        assert len(store.gallery(MODEL).templates) == 1
        left = sorted(file.name for file in disk.iterdir() if not file.name.startswith("homeface.db-"))
        assert [name for name in left if name not in {"homeface.key.next", "status.socket"}] == [
            "filler",
            "homeface.db",
            "homeface.key",
        ]
        assert not (tmp_path / "elsewhere").exists()
        filler.unlink()
        store.enrol("Bert", [new(2, 5000)])
        store.rotate_key()
    with Store(disk / "homeface.db") as store:
        assert [subject.name for subject in store.subjects()] == ["Anna", "Bert"]
        assert len(store.templates()) == 2


def test_a_start_on_a_full_disk_says_so(disk: Path) -> None:
    """Even opening the database needs a few pages; afterwards all is there."""
    with Store(disk / "homeface.db") as store:
        store.enrol("Anna", [new(1, 5000)])
    filler = os.open(disk / "filler", os.O_CREAT | os.O_WRONLY)
    with contextlib.suppress(OSError):
        while True:
            os.write(filler, b"x" * 4096)
    os.close(filler)
    with pytest.raises(StoreError, match="is full"):
        Store(disk / "homeface.db")
    (disk / "filler").unlink()
    with Store(disk / "homeface.db") as store:
        assert [subject.name for subject in store.subjects()] == ["Anna"]
