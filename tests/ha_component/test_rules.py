"""Home Assistant's own rules for an integration (hassfest), as far as its package lets them be checked."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from string import Formatter
from typing import Any

import pytest
import voluptuous as vol
import yaml
from homeassistant.components.automation.config import AUTOMATION_BLUEPRINT_SCHEMA
from homeassistant.components.blueprint.models import Blueprint
from homeassistant.core import HomeAssistant
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers import selector
from homeassistant.loader import async_get_integration
from homeassistant.util import yaml as ha_yaml

from custom_components.homeface import const, services

ROOT = Path(__file__).resolve().parents[2] / "homeassistant"
FOLDER = ROOT / "custom_components" / "homeface"
BLUEPRINTS = sorted((ROOT / "blueprints").rglob("*.yaml"))


def read(name: str) -> Any:
    text = (FOLDER / name).read_text(encoding="utf-8")
    return json.loads(text) if name.endswith(".json") else yaml.safe_load(text)


def leaves(data: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Every text with its path."""
    if isinstance(data, dict):
        for key, value in data.items():
            yield from leaves(value, f"{path}.{key}".lstrip("."))
    else:
        yield path, data


def sources() -> Iterator[tuple[str, ast.Module]]:
    for file in sorted(FOLDER.glob("*.py")):
        yield file.name, ast.parse(file.read_text(encoding="utf-8"))


def words_of(name: str, keyword: str) -> set[str]:
    """Constant values of a keyword argument anywhere in a module."""
    tree = ast.parse((FOLDER / name).read_text(encoding="utf-8"))
    found = (node for node in ast.walk(tree) if isinstance(node, ast.keyword) and node.arg == keyword)
    return {node.value.value for node in found if isinstance(node.value, ast.Constant)}


async def test_the_manifest(hass: HomeAssistant) -> None:
    manifest = read("manifest.json")
    order = list(manifest)
    assert order == ["domain", "name", *sorted(order[2:])]
    assert (manifest["domain"], FOLDER.name) == (const.DOMAIN, const.DOMAIN)
    assert manifest["integration_type"] in {"device", "hub", "service"}
    assert manifest["iot_class"] == "local_push"
    assert manifest["requirements"] == []
    assert re.fullmatch(r"\d+\.\d+\.\d+", manifest["version"])
    for key in ("documentation", "issue_tracker"):
        vol.Schema(vol.Url())(manifest[key])
    integration = await async_get_integration(hass, const.DOMAIN)
    assert integration.mqtt == ["homeface/+/announce"]
    assert integration.zeroconf == ["_homeface._tcp.local."]
    for name in (*integration.dependencies, *integration.after_dependencies):
        assert (await async_get_integration(hass, name)).domain == name


def test_the_version_is_that_of_the_package() -> None:
    text = (ROOT.parent / "homeface" / "__init__.py").read_text(encoding="utf-8")
    assert f'"{read("manifest.json")["version"]}"' in text


def test_only_declared_integrations_are_imported() -> None:
    """By hassfest's rule: each is a dependency, a base platform, or what a platform file belongs to."""
    manifest = read("manifest.json")
    allowed = {*manifest["dependencies"], *manifest["after_dependencies"], "media_player"}
    own = {"repairs", "system_health", "logbook", "media_source", "device_automation", "homeassistant"}
    for name, tree in sources():
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(
                "homeassistant.components."
            ):
                used = str(node.module).split(".")[2]
                assert used in allowed | own, f"{name} imports {used}"
            assert not isinstance(node, ast.ImportFrom) or node.module != "homeassistant.components", name


def test_strings_and_translations_say_the_same_things() -> None:
    strings = dict(leaves(read("strings.json")))
    assert dict(leaves(read("translations/en.json"))) == strings
    german = dict(leaves(read("translations/de.json")))
    assert german.keys() == strings.keys()
    for path, text in strings.items():
        assert german[path].strip() == german[path] != "", path
        assert text.strip() == text != "", path
        assert set(re.findall(r"{\w+}", german[path])) == set(re.findall(r"{\w+}", text)), path


@pytest.mark.parametrize("name", ["strings.json", "translations/en.json", "translations/de.json"])
def test_texts_are_such_as_home_assistant_takes(name: str) -> None:
    """No markup, no links, placeholders that are identifiers and stand in no quotes, keys that are slugs."""
    for path, text in leaves(read(name)):
        cv.string_with_no_html(text)
        assert not re.search(r"(://|www\.)[\w.-]*\.[a-z]{2,5}\b", text, re.IGNORECASE), path
        assert not re.search(r"'{\w+}'", text), path
        assert "[%" not in text, path
        fields = [field for _, field, _, _ in Formatter().parse(text) if field is not None]
        assert all(field.isidentifier() for field in fields), path
        assert all(re.fullmatch(r"[a-z0-9]([a-z0-9_-]*[a-z0-9])?", key) for key in path.split(".")), path
        assert "__" not in path, path


