"""Settings that may change while homeface runs, and every setting as people see it."""

from __future__ import annotations

from pathlib import Path

import pytest

from homeface.config import Config, live
from homeface.errors import ConfigError
from tests.test_config import EXAMPLE, SECRETS, from_text


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return from_text(tmp_path, EXAMPLE.read_text(encoding="utf-8"), SECRETS)


def test_every_entry_says_what_it_is(config: Config) -> None:
    entries = {entry.key: entry for entry in live.entries(config)}
    hold = entries["presence.hold"]
    assert (hold.kind, hold.value, hold.least, hold.most, hold.live) == ("duration", "2min", "1s", "1d", True)
    strictness = entries["recognition.strictness"]
    assert (strictness.kind, strictness.choices) == ("choice", ("relaxed", "normal", "strict"))
    assert entries["recognition.false_names"].kind == "rate"
    assert (entries["presence.min_unknown_votes"].least, entries["presence.min_unknown_votes"].most) == (
        1,
        20,
    )
    assert entries["web.unknown_visits"].kind == "switch"
    assert entries["mqtt.password"].value == "(not shown)"
    assert not entries["mqtt.host"].live
    assert all(entry.help for entry in entries.values())


def test_every_live_setting_takes_its_own_value_and_default_again(config: Config) -> None:
    for entry in live.entries(config):
        if not entry.live:
            continue
        for value in (entry.value, entry.default):
            if value is not None and entry.key != "recognition.strictness":
                changed = live.changed(config, entry.key, value)
                again = {other.key: other.value for other in live.entries(changed)}
                assert again[entry.key] == value, entry.key


def test_a_change_touches_nothing_else(config: Config) -> None:
    changed = live.changed(config, "rooms.kitchen.hold", "45s")
    assert changed.rooms["kitchen"].hold_seconds == 45
    assert config.rooms["kitchen"].hold_seconds != 45
    left = changed.model_copy(update={"rooms": config.rooms})
    assert left == config
    assert changed.rooms["porch"] == config.rooms["porch"]


def test_strictness_and_rate_say_the_same_and_the_last_one_holds(config: Config) -> None:
    rated = live.changed(config, "recognition.false_names", "1 in 50 visits")
    assert rated.recognition.false_names == 1 / 50
    strict = live.changed(rated, "recognition.strictness", "strict")
    assert (strict.recognition.strictness, strict.recognition.false_names) == ("strict", None)


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("presence.hold", "1", "say a unit"),
        ("presence.hold", None, "a duration"),
        ("recognition.strictness", "very", "'normal'"),
        ("recognition.false_names", 0.01, "1 in 1000"),
        ("presence.min_unknown_votes", True, "a number"),
        ("presence.min_unknown_votes", 0, "at least 1"),
        ("storage.folder", "/tmp", "cannot be changed"),
        ("cameras.kitchen.url", "rtsp://evil", "cannot be changed"),
        ("presence", {}, "cannot be changed"),
        ("rooms.kitchen.hold.seconds", "5s", "cannot be changed"),
        ("__class__.x", "5s", "cannot be changed"),
    ],
)
def test_what_does_not_fit_is_told(config: Config, key: str, value: object, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        live.changed(config, key, value)
    (problem,) = caught.value.problems
    assert problem.key == key
    assert words in problem.message


def test_the_line_of_a_key(tmp_path: Path) -> None:
    text = EXAMPLE.read_text(encoding="utf-8")
    from_text(tmp_path, text, SECRETS)
    found = live.lines(tmp_path / "config.yaml", {})
    assert text.splitlines()[found["mqtt", "host"] - 1].strip().startswith("host:")
    assert ("presence", "hold") not in found
