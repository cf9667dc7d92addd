"""Bad configurations: each problem is told with file, line, key and what was expected; secrets never are."""

# ruff: noqa: E501 - tables read better with one case a line

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from homeface.config import KnownModels, load
from homeface.errors import ConfigError, ConfigProblem

GOOD = """\
rooms:
  kitchen: {}
  hall: {}
cameras:
  kitchen:
    room: kitchen
    url: rtsp://10.0.0.5/stream
mqtt:
  host: broker
"""
LAST = GOOD.count("\n")


def problems(
    folder: Path,
    text: str | bytes,
    environ: Mapping[str, str] | None = None,
    secrets: str | None = None,
    known: KnownModels | None = None,
) -> tuple[ConfigProblem, ...]:
    path = folder / "config.yaml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    if secrets is not None:
        (folder / "secrets.yaml").write_text(secrets)
    with pytest.raises(ConfigError) as caught:
        load(path, environ or {}, known)
    assert caught.value.exit_code == 2
    assert caught.value.__context__ is None, "pydantic's error holds the input and must not be chained"
    return caught.value.problems


def only(folder: Path, text: str | bytes, environ: Mapping[str, str] | None = None) -> ConfigProblem:
    found = problems(folder, text, environ)
    assert len(found) == 1, "\n".join(map(str, found))
    assert found[0].file == str(folder / "config.yaml")
    return found[0]


