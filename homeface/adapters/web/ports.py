"""What the page needs of the house: Protocols that ``service`` implements. Every method may be called at

any time on the event loop and must not block it. They raise ``RequestError`` and the domain's own errors.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from homeface.adapters.web.models import Info

if TYPE_CHECKING:
    from homeface.adapters.web.accounts import Accounts
    from homeface.adapters.web.links import Links
    from homeface.adapters.web.report import HealthReport
    from homeface.adapters.web.settings import WebSettings
    from homeface.adapters.web.uploads import Uploads


class HouseView(Protocol):
    """What is true now."""

    def report(self) -> HealthReport:
        """How the service is, without personal data."""

    def info(self) -> Info:
        """What runs here; ``tls`` and ``secure_context_hint`` are filled in by the page."""


@dataclass(frozen=True, slots=True)
class Services:
    """Everything that handlers may use."""

    settings: WebSettings
    accounts: Accounts
    links: Links
    uploads: Uploads
    house: HouseView
