"""The left pane: tables with brackets and marks, files beside them, and what keys and reloads do to it."""

from __future__ import annotations

import os
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from textual import on
from textual.app import App, ComposeResult
from textual.message import Message
from textual.pilot import Pilot

from engine.readable import open_readable
from engine.stack import FileKind, Holder, Stack, StackOptions, UnlistedFile, unlisted_files
from inspector.model import HealthMark, StackView
from inspector.tui.navigation import Follow
from inspector.tui.widgets.stack_list import StackPane
from inspector.tui.widgets.stack_rows import StackRow
from tests.support.screens import branches, drive, make_stack, make_tall_stack, shown_lines

NOW = 10_000.0
Steps = Callable[[Pilot[Any], "Host"], Awaitable[None]]


class Host(App[None]):
    """Only the pane, in a border, and what it says."""

    CSS = "StackPane { border: round white; }"

    def __init__(self) -> None:
        super().__init__()
        self.said: list[tuple[str, Any]] = []
        self.pane = StackPane(lambda: NOW)

    def compose(self) -> ComposeResult:
        yield self.pane

    @on(StackPane.Chosen)
    @on(Follow)
    def _note(self, event: Message) -> None:
        match self.pane.current:
            case StackRow(position) if isinstance(event, Follow):
                self.said.append(("opened", position))
            case StackRow(position):
                self.said.append(("chosen", position))
            case UnlistedFile(name=name):
                self.said.append(("beside", name))

    def text(self) -> str:
        return "\n".join(line.rstrip() for line in shown_lines(self))


def view(directory: Path, options: StackOptions | None = None) -> StackView:
    """Return a view whose handle is never closed: the tests need no other."""
    return StackView(open_readable(directory, options))


def host(
    shown: StackView,
    steps: Steps,
    beside: Sequence[UnlistedFile] = (),
    marks: Mapping[str, HealthMark] | None = None,
    size: tuple[int, int] = (60, 30),
) -> None:
    app = Host()

    async def run(pilot: Pilot[Any]) -> None:
        app.pane.show(shown, beside, marks or {})
        app.pane.query_one("#tables").focus()
        await pilot.pause()
        await steps(pilot, app)

    drive(app, run, size)


def beside(name: str, kind: FileKind, age: float = 60.0, holder: Holder | None = None) -> UnlistedFile:
    return UnlistedFile(name, kind, 5, NOW - age, age, "a reason", holder=holder, holding="a holder")


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    """Five tables: one large, two of the like size, one of a third of that, and a tiny one."""
    counts = (900, 60, 60, 12, 1)
    return make_stack(
        tmp_path / "reftable", *((branches(count, at), []) for at, count in enumerate(counts, start=1))
    )


def test_tables_are_listed_oldest_first_with_bars_and_ranges(stack: Path) -> None:
    async def steps(_pilot: Pilot[Any], app: Host) -> None:
        lines = [line for line in shown_lines(app) if "…00005eed" in line]
        assert [re.search(r"(\d) …00005eed", line)[1] for line in lines] == list("01234")  # type: ignore[index]
        assert [line.count("█") > 3 for line in lines] == [True, False, False, False, False]
        assert [re.search(r"(\d) +[╭╰┏┗ ]*│$", line.rstrip())[1] for line in lines] == list("12345")  # type: ignore[index]
        assert app.said == [("chosen", 0)]

    host(view(stack), steps)


def test_the_log2_rule_is_drawn_as_segments_and_suggestion(stack: Path) -> None:
    async def steps(_pilot: Pilot[Any], app: Host) -> None:
        brackets = [re.sub(r"[^╭│╰┏┃┗]", "", line[45:58]) for line in shown_lines(app) if "…00005eed" in line]
        assert brackets == ["", "╭┏", "╰┗", "", ""]
        assert "auto-compaction would merge #1..#2" in app.text()
        assert shown.suggested == range(1, 3)

    shown = view(stack)
    host(shown, steps)


