"""YAML text to plain data that remembers the line of every key and the origin of every borrowed value.

Scalars follow YAML 1.2: only ``true`` and ``false`` are booleans, so ``on``, ``off``, ``yes`` and ``no``
stay text. Strings may hold ``${NAME}`` or ``${NAME:-default}`` (``$${`` writes a plain ``${``);
``!secret name`` takes a value from ``secrets.yaml`` beside the file, ``!file path`` the content of a file.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import yaml

from homeface.config.problems import did_you_mean, shown
from homeface.errors import ConfigError, ConfigProblem

Location: TypeAlias = tuple[str | int, ...]
"""Where a value stands: ``("cameras", "porch", "url")``."""

SECRETS_FILE = "secrets.yaml"
_MAX_FILE_BYTES = 1 << 20
_MAX_NODES = 50_000  # far above any household; stops alias bombs
_MAX_DEPTH = 50
_VARIABLE = re.compile(
    r"\$\$\{|\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>[^}]*))?\}|\$\{(?P<bad>[^}]*)\}?"
)
_TAG = "tag:yaml.org,2002:"


class Broken:
    """Stands for a value that could not be had (a missing secret); its problem has been told already."""


BROKEN = Broken()


@dataclass
class Document:
    """A file read: plain data, ``lines`` from 1, and ``origins`` of values that must not be shown."""

    file: str
    data: object = None
    lines: dict[Location, int] = field(default_factory=dict)
    origins: dict[Location, str] = field(default_factory=dict)
    problems: list[ConfigProblem] = field(default_factory=list)

    def line(self, location: Location) -> int | None:
        """Line of this key, or of the nearest enclosing one that is written in the file."""
        for end in range(len(location), -1, -1):
            if (found := self.lines.get(location[:end])) is not None:
                return found
        return None

    def found(self, location: Location, value: object) -> str:
        """The value as a message may show it: where it came from, when it was borrowed."""
        origin = self.origins.get(location)
        return shown(value) if origin is None else f"the value of {origin} (not shown)"

    def complain(self, location: Location, message: str, line: int | None = None) -> None:
        """Note one problem."""
        key = ".".join(str(part) for part in location)
        self.problems.append(ConfigProblem(self.file, line or self.line(location), key, message))


class _Loader(yaml.SafeLoader):
    """Composes nodes only, with the core schema of YAML 1.2."""

    yaml_implicit_resolvers = {}  # noqa: RUF012 - a class table of PyYAML


_Loader.add_implicit_resolver(f"{_TAG}null", re.compile(r"^(?:~|null|Null|NULL|)$"), ["~", "n", "N", ""])
_Loader.add_implicit_resolver(
    f"{_TAG}bool", re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF")
)
_Loader.add_implicit_resolver(f"{_TAG}int", re.compile(r"^(?:0|[-+]?[1-9][0-9]*)$"), list("-+0123456789"))
_Loader.add_implicit_resolver(
    f"{_TAG}float",
    re.compile(r"^[-+]?(?:\.[0-9]+|(?:0|[1-9][0-9]*)(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$"),
    list("-+.0123456789"),
)


def read_text(path: Path) -> str:
    """Read a UTF-8 file; ConfigError says why it cannot be read."""
    file = str(path)
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        problem = "there is no such file; copy config.example.yaml there, or name another one with -c"
        raise ConfigError([ConfigProblem(file, None, "", problem)]) from None
    except IsADirectoryError:
        raise ConfigError([ConfigProblem(file, None, "", "found a folder, expected a YAML file")]) from None
    except OSError as error:
        reason = f"cannot be read: {error.strerror or type(error).__name__}"
        raise ConfigError([ConfigProblem(file, None, "", reason)]) from None
    if len(raw) > _MAX_FILE_BYTES:
        raise ConfigError([ConfigProblem(file, None, "", "is larger than 1 MiB: not a configuration")])
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
    # Raised out here, so that the decoder's error with all the bytes is not chained to it.
    raise ConfigError([ConfigProblem(file, line, "", "is not UTF-8 text; save it with that encoding")])


def _compose(file: str, text: str) -> yaml.Node | None:
    """Parse, or raise ConfigError with the line. The file is never quoted: it may hold secrets."""
    try:
        node: yaml.Node | None = yaml.compose(text, Loader=_Loader)
    except yaml.reader.ReaderError as error:
        line = text[: error.position].count("\n") + 1
        problem = ConfigProblem(file, line, "", "has a control character that YAML does not allow")
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problem = ConfigProblem(file, mark.line + 1 if mark else None, "", _broken_yaml(error))
    except RecursionError:
        problem = ConfigProblem(file, None, "", "is nested too deeply")
    else:
        return node
    raise ConfigError([problem])


def _broken_yaml(error: yaml.MarkedYAMLError) -> str:
    """PyYAML's own words without the pieces of the file that it quotes."""
    words = re.sub(r" ?'(?!<)[^']{2,}'", "", error.problem or error.context or "cannot be parsed")
    hint = ""
    if r"'\t'" in (error.problem or ""):
        hint = "; indent with spaces, not tabs"
    elif "mapping values are not allowed" in words:
        hint = "; a value that contains ': ' needs quotes, and keys of one block start in the same column"
    elif "expected <block end>" in words or "could not find expected ':'" in words:
        hint = "; look at the indentation and the quotes of this line and the one above"
    return f"is not valid YAML: {words}{hint}"


