"""The texts that teach, and the sentences for mistakes in the command line itself."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from homeface import __version__
from tests.cli.conftest import Command

COMMANDS = {
    "demo": "Ends by itself within two minutes",
    "check": "change nothing",
    "run": "SIGHUP reads the configuration again",
    "enrol": "Each photo gets a verdict",
    "people list": "Everybody who is enrolled",
    "people show": "photos with their quality",
    "people rename": "history and Home Assistant's entities stay",
    "people remove": "This cannot be undone",
    "people export": "face pictures and subject.json",
    "people reembed": "another model",
    "people sheet": "contact sheet",
    "identify": "why not",
    "replay": "faster than real time",
    "annotate": "what was known at each moment",
    "lab train-detector": "examples of nothing",
    "watch": "how long after the picture",
    "homeassistant install": "Nothing that is yours is written over",
    "models list": "its licence",
    "models fetch": "Download the weights",
    "models verify": "SHA-256",
    "config check": "everything that is wrong",
    "config schema": "JSON schema",
    "bench": "sides of a ratio in turns",
    "evaluate": "false-positive identification rate",
}


def test_the_first_page_names_every_command(homeface: Command) -> None:
    answer = homeface("--help")
    assert answer.code == 0
    for command in COMMANDS:
        assert f"  {command.split()[0]} " in answer.out
    assert "First steps:" in answer.out
    assert "Exit codes:" in answer.out


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_explains_itself(homeface: Command, command: str) -> None:
    answer = homeface(*command.split(), "--help")
    assert answer.code == 0
    assert answer.out.startswith("Usage: homeface ")
    assert COMMANDS[command] in " ".join(answer.out.split())


@pytest.mark.parametrize("group", ["people", "models", "config"])
def test_no_command_of_a_group_is_explained_by_half_a_sentence(homeface: Command, group: str) -> None:
    assert "..." not in homeface(group, "--help").out.partition("Commands:")[2]


def test_version(homeface: Command) -> None:
    assert homeface("--version").out == f"homeface, version {__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["enroll", "Ada"], "No such command 'enroll'"),
        (["enrol", "Ada"], "Missing argument"),
        (["people"], "Usage:"),
        (["run", "--log-format", "xml"], "'xml' is not one of"),
        (["demo", "--camera", "0", "--video", "x.mp4"], "not both"),
        (["demo", "--video", "gone.mp4"], "There is no file gone.mp4"),
    ],
)
def test_wrong_usage_is_told_and_ends_with_two(homeface: Command, arguments: list[str], told: str) -> None:
    answer = homeface(*arguments)
    assert answer.code == 2
    assert told in answer.err
    assert answer.out == ""


@pytest.mark.parametrize(
    "command",
    ["run", "check", "people list", "people show Ada", "enrol Ada a.jpg", "identify a.jpg", "replay a.mp4",
     "config check"],
)  # fmt: skip
def test_no_configuration(homeface: Command, command: str) -> None:
    answer = homeface(*command.split())
    assert answer.code == 2
    assert "there is no configuration" in answer.err
    assert "config.example.yaml" in answer.err
    assert "-c" in answer.err


def test_a_full_disk_is_told_without_a_trace() -> None:
    with Path("/dev/full").open("w") as full:
        answer = subprocess.run(
            [sys.executable, "-m", "homeface", "config", "schema"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert answer.returncode == 1
    assert answer.stderr.startswith("The output could not be written: No space left on device.")
    assert "Traceback" not in answer.stderr
