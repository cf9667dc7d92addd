"""The service under the real systemd: installed, watched, restarted, bounded, kept in its place.

The tests follow each other like the life of one installation.
"""

from __future__ import annotations

import json
import re

import pytest

from tests.linux.conftest import CONFIG
from tests.support.data import requires_data
from tests.support.nspawn import OPT, Container, requires_nspawn
from tests.support.waiting import wait_until

pytestmark = [requires_data, requires_nspawn, pytest.mark.slow, pytest.mark.timeout(600)]

READY_SECONDS = 150


def wait_active(box: Container, unit: str = "homeface") -> None:
    wait_until(
        lambda: box.show(unit, "ActiveState", "SubState") == ["active", "running"],
        READY_SECONDS,
        f"{unit} runs: {box.show(unit, 'ActiveState', 'SubState')}",
    )


def pid(box: Container, unit: str = "homeface") -> str:
    return box.show(unit, "MainPID")[0]


def drop_in(box: Container, text: str) -> None:
    box.write("/etc/systemd/system/homeface.service.d/test.conf", f"[Service]\n{text}")
    box.run("systemctl", "daemon-reload")


def test_a_dry_run_tells_everything_and_does_nothing(box: Container) -> None:
    told = box.homeface("install", "--dry-run")
    assert "Write /etc/systemd/system/homeface.service" in told
    assert "Make the user homeface" in told
    assert "config.yaml" not in told, "there is one already"
    assert "homeface" not in box.run("cat", "/etc/passwd")
    assert box.attempt("test", "-e", "/etc/systemd/system/homeface.service")[0] == 1


def test_installing_starts_it(box: Container) -> None:
    before = box.run("cat", "/etc/homeface/config.yaml")
    told = box.homeface("install", "--yes", "--enable")
    assert re.search(r"1\. Write .*\n(.*\n)*Done\.", told)
    wait_active(box)
    assert box.run("cat", "/etc/homeface/config.yaml") == before
    assert box.run("stat", "-c", "%U %G %a", "/etc/homeface/config.yaml").split() == [
        "root",
        "homeface",
        "640",
    ]
    assert box.run("stat", "-c", "%U", f"/proc/{pid(box)}").strip() == "homeface"
    assert "0 of 1 cameras" in box.show("homeface", "StatusText")[0]
    assert box.run("systemctl", "is-enabled", "homeface").strip() == "enabled"


def test_installing_again_changes_nothing(box: Container) -> None:
    before = pid(box)
    told = box.homeface("install", "--dry-run")
    assert "Write" not in told
    assert "Update" not in told
    assert pid(box) == before


def test_systemd_has_nothing_to_complain_about(box: Container) -> None:
    units = [f"/etc/systemd/system/{name}" for name in ("homeface.service", "homeface.target")]
    told = box.run("systemd-analyze", "verify", "--man=no", *units, "homeface@attic.service")
    assert "homeface" not in told, told
    told = box.run("systemd-analyze", "security", "--threshold=15", "--no-pager", "homeface.service")
    assert "Overall exposure level" in told


def test_a_command_of_root_and_one_of_the_user_mean_the_services_database(box: Container) -> None:
    as_user = [
        "setpriv",
        "--reuid=homeface",
        "--regid=homeface",
        "--init-groups",
        "env",
        "HOME=/var/lib/homeface",
    ]
    told = box.run(*as_user, f"{OPT}/bin/homeface", "check", "--json", check=False)
    storage = next(row for row in json.loads(told) if row["what"] == "storage")
    assert storage["text"].startswith("/var/lib/homeface/homeface.db")
    box.homeface("key", "rotate")  # root writes the key, and the service must go on with it
    owners = box.run("sh", "-c", "stat -c %U /var/lib/homeface/*").split()
    assert set(owners) == {"homeface"}


def test_the_journal_has_fields(box: Container) -> None:
    wait_until(lambda: "is unavailable" in box.journal("HOMEFACE_CAMERA=hall"), 30, "the camera's outage")
    entries = [json.loads(line) for line in box.journal("-o", "json", "HOMEFACE_CAMERA=hall").splitlines()]
    assert {entry["PRIORITY"] for entry in entries} == {"4"}
    assert {entry["SYSLOG_IDENTIFIER"] for entry in entries} == {"homeface"}
    assert {entry["HOMEFACE_UNIT"] for entry in entries} == {"homeface.service"}