def test_the_geometric_rule_is_drawn_as_its_suggestion_alone(stack: Path) -> None:
    async def steps(_pilot: Pilot[Any], app: Host) -> None:
        assert " seg" not in app.text()
        marked = [line for line in shown_lines(app) if re.search("[┏┃┗]", line[:59])]
        assert len(marked) == len(shown.suggested) >= 2

    shown = view(stack, StackOptions(policy="geometric", factor=2))
    host(shown, steps)


def test_a_stack_that_needs_no_compaction_suggests_none(tmp_path: Path) -> None:
    async def steps(_pilot: Pilot[Any], app: Host) -> None:
        assert shown.suggested == range(0)
        assert "auto" not in app.text()

    shown = view(make_stack(tmp_path / "reftable", (branches(5), [])))
    host(shown, steps)


def test_without_a_lower_border_the_suggestion_is_named_in_the_upper_one(stack: Path) -> None:
    async def steps(pilot: Pilot[Any], app: Host) -> None:
        app.pane.styles.border = ("none", "white")
        app.pane.styles.border_top = ("round", "white")
        await pilot.resize_terminal(70, 20)
        await pilot.pause()
        assert "Stack, oldest first · auto-compaction would merge #1..#2" in shown_lines(app)[0]

    host(view(stack), steps)


def test_files_that_are_not_listed_stand_below_a_heading_with_kind_age_and_holder(stack: Path) -> None:
    files = [
        beside("0x000000000001-0x000000000002-aabbccdd.ref", FileKind.SUPERSEDED, 7200),
        beside("notes", FileKind.OTHER, 45),
        beside("tables.list.lock", FileKind.LIST_LOCK, 90, Holder(4711, "git")),
        beside("x.temp.1", FileKind.TEMPORARY, 86400 * 3),
    ]

    async def steps(_pilot: Pilot[Any], app: Host) -> None:
        lines = app.text().splitlines()
        heading = next(at for at, line in enumerate(lines) if "not in tables.list" in line)
        below = [line.strip("│ ") for line in lines[heading + 1 : heading + 5]]
        assert re.fullmatch(r"L tables.list.lock +5 4711 git +90s old", below[0])
        assert re.fullmatch(r"t x.temp.1 +5 temp\S* +3d old", below[1])
        assert re.fullmatch(r"~ …aabbccdd +5 orphan +2h old", below[2])
        assert re.fullmatch(r"\? notes +5 other +45s old", below[3])

    host(view(stack), steps, files)


def test_the_cursor_passes_over_the_heading_in_both_directions(stack: Path) -> None:
    async def steps(pilot: Pilot[Any], app: Host) -> None:
        await pilot.press("G")
        await pilot.press("k")
        await pilot.press("k")
        assert app.said[-1] == ("chosen", 4)
        await pilot.press("j")
        assert app.said[-1] == ("beside", "a")
        await pilot.press("space", "enter")
        assert app.said[-1] == ("beside", "a")
        assert app.pane.marked == range(0)

    host(view(stack), steps, [beside("a", FileKind.OTHER), beside("b", FileKind.OTHER)])


def test_the_heading_of_an_empty_stack_is_no_place_for_the_cursor(tmp_path: Path) -> None:
    async def steps(pilot: Pilot[Any], app: Host) -> None:
        assert app.said == [("beside", "tables.list.lock")]
        await pilot.press("k", "g")
        assert app.pane.current is not None

    host(view(make_stack(tmp_path / "reftable")), steps, [beside("tables.list.lock", FileKind.LIST_LOCK)])


def test_hostile_names_are_shown_and_not_obeyed(tmp_path: Path) -> None:
    make_stack(tmp_path / "reftable", (branches(1), []))
    for name in (b"\x1b]0;x\x07.temp.1", b"[red]caf\xe9", "\u202egnp.lock".encode()):
        (tmp_path / "reftable" / os.fsdecode(name)).touch()
    shown = view(tmp_path / "reftable")
    found = unlisted_files(tmp_path / "reftable", NOW, [table.name for table in shown.tables])

    async def steps(_pilot: Pilot[Any], app: Host) -> None:
        text = app.text()
        assert r"\x1b]0;x\x07.temp.1" in text
        assert r"[red]caf\xe9" in text
        assert r"\u202egnp.lock" in text
        assert text.replace("\n", "").isprintable()

    host(shown, steps, found, size=(100, 20))


