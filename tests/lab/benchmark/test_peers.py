"""Peers that are not there are told, and one that is there is measured in its own process."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import pytest

from homeface.errors import BackendUnavailableError, HomefaceError
from homeface.lab.benchmark.broker import broker
from homeface.lab.benchmark.comparison import Ratios, share_of_peak
from homeface.lab.benchmark.process import Run, Worker, cpu_seconds, memory_mib
from homeface.lab.benchmark.running import floor_cpu
from homeface.lab.benchmark.setting import DLIB, Crew, Setting
from homeface.lab.peers import dlib as peer_dlib
from tests.support.data import requires_data, weights_dir


def _setting(folders: tuple[Path, ...] = ()) -> Setting:
    return Setting(
        detector="yunet_n", embedder="mobilefacenet", device="cpu", folders=folders, seconds=0.05, quick=True
    )


def test_without_dlib_the_sentence_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "dlib", None)
    with pytest.raises(BackendUnavailableError, match="uv sync --group peers"):
        peer_dlib.DlibFaces()


def test_without_its_model_files_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peer_dlib.importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(BackendUnavailableError, match="face-recognition-models"):
        peer_dlib.model_folder()


def test_a_missing_peer_leaves_its_row_with_the_reason() -> None:
    ratios = Ratios()

    def fail() -> None:
        raise BackendUnavailableError("X is not installed.")

    ratios.take("detect_1080p", "X", fail)  # type: ignore[arg-type]
    row = ratios.as_json()["detect_1080p"]
    assert row == {"ratio": None, "pairs": [], "peer": "X", "recall": {}, "missing": "X is not installed."}


def test_a_peer_that_cannot_start_is_asked_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tries: list[str] = []

    def refuse(subject: str, _options: object) -> Worker:
        tries.append(subject)
        raise BackendUnavailableError("not here")

    monkeypatch.setattr("homeface.lab.benchmark.setting.Worker", refuse)
    with Crew(_setting(), tmp_path / "crops.npy") as crew:
        for _ in range(2):
            with pytest.raises(BackendUnavailableError, match="not here"):
                crew.peer(DLIB)
    assert tries == [DLIB]


def test_a_process_that_dies_leaves_its_last_words() -> None:
    with pytest.raises(HomefaceError, match="peer:nobody has ended by itself: KeyError: 'nobody'"):
        Worker("peer:nobody", {}).wait_loaded()


def test_a_process_tells_its_time_and_memory() -> None:
    assert cpu_seconds(os.getpid()) > 0
    assert memory_mib(os.getpid(), "VmHWM") >= memory_mib(os.getpid()) * 0.5 > 0
    assert memory_mib(2**22 + 1) == 0


@requires_data
def test_an_embedder_in_a_process_of_its_own(tmp_path: Path) -> None:
    np.save(tmp_path / "crops.npy", np.zeros((8, 160, 160, 3), np.uint8))
    with Crew(_setting((weights_dir(),)), tmp_path / "crops.npy") as crew:
        worker = crew.own("embedder", embedder="mobilefacenet")
        run = worker.run("embed", count=2)
        assert run.result == 2
        assert run.wall_s > 0
        assert worker.peak_memory_mib > 20
        with pytest.raises(HomefaceError, match="There is no"):
            crew.own("embedder", embedder="nobody")


class _Device:
    """A device of 100 TFLOP/s on which 64 faces of a GFLOP each take 2 ms."""

    def __init__(self, *_: object) -> None:
        self.results = {"peak": 100e12, "facenet": 1e9, "embed": 64}

    def run(self, task: str, **_: object) -> Run:
        return Run(0.002, 0.002, self.results[task])

    def wait_loaded(self) -> None:
        """Nothing to load."""

    def close(self) -> None:
        """Nothing to end."""


def test_share_of_a_cards_peak(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("homeface.lab.benchmark.setting.Worker", _Device)
    with Crew(_setting(), tmp_path / "crops.npy") as crew:
        told = share_of_peak(crew)
    assert told == {
        "peak_tflops": 100.0, "facenet_tflops": 128.0, "share_of_peak": 1.28, "faces_per_second": 128_000.0,
        "faces_at_once": 256.0,
    }  # fmt: skip


def test_without_ffmpeg_there_is_no_decode_floor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda *_, **__: None)
    with pytest.raises(BackendUnavailableError, match="apt install ffmpeg"):
        floor_cpu(tmp_path / "clip.mp4")


def test_without_any_broker_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda *_, **__: None)
    monkeypatch.setitem(sys.modules, "amqtt.broker", None)
    with pytest.raises(BackendUnavailableError, match="apt install mosquitto"), broker():
        pass