def test_status_is_for_root_and_the_services_user(box: Container) -> None:
    status = json.loads(box.homeface("status", "--json", check=False))
    assert status["broker"]["connected"] is False
    assert [camera["name"] for camera in status["cameras"]] == ["hall"]
    assert "NOT everything works" in box.homeface("status", check=False)
    assert box.homeface("status", "--alive").strip() == "alive"
    as_nobody = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", f"{OPT}/bin/python", "-c")
    asking = "from homeface.adapters.status_socket import ask_status as a; from pathlib import Path as p; "
    code, told = box.attempt(*as_nobody, asking + "a(p('/var/lib/homeface'))")
    assert code == 1
    assert "PermissionError" in told


def test_a_reload_keeps_the_process_and_a_wrong_one_is_refused(box: Container) -> None:
    before = pid(box)
    box.write("/etc/homeface/config.yaml", CONFIG.replace("hall: {}", "hall: {name: Vestibule}"))
    box.run("systemctl", "reload", "homeface")
    wait_until(lambda: "The configuration was read again" in box.journal("-u", "homeface"), 20)
    wait_active(box)
    box.write("/etc/homeface/config.yaml", "rooms: 5\n")
    box.run("systemctl", "reload", "homeface")
    wait_until(lambda: "is refused, the old one stays" in box.journal("-u", "homeface"), 20)
    wait_active(box)
    for ask in ("--dry-run", "--yes"):  # an update would stop it, and could not start it again
        code, told = box.attempt(f"{OPT}/bin/homeface", "install", ask)
        assert code == 1
        assert "homeface.service would not start with this version" in told
        assert "config.yaml:1: rooms" in told
    box.write("/etc/homeface/config.yaml", CONFIG)
    assert pid(box) == before


def test_a_stopped_process_is_noticed_by_the_watchdog(box: Container) -> None:
    drop_in(box, "WatchdogSec=6\nTimeoutAbortSec=1\nRestartSec=200ms\n")
    box.run("systemctl", "restart", "homeface")
    before = pid(box)
    box.run("sh", "-c", f"kill -STOP {before}")
    wait_until(lambda: box.show("homeface", "NRestarts") == ["1"], 40, "the watchdog restarts it")
    wait_active(box)
    assert pid(box) != before
    assert "Watchdog timeout" in box.journal("-u", "homeface")


def test_a_dead_camera_is_no_reason_for_the_watchdog(box: Container) -> None:
    """The only camera has been dead all the time, for more than the watchdog's limit."""
    since = int(box.show("homeface", "ActiveEnterTimestampMonotonic")[0])
    now = "cut -d. -f1 /proc/uptime"
    wait_until(lambda: int(box.run("sh", "-c", now)) - since / 1e6 > 8, 20, "longer than the limit")
    assert box.show("homeface", "ActiveState", "NRestarts") == ["active", "1"]


def test_a_killed_process_is_started_again(box: Container) -> None:
    before = pid(box)
    box.run("sh", "-c", f"kill -KILL {before}")
    wait_until(lambda: box.show("homeface", "NRestarts") == ["2"], 20, "it is started again")
    wait_active(box)
    assert pid(box) != before


def test_a_damaged_database_is_set_aside_and_the_daily_copy_goes_on(box: Container) -> None:
    folder = "/var/lib/homeface"
    wait_until(lambda: box.attempt("test", "-e", f"{folder}/homeface.db.daily.backup")[0] == 0, 20, "a copy")
    box.run("systemctl", "stop", "homeface")
    box.run("sh", "-c", f"head -c 60000 /dev/urandom > {folder}/homeface.db")
    box.run("systemctl", "start", "homeface")
    wait_active(box)
    told = box.journal("-u", "homeface", "-p", "err", "-o", "cat")
    assert "is damaged" in told
    assert "takes its place" in told
    assert "recover" in box.homeface("acts")
    assert box.run("sh", "-c", f"ls {folder}").count("homeface.db.damaged-") == 1


def test_an_update_copies_the_database_and_brings_it_up_to_date(box: Container) -> None:
    box.run("systemctl", "stop", "homeface")
    old = [
        "from pathlib import Path",
        "from homeface.adapters.store import Store, schema",
        "schema.MIGRATIONS = schema.MIGRATIONS[:2]",
        "folder = Path('/var/lib/homeface')",
        "[file.unlink() for file in folder.glob('homeface.db*')]",
        "Store(folder / 'homeface.db').close()",
    ]
    box.run(f"{OPT}/bin/python", "-c", "\n".join(old))
    told = box.homeface("install", "--yes")
    assert "Bring /var/lib/homeface/homeface.db up to date (a copy is made before it changes)" in told
    assert box.run("stat", "-c", "%U", "/var/lib/homeface/homeface.db.v2.backup").strip() == "homeface"
    box.run("systemctl", "start", "homeface")
    wait_active(box)
    assert "Nobody is enrolled" in box.homeface("people", "list")


