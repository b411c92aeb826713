"""Time travel: which moments there are, and what can be done with them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from engine.format import RefRecord
from engine.table import Table
from inspector.model import AsOf, InList, MomentPlace, WholeStack, find, moments_of, newest_entry
from inspector.tui.screens.changes import ChangesScreen
from inspector.tui.screens.moments import MomentsScreen
from inspector.tui.widgets.virtual_list import VirtualList
from tests.support.handmade import overwrite
from tests.support.screens import NARROW, branch, branches, log, make_stack, make_tall_stack, shown_lines
from tests.support.tables import oid, write_table
from tests.support.travel import ScreenApp, drive_screen, open_view, press_keys


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    """Three tables: 30 branches are made, one is moved, one is deleted."""
    return make_stack(
        tmp_path / "reftable",
        (branches(30), [log(branch(1), 1)]),
        ([RefRecord(branch(1), 2, oid(77))], [log(branch(1), 2), log(branch(1), 3)]),
        ([RefRecord(branch(2), 4)], []),
    )


def text(app: ScreenApp) -> str:
    return "\n".join(shown_lines(app))


def moments(app: ScreenApp) -> VirtualList[Any]:
    return app.screen.query_one(VirtualList)


def run(
    directory: Path, *keys: str, at: int | None = None, size: tuple[int, int] = (120, 36)
) -> list[object]:
    async def steps(pilot: Pilot[Any], _app: ScreenApp) -> None:
        await press_keys(pilot, *keys)

    with open_view(directory) as view:
        return drive_screen(MomentsScreen(view, at), steps, size)


def test_each_table_ends_a_moment_and_the_newest_comes_first(stack: Path) -> None:
    with open_view(stack) as view:
        found = moments_of(view.tables)
        assert [(moment.update_index, moment.tables, moment.position) for moment in found] == [
            (4, 3, 2),
            (3, 2, 1),
            (1, 1, 0),
        ]
        assert found[0].size == view.size
        for moment in found:
            assert len(AsOf(moment.update_index).resolve(view).tables) == moment.tables


def test_tables_in_disorder_have_the_moments_that_can_be_resolved(tmp_path: Path) -> None:
    for name, index in (("a.ref", 5), ("b.ref", 2), ("c.ref", 5)):
        write_table(tmp_path / name, [RefRecord(b"x", index, oid(index))])
    tables = [Table.open(tmp_path / name) for name in ("a.ref", "b.ref", "c.ref")]
    assert [(moment.update_index, moment.tables) for moment in moments_of(tables)] == [(5, 3), (2, 1), (5, 3)]


def test_moments_are_listed_with_what_they_consist_of(stack: Path) -> None:
    async def steps(pilot: Pilot[Any], app: ScreenApp) -> None:
        assert re.search(r"> +4 +3 +\S+ #2 …00005eed +4 none +now", text(app))
        assert re.search(r"  +3 +2 +\S+ #1 …00005eed +2-3 2023-11-15 02:43 ", text(app))
        assert re.search(r"  +1 +1 +\S+ #0 …00005eed +1 2023-11-15 00:43 ", text(app))
        await pilot.resize_terminal(*NARROW)
        await press_keys(pilot, "j")
        assert re.search(r"> +3 +2 .* 2023-11-15 02:43 ", text(app))

    with open_view(stack) as view:
        drive_screen(MomentsScreen(view), steps)


def test_enter_goes_to_the_moment_and_on_the_newest_to_the_whole_stack(stack: Path) -> None:
    assert run(stack, "j", "enter") == [MomentPlace(3)]
    assert run(stack, "G", "enter") == [MomentPlace(1)]
    with open_view(stack) as view:
        assert find(MomentPlace(3), view, WholeStack()) == InList("refs", AsOf(3))
        assert find(MomentPlace(4), view, WholeStack()) == InList("refs", WholeStack())
    assert run(stack, "escape") == [None]
    assert run(stack, "q") == [None]


def test_a_double_click_is_as_good_as_enter(stack: Path) -> None:
    async def steps(pilot: Pilot[Any], _app: ScreenApp) -> None:
        await pilot.click(VirtualList, offset=(5, 1), times=2)
        await pilot.pause()

    with open_view(stack) as view:
        assert drive_screen(MomentsScreen(view), steps) == [MomentPlace(3)]


@pytest.mark.parametrize(("at", "moment"), [(1, 1), (2, 1), (3, 3), (4, 4)])
def test_the_cursor_begins_at_the_moment_that_is_shown(stack: Path, at: int, moment: int) -> None:
    assert run(stack, "enter", at=at) == [MomentPlace(moment)]


def test_a_marked_moment_is_compared_with_another_whichever_is_older(stack: Path) -> None:
    async def steps(pilot: Pilot[Any], app: ScreenApp) -> None:
        await press_keys(pilot, "space")
        assert "* as of 4 is marked" in text(app)
        assert "On another row, d or enter" in text(app), "the keys that are pressed below"
        assert re.search(r"> \* +4 ", text(app))
        await press_keys(pilot, "G", "enter")
        assert isinstance(app.screen, ChangesScreen)
        assert "What changed from 1 to 4 (now)" in text(app)
        assert "+ 0 created   ~ 1 updated   - 1 deleted" in text(app)
        await press_keys(pilot, "escape", "space", "g", "j", "d")
        assert "What changed from 1 to 3" in text(app)
        assert "+ 0 created   ~ 1 updated   - 0 deleted" in text(app)

    with open_view(stack) as view:
        assert drive_screen(MomentsScreen(view), steps) == []


def test_a_mark_can_be_taken_away_and_is_no_obstacle_on_its_own_row(stack: Path) -> None:
    assert run(stack, "space", "space", "G", "enter") == [MomentPlace(1)]
    assert run(stack, "G", "space", "enter") == [MomentPlace(1)]


def test_without_a_mark_the_changes_are_those_of_the_table(stack: Path) -> None:
    async def steps(pilot: Pilot[Any], app: ScreenApp) -> None:
        await press_keys(pilot, "d")
        assert "What changed from 3 to 4 (now)" in text(app)
        assert "+ 0 created   ~ 0 updated   - 1 deleted" in text(app)
        await press_keys(pilot, "escape", "G", "d")
        assert "What changed from the empty stack to 1" in text(app)
        assert "+ 30 created   ~ 0 updated   - 0 deleted" in text(app)

    with open_view(stack) as view:
        drive_screen(MomentsScreen(view), steps)


def test_an_empty_stack_has_no_moments(tmp_path: Path) -> None:
    async def steps(pilot: Pilot[Any], app: ScreenApp) -> None:
        assert "no tables: there is nothing to go back to" in text(app)
        await press_keys(pilot, "enter", "space", "d", "j")
        assert isinstance(app.screen, MomentsScreen)

    with open_view(make_stack(tmp_path / "reftable")) as view:
        drive_screen(MomentsScreen(view), steps)


def test_a_thousand_tables_are_a_thousand_moments(tmp_path: Path) -> None:
    async def steps(pilot: Pilot[Any], app: ScreenApp) -> None:
        await press_keys(pilot, "G", "k")
        assert re.search(r"> +2 +2 ", text(app))

    with open_view(make_tall_stack(tmp_path / "reftable", 1000)) as view:
        drive_screen(MomentsScreen(view), steps)


def test_a_table_whose_logs_cannot_be_read_says_so(stack: Path) -> None:
    async def steps(_pilot: Pilot[Any], app: ScreenApp) -> None:
        assert re.search(r" 3 +2 .* ! cannot be read", text(app))

    with open_view(stack) as view:
        table = view.tables[1]
        overwrite(Path(table.path), table.footer.log_offset + 6, b"\xff" * 8)
        drive_screen(MomentsScreen(view), steps)


def test_the_newest_entry_is_that_of_the_highest_update_index(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_table(tmp_path / "1.ref", [], [log(b"HEAD", 3), log(b"a", 5), log(b"b", 4)])
    write_table(tmp_path / "2.ref", [RefRecord(b"x", 1, oid(1))])
    with Table.open(tmp_path / "1.ref") as table, Table.open(tmp_path / "2.ref") as without:
        newest = newest_entry(table)
        assert newest is not None
        assert (newest.record.name, newest.exact) == (b"a", True)
        assert newest_entry(without) is None
        monkeypatch.setattr("inspector.model.newest_log.LOG_BYTES", 10)
        head = newest_entry(table)
        assert head is not None
        assert (head.record.update_index, head.exact) == (3, False)
