"""The tree of ref prefixes in use: opened level by level, counted, left for the list and back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from engine.format import RefRecord
from engine.stack import Stack
from inspector.model import OneTable
from inspector.rows import PrefixRow, RefRow, prefix_tree
from inspector.tui import MainScreen
from tests.support.screens import (
    NARROW,
    OPTIONS,
    branches,
    inspect,
    log,
    make_stack,
    press,
    settle,
    shown_lines,
)
from tests.support.shared_screen import SharedScreen, shared_screen
from tests.support.tables import oid

REFS = [
    RefRecord(b"HEAD", 1, target=b"refs/heads/branch-0000001"),
    *branches(300),
    *(RefRecord(b"refs/tags/v%02d" % number, 1, oid(number)) for number in range(5)),
    RefRecord(b"refs/tags/old/v0", 1, oid(9)),
]


@pytest.fixture(scope="module")
def screen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SharedScreen]:
    refs = sorted(REFS, key=lambda ref: ref.name)
    directory = make_stack(
        tmp_path_factory.mktemp("tree") / "reftable",
        (refs, [log(b"refs/tags/v01", 1)]),
        ([RefRecord(b"refs/tags/v04", 2)], []),
    )
    with shared_screen(directory) as shared:
        yield shared


def rows(main: MainScreen) -> list[str]:
    """The tree as text: prefixes with their counts, refs by name."""
    tree = main._refs.prefixes.held
    return [
        f"{row.name.decode()} {tree.count(row.name)}"
        if isinstance(row, PrefixRow)
        else row.record.name.decode()
        for row in tree.rows
    ]


def text(pilot: Pilot[Any]) -> str:
    return "\n".join(shown_lines(pilot.app))


def test_a_tree_is_opened_level_by_level_and_counts_what_is_below(screen: SharedScreen) -> None:
    async def steps(pilot: Pilot[Any], main: MainScreen) -> None:
        await press(pilot, "t")
        assert "▾ refs/" in text(pilot)
        assert rows(main) == ["HEAD", "refs/ 305", "refs/heads/ 300", "refs/tags/ 5"]
        assert main._refs.current is not None
        assert main.focused is main._refs.prefixes
        await press(pilot, "G", "enter")
        assert rows(main)[3:] == [
            "refs/tags/ 5",
            "refs/tags/old/ 1",
            "refs/tags/v00",
            "refs/tags/v01",
            "refs/tags/v02",
            "refs/tags/v03",
        ]
        assert "305" in text(pilot)
        await press(pilot, "j", "j", "j")
        assert "refs/tags/v01" in text(pilot)
        assert oid(1).hex() in text(pilot), "the detail is that of the ref"
        await press(pilot, "left")
        assert main._refs.prefixes.name_at_cursor == b"refs/tags/"
        await press(pilot, "left")
        assert len(rows(main)) == 4
        await press(pilot, "right", "right", "right")
        assert rows(main)[5] == "refs/tags/old/v0"
        await press(pilot, "escape")
        assert not main._refs.shows_tree
        assert main.focused is main._refs.rows
        assert main._refs.current is not None
        assert main._refs.current.record.name == b"refs/tags/old/v0"

    screen(steps)


def test_a_ref_of_the_tree_leads_on_and_back(screen: SharedScreen) -> None:
    async def steps(pilot: Pilot[Any], main: MainScreen) -> None:
        await press(pilot, "f")
        pilot.app.focused.value = "refs/tags/v01"  # type: ignore[union-attr]
        await settle(pilot)
        await press(pilot, "enter", "t")
        assert main._refs.prefixes.name_at_cursor == b"refs/tags/v01"
        await press(pilot, "enter")
        assert main.focused is main._logs.rows
        assert main._logs.current is not None
        await press(pilot, "backspace")
        assert main._refs.current is not None
        assert main._refs.current.record.name == b"refs/tags/v01"
        await press(pilot, "2", "1", "slash")
        assert not main._refs.shows_tree
        await press(pilot, "escape")

    screen(steps)


def test_a_prefix_leads_to_what_is_below_it_as_a_list_to_its_reflogs_and_back(screen: SharedScreen) -> None:
    async def steps(pilot: Pilot[Any], main: MainScreen) -> None:
        for down, (pane, count) in enumerate(((main._refs, 5), (main._logs, 1))):
            await press(pilot, "t", "g", "j", "j", "j")
            assert main._refs.prefixes.name_at_cursor == b"refs/tags/"
            await press(pilot, "l")
            assert "the refs below refs/tags/, as a list" in text(pilot)
            await press(pilot, *["j"] * down, "enter")
            assert main.focused is pane.rows
            assert not main._refs.shows_tree or pane is main._logs
            assert pane.rows.source.count == count
            assert "re:^refs/tags/" in text(pilot), "it can be changed, and dropped"
            await press(pilot, "backspace")
            assert main.focused is main._refs.prefixes
            assert main._refs.prefixes.name_at_cursor == b"refs/tags/"
            await press(pilot, "escape")

    screen(steps)


def test_keys_for_a_ref_are_not_offered_on_a_prefix(screen: SharedScreen) -> None:
    async def steps(pilot: Pilot[Any], main: MainScreen) -> None:
        await press(pilot, "t", "g")
        assert isinstance(main._refs.prefixes.current, RefRow)
        assert {"b", "y"} <= main.active_bindings.keys()
        await press(pilot, "j")
        assert isinstance(main._refs.prefixes.current, PrefixRow)
        assert not {"b", "y"} & main.active_bindings.keys()
        assert "b Bytes" not in text(pilot)
        await press(pilot, "k")
        assert "b Bytes" in text(pilot)
        await press(pilot, "escape")

    screen(steps)


def test_a_tree_is_of_the_scope_with_or_without_tombstones(screen: SharedScreen) -> None:
    async def steps(pilot: Pilot[Any], main: MainScreen) -> None:
        await press(pilot, "t", "D")
        assert "refs/tags/ 6" in rows(main)
        await press(pilot, "D")
        assert "refs/tags/ 5" in rows(main)
        main._set_scope(OneTable(main._session.view.tables[1].name))
        await settle(pilot)
        assert rows(main) == ["refs/ 1", "refs/tags/ 1"]
        await press(pilot, "t")

    screen(steps)


def test_a_level_too_large_leads_to_the_list(screen: SharedScreen, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prefix_tree, "MAX_CHILDREN", 20)

    async def steps(pilot: Pilot[Any], main: MainScreen) -> None:
        await press(pilot, "t", "j", "j", "enter")
        assert rows(main)[2] == "refs/heads/ 300"
        assert main._refs.prefixes.held.rows[23] == PrefixRow(b"refs/heads/branch-0000020", 2, is_rest=True)
        main._refs.prefixes.cursor = 23
        await pilot.pause()
        assert "… and more: enter lists them" in text(pilot)
        await press(pilot, "enter")
        assert main._refs.current is not None
        assert main._refs.current.record.name == b"refs/heads/branch-0000020"

    screen(steps)


def test_a_tree_follows_a_stack_that_changes(tmp_path: Path) -> None:
    directory = make_stack(tmp_path / "reftable", (branches(3), []))

    async def steps(pilot: Pilot[Any], main: MainScreen) -> None:
        await press(pilot, "t")
        assert rows(main)[:2] == ["refs/ 3", "refs/heads/ 3"]
        with (
            Stack.open(directory, OPTIONS) as stack,
            stack.addition() as addition,
            addition.table() as writer,
        ):
            writer.add_ref(RefRecord(b"refs/new/x", addition.update_index, oid(1)))
        await press(pilot, "R")
        assert rows(main)[0] == "refs/ 4"
        assert "refs/new/ 1" in rows(main)
        assert isinstance(main._refs.prefixes.current, RefRow)
        assert "▸ new/" in text(pilot)

    inspect(directory, steps, NARROW)
