"""A stack that does not open as one is shown as far as it can be read, and says where that leaves doubt."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from engine.errors import FormatError, MissingTableError
from engine.format import HashId, RefRecord
from engine.git import find_repository
from engine.stack import Stack, StackOptions
from inspector.actions import Workplace
from inspector.model import PlanPlace, Session, broken_text, places_of
from inspector.model.trace import trace_ref
from inspector.tui import InspectorApp, MainScreen
from inspector.tui.screens import RepairScreen
from inspector.tui.widgets.tab_line import TabLine
from tests.support.git import Git
from tests.support.handmade import overwrite
from tests.support.screens import (
    NARROW,
    OPTIONS,
    WIDE,
    branch,
    branches,
    drive,
    inspect,
    log,
    make_stack,
    open_session,
    press,
    settle,
    shown_lines,
)
from tests.support.stacks import listed
from tests.support.tables import oid
from tests.support.thinning import thinned

SMALL = replace(OPTIONS, block_size=512)


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    return make_stack(
        tmp_path / "reftable",
        (branches(60), [log(branch(number), 1) for number in range(10)]),
        ([RefRecord(branch(1), 2, oid(9)), RefRecord(branch(2), 2)], []),
        ([RefRecord(branch(3), 3, oid(10))], []),
        options=SMALL,
    )


def break_second(stack: Path) -> Path:
    """Set the second table aside, and return where it is then."""
    aside = stack.parent / "aside"
    (stack / listed(stack)[1]).rename(aside)
    return aside


def text(pilot: Pilot[Any]) -> str:
    return "\n".join(shown_lines(pilot.app))


def line_with(pilot: Pilot[Any], part: str) -> str:
    return next(line for line in shown_lines(pilot.app) if part in line)


@pytest.mark.parametrize("size", thinned([WIDE, NARROW], 2))
def test_a_broken_stack_lands_on_health_and_says_what_is_wrong(stack: Path, size: tuple[int, int]) -> None:
    name = listed(stack)[1]
    break_second(stack)

    async def steps(pilot: Pilot[Any], screen: MainScreen) -> None:
        assert screen.query_one(TabLine).active == "health"
        assert "X does not open: 1 missing table" in shown_lines(pilot.app)[0]
        assert f"! {name}: listed in tables.list" in text(pilot)
        assert "v Check" in shown_lines(pilot.app)[-1]  # which has the keys
        assert "2 of 3 tables checked" in text(pilot)  # the third is not there to be read

    inspect(stack, steps, size)


def test_refs_whose_newest_version_may_be_lost_are_marked_and_explained(stack: Path) -> None:
    break_second(stack)

    async def steps(pilot: Pilot[Any], _screen: MainScreen) -> None:
        await press(pilot, "1")
        assert "#0?" in line_with(pilot, "branch-0000000 ")
        assert "#2?" not in text(pilot)
        assert "#2" in line_with(pilot, "branch-0000003 ")
        assert "in doubt" in text(pilot)
        # The moments before it was written, and a table for itself, are what they are.
        await press(pilot, "shift+tab", "enter")
        assert "#0?" not in text(pilot)

    inspect(stack, steps)


def test_the_missing_table_keeps_its_row_with_a_mark_and_has_no_bytes(stack: Path) -> None:
    break_second(stack)

    async def steps(pilot: Pilot[Any], _screen: MainScreen) -> None:
        assert " X" in line_with(pilot, " 1 …")
        await press(pilot, "3", "shift+tab", "j")
        assert "there is no such file" in "\n".join(shown_lines(pilot.app)[4:])
        assert "damaged" not in text(pilot)
        await press(pilot, "1", "shift+tab")
        assert f"{listed(stack)[1]}: listed in" in line_with(pilot, "X        ")

    inspect(stack, steps)


def test_a_missing_table_leads_from_health_to_what_mends_the_list(stack: Path) -> None:
    break_second(stack)

    async def steps(pilot: Pilot[Any], screen: MainScreen) -> None:
        finding = screen._health.current
        assert finding is not None
        assert finding.code == "table-missing"
        assert [type(place) for place in places_of(finding, screen._session.view)] == [PlanPlace]
        await press(pilot, "enter")
        assert isinstance(pilot.app.screen, RepairScreen)

    inspect(stack, steps)


@pytest.mark.parametrize("key", thinned(["a", "c", "e", "x"], 2))
def test_changes_are_refused_with_a_word_on_repair(stack: Path, key: str) -> None:
    break_second(stack)

    async def steps(pilot: Pilot[Any], screen: MainScreen) -> None:
        await press(pilot, "w", key)
        assert "the stack is broken: r plans what repairs it" in text(pilot)
        await press(pilot, "escape")
        assert pilot.app.screen is screen

    inspect(stack, steps)


def test_the_screen_is_as_ever_once_the_stack_is_sound_again(stack: Path) -> None:
    aside = break_second(stack)

    async def steps(pilot: Pilot[Any], _screen: MainScreen) -> None:
        await press(pilot, "R")
        assert "Nothing has changed." in text(pilot)
        shutil.copy(aside, stack / listed(stack)[1])
        await press(pilot, "R", "1")
        assert "broken" not in text(pilot)
        assert " ok" in line_with(pilot, " 1 …")  # it was checked once more
        assert "#0?" not in text(pilot)
        assert "#1" in line_with(pilot, "branch-0000001 ")

    inspect(stack, steps)


def test_a_broken_stack_that_is_broken_otherwise_is_shown_anew(stack: Path) -> None:
    break_second(stack)

    async def steps(pilot: Pilot[Any], _screen: MainScreen) -> None:
        (stack / listed(stack)[2]).unlink()
        await press(pilot, "R")
        assert "X does not open: 2 missing tables" in shown_lines(pilot.app)[0]

    inspect(stack, steps)


def test_a_damaged_block_costs_its_rows_and_is_named_with_what_is_left(stack: Path) -> None:
    with Stack.open(stack, read_only=True) as opened:
        table = opened.tables[0]
        block = list(table.blocks())[1]
        lost = block.refs(20, 1)
    overwrite(Path(table.path), block.offset, b"\xff" * block.block_len)

    async def steps(pilot: Pilot[Any], screen: MainScreen) -> None:
        assert screen.query_one(TabLine).active == "refs"
        refs = screen._session.view.refs
        assert refs.complete
        assert refs.count == 60 - 1 - len(lost)
        assert f"! {table.name} at byte {block.offset}" in text(pilot)
        assert "cannot be read" in text(pilot)
        assert " X" in line_with(pilot, " 0 …")
        await press(pilot, "G")
        assert "branch-0000059" in text(pilot)
        await press(pilot, "b")
        await settle(pilot)
        assert screen.query_one(TabLine).active == "blocks"

    inspect(stack, steps)


def test_without_a_list_the_tables_of_the_directory_are_shown(stack: Path) -> None:
    (stack / "tables.list").unlink()

    async def steps(pilot: Pilot[Any], _screen: MainScreen) -> None:
        assert "X does not open: tables.list" in shown_lines(pilot.app)[0]
        assert "the 3 table files of the directory are shown" in text(pilot).replace("\n", "")
        await press(pilot, "1")
        assert "branch-0000000" in text(pilot)

    inspect(stack, steps)


def test_in_the_least_terminal_each_list_has_rows_beside_all_that_is_said_of_damage(stack: Path) -> None:
    break_second(stack)

    async def steps(pilot: Pilot[Any], screen: MainScreen) -> None:
        for tab, name in (("5", "findings"), ("1", "refs"), ("2", "logs")):
            await press(pilot, tab)
            assert screen.query_one("#trouble").display
            assert screen.query_one(f"#{name}").size.height >= 2, name

    inspect(stack, steps, (60, 16))


def test_a_repository_that_has_lost_its_stack_lands_on_health_and_follows_what_is_put_back(
    git: Git, tmp_path: Path
) -> None:
    repo = git.init(tmp_path / "repo")
    repo.commit("one")
    repo.reftable.rename(tmp_path / "copy")
    repo.reftable.mkdir()

    async def steps(pilot: Pilot[Any]) -> None:
        screen = pilot.app.screen
        assert isinstance(screen, MainScreen)
        assert screen.query_one(TabLine).active == "health"
        assert "X does not open: tables.list" in shown_lines(pilot.app)[0]
        assert "stack-lost" in text(pilot)
        for tab in "12345":
            await press(pilot, tab, "j", "enter", "l", "b", "y", "backspace", "escape")
        assert pilot.app.screen is screen
        await press(pilot, "w", "c")
        assert "the stack is broken" in text(pilot)
        await press(pilot, "escape", "w", "r")
        assert "Nothing to repair" in text(pilot)
        await press(pilot, "escape")
        shutil.copytree(tmp_path / "copy", repo.reftable, dirs_exist_ok=True)
        screen._look()
        await settle(pilot)
        assert "does not open" not in text(pilot)
        await press(pilot, "1")
        assert "refs/heads/main" in text(pilot)

    repository = find_repository(repo.path)
    with Session.open(repo.reftable, label="", options=repository.stack_options()) as session:
        workplace = Workplace(repo.reftable, session.view.options, repository)
        drive(InspectorApp(session, workplace, watch=3600.0), steps)


def test_a_symref_to_a_lost_ref_is_not_said_to_dangle(stack: Path) -> None:
    with Stack.open(stack, OPTIONS) as opened, opened.addition() as addition, addition.table() as writer:
        writer.add_ref(RefRecord(b"HEAD", addition.update_index, target=b"refs/heads/gone"))
    with open_session(stack) as session:
        assert trace_ref(session.view, b"HEAD").chain_end == "unborn"
    break_second(stack)
    with open_session(stack) as session:
        trace = trace_ref(session.view, b"HEAD")
        assert trace.chain_end == "unreadable"
        assert isinstance(trace.chain_error, MissingTableError)
        assert not trace.in_doubt
        assert trace_ref(session.view, branch(5)).in_doubt


def test_tables_of_another_hash_than_the_repository_states_are_shown_as_what_they_are(stack: Path) -> None:
    with Session.open(stack, label="", options=StackOptions(hash_id=HashId.SHA256)) as session:
        assert session.view.hash_id is HashId.SHA1
        assert "sha256 is wanted" in str(session.view.faults[0])


def test_how_a_stack_is_broken_in_few_words() -> None:
    missing, damaged = MissingTableError("a.ref"), FormatError("b.ref", 0, "wrong")
    of_list = FormatError("tables.list", 3, "wrong")
    assert broken_text(()) == ""
    assert broken_text([missing]) == "1 missing table"
    assert broken_text([damaged, damaged, missing]) == "2 tables, 1 missing table"
    assert broken_text([of_list]) == "tables.list"
    assert broken_text([of_list, damaged]) == "1 table, tables.list"