def test_it_writes_nowhere_but_in_its_own_folders(box: Container) -> None:
    places = box.run(
        "sh", "-c", "find / -xdev -user homeface -not -path '/proc/*' -not -path '/sys/*' 2>/dev/null; true"
    ).split()
    ours = ("/var/lib/homeface", "/var/cache/homeface", "/run/homeface", "/var/lib/private")
    assert [place for place in places if not place.startswith(ours)] == []
    inside = """
        import os, pathlib
        for place in ("/", "/etc", "/etc/homeface", "/usr", "/opt/homeface", "/home", "/root", "/boot",
                      "/var/log",
                      "/dev", "/sys/kernel", "/proc/sys/kernel", "/var/lib", "/var/lib/homeface"):
            try:
                pathlib.Path(place, "trial").write_text("x")
                print("wrote", place)
            except OSError:
                pass
        for device in ("/dev/kmsg", "/dev/mem", "/dev/sda", "/dev/vda", "/dev/input/event0"):
            try:
                open(device, "rb")
                print("opened", device)
            except OSError:
                pass
    """
    box.run("sh", "-c", f"kill -ABRT {pid(box)}")  # as the watchdog does: where it hung is told
    wait_until(lambda: "Fatal Python error: Aborted" in box.journal("-u", "homeface"), 20, "the trace")
    lines = [line[8:] for line in inside.splitlines()]
    box.write("/opt-trial.py", "\n".join(lines))
    drop_in(
        box,
        f"ExecStart=\nExecStart={OPT}/bin/python /opt-trial.py\nType=oneshot\nRestart=no\nWatchdogSec=0\n",
    )
    box.run("systemctl", "restart", "homeface")
    told = box.journal("-u", "homeface", "-o", "cat", "--since=-10s")
    assert [line for line in told.splitlines() if line.startswith(("wrote", "opened"))] == [
        "wrote /var/lib/homeface"
    ]


def test_a_wrong_configuration_is_not_started_again(box: Container) -> None:
    drop_in(box, "RestartSec=200ms\n")
    box.run("systemctl", "stop", "homeface")
    box.write("/etc/homeface/config.yaml", "rooms: 5\n")
    box.run("systemctl", "reset-failed", "homeface", check=False)
    assert box.attempt("systemctl", "start", "homeface")[0] != 0
    assert box.show("homeface", "ActiveState", "ExecMainStatus", "NRestarts") == ["failed", "2", "0"]
    assert "config.yaml:1: rooms" in box.journal("-u", "homeface")
    box.write("/etc/homeface/config.yaml", CONFIG)


def test_a_crash_loop_ends(box: Container) -> None:
    """The unit's own limits, with a daemon that dies at once, and a shorter wait between two starts."""
    drop_in(box, "ExecStart=\nExecStart=/bin/false\nRestartSec=20ms\n")
    box.run("systemctl", "reset-failed", "homeface", check=False)
    box.attempt("systemctl", "start", "homeface")
    wait_until(lambda: box.show("homeface", "ActiveState") == ["failed"], 60, "it gives up")
    assert box.show("homeface", "NRestarts") == ["10"]
    assert "Start request repeated too quickly" in box.journal("-u", "homeface")


def test_the_key_is_sealed_by_the_machine(box: Container) -> None:
    box.run("rm", "/etc/systemd/system/homeface.service.d/test.conf")
    box.run("systemctl", "daemon-reload")
    box.run("systemctl", "reset-failed", "homeface")
    told = box.homeface("key", "seal", "--with", "host", "--yes")
    assert "Sealed as /etc/credstore.encrypted/homeface.key" in told
    assert box.attempt("test", "-e", "/var/lib/homeface/homeface.key")[0] == 1
    box.run("systemctl", "daemon-reload")
    box.run("systemctl", "start", "homeface")
    wait_active(box)
    refused = box.homeface("people", "list", check=False)
    assert "is missing" in refused
    assert "Nobody is enrolled yet" in box.homeface("key", "run", "people", "list")


