"""``python -m homeface`` and the ``homeface`` command."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line; an expected failure is one clear text on stderr and an exit code."""
    from homeface.cli import run_cli

    sys.exit(run_cli())


if __name__ == "__main__":
    main()
