"""Pages as HTML: which there are, what their menu holds, and templates in the reader's language."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

from homeface.adapters.web.access import OWNER, READ, Access, Role
from homeface.adapters.web.page_files import page_files
from homeface.adapters.web.page_texts import LANGUAGES, texts

if TYPE_CHECKING:
    from jinja2 import Environment


@dataclass(frozen=True, slots=True)
class Page:
    """One page. ``path`` as in the table of routes; ``name``: its template and (with ``script``) its script.

    ``menu``: the entry that is marked while it is shown.
    """

    path: str
    name: str
    access: Access
    summary: str
    menu: str = ""
    script: bool = True

    @property
    def root(self) -> str:
        """From this page to where homeface begins: it works under any sub-path."""
        return "../" * (self.path.count("/") - 1) or "./"


@dataclass(frozen=True, slots=True)
class Reader:
    """Who looks, and how they like it. ``theme``: light, dark or empty (as the device does)."""

    language: str
    role: Role | None = None
    csrf: str = ""
    theme: str = ""
    subject_id: str | None = None


OWN = Access(own=True)

PAGES: tuple[Page, ...] = (
    Page("/", "now", READ, "Who is where", menu="now"),
    Page("/people", "people", READ, "Everybody", menu="people"),
    Page("/people/{person_id}", "person", OWN, "One person", menu="people"),
    Page("/people/{person_id}/round", "round", OWN, "Guided pictures"),
    Page("/visits", "visits", OWNER, "Unknown visits", menu="visits"),
    Page("/health", "health", OWNER, "How well everybody is known", menu="health"),
    Page("/account", "account", Access(member=True), "One's own password"),
    Page("/settings", "settings", OWNER, "Settings", menu="settings"),
    Page("/settings/invites", "invites", OWNER, "Invites", menu="settings"),
    Page("/settings/accounts", "accounts", OWNER, "Accounts", menu="settings"),
    Page("/settings/tokens", "tokens", OWNER, "Tokens", menu="settings"),
    Page("/settings/backup", "backup", OWNER, "Backup", menu="settings"),
    Page("/settings/audit", "audit", OWNER, "Who did what", menu="settings"),
)
"""Pages behind the log-in; the others have handlers of their own in ``pages``."""


def N_(text: str) -> str:  # noqa: N802 - the name gettext's tools know
    """Mark a text for translation that is translated later."""
    return text


# entry, path, icon, title, for members too
_MENU = (
    ("now", "", "house", N_("Now"), True),
    ("people", "people", "users", N_("People"), True),
    ("visits", "visits", "inbox", N_("Unknown"), False),
    ("health", "health", "activity", N_("Health"), False),
    ("settings", "settings", "settings", N_("Settings"), False),
)
_SUBMENU = (
    ("settings", "settings", N_("Settings")),
    ("invites", "settings/invites", N_("Invites")),
    ("accounts", "settings/accounts", N_("Accounts")),
    ("tokens", "settings/tokens", N_("Tokens")),
    ("backup", "settings/backup", N_("Backup")),
    ("audit", "settings/audit", N_("Log")),
)


def render(page: Page, reader: Reader, values: Mapping[str, object] | None = None) -> str:
    """The page's HTML (blocks on the first call of a language)."""
    said = texts(reader.language)
    template = _environment(reader.language).get_template(f"{page.name}.html.j2")
    gettext = said.translations.gettext
    return template.render(
        page=page.name,
        root=page.root,
        files=f"{page.root}static/{page_files().version}/",
        script=page.name if page.script else "",
        language=reader.language,
        languages=LANGUAGES,
        theme=reader.theme,
        role=reader.role,
        subject_id=reader.subject_id,
        csrf=reader.csrf,
        messages=said.scripts,
        menu=_menu(page, reader, gettext),
        submenu=[
            {"path": path, "title": gettext(title), "current": name == page.name}
            for name, path, title in _SUBMENU
        ],
        **(values or {}),
    )


def _menu(page: Page, reader: Reader, gettext: Callable[[str], str]) -> list[dict[str, object]]:
    """What this reader may open; family members come to their own data from it. Guests have no menu."""
    if reader.role not in {Role.OWNER, Role.MEMBER}:
        return []
    entries: list[dict[str, object]] = [
        {
            "path": path,
            "icon": icon,
            "title": gettext(title),
            "current": name == page.menu,
            "badge": name == "visits",
        }
        for name, path, icon, title, everybody in _MENU
        if everybody or reader.role is Role.OWNER
    ]
    if reader.role is Role.MEMBER and reader.subject_id:
        own = f"people/{reader.subject_id}"
        entries.append(
            {"path": own, "icon": "user", "title": gettext(N_("My data")), "current": False, "badge": False}
        )
    return entries


@cache
def _environment(language: str) -> Environment:
    from jinja2 import DictLoader, Environment, StrictUndefined

    folder = resources.files(__package__).joinpath("templates")
    sources = {entry.name: entry.read_text(encoding="utf-8") for entry in folder.iterdir()}
    environment = Environment(
        loader=DictLoader(sources),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    # jinja2's i18n extension adds this method when it is loaded
    environment.install_gettext_translations(texts(language).translations, newstyle=True)  # type: ignore[attr-defined]
    return environment
