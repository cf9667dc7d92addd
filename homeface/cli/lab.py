"""``homeface evaluate``: the lab's measurements, offline. Nothing the daemon runs imports them."""

from __future__ import annotations

import os

from homeface.lab.evaluation.__main__ import main as evaluate_command
from homeface.service.wiring import model_folders

_folders = [str(folder) for folder in model_folders(None, os.environ)]
# the lab itself looks only where --models says
evaluate_command.context_settings["default_map"] = {
    command: {"models": _folders} for command in evaluate_command.commands
}

__all__ = ["evaluate_command"]
