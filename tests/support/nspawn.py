"""A small Debian that boots for real: systemd as process 1, in a container of systemd-nspawn.

Its root is made once by debootstrap (in ``.test-env/``) and never written to: what a boot changes lies in
memory. This checkout and its virtual environment are mounted read-only: what runs inside is what is tested.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from tests.support.data import weights_dir
from tests.support.waiting import wait_until

_ROOT = Path(__file__).resolve().parents[2]
_BASE = _ROOT / ".test-env" / "debian"
_PACKAGES = "systemd,systemd-sysv,dbus"
_TOOLS = ("debootstrap", "systemd-nspawn", "nsenter")
OPT = Path("/opt/homeface")
_PYTHON = """#!/bin/sh
# what Python and homeface need to run from the mounts; a real installation needs none of it
export PYTHONPATH=/opt/homeface-src LD_LIBRARY_PATH=/opt/python/lib:/opt/hostlib HOMEFACE_MODELS=/opt/weights
exec /opt/homeface/bin/{version} "$@"
"""


def _missing() -> str:
    if os.geteuid() != 0:
        return "needs root, to boot a container"
    probe = subprocess.run(
        ["unshare", "--mount", "--pid", "--fork", "true"], capture_output=True, check=False
    )
    if probe.returncode:
        return "needs root that may make namespaces, to boot a container"
    lacking = [tool for tool in _TOOLS if shutil.which(tool, path=f"{os.environ['PATH']}:/usr/sbin") is None]
    return f"needs {', '.join(lacking)} (Debian: debootstrap, systemd-container)" if lacking else ""


requires_nspawn = pytest.mark.skipif(bool(_missing()), reason=_missing() or "-")


def base() -> Path:
    """The root folder; made at the first call. Skips when there is no way to Debian's packages."""
    if (_BASE / "made").exists():
        return _BASE
    release = dict(
        line.split("=", 1) for line in Path("/etc/os-release").read_text().splitlines() if "=" in line
    )
    shutil.rmtree(_BASE, ignore_errors=True)
    _BASE.parent.mkdir(exist_ok=True)
    command = ["debootstrap", "--variant=minbase", f"--include={_PACKAGES}"]
    command += [release["VERSION_CODENAME"], str(_BASE), *_mirror()]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=500)
    if done.returncode:
        pytest.skip(f"needs Debian's packages for the container: {done.stdout[-500:]}{done.stderr[-500:]}")
    (_BASE / "made").touch()
    return _BASE


def _mirror() -> list[str]:
    """Where this machine gets its own packages."""
    done = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(SITE)"], capture_output=True, text=True, check=False
    )
    return done.stdout.split()[:1]


class Container:
    """One boot; ``with`` ends it."""

    def __init__(self, folder: Path) -> None:
        self._log = folder / "console.log"
        site = sysconfig.get_paths()["purelib"]
        version = f"python{sys.version_info.major}.{sys.version_info.minor}"
        self._venv = folder / "venv"
        (self._venv / "bin").mkdir(parents=True)
        (self._venv / "lib" / version / "site-packages").mkdir(parents=True)
        (self._venv / "bin" / version).symlink_to(f"/opt/python/bin/{version}")
        programs = {
            "python": _PYTHON.format(version=version),
            "homeface": f"#!{OPT}/bin/python\nfrom homeface.__main__ import main\n\nmain()\n",
        }
        for name, text in programs.items():
            (self._venv / "bin" / name).write_text(text)
            (self._venv / "bin" / name).chmod(0o755)
        (self._venv / "pyvenv.cfg").write_text(
            "home = /opt/python/bin\ninclude-system-site-packages = false\n"
        )
        binds = {
            sys.base_prefix: "/opt/python",
            str(self._venv): str(OPT),
            site: str(OPT / "lib" / version / "site-packages"),
            str(_ROOT): "/opt/homeface-src",
            str(weights_dir()): "/opt/weights",
            f"/usr/lib/{sysconfig.get_config_var('MULTIARCH') or 'x86_64-linux-gnu'}": "/opt/hostlib",
        }
        self._command = ["systemd-nspawn", "-D", str(base()), "--boot", "--register=no", "--keep-unit"]
        self._command += ["--private-network", "--volatile=overlay", "--console=pipe", "--quiet"]
        self._command += [f"--bind-ro={ours}:{theirs}" for ours, theirs in binds.items()]
        self._process: subprocess.Popen[bytes] | None = None
        self._leader = 0

    def __enter__(self) -> Container:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        try:
            wait_until(self._find_leader, 30, "process 1 of the container")
            wait_until(self._booted, 60, f"the container has booted; console: {self.console()}")
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Power off."""
        if self._process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._process.pid, signal.SIGTERM)  # nspawn passes it on as a power-off
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(10)
        self._process = None

    def console(self) -> str:
        """What has been printed while booting."""
        return self._log.read_text(errors="replace")[-3000:] if self._log.exists() else ""

    def run(self, *command: str, content: str = "", check: bool = True, timeout: float = 120) -> str:
        """A command as root inside; returns what it printed. With ``check`` it must succeed."""
        code, told = self.attempt(*command, content=content, timeout=timeout)
        assert code == 0 or not check, (
            f"{command} ended with {code}: {told[-3000:]}\n{self.journal()[-3000:]}"
        )
        return told

    def attempt(self, *command: str, content: str = "", timeout: float = 120) -> tuple[int, str]:
        """The same; returns the exit code, too."""
        done = subprocess.run(
            ["nsenter", "--target", str(self._leader), "--all", "--", *command],
            input=content,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"},
            check=False,
            timeout=timeout,
        )
        return done.returncode, done.stdout

    def homeface(self, *arguments: str, check: bool = True, content: str = "") -> str:
        """The installed command, as root."""
        return self.run(f"{OPT}/bin/homeface", *arguments, check=check, content=content)

    def write(self, path: str, text: str) -> None:
        """A file inside, with its folders."""
        self.run("sh", "-c", f"mkdir -p $(dirname {path}) && cat > {path}", content=text)

    def show(self, unit: str, *properties: str) -> list[str]:
        """Values of a unit's properties, in this order."""
        return [self.run("systemctl", "show", unit, "--value", "-p", name).strip() for name in properties]

    def journal(self, *arguments: str) -> str:
        """The journal of this boot."""
        return self.attempt("journalctl", "--no-pager", "-b", *arguments)[1]

    def _find_leader(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, f"systemd-nspawn ended: {self.console()}"
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split()
        for child in children:
            with contextlib.suppress(OSError):
                if Path(f"/proc/{child}/comm").read_text().strip() == "systemd":
                    self._leader = int(child)
        return self._leader != 0

    def _booted(self) -> bool:
        return self.attempt("systemctl", "is-system-running")[1].strip() in {"running", "degraded"}
