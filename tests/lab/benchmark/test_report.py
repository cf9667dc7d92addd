"""``homeface bench``: every key is in its report, as JSON, tables and Markdown; a missing peer is told."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from homeface.errors import BackendUnavailableError, HomefaceError
from homeface.lab.benchmark import plot as plotting
from homeface.lab.benchmark import run
from homeface.lab.benchmark.daemon import Spent
from homeface.lab.benchmark.frames import FACES, Material
from homeface.lab.benchmark.pairs import Pair, Ratio
from homeface.lab.benchmark.process import Run
from homeface.lab.benchmark.recall import LARGE, LabelledPicture
from homeface.lab.benchmark.rendering import TARGETS, reached
from homeface.lab.benchmark.running import FLOOR, Running
from homeface.lab.benchmark.setting import PEERS
from tests.cli.conftest import Command, homeface  # noqa: F401 - the fixture

_ALL = ("--only", "ratios", "--only", "parts", "--only", "daemon")
_BOX = np.array([[10.0, 10.0, 90.0, 90.0]])


class _Worker:
    """Every task takes ours 1 s and a peer 20 s, and finds the one face; dlib is not installed."""

    peak_memory_mib = 100.0

    def __init__(self, subject: str, _options: Mapping[str, Any]) -> None:
        if subject == "peer:dlib":
            raise BackendUnavailableError("dlib is not installed: uv sync --group peers.")
        self._seconds = 20.0 if subject.startswith("peer:") else 1.0

    def run(self, task: str, **options: Any) -> Run:
        frames = options.get("frames", [])
        results: dict[str, Any] = {
            "walk": {"wall_s": 3.0, "cpu_s": 3.0, "frames": 30, "looks": 10, "embed_s": 0.1},
            "gating": {"recall_held": 1.0, "recall_found": 0.9, "frames_with_faces": 0.3},
            "parts": {
                **{part: [0.001] for part in ("motion", "detect", "align", "embed", "match")},
                "faces": 1.0,
            },
            "latency": [0.01, 0.02],
            "embed": options.get("count"),
            "decode": 60,
        }
        found = [[[*_BOX[0], 0.9]] for _ in frames] if isinstance(frames, list) else []
        return Run(self._seconds, self._seconds, results.get(task, found))

    def wait_loaded(self) -> None:
        """Nothing to load."""

    def close(self) -> None:
        """Nothing to end."""


@pytest.fixture
def report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is drawn, started or timed."""
    np.save(tmp_path / "frames.npy", np.zeros((1, 8, 8, 3), np.uint8))
    picture = LabelledPicture("a", np.zeros((8, 8, 3), np.uint8), _BOX, {LARGE: np.array([True])})
    material = Material(
        scenes=dict.fromkeys(FACES, tmp_path / "frames.npy"),
        scene_labels={faces: [_BOX] for faces in FACES},
        street=tmp_path / "frames.npy",
        labels=[picture],
        walked=tmp_path / "frames.npy",
        told=["painted"],
    )
    spent = Spent(10.0, 2.0, 200.0)
    floor = Ratio(FLOOR, (Pair(Run(10.0, 2.0, None), Run(1.0, 1.8, None)),), cost=True)
    running = Running(
        [4.0, 5.0], spent, {"all frames": 11.0}, floor, {1: spent, 2: Spent(10.0, 3.0, 210.0)}, {4: 30.0}
    )
    monkeypatch.setattr("homeface.lab.benchmark.setting.Worker", _Worker)
    monkeypatch.setattr("homeface.lab.benchmark.whole._publish_ms", lambda _seconds: 1.0)
    monkeypatch.setattr("homeface.cli.bench._fetch", lambda _setting: None)
    monkeypatch.setattr("homeface.lab.benchmark.setting.Setting.peer", lambda *_: {})
    monkeypatch.setattr(run, "prepare", lambda _wish, _folder: material)
    monkeypatch.setattr(run, "measure_running", lambda *_: running)


