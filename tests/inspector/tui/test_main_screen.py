"""The panes of the main screen together: what one says is what another shows; changes as they come."""

from __future__ import annotations

import os
import re
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from textual.command import CommandPalette
from textual.pilot import Pilot
from textual.widgets._toast import Toast

from engine.format import RefRecord
from engine.git import find_repository
from engine.stack import Stack
from inspector.actions import Workplace
from inspector.model import AsOf, OneTable, WholeStack
from inspector.tui import InspectorApp, MainScreen
from inspector.tui.screens.changes import ChangesScreen
from inspector.tui.screens.compact import CompactScreen
from inspector.tui.screens.picker import PickerScreen
from inspector.tui.screens.plan import ActionScreen
from inspector.tui.widgets.block_pane import BlockPane
from inspector.tui.widgets.detail import Detail
from inspector.tui.widgets.health_pane import HealthPane
from inspector.tui.widgets.record_pane import RefsPane
from inspector.tui.widgets.stack_list import StackPane
from inspector.tui.widgets.status_line import Breadcrumbs, StatusLine
from inspector.tui.widgets.tab_line import TabLine
from tests.support.git import Git, Repository
from tests.support.handmade import change_byte
from tests.support.screens import (
    NARROW,
    branch,
    branches,
    drive,
    inspect,
    log,
    look,
    make_stack,
    open_session,
    press,
    settle,
    shown_lines,
)
from tests.support.shared_screen import SharedScreen, shared_screen
from tests.support.tables import oid
from tests.support.thinning import thinned

Steps = Callable[[Pilot[Any], MainScreen], Awaitable[None]]


def make(directory: Path) -> Path:
    """Three tables: forty branches, then one moved and one deleted, then a new one."""
    return make_stack(
        directory,
        ([RefRecord(b"HEAD", 1, target=branch(7)), *branches(40)], [log(branch(7), 1)]),
        ([RefRecord(branch(0), 2), RefRecord(branch(1), 2, oid(77))], [log(branch(7), 2)]),
        ([RefRecord(branch(90), 3, oid(90))], []),
    )


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    return make(tmp_path / "reftable")


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SharedScreen]:
    with shared_screen(make(tmp_path_factory.mktemp("shared") / "reftable")) as screen:
        yield screen


def text(screen: MainScreen) -> str:
    return "\n".join(shown_lines(screen.app))


def way(screen: MainScreen) -> tuple[str, ...]:
    return screen.query_one(Breadcrumbs).parts


def active(screen: MainScreen) -> str:
    return screen.query_one(TabLine).active


def watched(directory: Path, steps: Steps, workplace: Workplace | None = None) -> None:
    """Run `steps` on a screen that watches; its looks at the stack are `look(screen)`."""
    with open_session(directory) as session:
        app = InspectorApp(session, workplace, watch=3600)

        async def run(pilot: Pilot[Any]) -> None:
            assert isinstance(app.screen, MainScreen)
            await steps(pilot, app.screen)

        drive(app, run)


def test_a_stack_that_others_break_is_shown_as_it_was_until_it_is_to_be_read_again(stack: Path) -> None:
    async def steps(pilot: Pilot[Any], screen: MainScreen) -> None:
        (stack / (stack / "tables.list").read_text().split()[1]).unlink()
        # A table that is open needs no file: the list has to be another one.
        path = stack / "tables.list"
        (stack / "new").write_bytes(path.read_bytes() + b"0x000000000009-0x000000000009-0badcafe.ref\n")
        (stack / "new").rename(path)
        await look(pilot, screen)
        assert "as it was before: R reads what is left" in " ".join(text(screen).split())
        assert "broken" not in text(screen)
        await press(pilot, "R")
        assert "X does not open: 2 missing tables" in text(screen)
        assert "R reads" not in text(screen)

    watched(stack, steps)


# Scopes.


def test_enter_on_a_table_shows_it_alone_and_escape_the_whole_stack(shared: SharedScreen) -> None:
    async def steps(pilot: Pilot[Any], screen: MainScreen) -> None:
        refs, logs = screen._refs, screen._logs
        await press(pilot, "shift+tab", "j", "enter")
        name = screen._session.view.tables[1].name
        assert refs.scope == logs.scope == OneTable(name)
        assert way(screen) == ("stack", "#1 …00005eed", "refs")
        assert re.search(r"branch-0000000 +\(deleted\)", text(screen))
        assert "branch-0000090" not in text(screen)
        await press(pilot, "escape")
        assert refs.scope == logs.scope == WholeStack()
        assert way(screen) == ("stack", "merged view", "refs")
        assert "branch-0000000 " not in text(screen)

    shared(steps)