def test_health_is_a_letter_for_each_table(stack: Path) -> None:
    shown = view(stack)
    names = [table.name for table in shown.tables]
    marks = dict(zip(names, (HealthMark.SOUND, HealthMark.DAMAGED, HealthMark.DOUBTFUL), strict=False))

    async def steps(_pilot: Pilot[Any], app: Host) -> None:
        lines = [line for line in shown_lines(app) if "…00005eed" in line]
        assert [re.search(r" \d (ok|X|!|\.)", line)[1] for line in lines] == ["ok", "X", "!", ".", "."]  # type: ignore[index]

    host(shown, steps, marks=marks)


def test_enter_and_a_double_click_open_the_table(stack: Path) -> None:
    async def steps(pilot: Pilot[Any], app: Host) -> None:
        await pilot.press("j", "enter")
        assert app.said[-1] == ("opened", 1)
        await pilot.click("#tables", offset=(5, 3), times=2)
        assert app.said[-1] == ("opened", 3)

    host(view(stack), steps)


def test_space_marks_a_range_from_the_first_to_the_last_mark(stack: Path) -> None:
    async def steps(pilot: Pilot[Any], app: Host) -> None:
        await pilot.press("j", "space")
        assert app.pane.marked == range(1, 2)
        assert app.said[-1] == ("chosen", 2)
        await pilot.press("j", "space")
        assert app.pane.marked == range(1, 4)
        assert [mark for mark in ("*1", "|2", "*3", "|0", "|4") if f" {mark} " in app.text()] == [
            "*1",
            "|2",
            "*3",
        ]
        assert "marked #1..#3" in app.text()
        await pilot.press("k", "space")
        assert app.pane.marked == range(1, 2)
        await pilot.press("escape")
        assert app.pane.marked == range(0)
        await pilot.press("G", "space")
        assert app.pane.marked == range(4, 5)
        assert "marked #4" in app.text()

    host(view(stack), steps)


def test_escape_is_left_to_others_while_nothing_is_marked(stack: Path) -> None:
    async def steps(_pilot: Pilot[Any], app: Host) -> None:
        assert app.pane.check_action("unmark", ()) is False
        app.pane.action_mark()
        assert app.pane.check_action("unmark", ()) is True

    host(view(stack), steps)


def test_cursor_and_marks_stay_with_their_tables_when_the_stack_changes(stack: Path) -> None:
    first = view(stack)

    async def steps(pilot: Pilot[Any], app: Host) -> None:
        await pilot.press("G", "space")
        await pilot.press("k", "space", "k")
        app.said.clear()
        with Stack.open(stack) as other:
            other.compact(1, 3)
        app.pane.show(view(stack), (), {})
        await pilot.pause()
        assert app.pane.marked == range(2, 4)
        assert app.said[-1] == ("chosen", 2)
        with Stack.open(stack) as other:
            other.compact(1, 4)
        app.pane.show(view(stack), (), {})
        await pilot.pause()
        assert app.pane.marked == range(0)
        assert app.said[-1] == ("chosen", 1)
        assert app.pane.check_action("unmark", ()) is False

    host(first, steps)


def test_what_did_not_change_is_not_told_again(stack: Path) -> None:
    shown = view(stack)

    async def steps(pilot: Pilot[Any], app: Host) -> None:
        said = list(app.said)
        app.pane.show(shown, [beside("a", FileKind.OTHER)], {})
        await pilot.pause()
        assert app.said == said

    host(shown, steps)


def test_thousands_of_tables_keep_their_place_on_screen(tmp_path: Path) -> None:
    directory = make_tall_stack(tmp_path / "reftable", 600)

    async def steps(pilot: Pilot[Any], app: Host) -> None:
        app.pane.choose(400)
        await pilot.pause()
        before = [line for line in shown_lines(app) if "…" in line]
        app.pane.show(view(directory), (), {})
        await pilot.pause()
        assert [line for line in shown_lines(app) if "…" in line] == before
        assert any(re.search("> +400 ", line) for line in before)

    host(view(directory), steps)
