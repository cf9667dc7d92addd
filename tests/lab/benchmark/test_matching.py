"""What comparing costs: measured on decisions that are really made."""

from __future__ import annotations

import pytest

from homeface.lab.benchmark import matching


def test_a_line_for_each_household(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(matching, "GALLERIES", ((2, 3), (3, 4)))
    real = matching.costs
    monkeypatch.setattr(matching, "costs", lambda people, templates: real(people, templates, 0.01))
    matching.main()
    head, *rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert head[:2] == ["people", "templates"]
    assert [row[:2] for row in rows] == [["2", "6"], ["3", "12"]]
    assert all(float(value) > 0 for row in rows for value in row[2:])