def test_a_click_on_the_first_breadcrumb_leads_to_the_whole_stack(shared: SharedScreen) -> None:
    async def steps(pilot: Pilot[Any], screen: MainScreen) -> None:
        await press(pilot, "shift+tab", "enter")
        assert isinstance(screen.query_one(RefsPane).scope, OneTable)
        await pilot.click(Breadcrumbs, offset=(2, 0))
        await settle(pilot)
        assert screen.query_one(RefsPane).scope == WholeStack()

    shared(steps)


def test_time_travel_shows_refs_as_of_a_moment(shared: SharedScreen) -> None:
    async def steps(pilot: Pilot[Any], screen: MainScreen) -> None:
        await press(pilot, "4", "T", "j", "j", "enter")
        assert screen.query_one(RefsPane).scope == AsOf(1)
        assert active(screen) == "refs"
        assert re.search(rf"branch-0000001 +{oid(1).hex()[:10]}", text(screen))
        assert "as of 1" in way(screen)[1]

    shared(steps)


def test_the_detail_is_of_no_ref_when_a_filter_leaves_none(shared: SharedScreen) -> None:
    async def steps(pilot: Pilot[Any], screen: MainScreen) -> None:
        detail = screen.query_one(Detail)

        def said() -> str:
            lines = shown_lines(screen.app)[detail.region.y + 1 : detail.region.bottom]
            return "".join(line[detail.region.x : detail.region.right] for line in lines)

        assert "HEAD" in said()
        await press(pilot, "slash", "z", "z", "enter")
        assert not said().strip()
        await press(pilot, "escape")
        assert "HEAD" in said()

    shared(steps)


# From pane to pane.


def test_b_on_a_ref_shows_its_record_among_the_bytes_of_its_table(shared: SharedScreen) -> None:
    async def steps(pilot: Pilot[Any], screen: MainScreen) -> None:
        await press(pilot, "j")
        assert screen.query_one(RefsPane).current is not None
        await press(pilot, "b")
        assert active(screen) == "blocks"
        assert way(screen) == ("stack", "#1 …00005eed", "blocks")
        assert screen.query_one(StackPane).current is not None
        assert re.search(r">.*refs/heads/branch-0000001", text(screen))

    shared(steps)


def test_b_on_a_log_entry_shows_its_record_too(shared: SharedScreen) -> None:
    async def steps(pilot: Pilot[Any], screen: MainScreen) -> None:
        await press(pilot, "2", "j", "b")
        assert active(screen) == "blocks"
        assert way(screen)[1] == "#0 …00005eed"
        assert re.search(r">.*refs/heads/branch-0000007", text(screen))

    shared(steps)


def test_the_blocks_are_those_of_the_table_under_the_cursor(shared: SharedScreen) -> None:
    async def steps(pilot: Pilot[Any], screen: MainScreen) -> None:
        await press(pilot, "3")
        for position in (1, 2):
            screen.query_one(StackPane).choose(position)
            await settle(pilot)
            assert way(screen)[1] == f"#{position} …00005eed"
            assert f"{screen._session.view.tables[position].size:,}" in text(screen)

    shared(steps)


def test_a_finding_opens_its_block(stack: Path) -> None:
    async def steps(pilot: Pilot[Any], screen: MainScreen) -> None:
        table = screen._session.view.tables[0]
        offset = next(table.blocks()).offset
        change_byte(Path(table.path), offset + table.header.size + 4)
        await press(pilot, "5", "v")
        health = screen.query_one(HealthPane)
        assert health.known.counts().errors >= 1
        assert screen.query_one(StatusLine).findings[0] == health.known.counts().errors
        assert re.search(r"0 …00005eed.* X", text(screen))
        await press(pilot, "g", "enter")
        assert active(screen) == "blocks"
        assert "damaged" in text(screen)

    inspect(stack, steps)


def test_compaction_of_a_range_begins_with_its_plan(stack: Path) -> None:
    async def steps(pilot: Pilot[Any], screen: MainScreen) -> None:
        await press(pilot, "4", "A", "c")
        assert isinstance(pilot.app.screen, ActionScreen)
        await press(pilot, "escape")
        assert len(screen._session.view.tables) == 3

    inspect(stack, steps)


