"""An environment of what ``docs/lite/requirements.txt`` names and nothing else: there is no torch in it."""

from __future__ import annotations

import os
import re
import sys
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
REQUIREMENTS = ROOT / "docs" / "lite" / "requirements.txt"


def lite_site(folder: Path) -> Path:
    """A folder of packages: links to those of this environment that the list names."""
    folder.mkdir()
    for name in sorted(
        {re.split(r"[=;\s]", line)[0] for line in REQUIREMENTS.read_text().splitlines() if line[0] != "#"}
    ):
        try:
            distribution = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue  # for another version of Python
        tops = {
            file.parts[0] for file in distribution.files or () if file.parts[0] not in {"..", "__pycache__"}
        }
        for top in sorted(tops):
            place = folder / top
            if not place.exists():
                place.symlink_to(Path(str(distribution.locate_file(top))))
    return folder


def lite_command(*arguments: str) -> list[str]:
    """This Python without its own packages."""
    return [sys.executable, "-S", *arguments]


def lite_environment(site: Path, **changes: str) -> dict[str, str]:
    """The environment that goes with ``lite_command``."""
    return {**os.environ, "PYTHONPATH": f"{site}{os.pathsep}{ROOT}", **changes}
