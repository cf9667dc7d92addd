"""What a user would pick instead of homeface, driven as its own documentation drives it."""

from __future__ import annotations

from homeface.errors import BackendUnavailableError


def missing_peer(peer: str, package: str) -> BackendUnavailableError:
    """The error for a peer that is not installed: says which package, and which group brings it."""
    return BackendUnavailableError(
        f"{peer} is not installed ({package}): uv sync --group peers (or pip install {package})."
    )