def test_tables_marked_in_the_stack_are_what_c_compacts(stack: Path) -> None:
    async def steps(pilot: Pilot[Any], screen: MainScreen) -> None:
        await press(pilot, "w", "c")
        assert isinstance(pilot.app.screen, CompactScreen)
        await press(pilot, "escape", "shift+tab", "space", "space", "w", "c")
        assert isinstance(pilot.app.screen, ActionScreen)
        await press(pilot, "enter", "tab", "enter", "escape")
        assert [table.max_update_index for table in screen._session.view.tables] == [2, 3]

    inspect(stack, steps)


def test_what_has_changed_stands_beside_the_way_and_covers_nothing(stack: Path) -> None:
    async def steps(pilot: Pilot[Any], screen: MainScreen) -> None:
        await press(pilot, "shift+tab", "space", "space", "w", "c", "enter", "tab", "enter")
        await look(pilot, screen)
        assert isinstance(pilot.app.screen, ActionScreen)
        assert len(screen._session.view.tables) == 2
        assert not pilot.app.screen.query(Toast)
        with Stack.open(stack) as other:
            other.compact(0, 2)
        await press(pilot, "escape")
        await look(pilot, screen)
        assert "2 tables became 1 (L)" in shown_lines(pilot.app)[1]
        assert not pilot.app.screen.query(Toast)

    watched(stack, steps)


def test_add_begins_with_the_ref_under_the_cursor(shared: SharedScreen) -> None:
    async def steps(pilot: Pilot[Any], _screen: MainScreen) -> None:
        await press(pilot, "j", "w", "a")
        assert branch(1).decode() in "\n".join(shown_lines(pilot.app))
        assert oid(77).hex() in "\n".join(shown_lines(pilot.app))

    shared(steps)


def test_read_only_refuses_every_change(stack: Path) -> None:
    before = sorted(os.listdir(stack))

    async def steps(pilot: Pilot[Any], screen: MainScreen) -> None:
        assert "read-only" in shown_lines(pilot.app)[0]
        for key in thinned("acex", 2):
            await press(pilot, "w", key, "enter")
            assert "opened with --read-only" in "\n".join(shown_lines(pilot.app)), key
            await press(pilot, "escape", "escape")
            assert pilot.app.screen is screen

    with open_session(stack) as session:
        workplace = Workplace(stack, session.view.options, None, read_only=True)
    watched(stack, steps, workplace)
    assert sorted(os.listdir(stack)) == before


def test_a_change_is_in_the_journal(stack: Path) -> None:
    async def steps(pilot: Pilot[Any], _screen: MainScreen) -> None:
        await press(pilot, "w", "c", "enter", "enter", "tab", "enter", "escape", "at")
        assert "reftable-inspector compact --all" in "\n".join(shown_lines(pilot.app))

    inspect(stack, steps)


# Watching.


def test_a_branch_made_by_git_shows_up_and_everything_stays(repo: Repository) -> None:
    commit = repo.commit("first").hex()
    repo.update_refs(f"create refs/heads/b{number:03} {commit}" for number in range(200))

    async def steps(pilot: Pilot[Any], screen: MainScreen) -> None:
        refs = screen.query_one(RefsPane)
        await press(pilot, "slash", *"b1", "enter", "pagedown", "pagedown", "k", "k")
        current, above = refs.current, refs.rows.above
        assert current is not None
        assert 0 < above < refs.rows.cursor
        repo.branch("b000-new")
        repo.branch("b100-new")
        await look(pilot, screen)
        assert refs.current is not None
        assert refs.current.record == current.record
        assert refs.rows.above == above
        assert "101 of 204" in text(screen)
        assert "2 created" in text(screen)
        await press(pilot, "L", "d")
        assert isinstance(pilot.app.screen, ChangesScreen)
        shown = "\n".join(shown_lines(pilot.app))
        assert "+ 2 created" in shown
        assert "refs/heads/b000-new" in shown

    watched(repo.reftable, steps)


def test_nothing_is_said_when_nothing_has_changed(stack: Path) -> None:
    async def steps(pilot: Pilot[Any], screen: MainScreen) -> None:
        before = text(screen)
        await look(pilot, screen)
        assert text(screen) == before

    watched(stack, steps)