# (change of the good file, line, key, pieces of the message)
CHANGES = [
    ("unknown room", ("room: kitchen", "room: kitchn"), 6, "cameras.kitchen.room", ["'kitchn'", "did you mean 'kitchen'"]),
    ("unknown key", ("    room:", "    rom: x\n    room:"), 6, "cameras.kitchen.rom", ["unknown key", "'room'", "known"]),
    ("unknown section", ("mqtt:", "presense: {}\nmqtt:"), 8, "presense", ["unknown key", "did you mean 'presence'"]),
    ("missing key", ("  host: broker", "  port: 1"), 8, "mqtt.host", ["is missing", "broker"]),
    ("missing section", ("mqtt:\n  host: broker\n", ""), 1, "mqtt", ["is missing"]),
    ("text for a number", ("host: broker", "port: abc\n  host: broker"), 9, "mqtt.port", ["'abc'", "a whole number"]),
    ("number too large", ("host: broker", "port: 70000\n  host: b"), 9, "mqtt.port", ["70000", "at most 65535"]),
    ("boolean for a number", ("host: broker", "port: true\n  host: b"), 9, "mqtt.port", ["true", "a number"]),
    ("number for a host", ("host: broker", "host: 5"), 9, "mqtt.host", ["found 5", "quotes"]),
    ("url for a host", ("host: broker", "host: mqtt://u:p@x"), 9, "mqtt.host", ["mqtt://***@x", "a host name"]),
    ("text for a mapping", ("mqtt:\n  host: broker", "mqtt: broker"), 8, "mqtt", ["'broker'", "keys and values"]),
    ("list for a mapping", ("kitchen: {}", "kitchen: [1]"), 2, "rooms.kitchen", ["a list", "keys and values"]),
    ("wrong choice", ("    room:", "    transport: tpc\n    room:"), 6, "cameras.kitchen.transport", ["did you mean 'tcp'"]),
    ("text for true", ("hall: {}", "hall: {exit: perhaps}"), 3, "rooms.hall.exit", ["'perhaps'", "true or false"]),
    ("no unit", ("hall: {}", "hall: {hold: 30}"), 3, "rooms.hall.hold", ["found 30", "say a unit, e.g. 30s"]),
    ("bad unit", ("hall: {}", "hall: {hold: 30 parsecs}"), 3, "rooms.hall.hold", ["'30 parsecs'", "units: ms, s, min, h, d"]),
    ("timeout too long", ("    room:", "    read_timeout: 30s\n    room:"), 6, "cameras.kitchen.read_timeout", ["from 1s to 10s"]),
    ("bad id of a room", ("hall: {}", "Front Hall: {}"), 3, "rooms.Front Hall", ["'Front Hall'", "lower-case"]),
    ("no source", ("    url: rtsp://10.0.0.5/stream\n", ""), 5, "cameras.kitchen", ["none of them", "exactly one of"]),
    ("two sources", ("    room:", "    device: 0\n    room:"), 5, "cameras.kitchen", ["url and device", "exactly one of"]),
    ("bad scheme", ("rtsp://", "rstp://"), 7, "cameras.kitchen.url", ["rtsp://", "not shown"]),
    ("url without host", ("rtsp://10.0.0.5/stream", "rtsp:///stream"), 7, "cameras.kitchen.url", ["a URL with a host"]),
    ("negative device", ("url: rtsp://10.0.0.5/stream", "device: -1"), 7, "cameras.kitchen.device", ["-1", "/dev/video0"]),
    ("login twice", ("rtsp://", "rtsp://u:p@"), 7, "cameras.kitchen.username", []),
    ("wildcard topic", ("hall: {}", "hall: {occupancy_sensor: {topic: a/#}}"), 3, "rooms.hall.occupancy_sensor.topic", ["'a/#'"]),
    ("own topic", ("hall: {}", "hall: {occupancy_sensor: {topic: homeface/x}}"), 3, "rooms.hall.occupancy_sensor.topic", ["itself"]),
    ("empty tls", ("  host:", "  tls:\n  host:"), 9, "mqtt.tls", ["found nothing", "true, false"]),
    ("cert without key", ("  host:", "  tls: {cert: a}\n  host:"), 9, "mqtt.tls", ["both or neither"]),
    ("wrong version", ("  host:", "  version: 4\n  host:"), 9, "mqtt.version", ["found 4", "'3.1.1' or '5'"]),
    ("duplicate key", ("  hall: {}", "  kitchen: {}\n  hall: {}"), 3, "rooms.kitchen", ["twice", "line 2"]),
    ("unset variable", ("broker", "${BROKER}"), 9, "mqtt.host", ["BROKER is not set", "${BROKER:-default}"]),
    ("bad variable", ("broker", "${BRO KER}"), 9, "mqtt.host", ["${NAME}"]),
    ("missing secret", ("broker", "!secret broker"), 9, "mqtt.host", ["'broker'", "secrets.yaml"]),
    ("missing file", ("broker", "!file nowhere"), 9, "mqtt.host", ["nowhere", "no such file"]),
    ("unknown tag", ("broker", "!hunter2"), 9, "mqtt.host", ["unknown YAML tag"]),
    ("list as a key", ("hall: {}", "? [a]\n  : {}"), 3, "rooms", ["as a key"]),
    ("no rooms", ("rooms:\n  kitchen: {}\n  hall: {}\n", "rooms: {}\n"), 1, "rooms", ["at least one entry"]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("change", "line", "key", "pieces"), [c[1:] for c in CHANGES], ids=[c[0] for c in CHANGES]
)
def test_one_mistake(tmp_path: Path, change: tuple[str, str], line: int, key: str, pieces: list[str]) -> None:
    text = GOOD.replace(*change, 1)
    if key.endswith("username"):
        text = text.replace("    url:", "    username: v\n    url:")
    assert text != GOOD
    problem = only(tmp_path, text)
    assert (problem.line, problem.key) == (line, key), str(problem)
    for piece in pieces:
        assert piece in problem.message
    assert "hunter2" not in str(problem)


@pytest.mark.parametrize(
    ("added", "key", "piece"),
    [
        ("recognition: {strictness: strict, false_names: 1/10}", "recognition.false_names", "only one of the two"),
        ("recognition: {false_names: 0.01}", "recognition.false_names", "1 in 1000 visits"),
        ("recognition: {strictness: norml}", "recognition.strictness", "did you mean 'normal'"),
        ("recognition: {device: gpu}", "recognition.device", "cuda:N"),
        ("recognition: {min_face_px: 2.5}", "recognition.min_face_px", "a whole number"),
        ("people: {Anna: {aliases: [Bob]}, Bob: {}}", "people.Anna.aliases.0", "means 'Bob'"),
        ("people: {Anna: {aliases: [Mum]}, Bob: {aliases: [mum]}}", "people.Bob.aliases.0", "means 'Anna'"),
        ("people: {Anna: {aliases: Mum}}", "people.Anna.aliases", "a list"),
        ("web: {host: home.example}", "web.host", "an address of this machine"),
        ("web: {tls: true}", "web.tls", "'self-signed'"),
        ("web: {tls: files, certificate: a.pem}", "web.tls", "certificate and certificate_key"),
        ("web: {certificate: a.pem}", "web.certificate", "tls: files"),
        ("web: {url: home.example}", "web.url", "an address such as"),
        ("web: {url: 'https://me@home.example'}", "web.url", "an address such as"),
        ("web: {url: 'https://home.example:99999'}", "web.url", "an address such as"),
        ("web: {base_path: homeface/}", "web.base_path", "a path such as /homeface"),
        ("web: {trusted_proxies: [proxy]}", "web.trusted_proxies.0", "an address or network"),
        ("web: {allowed_hosts: ['https://home.example']}", "web.allowed_hosts.0", "a host name alone"),
        ("logging: {level: loud}", "logging.level", "'debug'"),
        ("presence: {hold: 0s}", "presence.hold", "from 1s to 1d"),
        ("storage: {folder: ''}", "storage.folder", "a path"),
        ("storage: {folder: ~/x}", "storage.folder", "HOME is not set"),
        ("models: [{name: a, family: yunet, file: x/y.onnx, sha256: " + "a" * 64 + "}]", "models.0.file", "bare name"),
        ("models: [{name: a, family: yunet, file: y.onnx, sha256: abc}]", "models.0.sha256", "64 hexadecimal"),
        ("models: [{name: a, family: yolo, file: y.onnx, sha256: " + "a" * 64 + "}]", "models.0.family", "'yunet'"),
        ("home: {node_id: Our Home}", "home.node_id", "lower-case"),
        ("home: {name: !!int abc}", "home.name", "!!int"),
    ],
)  # fmt: skip
def test_one_mistake_in_an_optional_section(tmp_path: Path, added: str, key: str, piece: str) -> None:
    problem = only(tmp_path, f"{GOOD}{added}\n")
    assert (problem.line, problem.key) == (LAST + 1, key), str(problem)
    assert piece in problem.message


def test_all_mistakes_at_once_each_with_its_line(tmp_path: Path) -> None:
    text = """\
rooms:
  kitchen:
    hold: 90
    nmae: x
cameras:
  porch:
    room: porch
    url: ${CAMERA_URL}
    transport: tpc
mqtt:
  host: broker
  password: !secret pw
  port: high
presence:
  hold: 1 parsec
presence: {}
"""
    found = problems(tmp_path, text)
    assert [(problem.line, problem.key) for problem in found] == [
        (3, "rooms.kitchen.hold"),
        (4, "rooms.kitchen.nmae"),
        (7, "cameras.porch.room"),
        (8, "cameras.porch.url"),
        (9, "cameras.porch.transport"),
        (12, "mqtt.password"),
        (12, "mqtt.password"),
        (13, "mqtt.port"),
        (15, "presence.hold"),
        (16, "presence"),
    ]
    assert str(found[0]).startswith(
        f"{tmp_path / 'config.yaml'}:3: rooms.kitchen.hold: found 90, expected a duration"
    )


def test_a_broken_value_is_told_once(tmp_path: Path) -> None:
    """What a missing variable should have been is not judged as well."""
    assert "is not set" in only(tmp_path, GOOD.replace("room: kitchen", "room: ${ROOM}")).message
    assert "is not set" in only(tmp_path, f"{GOOD}  tls: ${{TLS}}\n").message


@pytest.mark.parametrize(
    ("text", "line", "piece"),
    [
        ("rooms:\n  kitchen: {\n", 3, "not valid YAML"),
        ("rooms:\n\tkitchen: {}\n", 2, "spaces, not tabs"),
        ("rooms:\n  name: a: b\n", 2, "needs quotes"),
        ("rooms:\n  a: 'open\n\n", 4, "not valid YAML"),
        ("a: 1\n---\nb: 2\n", 2, "not valid YAML"),
        ("", None, "is empty"),
        ("# only a comment\n", None, "is empty"),
        ("a: \x00b\n", 1, "control character"),
        (b"rooms:\n  k: \xff\xfe\n", 2, "not UTF-8"),
        ("&a [*a]\n", 1, "refers to itself"),
        ("&a {<<: *a}\n", 1, "refers to itself"),
        ("x: &a {? [b] : c}\ny: {<<: *a}\n", 1, "as a key"),
        ("a: " + "[" * 3000 + "\n", None, "nested too deeply"),
        ("a: *hunter2\n", 1, "not valid YAML"),
        ("x: !!python/object/apply:os.system [hunter2]\n", 1, "unknown YAML tag"),
        ("a: &a [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
            f"{k}: &{k} [*{p},*{p},*{p},*{p},*{p},*{p},*{p},*{p},*{p},*{p}]\n" for p, k in zip("abcdef", "bcdefg", strict=True)
        ), 1, "is too large"),
    ],
)  # fmt: skip
def test_broken_yaml(tmp_path: Path, text: str | bytes, line: int | None, piece: str) -> None:
    found = problems(tmp_path, text)
    matching = [problem for problem in found if piece in problem.message]
    assert matching, "\n".join(map(str, found))
    assert matching[0].line == line
    assert not any("hunter2" in problem.message for problem in found)