def read(path: Path, environ: Mapping[str, str]) -> Document:
    """Read a configuration file. Fatal problems raise ConfigError; all others are in ``problems``."""
    document = Document(str(path))
    node = _compose(document.file, read_text(path))
    if node is None:
        raise ConfigError([ConfigProblem(document.file, None, "", "is empty; see config.example.yaml")])
    document.data = _Builder(document, path.parent, environ).build(node, ())
    return document


class _Builder:
    """Turns nodes into data for one document."""

    def __init__(self, document: Document, folder: Path, environ: Mapping[str, str]) -> None:
        self._document = document
        self._folder = folder
        self._environ = environ
        self._secrets: dict[str, str] | None = None
        self._nodes = 0
        self._merging = 0

    def build(self, node: yaml.Node, location: Location) -> object:
        """Build the value of a node; problems are noted and leave BROKEN."""
        self._document.lines.setdefault(location, node.start_mark.line + 1)
        self._count(node, len(location))
        if isinstance(node, yaml.MappingNode) and node.tag == f"{_TAG}map":
            return self._mapping(node, location)
        if isinstance(node, yaml.SequenceNode) and node.tag == f"{_TAG}seq":
            return [self.build(item, (*location, index)) for index, item in enumerate(node.value)]
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, location)
        return self._unknown_tag(location)

    def _count(self, node: yaml.Node, depth: int) -> None:
        """Stop aliases that refer to themselves, or multiply."""
        self._nodes += 1
        if self._nodes > _MAX_NODES or depth > _MAX_DEPTH:
            line = node.start_mark.line + 1
            raise ConfigError(
                [ConfigProblem(self._document.file, line, "", "is too large or refers to itself")]
            )

    def _unknown_tag(self, location: Location) -> Broken:
        expected = "!secret NAME or !file PATH; put quotes around text that starts with !"
        self._document.complain(location, f"found an unknown YAML tag, expected {expected}")
        return BROKEN

    def _mapping(self, node: yaml.MappingNode, location: Location) -> dict[str, object]:
        result: dict[str, object] = {}
        merged: list[yaml.Node] = []
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode):
                self._document.complain(location, "found a list or mapping as a key, expected text", line)
                continue
            if key_node.value == "<<" and key_node.style is None:
                merged += value_node.value if isinstance(value_node, yaml.SequenceNode) else [value_node]
                continue
            key = str(key_node.value)
            place = (*location, key)
            if key in result:
                first = self._document.lines[place]
                message = f"is written twice (first in line {first}); only one can hold, remove the other"
                self._document.complain(place, message, line)
                continue
            self._document.lines[place] = line
            result[key] = self.build(value_node, place)
        for other in merged:
            self._merge(other, location, result)
        return result

    def _merge(self, node: yaml.Node, location: Location, result: dict[str, object]) -> None:
        """``<<: *defaults``: keys that are written out win, and so do earlier merges."""
        if not isinstance(node, yaml.MappingNode):
            self._document.complain(location, "<< expects an alias of a mapping", node.start_mark.line + 1)
            return
        self._merging += 1
        self._count(node, self._merging)
        pairs = [
            (key, value)
            for key, value in node.value
            if not (isinstance(key, yaml.ScalarNode) and key.value in result)
        ]
        result.update(self._mapping(yaml.MappingNode(node.tag, pairs, node.start_mark), location))
        self._merging -= 1

    def _scalar(self, node: yaml.ScalarNode, location: Location) -> object:
        text = str(node.value)
        tag = node.tag
        if tag == "!secret":
            return self._secret(text.strip(), location)
        if tag == "!file":
            return self._file(text.strip(), location)
        try:
            return self._plain(tag, text, location)
        except ValueError:  # an explicit tag such as !!int on something else
            self._document.complain(location, f"does not fit its tag !!{tag.removeprefix(_TAG)}")
            return BROKEN

    def _plain(self, tag: str, text: str, location: Location) -> object:
        match tag.removeprefix(_TAG):
            case "str":
                return self._substitute(text, location)
            case "null":
                return None
            case "bool":
                return text.lower() == "true"
            case "int":
                return int(text[:400])
            case "float":
                return float(text)
        return self._unknown_tag(location)

    def _substitute(self, text: str, location: Location) -> str | Broken:
        """Fill in ``${NAME}`` and ``${NAME:-default}``; all missing names are told."""
        missing: list[str] = []

        def fill(found: re.Match[str]) -> str:
            if found.group() == "$${":
                return "${"
            name = found["name"]
            if name is None:
                missing.append(
                    "found ${ without a valid name, expected ${NAME} or ${NAME:-default}; write $${ for ${"
                )
                return ""
            self._document.origins[location] = f"${{{name}}}"
            value = self._environ.get(name, "")
            if value or (found["default"] is None and name in self._environ):
                return value
            if found["default"] is None:
                missing.append(
                    f"the environment variable {name} is not set; set it or write ${{{name}:-default}}"
                )
            return found["default"] or ""

        result = _VARIABLE.sub(fill, text)
        for message in missing:
            self._document.complain(location, message)
        return BROKEN if missing else result

    def _secret(self, name: str, location: Location) -> str | Broken:
        if self._secrets is None:
            self._secrets = self._read_secrets()
        self._document.origins[location] = f"!secret {name}"
        if name in self._secrets:
            return self._secrets[name]
        path = self._folder / SECRETS_FILE
        hint = did_you_mean(name, self._secrets)
        where = (
            f"add a line to {path}: {name}: the value"
            if path.exists()
            else f"make {path} with a line {name}: the value"
        )
        self._document.complain(location, f"there is no secret named {name!r}{hint}; {where}")
        return BROKEN

    def _read_secrets(self) -> dict[str, str]:
        """All secrets as the text that is written, so that 0123 stays 0123. Absent file: none."""
        path = self._folder / SECRETS_FILE
        if not path.exists():
            return {}
        place = Document(str(path), problems=self._document.problems)
        try:
            node = _compose(place.file, read_text(path))
        except ConfigError as error:
            self._document.problems += error.problems
            return {}
        secrets: dict[str, str] = {}
        entries = node.value if isinstance(node, yaml.MappingNode) else []
        if node is not None and not isinstance(node, yaml.MappingNode):
            place.complain((), "expected lines of the form name: value", node.start_mark.line + 1)
        for key, value in entries:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode) or not isinstance(value, yaml.ScalarNode):
                place.complain((), "expected name: value, with text as the value", line)
            elif value.tag.startswith("!"):
                place.complain((key.value,), "put quotes around a secret that starts with !", line)
            elif key.value in secrets:
                place.complain((key.value,), "is written twice; remove one", line)
            else:
                secrets[key.value] = value.value
        return secrets

    def _file(self, name: str, location: Location) -> str | Broken:
        """Content of a file, stripped; relative names: config folder first, then systemd's credentials."""
        filled = self._substitute(name, location)
        if isinstance(filled, Broken):
            return filled
        self._document.origins[location] = f"!file {name}"
        candidates = [self._folder / filled]
        if credentials := self._environ.get("CREDENTIALS_DIRECTORY"):
            candidates.append(Path(credentials) / filled)
        path = next((candidate for candidate in candidates if candidate.is_file()), None)
        if path is None:
            looked = " and ".join(dict.fromkeys(str(candidate) for candidate in candidates))
            self._document.complain(location, f"there is no such file for !file (looked for {looked})")
            return BROKEN
        try:
            return read_text(path).strip()
        except ConfigError as error:
            problem = error.problems[0]
            self._document.complain(location, f"the file {problem.file} {problem.message}")
            return BROKEN


def as_mapping(value: Any) -> Mapping[str, Any]:
    """The mapping itself, or an empty one for anything else: for checks on data not yet validated."""
    return value if isinstance(value, Mapping) else {}
