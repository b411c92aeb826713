"""The lines around the panes: status, breadcrumbs, and the one that a terminal too small shows."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from textual import on
from textual.app import App, ComposeResult
from textual.pilot import Pilot
from textual.screen import Screen

from engine.readable import open_readable
from inspector.model import StackView
from inspector.tui.screens.main import MainScreen
from inspector.tui.widgets.status_line import Breadcrumbs, StatusLine
from tests.support.screens import branches, drive, inspect, make_stack, settle, shown_lines

Steps = Callable[[Pilot[Any], "Host"], Awaitable[None]]


class Lines(Screen[None]):
    """Both lines."""

    def compose(self) -> ComposeResult:
        yield StatusLine("/srv/git/a-project-of-some-name.git/reftable")
        yield Breadcrumbs()


class Host(App[None]):
    """Only those."""

    def __init__(self) -> None:
        super().__init__()
        self.chosen: list[int] = []

    def get_default_screen(self) -> Lines:
        return Lines()

    @on(Breadcrumbs.Chosen)
    def _note(self, event: Breadcrumbs.Chosen) -> None:
        self.chosen.append(event.number)

    @property
    def status(self) -> StatusLine:
        return self.screen.query_one(StatusLine)

    @property
    def crumbs(self) -> Breadcrumbs:
        return self.screen.query_one(Breadcrumbs)


def host(steps: Steps, size: tuple[int, int] = (120, 20)) -> None:
    app = Host()

    async def run(pilot: Pilot[Any]) -> None:
        await steps(pilot, app)

    drive(app, run, size)


def view(directory: Path) -> StackView:
    shown = StackView(open_readable(make_stack(directory, (branches(3), []))))
    for rows in (shown.refs, shown.logs):
        while rows.read_page() or rows.scan():
            pass
    return shown


def test_the_status_line_says_what_there_is_and_how_it_is_looked_at(tmp_path: Path) -> None:
    async def steps(pilot: Pilot[Any], app: Host) -> None:
        app.status.show(view(tmp_path / "reftable"))
        await pilot.pause()
        line = shown_lines(app)[0].strip()
        label = "/srv/git/a-project-of-some-name.git/reftable"
        assert line == f"{label} · 3 refs · 0 logs · 1 table · {app.status.facts[3].text} · sha1"
        app.status.watching, app.status.read_only = True, True
        await pilot.pause()
        assert shown_lines(app)[0].strip().endswith(" · sha1 · watching · read-only")
        app.status.watching, app.status.findings = False, (1, 2)
        await pilot.pause()
        assert shown_lines(app)[0].rstrip().endswith(" · paused · read-only · X 1 error · ! 2 warnings")

    host(steps, (160, 20))


@pytest.mark.parametrize("width", [160, 110, 80, 60, 40, 20])
def test_what_matters_least_is_left_out_first(tmp_path: Path, width: int) -> None:
    by_worth = ["X 1 error", "3 refs", "paused", "read-only", "0 logs", "1 table", "sha1"]

    async def steps(pilot: Pilot[Any], app: Host) -> None:
        app.status.show(view(tmp_path / "reftable"))
        app.status.watching, app.status.read_only, app.status.findings = False, True, (1, 0)
        await pilot.pause()
        line = str(app.status.render())
        left_out = [text not in line for text in by_worth]
        assert left_out == sorted(left_out)
        assert line.startswith("/s")

    host(steps, (width, 20))


def test_breadcrumbs_show_the_way_and_are_places_to_go_back_to() -> None:
    async def steps(pilot: Pilot[Any], app: Host) -> None:
        app.crumbs.parts = ("stack", "#1 …91c0aa17", "refs as of 1930")
        await pilot.pause()
        assert shown_lines(app)[1].strip() == "stack > #1 …91c0aa17 > refs as of 1930"
        for column in (1, 5, 6, 9, 20, 22, 24, 100):
            await pilot.click(Breadcrumbs, offset=(column, 0))
        assert app.chosen == [0, 0, 1, 1, 2]

    host(steps)


def test_a_way_that_is_too_long_is_left_out_from_where_it_begins() -> None:
    async def steps(pilot: Pilot[Any], app: Host) -> None:
        app.crumbs.parts = "a part of thirty characters ..", "another part of that length ..", "the last one"
        await pilot.pause()
        assert shown_lines(app)[1].strip() == "… > another part of that length .. > the last one"
        for column in (1, 2, 6):
            await pilot.click(Breadcrumbs, offset=(column, 0))
        assert app.chosen == [1]
        app.crumbs.parts = ("first", "x" * 200)
        await pilot.pause()
        assert shown_lines(app)[1].strip().startswith("… > xxxx")

    host(steps, (60, 20))


def test_a_terminal_that_is_too_small_says_how_large_it_has_to_be(tmp_path: Path) -> None:
    sizes = {(60, 16): True, (59, 16): False, (60, 15): False, (10, 3): False, (1, 1): False}

    async def steps(pilot: Pilot[Any], screen: MainScreen) -> None:
        focused = screen.focused
        for size, fits in sizes.items():
            await pilot.resize_terminal(*size)
            await settle(pilot)
            text = " ".join(" ".join(shown_lines(pilot.app)).split())
            assert ("Refs" in text) is fits, size
            if not fits and size[0] > 9:
                assert text.startswith("terminal too small: 60x16"), size
            await pilot.resize_terminal(80, 24)
            await settle(pilot)
            assert "Refs" in " ".join(shown_lines(pilot.app)), size
            assert screen.focused is focused is not None, size

    inspect(make_stack(tmp_path / "reftable", (branches(3), [])), steps, (80, 24))
