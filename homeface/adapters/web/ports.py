"""What the page needs of the house: Protocols that ``service`` implements. Every method may be called at

any time on the event loop and must not block it. They raise ``RequestError`` and the domain's own errors.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from homeface.adapters.web.models import Info

if TYPE_CHECKING:
    from homeface.adapters.store import BackupInfo, Restored
    from homeface.adapters.web.accounts import Accounts
    from homeface.adapters.web.links import Links
    from homeface.adapters.web.models_settings import Settings
    from homeface.adapters.web.ports_people import LiveView, PeopleDesk, RoundDesk, VisitDesk
    from homeface.adapters.web.report import HealthReport
    from homeface.adapters.web.settings import WebSettings
    from homeface.adapters.web.uploads import Uploads


class HouseView(Protocol):
    """What is true now."""

    def report(self) -> HealthReport:
        """How the service is, without personal data."""

    async def metrics(self) -> bytes:
        """Figures for Prometheus, without personal data (``homeface.adapters.metrics.CONTENT_TYPE``)."""

    def info(self) -> Info:
        """What runs here; ``tls`` and ``secure_context_hint`` are filled in by the page."""


class SettingsDesk(Protocol):
    """Settings that can be changed while homeface runs, and all others to look at."""

    async def all(self) -> Settings:
        """Every setting."""

    async def change(self, changes: Mapping[str, object]) -> Settings:
        """All of them or none; None resets one. They hold at once. Raises InvalidRequestError."""


class BackupDesk(Protocol):
    """Everything in one encrypted file."""

    def place(self) -> Path:
        """A name for a file that is not there yet, on the disk of the database; whoever asks removes it."""

    async def back_up(self, target: Path, password: str) -> BackupInfo:
        """Write everything into a new file. Raises BackupError, StoreError."""

    async def restore(self, source: Path, password: str) -> Restored:
        """Replace everything by what the file holds, and go on with it. Raises BackupError, StoreError."""


@dataclass(frozen=True, slots=True)
class Services:
    """Everything that handlers may use."""

    settings: WebSettings
    accounts: Accounts
    links: Links
    uploads: Uploads
    house: HouseView
    settings_desk: SettingsDesk
    backups: BackupDesk
    live: LiveView
    people: PeopleDesk
    rounds: RoundDesk
    visits: VisitDesk