def test_texts_stand_where_home_assistant_looks_for_them() -> None:
    strings = read("strings.json")
    places = {"config", "device_automation", "exceptions", "issues", "services", "system_health", "title"}
    assert set(strings) <= places
    flow = {"abort", "create_entry", "error", "flow_title", "progress", "step"}
    assert set(strings["config"]) <= flow
    forms = [*strings["config"]["step"].values()]
    for key, issue in strings["issues"].items():
        assert set(issue) - {"title"} in ({"description"}, {"fix_flow"}), key
        assert set(issue.get("fix_flow", {})) <= flow, key
        forms += issue.get("fix_flow", {}).get("step", {}).values()
    for form in forms:
        assert set(form) <= {"title", "description", "data", "data_description", "menu_options", "submit"}
        assert set(form.get("data_description", {})) <= set(form.get("data", {}))
    for key, told in strings["exceptions"].items():
        assert set(told) == {"message"}, key
    kinds = {"condition_type", "trigger_type", "trigger_subtype", "extra_fields", "extra_fields_descriptions"}
    assert set(strings["device_automation"]) <= kinds
    icons = [icon["service"] for icon in read("icons.json")["services"].values()]
    assert all(icon.startswith("mdi:") for icon in icons)
    assert set(read("icons.json")) <= {"services", "entity"}


def test_everything_said_is_translated() -> None:
    strings = read("strings.json")
    assert words_of("config_flow.py", "step_id") | {"user", "token", "reauth_confirm", "reconfigure"} == set(
        strings["config"]["step"]
    )
    reasons = words_of("config_flow.py", "reason") | {
        "already_in_progress",
        "reauth_successful",
        "reconfigure_successful",
    }
    assert reasons == set(strings["config"]["abort"])
    keys: set[str] = set()
    for name, tree in sources():
        keys |= words_of(name, "translation_key")
        for node in ast.walk(tree):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Name)
                and node.func.id in {"_failed", "_wrong"}
            ):
                keys |= {arg.value for arg in node.args if isinstance(arg, ast.Constant)} - {""}
    assert keys <= set(strings["exceptions"]), keys - set(strings["exceptions"])
    issues = {"address_changed", "camera_dead", "look_alike", "reembed", "version_mismatch"}
    assert set(strings["issues"]) == issues


def test_actions_are_described_wholly() -> None:
    described, strings, icons = read("services.yaml"), read("strings.json")["services"], read("icons.json")
    assert set(described) == set(strings) == set(icons["services"])
    schemas = {
        name.lower(): schema
        for name, schema in vars(services).items()
        if isinstance(schema, vol.Schema) and name.isupper()
    }
    assert set(schemas) == set(described)
    for name, action in described.items():
        fields = action["fields"]
        assert set(fields) == set(strings[name]["fields"]), name
        markers = {str(marker): marker for marker in schemas[name].schema}
        assert set(markers) == set(fields), name
        for field, told in fields.items():
            selector.validate_selector(told["selector"])
            assert told.get("required", False) == isinstance(markers[field], vol.Required), (name, field)


def test_the_quality_scale_is_filled_whole() -> None:
    rules = read("quality_scale.yaml")["rules"]
    for rule, told in rules.items():
        if isinstance(told, dict):
            assert told["status"] in {"done", "todo", "exempt"}, rule
            assert told["comment"], rule
        else:
            assert told == "done", rule
    assert len(rules) == 52


def test_no_file_lies_directly_in_the_folder_of_home_assistant() -> None:
    """With an __init__.py there it would stand for Home Assistant itself."""
    assert not [path.name for path in ROOT.iterdir() if path.is_file()]
    assert not (ROOT / "custom_components" / "__init__.py").exists()


@pytest.mark.parametrize("name", ["icon.png", "icon@2x.png", "logo.png", "logo@2x.png"])
def test_pictures_of_the_brand(name: str) -> None:
    data = (FOLDER / "brand" / name).read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = (int.from_bytes(data[start : start + 4]) for start in (16, 20))
    short = 512 if "@2x" in name else 256
    assert (min(width, height), width == height or "logo" in name) == (short, True)
    assert len(data) < 40_000


@pytest.mark.parametrize("file", BLUEPRINTS, ids=[file.stem for file in BLUEPRINTS])
def test_blueprints_are_valid_and_say_what_they_are_not_for(file: Path) -> None:
    data = ha_yaml.load_yaml_dict(file)
    blueprint = Blueprint(data, expected_domain="automation", schema=AUTOMATION_BLUEPRINT_SCHEMA)
    assert blueprint.validate() is None
    text = blueprint.metadata["description"]
    assert "Not for" in text, file
    assert "min_version" in blueprint.metadata["homeassistant"]
    assert data["mode"] in {"queued", "parallel", "restart", "single"}
    cv.string(blueprint.name)
    described = [one for one in blueprint.inputs.values() if one]
    assert all(one.get("name") and one.get("description") for one in described if "input" not in one), file


def test_there_are_seven_blueprints() -> None:
    assert len(BLUEPRINTS) == 7
