"""Typing an object id into the filter, and what a list says that has nothing to show."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from engine.format import RefRecord
from inspector.model import OneTable
from inspector.tui import MainScreen
from tests.support.screens import branch, branches, inspect, log, make_stack, press, settle, shown_lines
from tests.support.shared_screen import SharedScreen, shared_screen
from tests.support.tables import oid


@pytest.fixture(scope="module")
def screen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SharedScreen]:
    directory = make_stack(
        tmp_path_factory.mktemp("find") / "reftable",
        ([RefRecord(b"HEAD", 1, target=b"refs/heads/to-be"), *branches(500)], [log(branch(1), 1)]),
        ([RefRecord(branch(400), 2, oid(7))], []),
    )
    with shared_screen(directory) as shared:
        yield shared


async def find(pilot: Pilot[Any], typed: str) -> str:
    await press(pilot, "slash")
    pilot.app.focused.value = typed  # type: ignore[union-attr]
    await pilot.press("enter")
    await settle(pilot)
    return "\n".join(shown_lines(pilot.app))


def test_an_id_finds_its_refs_and_its_entries(screen: SharedScreen) -> None:
    async def steps(pilot: Pilot[Any], main: MainScreen) -> None:
        text = await find(pilot, oid(7).hex())
        assert "2 of 501" in text
        rows = main._refs.rows.source
        names = [row.record.name for number in range(2) if (row := rows.row(number)) is not None]
        assert names == [branch(7), branch(400)]
        assert "1 of 501" in await find(pilot, "to-be")
        await press(pilot, "escape", "2")
        assert "1 of 1" in await find(pilot, oid(2).hex()[:8])

    screen(steps)


def test_a_list_without_rows_says_what_was_searched_where(screen: SharedScreen) -> None:
    async def steps(pilot: Pilot[Any], main: MainScreen) -> None:
        assert "no refs whose name or target holds nowhere" in await find(pilot, "nowhere")
        nothing = "no refs whose name or target holds abcdef99, and no value or peeled value begins so"
        main.action_maximise()
        assert nothing in await find(pilot, "abcdef99")
        assert "no refs whose name matches z$" in await find(pilot, "re:z$")
        assert "no refs whose name has these letters in this order: zz" in await find(pilot, "~zz")
        assert "no refs but those whose name matches ." in await find(pilot, "!re:.")
        name = main._session.view.tables[1].name
        main._set_scope(OneTable(name))
        await settle(pilot)
        assert "no refs in #1 " in await find(pilot, "nowhere")
        await press(pilot, "escape", "2")
        assert "no reflog entries in #1 " in "\n".join(shown_lines(pilot.app))

    screen(steps)


def test_a_branch_that_head_is_to_begin_is_unborn(screen: SharedScreen) -> None:
    async def steps(pilot: Pilot[Any], _main: MainScreen) -> None:
        text = "\n".join(shown_lines(pilot.app))
        assert "-> refs/heads/to-be  (unborn: the branch has no commit yet)" in text
        assert "dangling" not in text

    screen(steps)


def test_of_a_worktree_only_what_would_be_in_its_own_stack_is_dangling(tmp_path: Path) -> None:
    refs = [RefRecord(b"HEAD", 1, target=b"refs/heads/to-be"), RefRecord(b"refs/bisect/x", 1, target=b"Y")]
    directory = make_stack(tmp_path / "worktrees" / "x" / "reftable", (refs, []))
    (directory.parent / "commondir").write_text("../..\n")

    async def steps(pilot: Pilot[Any], _main: MainScreen) -> None:
        assert "(in the stack that all worktrees share)" in "\n".join(shown_lines(pilot.app))
        await press(pilot, "j")
        assert "-> Y  (dangling: this stack has no such ref)" in "\n".join(shown_lines(pilot.app))

    inspect(directory, steps)
