"""What the health pages tell. Apart from them: a daemon that serves none need not load a web server."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class HealthReport:
    """How the service is. ``ready``: it does its whole job; ``healthy``: it makes progress.

    ``details``: part to state, for a person who looks; no names, no rooms people are in.
    """

    ready: bool
    healthy: bool
    details: Mapping[str, str] = field(default_factory=dict)