def test_a_second_node_has_everything_of_its_own(box: Container) -> None:
    """Also a password at the broker that systemd passes on, and a sealed key beside that of the first."""
    attic = ("-c", "/etc/homeface/attic.yaml")
    text = CONFIG.replace("box", "attic").replace("web: {enabled: true}", "")
    login = "mqtt: {host: 127.0.0.1, username: attic, password: !file mqtt}"
    box.write("/etc/homeface/attic.yaml", text.replace("mqtt: {host: 127.0.0.1}", login))
    box.write("/etc/homeface/mqtt.password", "secret of the broker\n")
    box.run("chmod", "600", "/etc/homeface/mqtt.password")
    passed_on = "[Service]\nLoadCredential=mqtt:/etc/homeface/mqtt.password\n"
    box.write("/etc/systemd/system/homeface@attic.service.d/mqtt.conf", passed_on)
    box.run("systemctl", "daemon-reload")
    box.run("systemd-tmpfiles", "--create", "/etc/tmpfiles.d/homeface.conf")
    assert box.run("stat", "-c", "%U %G %a", "/etc/homeface/attic.yaml").split() == [
        "root",
        "homeface",
        "640",
    ]
    box.run("systemctl", "enable", "--now", "homeface@attic")
    wait_active(box, "homeface@attic")
    assert box.attempt("test", "-e", "/var/lib/homeface/attic/homeface.db")[0] == 0
    box.write("/etc/homeface/attic.yaml", text)  # commands of root do not get what systemd passes on
    told = box.homeface("check", *attic, "--json", check=False)
    storage = next(row for row in json.loads(told) if row["what"] == "storage")
    assert storage["text"].startswith("/var/lib/homeface/attic/homeface.db")
    assert box.show("homeface", "ActiveState") == ["active"]
    first = box.run("sha256sum", "/etc/credstore.encrypted/homeface.key")
    told = box.homeface("key", "seal", *attic, "--with", "host", "--yes")
    assert "Sealed as /etc/credstore.encrypted/homeface.attic.key" in told
    assert "Next: systemctl daemon-reload && systemctl restart homeface@attic.service" in told
    assert box.run("sha256sum", "/etc/credstore.encrypted/homeface.key") == first
    there = f"cd /etc/homeface && {OPT}/bin/homeface key run people list -c attic.yaml"
    assert "Nobody is enrolled yet" in box.run("sh", "-c", there)
    there = f"cd /root && {OPT}/bin/homeface key run people list -c /etc/homeface/attic.yaml"
    assert "Nobody is enrolled yet" in box.run("sh", "-c", there), (
        "a folder that is not for the service's user"
    )
    box.homeface("key", "unseal", *attic)
    assert box.run("stat", "-c", "%U %a", "/var/lib/homeface/attic/homeface.key").split() == [
        "homeface",
        "600",
    ]
    assert box.run("sha256sum", "/etc/credstore.encrypted/homeface.key") == first


def test_an_update_reaches_every_node_that_runs(box: Container) -> None:
    before = [pid(box), pid(box, "homeface@attic")]
    told = box.homeface("install", "--yes")
    assert "Bring /var/lib/homeface/attic/homeface.db up to date" in told
    assert "Not everything is well" not in told, (
        "the key is sealed, and a command cannot know that all is well"
    )
    for unit in ("homeface", "homeface@attic"):
        wait_active(box, unit)
    after = [pid(box), pid(box, "homeface@attic")]
    assert not set(before) & set(after)
    box.run("systemctl", "stop", "homeface.target")
    for unit in ("homeface", "homeface@attic"):
        wait_until(lambda unit=unit: box.show(unit, "ActiveState") == ["inactive"], 20, f"{unit} stops")  # type: ignore[misc]


def test_uninstalling_leaves_the_faces_and_purging_nothing(box: Container) -> None:
    told = box.homeface("install", "--uninstall", "--yes")
    assert "homeface@attic.service (a node)" in told
    assert "Left behind: /var/lib/homeface" in told
    assert "Left behind: /etc/credstore.encrypted/homeface.key" in told
    assert box.attempt("systemctl", "cat", "homeface")[0] != 0
    assert box.attempt("test", "-e", "/var/lib/homeface/homeface.db")[0] == 0
    box.homeface("install", "--uninstall", "--purge", "--yes")
    sealed = "/etc/credstore.encrypted/homeface.key"
    for place in ("/var/lib/homeface", "/etc/homeface", "/var/cache/homeface", sealed):
        assert box.attempt("test", "-e", place)[0] == 1
    assert "homeface" not in box.run("cat", "/etc/passwd")
