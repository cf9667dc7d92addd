"""How ``evaluate second-opinion`` works in tests: one process, nothing shown."""

from __future__ import annotations

from homeface.inference.manifest import Kind, find_spec
from homeface.lab.evaluation.looking import Recipe
from homeface.lab.evaluation.running import Timer, Work

WORK = Work(Recipe(find_spec("yunet_n", Kind.DETECTOR), (), ()), jobs=1)


def timer() -> Timer:
    """A new one."""
    return Timer(WORK)