@pytest.mark.usefixtures("report")
def test_json_has_every_ratio_with_its_pairs_and_recall(homeface: Command) -> None:  # noqa: F811
    answer = homeface("bench", "--quick", "--json", "--seconds", "0.05", *_ALL)
    assert answer.code == 0, answer.err
    ratios = answer.json["ratios"]
    assert set(TARGETS) <= set(ratios)
    assert ratios["detect_1080p"]["ratio"] == 20.0
    assert ratios["detect_1080p"]["pairs"][0] == [1.0, 20.0]
    assert ratios["detect_1080p"]["recall"] == {"ours": 1.0, "theirs": 1.0}
    assert ratios["decode_floor"]["ratio"] == pytest.approx(1.111, rel=0.01)
    assert ratios["detect_in_daemon"]["ratio"] == 200.0
    assert ratios["detect_in_daemon"]["recall"]["ours"] == 1.0
    dlib = ratios["whole_4_faces_face_recognition"]
    assert (dlib["ratio"], dlib["pairs"], dlib["peer"]) == (None, [], PEERS["peer:dlib"])
    assert "uv sync --group peers" in dlib["missing"]
    assert ratios["detect_in_daemon"]["recall"]["theirs"] == 1.0
    assert {row["faces"] for row in answer.json["whole"]} == set(FACES)
    for row in answer.json["whole"]:
        peers = row["peers"]
        assert set(peers) == set(PEERS.values()) - {PEERS["peer:dlib"]}
        assert peers["facenet-pytorch"]["ratio"] == 20.0
        assert peers["facenet-pytorch"]["pairs"][0] == [1.0, 20.0]
        assert peers["facenet-pytorch"]["parts_ms"] == {"detect": 20_000.0, "align and embed": 0.0}
    assert answer.json["daemon"]["cameras"]["4"] == {
        "cpu_s_per_minute": 30.0, "measured": False, "memory_mib": None,
    }  # fmt: skip
    assert answer.json["frames"]["told"] == ["painted"]


@pytest.mark.usefixtures("report")
def test_tables_name_machine_frames_and_what_is_missing(
    homeface: Command,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    typed = ["bench", "--quick", "--only", "ratios"]
    monkeypatch.setattr("sys.argv", ["homeface", *typed])
    answer = homeface(*typed)
    assert "Command: homeface bench --quick --only ratios" in answer.out
    assert "Frames: painted" in answer.out
    assert "whole_4_faces" in answer.out
    assert "Not measured: whole_4_faces_face_recognition: dlib is not installed" in answer.out
    assert "The running daemon" not in answer.out
    assert "detect_1080p: yunet_n and facenet-pytorch in turns" in answer.err


@pytest.mark.usefixtures("report")
def test_a_row_as_blind_as_the_peer_says_how_and_names_no_other_detectors(
    homeface: Command,  # noqa: F811
) -> None:
    key = "detect_1080p_at_peers_recall"
    row = homeface("bench", "--quick", "--json", "--only", "ratios").json["ratios"][key]
    assert row["what"].startswith("yunet_n (min_face_px 66, precision ")
    assert row["recall"] == {"ours": 1.0, "theirs": 1.0}
    others = homeface("bench", "--quick", "--json", "--only", "ratios", "--detector", "mtcnn")
    assert key not in others.json["ratios"]


@pytest.mark.usefixtures("report")
def test_the_precision_reaches_our_models_and_nothing_else_is_taken(
    homeface: Command,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: dict[str, str] = {}

    class Asked(_Worker):
        def __init__(self, subject: str, options: Mapping[str, Any]) -> None:
            super().__init__(subject, options)
            if "precision" in options:
                asked[subject] = options["precision"]

    monkeypatch.setattr("homeface.lab.benchmark.setting.Worker", Asked)
    done = homeface("bench", "--quick", "--json", "--only", "ratios", "--precision", "float32")
    assert done.code == 0, done.err
    assert set(asked) >= {"detector", "embedder", "engine", "pipeline"}
    assert set(asked.values()) == {"float32"}
    assert homeface("bench", "--precision", "int8").code == 2


@pytest.mark.usefixtures("report")
def test_markdown(homeface: Command) -> None:  # noqa: F811
    answer = homeface("bench", "--quick", "--markdown")
    assert answer.code == 0, answer.err
    assert "| detect_1080p | facenet-pytorch | 20 × ✗ | ≥ 25 |" in answer.out
    assert "| 4 | computed | 30.0 CPU s a minute |" in answer.out


def test_plot(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="the report extra")
    told = {
        "models": {"device": "cpu"},
        "machine": {"cpu": "a CPU", "cores": 2},
        "date": "2026-01-01",
        "ratios": {"detect_1080p": {"ratio": 20.0, "pairs": [[1.0, 20.0]], "peer": "X", "better": "higher"}},
    }
    plotting.plot(told, tmp_path / "plot.png")
    assert (tmp_path / "plot.png").stat().st_size > 5000
    with pytest.raises(HomefaceError, match="no ratio to plot"):
        plotting.plot({**told, "ratios": {}}, tmp_path / "empty.png")


def test_no_plot_without_matplotlib(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plotting.importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(HomefaceError, match="uv sync --extra report"):
        plotting.require_plotting()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [(("--cameras", "0,2"), "list of numbers"), (("--soak", "30"), "say a unit"), (("--only", "x"), "x")],
)
def test_wrong_options_say_what_is_right(homeface: Command, arguments: tuple[str, ...], told: str) -> None:  # noqa: F811
    answer = homeface("bench", *arguments)
    assert answer.code == 2
    assert told in answer.err


def test_targets_know_their_direction() -> None:
    assert reached(26.0, TARGETS["detect_1080p"]) is True
    assert reached(1.3, TARGETS["decode_floor"]) is False
    assert reached(None, TARGETS["decode_floor"]) is None
