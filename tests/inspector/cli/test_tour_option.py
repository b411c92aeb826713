"""`--demo=compaction` runs the guided tour, which has no stack."""

from __future__ import annotations

from pathlib import Path

import pytest

import inspector.tui
from tests.support.cli import ok, run


def test_the_tour_runs_and_takes_no_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    calls: list[bool] = []

    def tour(*, mouse: bool) -> int:
        calls.append(mouse)
        return 0

    monkeypatch.setattr(inspector.tui, "run_tour", tour)
    ok("--demo=compaction")
    ok("--demo=compaction", "--no-mouse")
    assert run("--demo=compaction", tmp_path).code == 2
    assert calls == [True, False]


def test_help_names_each_demo_that_there_is() -> None:
    told, refused = ok("--help").out.decode(), run("--demo=what").err
    for name in ("sound", "damaged", "compaction"):
        assert name in refused
        assert f"|{name}" in told or f"={name}" in told


def test_the_tour_needs_a_terminal() -> None:
    assert run("--demo=compaction").code == 2
