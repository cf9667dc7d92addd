"""The lite set: homeface without torch, in an environment that does not have it."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.integration.household import enrol_family, scene_config
from tests.support.data import requires_data, weights_dir
from tests.support.lite import REQUIREMENTS, ROOT, lite_command, lite_environment, lite_site
from tests.support.scene import Record, household_scene, judge, write_scene

PEAK_MIB = 400

_IMPORT_ALL = """
import importlib, pkgutil, sys
import homeface
rooms = ("core", "adapters", "service", "cli", "config", "inference")
needs_torch = ("runtimes.torch", "runtimes.graphs", "runtimes.onnx_modules", "on_device", "_device")
for module in pkgutil.walk_packages(homeface.__path__, "homeface."):
    if module.name.split(".")[1] in rooms and not module.name.endswith(needs_torch):
        importlib.import_module(module.name)
assert "torch" not in sys.modules
try:
    import torch
except ImportError:
    print("no torch")
"""

_RUN = """
import sys
from pathlib import Path
from homeface.cli import run_cli
code = run_cli(sys.argv[1:])
status = Path("/proc/self/status").read_text()
print(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")), file=sys.stderr)
sys.exit(code)
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return lite_site(tmp_path_factory.mktemp("lite") / "site")


def test_everything_that_the_daemon_is_made_of_is_there(site: Path) -> None:
    done = subprocess.run(
        lite_command("-c", _IMPORT_ALL),
        env=lite_environment(site),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "no torch\n"), done.stderr


def test_a_model_that_needs_torch_says_so(site: Path, tmp_path: Path) -> None:
    code = f"""
from pathlib import Path
from homeface.errors import HomefaceError
from homeface.inference.models import Placement, load_detector, load_embedder
from homeface.inference.embedders.facenet import facenet
from homeface.inference.manifest import Kind, find_spec
from homeface.inference.runtimes.opening import open_torch
spec = find_spec("facenet_vggface2", Kind.EMBEDDER)
place = Placement([], "cpu", 0, "auto", Path({str(tmp_path)!r}))
for work in (
    lambda: open_torch(facenet(spec, b"weights"), spec.name, place),
    lambda: load_detector(find_spec("mtcnn", Kind.DETECTOR), place, 40),
):
    try:
        work()
    except HomefaceError as error:
        print(error)
"""
    done = subprocess.run(
        lite_command("-c", code), env=lite_environment(site), capture_output=True, text=True, check=False
    )
    facenet, mtcnn = done.stdout.splitlines()
    assert "torch" in facenet
    assert "mobilefacenet" in facenet
    assert "facenet-pytorch" in mtcnn


@pytest.mark.accuracy
@pytest.mark.slow
@requires_data
@pytest.mark.timeout(300)
def test_a_scene_is_recognised_within_the_memory_of_a_small_computer(
    site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOMEFACE_MODELS", str(weights_dir()))
    plan = household_scene(seed=3, enrolled=1, strangers=1, seconds=14)
    clips = write_scene(plan, tmp_path / "scene", size=(1280, 720), fps=10)
    config = scene_config(tmp_path, plan, dict.fromkeys(plan.rooms, "rtsp://127.0.0.1/none"), 1883)
    enrol_family(config, plan)
    recordings = [f"{room}={clip}" for room, clip in clips.items()]
    done = subprocess.run(
        lite_command("-c", _RUN, "replay", *recordings, "-c", str(config), "--json"),
        env=lite_environment(site),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    records = [
        Record(e["room"], e["person"], e["at"], e["visit"])
        for e in lines
        if e["kind"] == "event" and e["event"] != "left"
    ]
    verdict = judge(plan, records)
    assert verdict.perfect, str(verdict)
    peak = float(done.stderr.splitlines()[-1]) / 1024
    assert peak <= PEAK_MIB


@pytest.mark.skipif(shutil.which("uv") is None, reason="needs uv")
def test_the_list_is_that_of_the_lock_file() -> None:
    done = subprocess.run(
        ["sh", "-c", f"uv --offline {_how_it_was_made()}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    listed = [line for line in REQUIREMENTS.read_text().splitlines() if not line.startswith("#")]
    assert [line for line in done.stdout.splitlines() if not line.startswith("#")] == listed


def _how_it_was_made() -> str:
    """The command in the first lines of the list."""
    first = REQUIREMENTS.read_text().splitlines()[1]
    return first.removeprefix("# uv ").partition(" > ")[0]
