"""The list of what changed: counts, kinds, details, and leaving it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from engine.format import RefRecord
from engine.merge import MergedTable, RefChange
from inspector.tui.screens.changes import ChangesScreen
from inspector.tui.widgets.virtual_list import VirtualList
from tests.support.screens import NARROW, WIDE, branch, branches, damage_block, log, make_stack, shown_lines
from tests.support.tables import oid
from tests.support.travel import ScreenApp, drive_screen, open_view, press_keys


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    """300 branches; then one is made, two are moved, one is deleted, and HEAD is switched."""
    return make_stack(
        tmp_path / "reftable",
        (
            [RefRecord(b"HEAD", 1, target=branch(1)), *branches(300)],
            [log(branch(1), 1), log(branch(2), 1)],
        ),
        (
            [
                RefRecord(b"HEAD", 2, target=branch(2)),
                RefRecord(branch(5), 2, oid(55)),
                RefRecord(branch(6), 2, oid(66), oid(67)),
                RefRecord(branch(7), 2),
                RefRecord(branch(900), 2, oid(90)),
            ],
            [log(branch(5), 2), log(branch(900), 2), log(branch(900), 3)],
        ),
    )


def text(app: ScreenApp) -> str:
    return "\n".join(shown_lines(app))


def changes(app: ScreenApp) -> VirtualList[Any]:
    return app.screen.query_one(VirtualList)


def current(app: ScreenApp) -> bytes:
    change = changes(app).current
    assert isinstance(change, RefChange)
    return change.name


def screen_between(old: MergedTable, new: MergedTable) -> ChangesScreen:
    return ChangesScreen(old, new, "What changed from 1 to 2", old.tables[0].hash_id.size)


def test_changes_are_counted_listed_and_shown_in_full(stack: Path) -> None:
    async def steps(pilot: Pilot[Any], app: ScreenApp) -> None:
        assert "What changed from 1 to 2" in text(app)
        assert "+ 1 created   ~ 3 updated   - 1 deleted   logs: 3 added, 0 removed" in text(app)
        assert re.search(r"> ~ HEAD +-> …\S+ +-> …", text(app))
        assert re.search(
            rf"  ~ {branch(5).decode()} +{oid(5).hex()[:10]}\S* +{oid(55).hex()[:10]}", text(app)
        )
        assert re.search(rf"  - {branch(7).decode()} +{oid(7).hex()[:10]}\S* +none", text(app))
        assert re.search(rf"  \+ {branch(900).decode()} +none +{oid(90).hex()[:10]}", text(app))
        assert f"before  -> {branch(1).decode()}  update 1" in text(app)
        await press_keys(pilot, "j", "j")
        assert f"{branch(6).decode()}  updated" in text(app)
        assert f"before  {oid(6).hex()}  update 1" in text(app)
        assert f"after   {oid(66).hex()}  update 2" in text(app)
        assert f"peeled {oid(67).hex()}" in text(app)

    with open_view(stack) as view:
        drive_screen(screen_between(view.merged.as_of(1), view.merged), steps)


def test_kinds_are_hidden_and_shown_and_the_cursor_stays_on_its_change(stack: Path) -> None:
    async def steps(pilot: Pilot[Any], app: ScreenApp) -> None:
        await press_keys(pilot, "G", "D")
        assert "(- 1 deleted, hidden)" in text(app)
        assert branch(7).decode() not in text(app)
        assert current(app) == branch(900)
        await press_keys(pilot, "U")
        assert changes(app).source.count == 1
        assert current(app) == branch(900)
        await press_keys(pilot, "C")
        assert "no changes of the kinds that are shown" in text(app)
        await press_keys(pilot, "C", "D", "U")
        assert changes(app).source.count == 5
        await press_keys(pilot, "g", "j", "j", "j")
        assert current(app) == branch(7)
        await press_keys(pilot, "D")
        assert current(app) == branch(900)  # what follows it

    with open_view(stack) as view:
        drive_screen(screen_between(view.merged.as_of(1), view.merged), steps)


def test_a_change_is_copied_as_one_line(stack: Path) -> None:
    copied: list[str] = []

    async def steps(pilot: Pilot[Any], app: ScreenApp) -> None:
        for keys in (["y"], ["j", "y"], ["G", "y"]):
            await press_keys(pilot, *keys)
            copied.append(app.clipboard)

    with open_view(stack) as view:
        drive_screen(screen_between(view.merged.as_of(1), view.merged), steps)
    assert copied == [
        f"ref:{branch(1).decode()} ref:{branch(2).decode()} HEAD",
        f"{oid(5).hex()} {oid(55).hex()} {branch(5).decode()}",
        f"{'0' * 40} {oid(90).hex()} {branch(900).decode()}",
    ]


def test_where_nothing_changed_it_says_so(stack: Path) -> None:
    async def steps(_pilot: Pilot[Any], app: ScreenApp) -> None:
        assert "no changes" in text(app)
        assert "+ 0 created   ~ 0 updated   - 0 deleted" in text(app)

    with open_view(stack) as view:
        drive_screen(screen_between(view.merged, view.merged), steps)


def test_escape_stops_comparing_and_then_leaves(stack: Path) -> None:
    async def steps(pilot: Pilot[Any], app: ScreenApp) -> None:
        screen = app.screen
        assert isinstance(screen, ChangesScreen)
        # As if it were not done yet: with three hundred refs it always is.
        screen._logs_counted = False
        screen._show_state()
        await pilot.pause()
        assert "counting logs … 3 records  (esc stops)" in text(app)
        await press_keys(pilot, "escape")
        assert app.screen is screen
        assert "stopped: there may be more" in text(app)
        await press_keys(pilot, "j")
        assert changes(app).cursor == 1
        await press_keys(pilot, "escape")
        assert app.screen is not screen

    with open_view(stack) as view:
        assert drive_screen(screen_between(view.merged.as_of(1), view.merged), steps) == [None]


def test_damage_is_told_and_what_comes_before_it_is_shown(tmp_path: Path) -> None:
    directory = make_stack(tmp_path / "reftable", (branches(300), []))

    async def steps(pilot: Pilot[Any], app: ScreenApp) -> None:
        assert "! " in text(app)
        assert ".ref at byte" in text(app)
        assert branch(0).decode() in text(app)
        await press_keys(pilot, "escape")
        assert not isinstance(app.screen, ChangesScreen)

    with open_view(directory) as view:
        damage_block(directory)
        drive_screen(ChangesScreen(MergedTable([]), view.merged, "What changed", 20), steps)


def test_names_from_the_stack_are_neither_obeyed_nor_parsed(tmp_path: Path) -> None:
    names = [b"refs/[bold]x[/]", b"refs/[/bogus", b"refs/\x1b[2J", b"refs/caf\xe9"]
    directory = make_stack(tmp_path / "reftable", ([RefRecord(name, 1, oid(1)) for name in names], []))

    async def steps(pilot: Pilot[Any], app: ScreenApp) -> None:
        for shown in sorted(("refs/[bold]x[/]", "refs/[/bogus", r"refs/\x1b[2J", r"refs/caf\xe9")):
            assert text(app).count(shown) >= 1
            await press_keys(pilot, "y", "j")
        assert "[bold]a title" in text(app)
        assert "\x1b" not in text(app) + app.clipboard

    with open_view(directory) as view:
        drive_screen(ChangesScreen(MergedTable([]), view.merged, "[bold]a title", 20), steps)


@pytest.mark.parametrize("size", [WIDE, NARROW, (60, 16), (20, 4), (1, 1)])
def test_any_size_of_terminal_can_be_used(stack: Path, size: tuple[int, int]) -> None:
    async def steps(pilot: Pilot[Any], app: ScreenApp) -> None:
        await press_keys(pilot, "j")
        await pilot.resize_terminal(*NARROW)
        await press_keys(pilot, "j")
        assert changes(app).cursor == 2

    with open_view(stack) as view:
        drive_screen(screen_between(view.merged.as_of(1), view.merged), steps, size)
