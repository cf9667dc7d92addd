"""``homeface evaluate``: the lab's measurements, offline. Nothing the daemon runs imports them."""

from __future__ import annotations

from homeface.lab.evaluation.__main__ import main as evaluate_command

__all__ = ["evaluate_command"]