@pytest.mark.parametrize("text", ["just text\n", "5\n", "[a, b]\n"])
def test_not_a_mapping(tmp_path: Path, text: str) -> None:
    problem = only(tmp_path, text)
    assert problem.line == 1
    assert "keys and values" in problem.message


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"config\.yaml: there is no such file; copy config\.example\.yaml"):
        load(tmp_path / "config.yaml", {})


def test_a_folder(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="found a folder"):
        load(tmp_path, {})


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every file")
def test_unreadable_file(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(GOOD)
    path.chmod(0)
    with pytest.raises(ConfigError, match="cannot be read: Permission denied"):
        load(path, {})


def test_a_path_through_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(ConfigError, match="cannot be read: Not a directory"):
        load(tmp_path / "file" / "config.yaml", {})


def test_a_huge_file(tmp_path: Path) -> None:
    assert "1 MiB" in only(tmp_path, b"#" * (2 << 20)).message


# --- secrets


def test_missing_secret_suggests_the_nearest(tmp_path: Path) -> None:
    text = GOOD.replace("broker", "!secret mqtt_hosst")
    found = problems(tmp_path, text, secrets="mqtt_host: hunter2\n")
    assert "did you mean 'mqtt_host'" in str(found[0])
    assert "hunter2" not in str(found[0])


@pytest.mark.parametrize(
    ("secrets", "line"),
    [
        ("a: 1\nbroker: *hunter2\n", 2),
        ("a: 1\nbroker: 'hunter2\n", 3),
        ("a: 1\nbroker: [hunter2]\n", 2),
        ("a: 1\nbroker: !hunter2\n", 2),
        ("broker: hunter2\nbroker: hunter2b\n", 2),
        ("- hunter2\n", 1),
        ("broker: hunter2: hunter2\n", 1),
        ("\thunter2\n", 1),
    ],
)
def test_bad_secrets_file_is_told_without_its_content(tmp_path: Path, secrets: str, line: int) -> None:
    found = problems(tmp_path, GOOD.replace("broker", "!secret broker"), secrets=secrets)
    own = [problem for problem in found if problem.file.endswith("secrets.yaml")]
    assert [problem.line for problem in own] == [line]
    assert "hunter2" not in "\n".join(map(str, found))


@pytest.mark.parametrize(
    "change",
    [
        ("host: broker", "host: b\n  username: u\n  password: 424242"),
        ("host: broker", "host: b\n  port: ${SECRET}"),
        ("host: broker", "host: b\n  port: !secret pw"),
        ("host: broker", "host: b\n  tls: ${SECRET}"),
        ("host: broker", "host: b\n  keepalive: !secret pw"),
        ("room: kitchen", "room: ${SECRET}"),
        ("room: kitchen", "transport: ${SECRET}\n    room: kitchen"),
        ("rtsp://10.0.0.5/stream", "rtsp://user:424242@10.0.0.5:99999/stream"),
        ("rtsp://10.0.0.5/stream", "ftp://user:424242@10.0.0.5/stream"),
        ("rtsp://10.0.0.5/stream", "rtsp://user:42/4242#424242@10.0.0.5/stream"),
        ("room: kitchen", "room: rtsp://user:424242@10.0.0.5/stream"),
        ("room: kitchen", "room: kitchen\n    pasword: 424242"),
        ("url: rtsp://10.0.0.5/stream", "url: [424242]"),
        ("url: rtsp://10.0.0.5/stream", "url: 424242"),
        ("mqtt:\n", "people:\n  A: {aliases: ['${SECRET}']}\n  B: {aliases: ['${SECRET}']}\nmqtt:\n"),
    ],
)
def test_secrets_are_not_in_the_message(tmp_path: Path, change: tuple[str, str]) -> None:
    text = GOOD.replace(*change, 1)
    assert text != GOOD
    told = "\n".join(map(str, problems(tmp_path, text, {"SECRET": "424242"}, "pw: '424242'\n")))
    assert "4242" not in told


def test_problems_in_a_merged_mapping_have_the_line_of_the_key(tmp_path: Path) -> None:
    text = GOOD.replace("  kitchen:\n    room", "  one: &one\n    transport: tpc\n    room")
    text = text.replace("mqtt:", "  two:\n    <<: *one\n    room: hall\nmqtt:")
    found = problems(tmp_path, text)
    assert [(problem.line, problem.key) for problem in found] == [
        (6, "cameras.one.transport"),
        (6, "cameras.two.transport"),
    ]


def test_a_merged_value_that_is_written_anew_is_not_judged(tmp_path: Path) -> None:
    text = GOOD.replace("  kitchen:\n    room", "  one: &one\n    password: ${A}\n    room")
    text = text.replace("mqtt:", "  two:\n    <<: [*one]\n    password: x\n    username: y\nmqtt:")
    found = problems(tmp_path, text)
    assert {problem.key for problem in found} == {"cameras.one.password"}


def test_merging_something_else(tmp_path: Path) -> None:
    problem = only(tmp_path, GOOD.replace("    room:", "    <<: 5\n    room:"))
    assert (problem.line, problem.key) == (6, "cameras.kitchen")


# --- models


KNOWN = KnownModels(frozenset({"mtcnn", "yunet_n"}), frozenset({"facenet_vggface2"}))
OWN = (
    "models: [{name: mine, family: onnx_embedder, file: a.onnx, sha256: "
    + "a" * 64
    + ", input_px: 112, template: t}]"
)


def test_models_are_checked_against_the_known_ones(tmp_path: Path) -> None:
    text = f"{GOOD}{OWN}\nrecognition: {{detector: mine, embedder: facenet_vgface2}}\n"
    detector, embedder = problems(tmp_path, text, known=KNOWN)
    assert "expected a known detector: mtcnn, yunet_n" in str(detector)
    assert "did you mean 'facenet_vggface2'" in str(embedder)


def test_own_models_can_be_chosen(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(f"{GOOD}{OWN}\nrecognition: {{detector: yunet_n, embedder: mine}}\n")
    assert load(path, {}, KNOWN).recognition.embedder == "mine"


def test_an_embedder_needs_its_input_and_a_name_of_its_own(tmp_path: Path) -> None:
    bare = OWN.replace(", input_px: 112, template: t", "")
    found = problems(tmp_path, f"{GOOD}{bare[:-1]}, {bare[9:]}\n")
    assert sum("an embedder needs" in str(problem) for problem in found) == 4
    assert any("an earlier model" in str(problem) for problem in found)


# --- whatever stands in the file, it is a Config or a ConfigError

LINES = st.lists(
    st.sampled_from([*GOOD.splitlines(), "- a", "  x: ${", "  y: !secret z", "<<: 5", "mqtt: null", "'", "{"])
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=150)
@given(st.text(max_size=60) | LINES.map("\n".join) | st.binary(max_size=60))
def test_nothing_else_is_ever_raised(tmp_path: Path, text: str | bytes) -> None:
    path = tmp_path / "config.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass"))
    with contextlib.suppress(ConfigError):
        load(path, {})