def test_p_pauses_watching_and_goes_on_with_it(repo: Repository) -> None:
    repo.commit("first")

    async def steps(pilot: Pilot[Any], screen: MainScreen) -> None:
        assert "watching" in shown_lines(pilot.app)[0]
        await press(pilot, "p")
        assert "paused" in shown_lines(pilot.app)[0]
        repo.branch("later")
        await look(pilot, screen)
        assert "refs/heads/later" not in text(screen)
        await press(pilot, "p")
        assert "refs/heads/later" in text(screen)

    watched(repo.reftable, steps)


def test_a_compaction_is_no_reason_to_forget_what_changed(git: Git, tmp_path: Path) -> None:
    repo = git.init(tmp_path / "repo", auto_compaction=False)
    repo.commit("first")

    async def steps(pilot: Pilot[Any], screen: MainScreen) -> None:
        repo.branch("later")
        await look(pilot, screen)
        repo.git("pack-refs")
        await look(pilot, screen)
        assert "no ref changed" in text(screen)
        await press(pilot, "L")
        assert "refs/heads/later" in "\n".join(shown_lines(pilot.app))

    watched(repo.reftable, steps)


def test_a_lock_beside_the_stack_is_shown_with_its_holder(stack: Path) -> None:
    lock = stack / "tables.list.lock"

    async def steps(pilot: Pilot[Any], screen: MainScreen) -> None:
        with lock.open("w"):
            screen._look_beside()
            await settle(pilot)
            shown = text(screen)
        assert "not in tables.list" in shown
        assert re.search(rf"L +tables\.list\.lock.*{os.getpid()}", shown)
        lock.unlink()
        screen._look_beside()
        await settle(pilot)
        assert "tables.list.lock" not in text(screen)

    watched(stack, steps)


# Several stacks.


@pytest.fixture
def linked(repo: Repository, tmp_path: Path) -> InspectorApp:
    """The inspector in a linked worktree."""
    repo.commit("first")
    repo.git("worktree", "add", "-q", "-b", "topic", str(tmp_path / "linked"))
    repository = find_repository(tmp_path / "linked")
    workplace = Workplace(repository.current.directory, repository.stack_options(), repository)
    return InspectorApp(None, workplace, label="linked")


def test_a_repository_with_worktrees_asks_which_stack(linked: InspectorApp) -> None:
    async def steps(pilot: Pilot[Any]) -> None:
        assert isinstance(linked.screen, PickerScreen)
        await press(pilot, "enter")
        assert isinstance(linked.screen, MainScreen)
        assert "linked (linked)" in shown_lines(linked)[0]
        assert "refs/heads/topic" in "\n".join(shown_lines(linked))  # HEAD leads there
        await press(pilot, "W", "k", "enter")
        assert "linked (main)" in shown_lines(linked)[0]
        assert re.search(r"refs/heads/topic +[0-9a-f]{10}", "\n".join(shown_lines(linked)))
        await press(pilot, "W", "escape", "q")

    with linked.sessions:
        drive(linked, steps)
    assert linked.return_code == 0


def test_no_choice_is_an_end(linked: InspectorApp) -> None:
    async def steps(pilot: Pilot[Any]) -> None:
        await pilot.press("escape")

    with linked.sessions:
        drive(linked, steps)
    assert not linked.is_running


# One pane alone.


def test_m_gives_a_pane_the_whole_screen(shared: SharedScreen) -> None:
    async def steps(pilot: Pilot[Any], screen: MainScreen) -> None:
        await press(pilot, "3", "m")
        assert screen.query_one(BlockPane).size.width > 110
        await press(pilot, "m", "shift+tab", "shift+tab", "m")
        assert screen.focused is not None

    shared(steps)


def test_help_and_quit_are_in_the_footer_of_a_narrow_terminal_too(shared: SharedScreen) -> None:
    async def steps(pilot: Pilot[Any], screen: MainScreen) -> None:
        await pilot.resize_terminal(*NARROW)
        for tab in "12345":
            await press(pilot, tab)
            assert "? Help q Quit" in shown_lines(screen.app)[-1], tab

    shared(steps)


def test_a_colon_opens_the_palette(shared: SharedScreen) -> None:
    async def steps(pilot: Pilot[Any], _screen: MainScreen) -> None:
        await press(pilot, "colon")
        assert isinstance(pilot.app.screen, CommandPalette)

    shared(steps)
